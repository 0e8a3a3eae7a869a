//! The recent wishes of a worker, so that a flood of tokens does not become a flood of wishes.

use core::hash::BuildHasher;
use std::collections::HashMap;
use std::hash::RandomState;

use crate::text::time::Tick;
use crate::token::Wish;

/// The wishes of the last second: each is passed on once, and only a few for one issuer.
///
/// It needs no lock and no shared memory; two wishes that share a place cost one more look.
#[derive(Debug)]
pub struct WishMemo {
    hashes: RandomState,
    places: [Option<(u64, Tick)>; PLACES],
    second: u64,
    /// Wishes in that second, by issuer.
    counts: HashMap<usize, u32>,
}

impl Default for WishMemo {
    fn default() -> Self {
        Self {
            hashes: RandomState::new(),
            places: [None; PLACES],
            second: 0,
            counts: HashMap::new(),
        }
    }
}

impl WishMemo {
    /// Whether the leader should be told.
    pub fn is_new(&mut self, wish: &Wish, now: Tick) -> bool {
        let hash = self.hashes.hash_one((wish.issuer, &wish.kid));
        let place = usize::try_from(hash % PLACES_U64).ok();
        let Some(place) = place.and_then(|place| self.places.get_mut(place)) else { return false };
        let is_recent = |(_, at): &(u64, Tick)| now.nanos().wrapping_sub(at.nanos()) < SECOND;
        if place.as_ref().is_some_and(|known| known.0 == hash && is_recent(known)) {
            return false;
        }
        let second = now.nanos().div_euclid(SECOND);
        if self.second != second {
            self.second = second;
            self.counts.clear();
        }
        let count = self.counts.entry(wish.issuer).or_default();
        if *count >= A_SECOND {
            return false;
        }
        *count = count.saturating_add(1);
        *place = Some((hash, now));
        true
    }
}

const PLACES: usize = 64;
const PLACES_U64: u64 = 64;

/// Nanoseconds of one.
const SECOND: u64 = 1_000_000_000;

/// Wishes of a worker in a second for one issuer, whose ring holds four. Made-up keys of one issuer
/// must not keep another's from being asked for.
const A_SECOND: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(issuer: usize, kid: &str) -> Wish {
        Wish { issuer, kid: kid.into() }
    }

    #[test]
    fn a_wish_counts_once_a_second_and_issuer() {
        let mut memo = WishMemo::default();
        let at = Tick::from_millis;
        assert!(memo.is_new(&wish(0, "a"), at(5_000)));
        assert!(!memo.is_new(&wish(0, "a"), at(5_000)));
        assert!(!memo.is_new(&wish(0, "a"), at(5_999)));
        assert!(memo.is_new(&wish(0, "a"), at(6_000)));
        assert!(memo.is_new(&wish(1, "a"), at(6_000)));
        // Nginx's clock may be put back.
        assert!(memo.is_new(&wish(0, "a"), at(1)));
    }

    #[test]
    fn a_flood_is_a_few_a_second() {
        let mut memo = WishMemo::default();
        let flood = |memo: &mut WishMemo, at| {
            let wishes = (0..10_000).map(|number| wish(0, &number.to_string()));
            wishes.filter(|wish| memo.is_new(wish, Tick::from_millis(at))).count()
        };
        assert_eq!(flood(&mut memo, 5_000), 32);
        assert_eq!(flood(&mut memo, 5_999), 0);
        assert_eq!(flood(&mut memo, 6_000), 32);
    }

    #[test]
    fn a_flood_for_one_issuer_leaves_another_its_wishes() {
        let mut memo = WishMemo::default();
        let at = Tick::from_millis(5_000);
        for number in 0..1_000 {
            let _ = memo.is_new(&wish(0, &number.to_string()), at);
        }
        assert!(memo.is_new(&wish(1, "new"), at));
        assert!(!memo.is_new(&wish(1, "new"), at));
    }
}
