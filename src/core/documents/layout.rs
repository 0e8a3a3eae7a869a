//! How the memory is divided.

use super::{CAPACITY, Header, Slot};

/// The places of the parts in a block that begins with the [`Header`], in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Layout {
    /// Where the [`Slot`]s begin.
    pub slots: usize,
    /// Where the [`Word`](super::Word)s begin.
    pub words: usize,
    /// How many words there are.
    pub count: usize,
    /// How many of them must be zeroed for new memory, from the first on; the others may hold
    /// anything.
    pub zeroed: usize,
    /// The size of the whole, in bytes.
    pub bytes: usize,
}

impl Layout {
    /// The layout for so many documents.
    pub const fn of(documents: usize) -> Self {
        let slots = size_of::<Header>();
        let words = slots.saturating_add(documents.saturating_mul(size_of::<Slot>()));
        let zeroed = rows(documents);
        let halves = documents.saturating_mul(2).saturating_mul(CAPACITY.div_euclid(8));
        let count = zeroed.saturating_add(halves);
        let bytes = words.saturating_add(count.saturating_mul(8));
        Self { slots, words, count, zeroed, bytes }
    }
}

/// Workers whose status is kept, by number.
pub const WORKERS: usize = if cfg!(loom) { 1 } else { 256 };

/// The words of the workers' rows: a pid, and a generation for each document.
pub(super) const fn rows(documents: usize) -> usize {
    WORKERS.saturating_mul(documents.saturating_add(1))
}
