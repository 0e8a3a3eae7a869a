//! The parts of a zone. None takes room from another, so strangers cannot cost an identity its
//! limit.

use core::ops::Range;

/// A part of a zone, by the chooser of its keys.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Part {
    /// Keys of verified identities: three quarters.
    Identities,
    /// Keys that a client chooses, its address or the value of a variable: an eighth.
    Chosen,
    /// Addresses from which credentials were refused: an eighth.
    Failures,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Identities, Self::Chosen, Self::Failures];

    /// Its name, for people and for `mesh_status`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identities => "identities",
            Self::Chosen => "chosen",
            Self::Failures => "failures",
        }
    }

    /// Where it is among so many buckets.
    pub(super) fn whole(self, buckets: usize) -> Range<usize> {
        let failures = buckets.saturating_sub((buckets / 8).max(2));
        let chosen = failures.saturating_sub((buckets / 8).max(1));
        match self {
            Self::Identities => 0..chosen,
            Self::Chosen => chosen..failures,
            Self::Failures => failures..buckets,
        }
    }

    /// Where the buckets of single keys are.
    pub(super) fn own(self, buckets: usize) -> Range<usize> {
        let whole = self.whole(buckets);
        whole.start..whole.end.saturating_sub(self.share(buckets))
    }

    /// Where the buckets are that keys without room share: single keys cannot fill them.
    pub(super) fn shared(self, buckets: usize) -> Range<usize> {
        let end = self.whole(buckets).end;
        end.saturating_sub(self.share(buckets))..end
    }

    fn share(self, buckets: usize) -> usize {
        match self {
            // One place per quota, so as many as there are names of limits.
            Self::Identities => (buckets / 64).clamp(1, 64),
            Self::Chosen => 0,
            // One per network: a quarter of the part.
            Self::Failures => (buckets / 32).max(1),
        }
    }
}

/// The fewest buckets that can be parted: one for each use of each part.
pub(super) const FEWEST: usize = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_parts_are_all_of_it_and_do_not_overlap(buckets in FEWEST..1 << 24) {
            let mut end = 0;
            for part in Part::ALL {
                let (whole, own, shared) =
                    (part.whole(buckets), part.own(buckets), part.shared(buckets));
                prop_assert_eq!((whole.start, own.start), (end, end));
                prop_assert_eq!((own.end, shared.end), (shared.start, whole.end));
                prop_assert!(!own.is_empty());
                prop_assert_eq!(shared.is_empty(), part == Part::Chosen);
                end = whole.end;
            }
            prop_assert_eq!(end, buckets);
        }

        #[test]
        fn the_parts_are_as_large_as_the_manual_says(buckets in 256_usize..1 << 24) {
            let [identities, chosen, failures] = Part::ALL.map(|part| part.whole(buckets).len());
            prop_assert!(identities.abs_diff(buckets.saturating_mul(3) / 4) <= 5);
            prop_assert!(chosen == buckets / 8 && failures == chosen);
            prop_assert!(Part::Identities.shared(buckets).len() <= buckets / 64);
            prop_assert!(Part::Failures.shared(buckets).len() <= failures / 4);
        }
    }
}
