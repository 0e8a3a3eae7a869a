//! The clock and the log of this process, for the limits.

use mesh_core::limit::{Host, Part};
use mesh_core::text::time::Tick;

use crate::nginx::ngx::log::{Level, Log};

/// This process.
#[derive(Debug)]
pub(super) struct Process;

impl Host for Process {
    /// The clock of `ngx_current_msec`, which Nginx reads once in a turn of the event loop
    /// (`ngx_monotonic_time`).
    fn clock(&self) -> Tick {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the call fills the structure; it cannot fail on a system that has the clock, and
        // leaves it unchanged on another.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
        let [secs, nanos] =
            [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
        Tick::from_nanos(secs.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    fn tell_full(&self, part: Part, charges: u64) {
        let (what, then) = match part {
            Part::Identities => ("identities", "newcomers share a limit"),
            Part::Chosen => ("addresses and variables", "newcomers are admitted uncounted"),
            Part::Failures => ("failures", "networks are charged instead of addresses"),
        };
        Log::cycle().write(
            Level::Warn,
            format_args!(
                "mesh_zone is full: its part \"{}\" had no room for {charges} charges of {what} \
                 since the last such message, {then}",
                part.name()
            ),
        );
    }
}
