//! Documents in memory that all workers share: the key sets that one worker fetches for all.
//!
//! Each issuer has a slot with room for two documents. The leader writes a new one over the older
//! of them and then says, in one word, that it is the newest. A document is valid only if its
//! digest is right, so nothing depends on how far a writer came: one that is killed at any
//! instruction leaves the newest one readable, and one that was stopped, taken for dead and goes on
//! afterwards can spoil what it was writing, but no reader believes it.
//!
//! | word | what it settles |
//! | --- | --- |
//! | the lead ([`Lead`]) | which worker fetches: the last worker 0 that began, of the newest cycle |
//! | the lock ([`Lock`]) | that one process writes at a time: it may be seized from a dead one |
//! | `current` of a slot | which half holds the newest document, and its generation |
//!
//! A slot belongs to one [`Source`] for as long as the memory lives, so that no issuer ever gets
//! the keys of another.

use core::fmt;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::memory::{AtomicU64, Label, Stamp};
use crate::text::time::UnixTime;
use crate::token::Wish;

mod failure;
mod layout;
mod lead;
mod memo;
mod note;
mod pen;
mod record;
mod slot;
mod source;
mod wishes;

pub use self::failure::Failure;
pub use self::layout::{Layout, WORKERS};
pub use self::lead::{Holder, Lead, Lock};
pub use self::memo::WishMemo;
pub use self::record::{MAX_RECORD, RecordError, read_record, record};
pub use self::slot::{Found, Head, Slot};
pub use self::source::{Source, ZONE, zone_name};

use self::layout::rows;
use self::pen::Pen;

/// A word of the shared memory.
pub type Word = AtomicU64;

/// What the memory begins with; zeroed memory was never used.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Header {
    /// Its parts are the documents.
    stamp: Stamp,
    /// Counts the configurations that used this memory.
    cycles: AtomicU64,
    /// A [`Lead`].
    lead: AtomicU64,
    /// A [`Holder`], or 0.
    lock: AtomicU64,
    reserve: [AtomicU64; 2],
}

impl Header {
    /// How many documents the memory behind this header has slots for, if it is ours.
    pub fn documents(&self) -> Option<usize> {
        self.stamp.parts(LABEL).ok().and_then(|parts| usize::try_from(parts).ok())
    }
}

/// Bytes that a document may have.
pub const CAPACITY: usize = crate::key::jwks::MAX_BYTES;

/// The documents of one configuration, in memory that outlives `'z`.
#[derive(Clone, Debug)]
pub struct Documents<'z> {
    header: &'z Header,
    slots: &'z [Slot],
    workers: &'z [Word],
    halves: &'z [Word],
    pen: Pen,
}

impl<'z> Documents<'z> {
    /// Begins in new memory, whose header, slots and first words are zeroed, with a slot for each
    /// source. To be called by one process before others use the memory.
    ///
    /// # Errors
    ///
    /// [`DocumentsError`] when the memory is not new, or of another size.
    pub fn begin(
        header: &'z Header,
        slots: &'z [Slot],
        words: &'z [Word],
        sources: &[Source],
    ) -> Result<Self, DocumentsError> {
        if !header.stamp.is_new() {
            return Err(DocumentsError::Foreign);
        }
        if sources.len() != slots.len() {
            return Err(DocumentsError::Size);
        }
        let documents = Self::over(header, slots, words)?;
        for (slot, source) in slots.iter().zip(sources) {
            slot.begin(source, &documents.pen);
        }
        header.stamp.begin(LABEL, slots.len());
        Ok(documents)
    }

    /// Opens memory that was begun.
    ///
    /// # Errors
    ///
    /// [`DocumentsError`] when it holds something else, or is of another size.
    pub fn open(
        header: &'z Header,
        slots: &'z [Slot],
        words: &'z [Word],
    ) -> Result<Self, DocumentsError> {
        match header.documents() {
            None => Err(DocumentsError::Foreign),
            Some(count) if count != slots.len() => Err(DocumentsError::Size),
            Some(_) => Self::over(header, slots, words),
        }
    }

    fn over(
        header: &'z Header,
        slots: &'z [Slot],
        words: &'z [Word],
    ) -> Result<Self, DocumentsError> {
        let (workers, halves) =
            words.split_at_checked(rows(slots.len())).ok_or(DocumentsError::Size)?;
        Ok(Self { header, slots, workers, halves, pen: Pen::default() })
    }

    /// How many documents there are slots for.
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether these are the documents of those sources, in their order.
    pub fn are_of(&self, sources: &[Source]) -> bool {
        self.slots.len() == sources.len()
            && self.slots.iter().zip(sources).all(|(slot, source)| slot.is_of(source))
    }

    /// The slot of a source.
    pub fn find(&self, source: &Source) -> Option<usize> {
        self.slots.iter().position(|slot| slot.is_of(source))
    }

    /// What the newest document is, without its bytes; for a look many times a second.
    pub fn head(&self, document: usize) -> Option<Head> {
        self.slots.get(document)?.head()
    }

    /// The newest document, whole; if it cannot be read (see above), the one before it.
    pub fn read(&self, document: usize) -> Option<Found> {
        self.slots.get(document)?.read(self.halves_of(document)?)
    }

    /// Publishes a document, which is the newest from then on.
    ///
    /// It is false, and the newest stays the newest, if the worker no longer leads, if the lock was
    /// seized from it, or if the document is empty or has more than [`CAPACITY`] bytes.
    pub fn publish(
        &self,
        document: usize,
        bytes: &[u8],
        at: UnixTime,
        lead: Lead,
        lock: &Lock<'_>,
    ) -> bool {
        self.leads(lead) && self.record(document, bytes, at, lock)
    }

    /// As [`Documents::publish`], for a document that every process finds by itself: the one that
    /// finds a new one records it.
    pub fn record(&self, document: usize, bytes: &[u8], at: UnixTime, lock: &Lock<'_>) -> bool {
        let put = || {
            let halves = self.halves_of(document)?;
            let holds = || lock.is_held();
            Some(self.slots.get(document)?.put(halves, None, bytes, at, &holds, &self.pen))
        };
        put().unwrap_or(false)
    }

    /// Puts a document with its generation into memory that is not in use yet.
    pub fn seed(&self, document: usize, found: &Found) -> bool {
        let put = || {
            let (halves, generation) = (self.halves_of(document)?, Some(found.generation));
            let (bytes, at) = (&found.bytes, found.confirmed);
            Some(self.slots.get(document)?.put(halves, generation, bytes, at, &|| true, &self.pen))
        };
        put().unwrap_or(false)
    }

    /// Says that the newest document was still that of its source at `at`.
    ///
    /// It is false if the worker no longer leads, or if the document cannot be read.
    pub fn confirm(&self, document: usize, at: UnixTime, lead: Lead, lock: &Lock<'_>) -> bool {
        let confirm = || {
            let (slot, halves) = (self.slots.get(document)?, self.halves_of(document)?);
            Some(slot.confirm(halves, at, &self.pen))
        };
        self.leads(lead) && lock.is_held() && confirm().unwrap_or(false)
    }

    /// Notes why a fetch failed. Called by the leader.
    pub fn fail(&self, document: usize, failure: &Failure) {
        if let Some(slot) = self.slots.get(document) {
            slot.failure.write(failure, &self.pen);
        }
    }

    /// Why the last fetch that failed did so.
    pub fn failure(&self, document: usize) -> Option<Failure> {
        self.slots.get(document)?.failure.read()
    }

    /// Asks the leader for a key that was not there. The wish may be lost if many ask.
    pub fn wish(&self, document: usize, kid: &str) {
        if let Some(slot) = self.slots.get(document).filter(|_| Wish::is_modest(kid)) {
            slot.wishes.push(kid, &self.pen);
        }
    }

    /// Takes the oldest wish. Called by the leader.
    pub fn take_wish(&self, document: usize) -> Option<Box<str>> {
        self.slots.get(document)?.wishes.take(&self.pen)
    }

    /// Begins the row of a worker, in place of the one that had its number before.
    pub fn enter(&self, worker: usize, pid: u32) {
        let Some([first, rest @ ..]) = self.row(worker) else { return };
        self.pen.store(first, 0, Relaxed);
        for word in rest {
            self.pen.store(word, 0, Relaxed);
        }
        self.pen.store(first, u64::from(pid), Release);
    }

    /// Says which generation of a document the worker with that number and pid has in force.
    pub fn adopted(&self, worker: usize, pid: u32, document: usize, generation: u64) {
        let Some([first, rest @ ..]) = self.row(worker) else { return };
        if let Some(word) = rest.get(document)
            && first.load(Relaxed) == u64::from(pid)
        {
            self.pen.store(word, generation, Relaxed);
        }
    }

    /// The pid of the worker with that number, and the generation of each document that it has in
    /// force, 0 for none.
    pub fn worker(&self, worker: usize) -> Option<(u32, Vec<u64>)> {
        let [first, rest @ ..] = self.row(worker)? else { return None };
        let pid = u32::try_from(first.load(Acquire)).ok().filter(|pid| *pid != 0)?;
        Some((pid, rest.iter().map(|word| word.load(Relaxed)).collect()))
    }

    fn row(&self, worker: usize) -> Option<&'z [Word]> {
        self.workers.chunks_exact(self.slots.len().saturating_add(1)).nth(worker)
    }

    /// The room of the two documents of a slot.
    fn halves_of(&self, document: usize) -> Option<[&'z [Word]; 2]> {
        let capacity = self.halves.len().checked_div(self.slots.len())?.checked_div(2)?;
        let mut halves = self.halves.chunks_exact(capacity.max(1)).skip(document.checked_mul(2)?);
        Some([halves.next()?, halves.next()?])
    }
}

/// Why memory holds no documents.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DocumentsError {
    /// It holds something else.
    Foreign,
    /// It is of another size.
    Size,
}

impl fmt::Display for DocumentsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "the zone holds something else than documents",
            Self::Size => "the zone holds another number of documents",
        })
    }
}

impl core::error::Error for DocumentsError {}

/// The label that tells the memory of documents from any other; any change of [`Header`], [`Slot`]
/// and the words behind them raises its layout.
const LABEL: Label =
    Label { magic: u64::from_le_bytes(*b"meshdocs"), layout: 2, contents: "documents" };

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<Header>() == 64);
    assert!(size_of::<Slot>().is_multiple_of(align_of::<Slot>()));
    assert!(size_of::<Header>().is_multiple_of(align_of::<Slot>()));
};

#[cfg(test)]
#[cfg(not(loom))]
mod tests;

#[cfg(test)]
#[cfg(loom)]
mod models;
