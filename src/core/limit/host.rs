//! The clock and the log that the limits need, and the time that all workers share.
//!
//! A worker reads the clock once in a turn of its event loop, so the workers' clocks lag by
//! milliseconds, each by its own. A charge by a clock that lags behind another worker's sees the
//! debt as longer than it is. So the latest tick that any worker has charged by is shared, and
//! charges use it. It is only a hint: before a charge is refused, the clock is read, and the charge
//! is tried again if time has gone on.
//!
//! Every tick that is charged by was read from the clock: none is ahead of the true time, and none
//! is behind the worker's own. Therefore a key that has room at the true time is not refused, and
//! any window admits at most `burst + 1` and the rate over the window and the lag.

use core::fmt;
use core::sync::atomic::Ordering::Relaxed;

use super::part::Part;
use crate::memory::AtomicU64;
use crate::text::time::Tick;

/// The clock and the log of a process.
pub trait Host: fmt::Debug + Sync {
    /// The monotonic clock, read now; with the same origin as the workers' ticks.
    fn clock(&self) -> Tick;

    /// Reports how many charges found a part full since the last report: once a minute at most.
    fn tell_full(&self, part: Part, charges: u64);
}

/// The latest tick that a worker has charged by, alone in its cache lines: it is rarely written,
/// and read with every charge.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(super) struct SharedTick(AtomicU64);

impl SharedTick {
    /// The time to charge by, for a worker whose clock says `own`.
    pub(super) fn latest(&self, own: Tick, host: &dyn Host) -> Tick {
        let shared = self.0.load(Relaxed);
        match shared.checked_sub(own.nanos()) {
            Some(ahead) if ahead > FAR => self.read(own, host),
            Some(_) => Tick::from_nanos(shared),
            None => {
                self.0.fetch_max(own.nanos(), Relaxed);
                own
            }
        }
    }

    /// The time after the clock was read: the shared tick, unless it is behind, or too far ahead to
    /// be believed.
    #[cold]
    pub(super) fn read(&self, own: Tick, host: &dyn Host) -> Tick {
        let read = own.max(host.clock());
        let believed = read.nanos()..=read.nanos().saturating_add(FAR);
        let mut shared = self.0.load(Relaxed);
        while !believed.contains(&shared) {
            match self.0.compare_exchange(shared, read.nanos(), Relaxed, Relaxed) {
                Ok(_) => return read,
                Err(now) => shared = now,
            }
        }
        Tick::from_nanos(shared)
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn set(&self, tick: Tick) {
        self.0.store(tick.nanos(), Relaxed);
    }
}

/// How far ahead of a clock the shared tick is believed, in nanoseconds: 10 s.
const FAR: u64 = 10_000_000_000;
