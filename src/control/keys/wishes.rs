//! The keys that tokens name and no worker has: which are worth a fetch.

use core::hash::BuildHasher as _;
use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::hash::RandomState;

use mesh_core::issuer::Remote;
use mesh_core::key::jwks::MAX_KID_BYTES;

use super::schedule::Moment;

/// The keys that are wished for, and those that a fetch did not bring lately.
///
/// A `kid` that a fetch did not bring waits for twice `min_refresh`, then twice as long each
/// time, up to `refresh`. So a token that names an old key causes ever fewer fetches, while a
/// server that publishes a key a moment after it signs by it is asked again soon.
///
/// Both lists are bounded. An attacker who makes up names can push out others, which costs no more
/// than one made-up name: a fetch brings all keys of the issuer, whichever name caused it.
#[derive(Clone, Debug)]
pub(super) struct Wishes {
    refresh: Duration,
    first: Duration,
    wanted: Vec<(Box<str>, u32)>,
    missing: HashMap<u64, Absence>,
    /// The hashes in `missing`, oldest first.
    order: VecDeque<u64>,
    hashes: RandomState,
}

/// A key that a fetch did not bring.
#[derive(Clone, Copy, Debug)]
struct Absence {
    /// When it may be fetched again.
    until: Moment,
    wait: Duration,
}

impl Wishes {
    pub(super) fn new(remote: &Remote) -> Self {
        Self {
            refresh: remote.refresh,
            first: remote.min_refresh.saturating_mul(2).min(remote.refresh),
            wanted: Vec::new(),
            missing: HashMap::new(),
            order: VecDeque::new(),
            hashes: RandomState::new(),
        }
    }

    /// Something wishes for a key; `true` if it is worth a fetch.
    pub(super) fn add(&mut self, kid: Box<str>, now: Moment) -> bool {
        if kid.len() > MAX_KID_BYTES {
            return false;
        }
        let absence = self.missing.get(&self.hashes.hash_one(&kid));
        if absence.is_some_and(|absence| now < absence.until) {
            return false;
        }
        if let Some((_, times)) = self.wanted.iter_mut().find(|(wanted, _)| *wanted == kid) {
            *times = times.saturating_add(1);
            return true;
        }
        if self.wanted.len() >= MAX_WANTED {
            // The oldest of the least wished names gives way.
            let least = self.wanted.iter().enumerate().min_by_key(|(_, (_, times))| *times);
            if let Some((place, _)) = least {
                self.wanted.remove(place);
            }
        }
        self.wanted.push((kid, 1));
        true
    }

    /// Whether nothing is wished for.
    pub(super) const fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Takes the wanted names, most often wished first.
    pub(super) fn take(&mut self) -> Vec<Box<str>> {
        let mut wanted = core::mem::take(&mut self.wanted);
        wanted.sort_by_key(|(_, times)| core::cmp::Reverse(*times));
        wanted.into_iter().map(|(kid, _)| kid).collect()
    }

    /// A fetch for the key brought it, or did not.
    pub(super) fn settle(&mut self, kid: &str, is_there: bool, now: Moment) {
        let hash = self.hashes.hash_one(kid);
        if is_there {
            // Its place in the order stays until it is the oldest.
            self.missing.remove(&hash);
            return;
        }
        if let Some(absence) = self.missing.get_mut(&hash) {
            absence.wait = absence.wait.saturating_mul(2).min(self.refresh);
            absence.until = now.saturating_add(absence.wait);
            return;
        }
        while self.order.len() >= MAX_MISSING {
            if let Some(oldest) = self.order.pop_front() {
                self.missing.remove(&oldest);
            }
        }
        self.order.push_back(hash);
        let until = now.saturating_add(self.first);
        self.missing.insert(hash, Absence { until, wait: self.first });
    }
}

/// Names that wait for a fetch.
const MAX_WANTED: usize = 64;
/// Names that wait before they may be fetched again.
const MAX_MISSING: usize = 1024;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::super::schedule::tests::remote;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// `refresh` of 300 s and `min_refresh` of 10 s.
    fn wishes() -> Wishes {
        Wishes::new(&remote(300, 10))
    }

    #[test]
    fn key_that_does_not_come_is_asked_for_less_and_less_often() {
        let mut wishes = wishes();
        let mut now = Duration::ZERO;
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert!(wishes.add("old".into(), now));
            assert_eq!(wishes.take(), ["old".into()]);
            wishes.settle("old", false, now);
            let from = now;
            while !wishes.add("old".into(), now) {
                now += SECOND;
            }
            wishes.take();
            waits.push((now - from).as_secs());
        }
        assert_eq!(waits, [20, 40, 80, 160, 300, 300, 300, 300]);
    }

    #[test]
    fn absence_of_one_key_says_nothing_of_another() {
        let mut wishes = wishes();
        wishes.settle("old", false, Duration::ZERO);
        assert!(!wishes.add("old".into(), SECOND));
        assert!(wishes.add("new".into(), SECOND));
    }

    #[test]
    fn key_that_came_after_all_is_not_let_be_when_it_goes() {
        let mut wishes = wishes();
        wishes.settle("a", false, Duration::ZERO);
        wishes.settle("a", true, SECOND);
        assert!(wishes.add("a".into(), SECOND));
    }

    #[test]
    fn lists_stay_bounded_whatever_is_made_up() {
        let mut wishes = wishes();
        for number in 0..10_000 {
            let kid = number.to_string();
            assert!(wishes.add(kid.as_str().into(), Duration::ZERO));
            wishes.settle(&kid, false, Duration::ZERO);
            wishes.settle(&kid, number % 3 == 0, Duration::ZERO);
        }
        assert_eq!(wishes.wanted.len(), MAX_WANTED);
        assert!(wishes.missing.len() <= MAX_MISSING);
        assert_eq!(wishes.order.len(), MAX_MISSING);
        assert!(!wishes.add("x".repeat(MAX_KID_BYTES + 1).into(), Duration::ZERO));
    }

    #[test]
    fn key_that_many_tokens_name_is_not_pushed_out_by_made_up_ones() {
        let mut wishes = wishes();
        wishes.add("real".into(), Duration::ZERO);
        wishes.add("real".into(), Duration::ZERO);
        for number in 0..10_000 {
            wishes.add(number.to_string().into(), Duration::ZERO);
        }
        assert_eq!(wishes.take().first().map(|kid| &**kid), Some("real"));
    }
}
