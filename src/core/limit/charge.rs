//! The charges of a request, and their result.

use core::fmt;
use core::ops::Range;
use core::time::Duration;

use super::gcra::{Measure, Quota, Remaining};
use super::key::Key;
use super::part::Part;

/// One debt that a request is about to take on: the cost of a quota, on one key.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'q> {
    quota: &'q Quota,
    measure: Measure,
    key: Key,
    part: Part,
    is_shared: bool,
}

impl<'q> Charge<'q> {
    /// The quota's own cost, on this key in this part of the zone.
    pub const fn new(quota: &'q Quota, part: Part, key: Key) -> Self {
        Self { quota, measure: quota.own(), key, part, is_shared: false }
    }

    /// The same charge on a key that many share, at 16 times the rate and the burst.
    #[must_use]
    pub const fn shared(self, key: Key) -> Self {
        Self { measure: self.quota.wide(), key, is_shared: true, ..self }
    }

    /// The quota that is charged.
    pub const fn quota(&self) -> &'q Quota {
        self.quota
    }

    /// The party that is charged.
    pub const fn key(&self) -> Key {
        self.key
    }

    /// The part of the zone that the key is in.
    pub const fn part(&self) -> Part {
        self.part
    }

    /// Where the key's bucket is, among all buckets of the zone.
    pub(super) fn range(&self, buckets: usize) -> Range<usize> {
        if self.is_shared { self.part.shared(buckets) } else { self.part.own(buckets) }
    }

    /// The size of the bucket.
    pub(super) const fn measure(&self) -> Measure {
        self.measure
    }

    /// The debt that it adds, in nanoseconds.
    pub(super) const fn price(&self) -> u64 {
        self.measure.price(self.quota.cost())
    }
}

/// The remaining units after a request was charged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct Charged {
    tightest: Option<Standing>,
    uncounted: u32,
}

/// How one charge left its bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Standing {
    index: usize,
    remaining: Remaining,
}

impl Charged {
    /// The smallest that is left of any quota, in units; `None` when nothing was counted.
    pub fn remaining(&self) -> Option<Remaining> {
        self.tightest.map(|standing| standing.remaining)
    }

    /// Which of the charges has the least left, by its index.
    pub fn index(&self) -> Option<usize> {
        self.tightest.map(|standing| standing.index)
    }

    /// How many of the charges found no free slot and were admitted without being counted.
    pub const fn uncounted(&self) -> u32 {
        self.uncounted
    }

    /// The remaining units if nothing was charged.
    pub(super) const fn nothing() -> Self {
        Self { tightest: None, uncounted: 0 }
    }

    /// One more charge, which left this debt.
    pub(super) fn and(self, index: usize, measure: Measure, debt: u64) -> Self {
        let standing = Standing { index, remaining: measure.remaining(debt) };
        let tightest = match self.tightest {
            Some(tightest) if tightest.remaining <= standing.remaining => tightest,
            _ => standing,
        };
        Self { tightest: Some(tightest), ..self }
    }

    /// One more charge, which was not counted.
    pub(super) const fn and_uncounted(self) -> Self {
        Self { uncounted: self.uncounted.saturating_add(1), ..self }
    }
}

/// A request that is past a limit: nothing was charged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limited {
    index: usize,
    remaining: Remaining,
    wait: u64,
    is_overflow: bool,
}

impl Limited {
    /// The refusal of the charge at `index`, which would pass after `wait` nanoseconds.
    pub(super) const fn new(index: usize, measure: Measure, debt: u64, wait: u64) -> Self {
        Self { index, remaining: measure.remaining(debt), wait, is_overflow: false }
    }

    /// The same refusal, by the bucket that newcomers share while there is no room for their own.
    pub(super) const fn by_overflow(self) -> Self {
        Self { is_overflow: true, ..self }
    }

    /// Whether it was not the key's own bucket that refused.
    pub const fn is_overflow(&self) -> bool {
        self.is_overflow
    }

    /// Which of the charges did not pass, by its index: of several the one with the longest wait.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The units that are left of its quota: less than the charge costs (`r` of `RateLimit`).
    pub const fn remaining(&self) -> Remaining {
        self.remaining
    }

    /// The time until the charge would pass, if no other request is charged meanwhile.
    pub const fn retry_after(&self) -> Duration {
        Duration::from_nanos(self.wait)
    }

    /// The value of `Retry-After`: [`Limited::retry_after`] in seconds, rounded up, at least 1.
    ///
    /// It is also `t` of the `RateLimit` field: the draft asks that both name the same moment.
    pub fn retry_after_secs(&self) -> u64 {
        ceil_secs(self.retry_after()).max(1)
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit exceeded, retry after {:?}", self.retry_after())
    }
}

impl core::error::Error for Limited {}

fn ceil_secs(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::super::gcra::Rate;
    use super::*;

    fn quota(burst: u32) -> Quota {
        Quota::new("q", Rate::parse("10r/s").unwrap(), burst, 1).unwrap()
    }

    #[test]
    fn the_tightest_quota_speaks_for_all() {
        let (wide, narrow) = (quota(9), quota(1));
        let charged = Charged::nothing()
            .and(0, wide.own(), 100_000_000)
            .and(1, narrow.own(), 150_000_000)
            .and(2, wide.own(), 0)
            .and_uncounted();
        assert_eq!(charged.remaining().unwrap().units(), 0);
        assert_eq!(charged.index(), Some(1));
        assert_eq!(charged.uncounted(), 1);
    }

    #[test]
    fn seconds_are_rounded_up() {
        let limited = |wait| Limited::new(0, quota(0).own(), 0, wait).retry_after_secs();
        assert_eq!([1, 999_999_999, 1_000_000_000, 1_000_000_001].map(limited), [1, 1, 1, 2]);
    }
}
