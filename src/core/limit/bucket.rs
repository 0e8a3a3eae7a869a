//! Slots that are fetched together.

use super::slot::Slot;

/// One cache line pair of slots; zeroed memory is an empty bucket.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct Bucket([Slot; SLOTS]);

/// Slots in a bucket; two under loom, whose models grow with every load.
pub(super) const SLOTS: usize = if cfg!(loom) { 2 } else { 8 };

impl Bucket {
    /// Its slots.
    pub(super) const fn slots(&self) -> &[Slot] {
        &self.0
    }
}
