//! The arithmetic of a quota: the generic cell rate algorithm on nanoseconds of debt.
//!
//! A bucket is one number, its *debt*: how long it takes until the bucket is idle again. A charge
//! adds `cost * interval` to the debt and passes when the sum stays within the window, which is
//! `(burst + 1) * interval`: an idle bucket admits `burst + 1` requests at once, like
//! `limit_req` with `burst` and `nodelay`. Time pays the debt back, one nanosecond each.
//!
//! Nothing here overflows: a quota whose window passes [`MAX_WINDOW`] does not exist.

use core::fmt;
use core::time::Duration;

/// The longest time for which a bucket can be in debt: 100 days.
pub const MAX_WINDOW: Duration = Duration::from_nanos(MAX_WINDOW_NANOS);

/// The same in nanoseconds.
pub(super) const MAX_WINDOW_NANOS: u64 = 100 * 24 * 60 * 60 * 1_000_000_000;

/// The largest number of requests that a [`Rate`] can name.
pub const MAX_COUNT: u32 = 1_000_000;

/// The grain of an interval in nanoseconds: a slot stores time in units of it.
pub(super) const GRAIN: u64 = 4;

/// The unit of time of a [`Rate`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Period {
    /// `r/d`
    Day,
    /// `r/h`
    Hour,
    /// `r/m`
    Minute,
    /// `r/s`
    Second,
}

impl Period {
    /// Every period, the shortest first.
    pub const ALL: [Self; 4] = [Self::Second, Self::Minute, Self::Hour, Self::Day];

    /// Its length in seconds.
    pub const fn secs(self) -> u64 {
        match self {
            Self::Day => 86_400,
            Self::Hour => 3_600,
            Self::Minute => 60,
            Self::Second => 1,
        }
    }

    /// The suffix of a rate by this period.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Day => "r/d",
            Self::Hour => "r/h",
            Self::Minute => "r/m",
            Self::Second => "r/s",
        }
    }
}

/// How many requests a period may hold, from 1 to [`MAX_COUNT`].
///
/// ```
/// use mesh_core::limit::Rate;
///
/// let rate = Rate::parse("60r/m")?;
/// assert_eq!(rate.to_string(), "60r/m");
/// assert_eq!(rate.interval().as_secs(), 1);
/// # Ok::<(), mesh_core::limit::RateError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Rate {
    count: u32,
    period: Period,
}

impl Rate {
    /// The rate of `count` requests in each `period`.
    ///
    /// # Errors
    ///
    /// [`RateError::OutOfRange`] when `count` is 0 or passes [`MAX_COUNT`].
    pub const fn new(count: u32, period: Period) -> Result<Self, RateError> {
        if count == 0 || count > MAX_COUNT {
            return Err(RateError::OutOfRange);
        }
        Ok(Self { count, period })
    }

    /// Reads the notation of `limit_req_zone`, `100r/s` or `60r/m`, and `100r/h` or `1000r/d`.
    ///
    /// # Errors
    ///
    /// [`RateError`] for any other notation and for a number out of range.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        let mut periods = Period::ALL.into_iter();
        let (digits, period) = periods
            .find_map(|period| Some((text.strip_suffix(period.unit())?, period)))
            .ok_or(RateError::Syntax)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RateError::Syntax);
        }
        // Digits alone: the only failure left is a number past u32.
        Self::new(digits.parse().map_err(|_| RateError::OutOfRange)?, period)
    }

    /// The number of requests in a [`Rate::period`].
    pub const fn count(self) -> u32 {
        self.count
    }

    /// The unit of time.
    pub const fn period(self) -> Period {
        self.period
    }

    /// The time that one request takes up, rounded down to a multiple of 4 ns.
    ///
    /// It is rounded down so that a client that keeps to the rate is never refused; the allowed
    /// rate exceeds the named one by less than 0.4 %, and by less than 0.0004 % up to 1000r/s.
    pub const fn interval(self) -> Duration {
        Duration::from_nanos(self.interval_nanos())
    }

    const fn interval_nanos(self) -> u64 {
        let period = self.period.secs().saturating_mul(1_000_000_000);
        match period.checked_div(self.count as u64) {
            Some(nanos) => nanos & !(GRAIN.wrapping_sub(1)),
            None => period,
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.period.unit())
    }
}

/// Why a text is no [`Rate`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RateError {
    /// The number is 0 or passes [`MAX_COUNT`].
    OutOfRange,
    /// The text is not a number followed by `r/s`, `r/m`, `r/h` or `r/d`.
    Syntax,
}

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange => write!(f, "a rate must be from 1 to {MAX_COUNT}"),
            Self::Syntax => {
                f.write_str("a rate is a number followed by \"r/s\", \"r/m\", \"r/h\" or \"r/d\"")
            }
        }
    }
}

impl core::error::Error for RateError {}

/// A named limit: a rate, a burst, and the cost of one request.
///
/// The name is part of every [`Key`](super::Key): one name is one set of buckets, and must have
/// the same rate and burst wherever it is used (the configuration sees to that).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quota {
    name: Box<str>,
    rate: Rate,
    burst: u32,
    cost: u32,
    own: Measure,
    wide: Measure,
}

/// The size of a bucket, in nanoseconds of debt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Measure {
    /// The debt of one unit: a multiple of [`GRAIN`], never 0.
    interval: u64,
    /// The most debt that an admitted charge may leave.
    window: u64,
}

impl Quota {
    /// A quota of `rate` that admits `burst` more than one at once; a request costs `cost`.
    ///
    /// # Errors
    ///
    /// [`QuotaError`] for a name that a `RateLimit` field cannot carry, for a cost that is 0 or
    /// could never be paid, and for a burst that takes longer than [`MAX_WINDOW`] to pay back.
    pub fn new(
        name: impl Into<Box<str>>,
        rate: Rate,
        burst: u32,
        cost: u32,
    ) -> Result<Self, QuotaError> {
        let name = name.into();
        let printable = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        if name.is_empty() || !name.bytes().all(printable) {
            return Err(QuotaError::Name);
        }
        if cost == 0 {
            return Err(QuotaError::CostZero);
        }
        let capacity = u64::from(burst).saturating_add(1);
        if u64::from(cost) > capacity {
            return Err(QuotaError::CostPastBurst { cost, burst });
        }
        let interval = rate.interval_nanos();
        let wide_capacity = u64::from(burst).saturating_mul(WIDE).saturating_add(1);
        match Measure::new(interval, capacity) {
            Some(own) if own.window <= MAX_WINDOW_NANOS => {
                let wide = Measure::new(interval / WIDE, wide_capacity).unwrap_or(own);
                Ok(Self { name, rate, burst, cost, own, wide })
            }
            _ => Err(QuotaError::WindowTooLong { rate, burst }),
        }
    }

    /// Its name: visible ASCII without `"` and `\`, as in the `RateLimit` fields.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The sustained rate.
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// How many units an idle bucket admits at once beyond the first.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// The units that a request costs.
    pub const fn cost(&self) -> u32 {
        self.cost
    }

    /// How many units an idle bucket admits at once: `burst + 1`.
    pub const fn capacity(&self) -> u64 {
        (self.burst as u64).saturating_add(1)
    }

    /// The units of the `q` parameter of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
    ///
    /// `q` and `w` name exactly the rate, over the fewest whole periods that hold the capacity:
    /// `100r/s` with a burst of 200 is `q=300;w=3`. So `r` of the `RateLimit` field never passes `q`.
    pub fn policy_quota(&self) -> u64 {
        u64::from(self.rate.count).saturating_mul(self.policy_periods())
    }

    /// The seconds of the `w` parameter of `RateLimit-Policy`; see [`Quota::policy_quota`].
    pub fn policy_window_secs(&self) -> u64 {
        self.rate.period.secs().saturating_mul(self.policy_periods())
    }

    fn policy_periods(&self) -> u64 {
        self.capacity().div_ceil(u64::from(self.rate.count).max(1))
    }

    /// The size of one key's bucket.
    pub(super) const fn own(&self) -> Measure {
        self.own
    }

    /// The size of a bucket that many keys share: 16 times the rate and the burst.
    pub(super) const fn wide(&self) -> Measure {
        self.wide
    }
}

impl Measure {
    /// A bucket of so many units that take so many nanoseconds each, rounded down to a grain.
    pub(crate) const fn new(interval: u64, capacity: u64) -> Option<Self> {
        let interval = interval & !(GRAIN.wrapping_sub(1));
        match interval.checked_mul(capacity) {
            None | Some(0) => None,
            Some(window) => Some(Self { interval, window }),
        }
    }

    /// The most debt that an admitted charge may leave, in nanoseconds.
    pub(super) const fn window(self) -> u64 {
        self.window
    }

    /// The debt of so many units, in nanoseconds.
    pub(crate) const fn price(self, units: u32) -> u64 {
        self.interval.saturating_mul(units as u64)
    }

    /// The debt after a charge of `price`, or the nanoseconds until it would pass.
    pub(super) const fn admit(self, debt: u64, price: u64) -> Result<u64, u64> {
        let after = debt.saturating_add(price);
        match after.saturating_sub(self.window) {
            0 => Ok(after),
            wait => Err(wait),
        }
    }

    /// The debt after a charge that cannot be refused: at most one interval past the window, unless
    /// it was there before.
    pub(super) const fn debit(self, debt: u64, price: u64) -> u64 {
        let after = debt.saturating_add(price);
        let most = self.window.saturating_add(self.interval);
        if after <= most {
            after
        } else if debt > most {
            debt
        } else {
            most
        }
    }

    /// The units that a bucket with this debt still admits at once.
    pub(super) const fn remaining(self, debt: u64) -> Remaining {
        match self.window.saturating_sub(debt).checked_div(self.interval) {
            Some(units) => Remaining(units),
            None => Remaining(0),
        }
    }
}

/// How many times the rate and the burst of a key's bucket one holds that keys share.
const WIDE: u64 = 16;

/// The units that a bucket still admits at once (`r` of the `RateLimit` field).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Remaining(u64);

impl Remaining {
    /// The number of units.
    pub const fn units(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Remaining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a [`Quota`] is invalid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum QuotaError {
    /// One request costs more than an idle bucket admits: no request would ever pass.
    CostPastBurst {
        /// The cost that was asked for.
        cost: u32,
        /// The burst that it passes.
        burst: u32,
    },
    /// A cost of 0 would limit nothing.
    CostZero,
    /// The name is empty, or holds something else than visible ASCII, or `"` or `\`.
    Name,
    /// The burst takes longer than [`MAX_WINDOW`] to pay back.
    WindowTooLong {
        /// The rate at which it is paid back.
        rate: Rate,
        /// The burst that was asked for.
        burst: u32,
    },
}

impl fmt::Display for QuotaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CostPastBurst { cost, burst } => {
                write!(f, "a cost of {cost} can never pass with a burst of {burst}")
            }
            Self::CostZero => f.write_str("a cost must not be 0"),
            Self::Name => f.write_str("a limit's name is visible ASCII without quote or backslash"),
            Self::WindowTooLong { rate, burst } => {
                write!(f, "a burst of {burst} at {rate} takes more than 100 days to pay back")
            }
        }
    }
}

impl core::error::Error for QuotaError {}

#[cfg(test)]
mod tests;
