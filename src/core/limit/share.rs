//! A share of some memory for each of many keys, without named quotas.

use super::bucket::Bucket;
use super::gcra::Measure;
use super::key::Key;
use super::probe::{Outcome, Probe};
use crate::text::time::Tick;

/// Counters of keys, as in a [`Table`](super::Table).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares<'z>(&'z [Bucket]);

/// A unit that was taken from a share.
pub(crate) struct Taken<'z>(Option<Probe<'z>>);

impl<'z> Shares<'z> {
    pub(crate) const fn new(buckets: &'z [Bucket]) -> Self {
        Self(buckets)
    }

    /// Takes one unit from the share of the key with that hash, if there is one left. A key that
    /// finds no counter is not counted.
    pub(crate) fn take(&self, hash: u64, share: Measure, now: Tick) -> Option<Taken<'z>> {
        let key = Key::from_hash(hash);
        let probe = Probe::new(self.0, share, key, share.price(1), now);
        match probe.charge() {
            Outcome::Counted(_) => Some(Taken(Some(probe))),
            Outcome::Full => Some(Taken(None)),
            Outcome::Refused { .. } => None,
        }
    }
}

impl Taken<'_> {
    /// Gives the unit back.
    pub(crate) fn give_back(self) {
        if let Some(probe) = self.0 {
            probe.give_back();
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_a_share_and_what_is_given_back_can_be_taken() {
        let buckets = [Bucket::default()];
        let (shares, share) = (Shares::new(&buckets), Measure::new(1_000, 3).unwrap());
        let take = |key: u64, nanos| shares.take(key << 32, share, Tick::from_nanos(nanos));
        for _ in 0..3 {
            assert!(take(1, 0).is_some());
        }
        assert!(take(1, 0).is_none() && take(1, 1_000).is_some() && take(1, 1_000).is_none());
        take(2, 1_000).unwrap().give_back();
        for _ in 0..3 {
            assert!(take(2, 1_000).is_some());
        }
        assert!(take(2, 1_000).is_none());
        // Without a counter there is no share to keep.
        assert!(
            (0..9).all(|_| Shares::new(&[]).take(1 << 32, share, Tick::from_nanos(0)).is_some())
        );
    }
}
