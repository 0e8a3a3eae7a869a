//! The counts of one part of a zone.

use core::sync::atomic::Ordering::Relaxed;

use super::host::Host;
use super::part::Part;
use crate::memory::AtomicU64;
use crate::text::time::Tick;

/// The counts of one part.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Tally {
    /// Charges that found no slot for their key.
    full: AtomicU64,
    /// How many of them have been reported.
    told: AtomicU64,
    /// When, in nanoseconds; 0 before the first time.
    told_at: AtomicU64,
}

impl Tally {
    pub(super) fn full(&self) -> u64 {
        self.full.load(Relaxed)
    }

    /// Counts a charge that found no slot, and has it reported if a minute has passed since.
    #[cold]
    pub(super) fn count(&self, part: Part, now: Tick, host: &dyn Host) {
        let full = self.full.fetch_add(1, Relaxed).saturating_add(1);
        let last = self.told_at.load(Relaxed);
        let is_due = last == 0 || now.nanos().abs_diff(last) >= MINUTE;
        // Of several workers, one reports it.
        let at = now.nanos().max(1);
        if is_due && self.told_at.compare_exchange(last, at, Relaxed, Relaxed).is_ok() {
            let told = self.told.swap(full, Relaxed);
            host.tell_full(part, full.saturating_sub(told));
        }
    }
}

/// Nanoseconds between two lines about one part.
const MINUTE: u64 = 60_000_000_000;
