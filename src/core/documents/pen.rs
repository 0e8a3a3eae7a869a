//! The hand that writes to the shared memory: in tests it dies at any stroke, as a process does.

use core::sync::atomic::Ordering::{self, AcqRel, Relaxed};

use super::Word;

/// Every write of a process to the memory passes here.
#[derive(Clone, Debug)]
#[cfg_attr(not(test), derive(Default))]
pub(super) struct Pen {
    /// The strokes that are left to a process that is about to be killed.
    #[cfg(test)]
    left: core::cell::Cell<u32>,
}

#[cfg(test)]
impl Default for Pen {
    fn default() -> Self {
        Self::dying_after(u32::MAX)
    }
}

impl Pen {
    pub(super) fn store(&self, word: &Word, value: u64, order: Ordering) {
        if self.lives() {
            word.store(value, order);
        }
    }

    /// Replaces what was seen, unless it changed since.
    pub(super) fn exchange(&self, word: &Word, seen: u64, value: u64) -> bool {
        self.lives() && word.compare_exchange(seen, value, AcqRel, Relaxed).is_ok()
    }

    /// Counts one more, and returns the number before it.
    pub(super) fn count(&self, word: &Word) -> u64 {
        if self.lives() { word.fetch_add(1, Relaxed) } else { 0 }
    }

    /// A process that will be killed after so many strokes.
    #[cfg(test)]
    pub(super) fn dying_after(strokes: u32) -> Self {
        Self { left: core::cell::Cell::new(strokes) }
    }

    /// Whether it was killed.
    #[cfg(test)]
    pub(super) fn is_dead(&self) -> bool {
        self.left.get() == 0
    }

    #[cfg(test)]
    fn lives(&self) -> bool {
        let left = self.left.get();
        if left != u32::MAX {
            self.left.set(left.saturating_sub(1));
        }
        left > 0
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "only in tests is there something to look at")]
    const fn lives(&self) -> bool {
        true
    }
}
