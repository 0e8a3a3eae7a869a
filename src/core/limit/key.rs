//! The key of a bucket: a keyed hash of the quota's name and the party that is charged.

use core::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::memory::scale;

/// The hash of a quota's name and the charged party, by SipHash-1-3 with the seed of the zone.
///
/// The seed is random and stays in the zone, so a client cannot aim for a stranger's slot. Two
/// parties would share a slot if 56 bits collided: the odds that any two of 100,000 do are less
/// than one in ten million.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Key(u64);

impl Key {
    /// The key of `name` and the parts of `who`; each goes in behind its length, so that
    /// `("ab", "c")` and `("a", "bc")` differ.
    pub(super) fn new(seed: [u64; 2], name: &str, who: &[&[u8]]) -> Self {
        let [first, second] = seed;
        let mut hasher = SipHasher13::new_with_keys(first, second);
        // Short input is put together first, so that the hash takes whole words.
        let mut flat = [0_u8; SHORT];
        if let Some(len) = flatten(&mut flat, name, who) {
            return Self::from_hash(hasher.hash(flat.get(..len).unwrap_or_default()));
        }
        for part in core::iter::once(name.as_bytes()).chain(who.iter().copied()) {
            hasher.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.write(part);
        }
        Self::from_hash(hasher.finish())
    }

    /// The key of a hash: its upper 56 bits, since a slot uses the rest otherwise. 0 marks an empty
    /// slot, so it becomes another.
    pub(super) const fn from_hash(hash: u64) -> Self {
        let bits = hash & !TURN_MASK;
        Self(if bits == 0 { 1 << TURN_MASK.count_ones() } else { bits })
    }

    /// The number in a slot; never 0, and 0 in the bits of [`TURN_MASK`].
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// One of the [`PLACES`] where the key may live among so many buckets, in the order of preference.
    ///
    /// They may coincide by chance, and do in a table of fewer than [`PLACES`] buckets.
    pub(super) const fn place(self, nth: usize, buckets: usize) -> usize {
        // The upper bits choose the bucket: each place gets other ones, well mixed.
        let bits = match nth {
            0 => self.0,
            1 => self.0.rotate_left(32).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            _ => self.0.rotate_left(16).wrapping_mul(0xc2b2_ae3d_27d4_eb4f),
        };
        scale(bits, buckets)
    }
}

/// Writes each part behind its length, if there is room; returns how many bytes that are.
fn flatten(flat: &mut [u8; SHORT], name: &str, who: &[&[u8]]) -> Option<usize> {
    let mut at = 0_usize;
    for part in core::iter::once(name.as_bytes()).chain(who.iter().copied()) {
        let (len, rest) = flat.get_mut(at..)?.split_first_chunk_mut::<8>()?;
        *len = u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes();
        rest.get_mut(..part.len())?.copy_from_slice(part);
        at = at.saturating_add(8).saturating_add(part.len());
    }
    Some(at)
}

/// Most keys have fewer bytes than this.
const SHORT: usize = 128;

/// The bits of a slot's first word that are not the key's.
pub(super) const TURN_MASK: u64 = 0xff;

/// How many buckets a key may live in.
///
/// With one, newcomers find their bucket full from 15 % of the slots in debt, with two from 30 %,
/// with three from 40 %; a key that sits in its first bucket never looks at the others.
pub(super) const PLACES: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEED: [u64; 2] = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];

    #[test]
    fn parts_do_not_run_together() {
        let key = |name, who: &[&[u8]]| Key::new(SEED, name, who);
        assert_ne!(key("q", &[b"ab", b"c"]), key("q", &[b"a", b"bc"]));
        assert_ne!(key("q", &[b"ab"]), key("q", &[b"ab", b""]));
        assert_ne!(key("qa", &[b"b"]), key("q", &[b"ab"]));
        assert_eq!(key("q", &[b"ab", b"c"]), key("q", &[b"ab", b"c"]));
    }

    #[test]
    fn a_key_depends_on_the_seed() {
        assert_ne!(Key::new([1, 2], "q", &[b"a"]), Key::new([2, 1], "q", &[b"a"]));
    }

    #[test]
    fn a_key_is_siphash_1_3_of_lengths_and_parts() {
        let flat = [&8_u64.to_le_bytes()[..], b"requests", &3_u64.to_le_bytes(), b"who"].concat();
        let hash = SipHasher13::new_with_keys(SEED[0], SEED[1]).hash(&flat);
        assert_eq!(Key::new(SEED, "requests", &[b"who"]).bits(), hash & !0xff);
    }

    #[test]
    fn no_key_is_the_mark_of_an_empty_slot() {
        for hash in [0, 1, 0xff] {
            assert_ne!(Key::from_hash(hash).bits(), 0);
        }
    }

    proptest! {
        #[test]
        fn places_are_within_the_table(hash: u64, buckets in 1_usize..1 << 40) {
            let key = Key::from_hash(hash);
            prop_assert!((0..PLACES).all(|nth| key.place(nth, buckets) < buckets));
        }

        #[test]
        fn places_do_not_follow_from_each_other(low in 1_u32 << 8..) {
            // Neighbours at home are strangers elsewhere.
            let places = |low| [0, 1, 2].map(|nth| Key::from_hash(low << 8).place(nth, 1 << 16));
            let [home, second, third] = places(u64::from(low));
            let [other, fourth, fifth] = places(u64::from(low) ^ 1);
            prop_assert_eq!(home, other);
            prop_assert!(second != fourth && third != fifth);
        }
    }
}
