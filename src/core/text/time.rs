//! Time as an argument: the core never asks a clock.

use core::time::Duration;

/// Wall-clock time in whole seconds since 1970-01-01T00:00:00Z (RFC 7519 `NumericDate`).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct UnixTime(i64);

impl UnixTime {
    /// The time that many seconds after the epoch; negative before it.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs)
    }

    /// Seconds since the epoch.
    pub const fn secs(self) -> i64 {
        self.0
    }

    /// The time `secs` later; stays at the last representable second rather than wrap.
    pub const fn saturating_add(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs))
    }
}

/// Monotonic time in nanoseconds since an origin that all workers share.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Tick(u64);

impl Tick {
    /// The tick that many milliseconds after the origin (Nginx's `ngx_current_msec`).
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The tick that many nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The tick `duration` later; stays at the last one rather than wrap.
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// The two clocks of one request, read once by the shell.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The time that `exp` and `nbf` are compared with.
    pub unix: UnixTime,
    /// The time that the limits count in.
    pub tick: Tick,
}
