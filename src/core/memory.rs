//! The common parts of shared memory: the words that it begins with, and where a hash falls in it.

use core::fmt;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64};

/// The label that tells memory of one kind from any other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    /// Eight bytes of its own.
    pub(crate) magic: u64,
    /// The version of the layout; any change of it raises it.
    pub(crate) layout: u32,
    /// What it holds, for messages.
    pub(crate) contents: &'static str,
}

/// The words that memory begins with: 24 bytes, all atomics; zeroed memory was never used.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Stamp {
    /// The magic of a [`Label`], written last.
    magic: AtomicU64,
    /// The layout of a [`Label`].
    layout: AtomicU32,
    unused: AtomicU32,
    /// How many parts the memory is divided into.
    parts: AtomicU64,
}

impl Stamp {
    /// Tells whether the memory was never used.
    pub(crate) fn is_new(&self) -> bool {
        self.magic.load(Acquire) == 0
    }

    /// Says what the memory holds, in so many parts, once all else is written. Called by one process
    /// before others use the memory.
    pub(crate) fn begin(&self, label: Label, parts: usize) {
        self.layout.store(label.layout, Relaxed);
        self.parts.store(count(parts), Relaxed);
        self.magic.store(label.magic, Release);
    }

    /// Checks that the memory is of this kind, and has so many parts.
    ///
    /// # Errors
    ///
    /// [`MemoryError`], but for [`MemoryError::Empty`].
    pub(crate) fn check(&self, label: Label, parts: usize) -> Result<(), MemoryError> {
        let (found, given) = (self.parts(label)?, count(parts));
        if found == given { Ok(()) } else { Err(MemoryError::Size { found, given }) }
    }

    /// How many parts the memory has, if it is of this kind.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Foreign`] or [`MemoryError::Layout`].
    pub(crate) fn parts(&self, label: Label) -> Result<u64, MemoryError> {
        if self.magic.load(Acquire) != label.magic {
            return Err(MemoryError::Foreign { expected: label.contents });
        }
        let found = self.layout.load(Relaxed);
        if found != label.layout {
            return Err(MemoryError::Layout { found, expected: label.layout });
        }
        Ok(self.parts.load(Relaxed))
    }

    /// Says what the memory holds, as another version would.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn overwrite(&self, magic: u64, layout: u32) {
        self.layout.store(layout, Relaxed);
        self.magic.store(magic, Release);
    }
}

fn count(parts: usize) -> u64 {
    u64::try_from(parts).unwrap_or(u64::MAX)
}

/// Where a hash falls among so many buckets.
#[expect(clippy::cast_possible_truncation, reason = "the product is below the bucket count")]
pub(crate) const fn scale(hash: u64, buckets: usize) -> usize {
    ((hash as u128).wrapping_mul(buckets as u128) >> 64) as usize
}

/// Why memory is not what it should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MemoryError {
    /// There is room for too few buckets.
    Empty,
    /// The memory holds something else.
    Foreign {
        /// What it should hold.
        expected: &'static str,
    },
    /// The memory was laid out by another version of the module.
    Layout {
        /// The layout that was found.
        found: u32,
        /// The layout of this version.
        expected: u32,
    },
    /// The memory is of another size.
    Size {
        /// The buckets that it names.
        found: u64,
        /// The buckets that were given.
        given: u64,
    },
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the zone is too small"),
            Self::Foreign { expected } => {
                write!(f, "the zone holds something else than {expected}")
            }
            Self::Layout { found, expected } => {
                write!(f, "the zone has layout {found}, and {expected} is expected")
            }
            Self::Size { found, given } => {
                write!(f, "the zone holds {found} buckets, and {given} are expected")
            }
        }
    }
}

impl core::error::Error for MemoryError {}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Stamp>() == 24);

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    const LABEL: Label = Label { magic: 7, layout: 2, contents: "numbers" };

    #[test]
    fn memory_is_what_its_stamp_says() {
        let stamp = Stamp::default();
        assert!(stamp.is_new());
        let foreign = Err(MemoryError::Foreign { expected: "numbers" });
        assert_eq!(stamp.check(LABEL, 3), foreign);
        stamp.begin(LABEL, 3);
        assert!(!stamp.is_new());
        assert_eq!(stamp.check(LABEL, 3), Ok(()));
        assert_eq!(stamp.check(LABEL, 4), Err(MemoryError::Size { found: 3, given: 4 }));
        assert_eq!(stamp.check(Label { magic: 8, ..LABEL }, 3), foreign);
        let layout = Err(MemoryError::Layout { found: 2, expected: 3 });
        assert_eq!(stamp.check(Label { layout: 3, ..LABEL }, 3), layout);
    }

    #[test]
    fn a_hash_falls_into_a_bucket() {
        for buckets in [1, 2, 3, 1 << 20] {
            assert_eq!(scale(0, buckets), 0);
            assert_eq!(scale(u64::MAX, buckets), buckets - 1);
        }
    }
}
