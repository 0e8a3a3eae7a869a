//! One document's place in the shared memory: two halves, and a word that says which one is newer.

use core::array;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use aws_lc_rs::digest::{Context, SHA256};

use super::failure::LastFailure;
use super::note::words_of;
use super::pen::Pen;
use super::source::{Source, bytes_of};
use super::wishes::Wishes;
use super::{CAPACITY, Word};
use crate::text::time::UnixTime;

/// The place of one document; zeroed memory belongs to no source.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Slot {
    source: [Word; 4],
    /// A [`Current`].
    current: Word,
    reserve: [Word; 3],
    halves: [Half; 2],
    pub(super) failure: LastFailure,
    pub(super) wishes: Wishes,
}

/// What is known of the bytes in one half.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Half {
    /// 0 while it is written.
    generation: Word,
    length: Word,
    /// When the source last said that this is its document, in seconds since the epoch.
    confirmed: Word,
    /// SHA-256 of source, generation and bytes: a document is valid only if it is right.
    digest: [Word; 4],
    reserve: Word,
}

/// What the newest document is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// Counts the documents of the slot, from 1.
    pub generation: u64,
    /// When its source last said that it is the one.
    pub confirmed: UnixTime,
}

/// A document, whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// Counts the documents of the slot, from 1.
    pub generation: u64,
    /// When its source last said that it is the one.
    pub confirmed: UnixTime,
    /// The document.
    pub bytes: Vec<u8>,
}

/// The generation of the newest document, above one bit that tells its half; 0 before the first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Current(u64);

impl Current {
    const fn generation(self) -> u64 {
        self.0 >> 1
    }

    const fn is_second(self) -> bool {
        self.0 & 1 == 1
    }

    /// Of two halves, the one with the newest document, and the other.
    fn pick<T>(self, halves: [T; 2]) -> [T; 2] {
        let [first, second] = halves;
        if self.is_second() { [second, first] } else { [first, second] }
    }
}

impl Slot {
    /// Gives the slot to a source.
    pub(super) fn begin(&self, source: &Source, pen: &Pen) {
        for (word, value) in self.source.iter().zip(words_of(source.digest())) {
            pen.store(word, value, Relaxed);
        }
    }

    /// Whether the slot belongs to that source.
    pub(super) fn is_of(&self, source: &Source) -> bool {
        let words = self.source.iter().map(|word| word.load(Relaxed));
        words.eq(words_of(source.digest()))
    }

    fn current(&self) -> Current {
        Current(self.current.load(Acquire))
    }

    /// What the newest document is; `None` if there is none, or if a newer one came just now.
    pub(super) fn head(&self) -> Option<Head> {
        let current = self.current();
        let [newest, _] = current.pick([0, 1].map(|half| self.halves.get(half)));
        let half = newest?;
        let is_it = || half.generation.load(Acquire) == current.generation();
        let head = Head { generation: current.generation(), confirmed: half.confirmed() };
        (current.0 != 0 && is_it() && self.current() == current).then_some(head)
    }

    /// The newest document; the other one if it cannot be read.
    pub(super) fn read(&self, rooms: [&[Word]; 2]) -> Option<Found> {
        for _ in 0..ATTEMPTS {
            let current = self.current();
            if current.0 == 0 {
                return None;
            }
            let [(newest, room), (other, its_room)] = current.pick(self.with(rooms));
            if let Some(found) = newest.read(self, room, Some(current.generation())) {
                return Some(found);
            }
            if self.current() == current {
                let found = other.read(self, its_room, None);
                return found.filter(|found| found.generation < current.generation());
            }
        }
        None
    }

    /// Writes a document over the one that is not the newest readable one, then makes it the newest.
    /// A writer whose `holds` is false stops.
    pub(super) fn put(
        &self,
        rooms: [&[Word]; 2],
        generation: Option<u64>,
        bytes: &[u8],
        at: UnixTime,
        holds: &dyn Fn() -> bool,
        pen: &Pen,
    ) -> bool {
        let seen = self.current();
        let [(newest, room), (other, its_room)] = seen.pick(self.with(rooms));
        let is_good = seen.0 != 0 && newest.read(self, room, Some(seen.generation())).is_some();
        let (half, room, is_second) = if is_good {
            (other, its_room, !seen.is_second())
        } else {
            (newest, room, seen.is_second())
        };
        let generation = generation.unwrap_or_else(|| seen.generation().saturating_add(1));
        if !half.write(self, room, generation, bytes, at, holds, pen) || !holds() {
            return false;
        }
        let next = generation << 1 | u64::from(is_second);
        pen.exchange(&self.current, seen.0, next)
    }

    /// Says that the newest document is still that of its source, if it can be read.
    pub(super) fn confirm(&self, rooms: [&[Word]; 2], at: UnixTime, pen: &Pen) -> bool {
        let current = self.current();
        let [(newest, room), _] = current.pick(self.with(rooms));
        let is_good = newest.read(self, room, Some(current.generation())).is_some();
        if is_good {
            pen.store(&newest.confirmed, at.secs().cast_unsigned(), Release);
        }
        is_good
    }

    fn with<'a>(&'a self, [first, second]: [&'a [Word]; 2]) -> [(&'a Half, &'a [Word]); 2] {
        let [one, two] = &self.halves;
        [(one, first), (two, second)]
    }
}

impl Half {
    fn confirmed(&self) -> UnixTime {
        UnixTime::from_secs(self.confirmed.load(Acquire).cast_signed())
    }

    /// The document, if it is whole, and of that generation if one is asked for.
    fn read(&self, slot: &Slot, room: &[Word], generation: Option<u64>) -> Option<Found> {
        let found = self.generation.load(Acquire);
        if found == 0 || generation.is_some_and(|wanted| wanted != found) {
            return None;
        }
        let length = usize::try_from(self.length.load(Relaxed)).ok()?;
        let room = room.get(..length.div_ceil(8)).filter(|_| (1..=CAPACITY).contains(&length))?;
        let mut bytes = Vec::with_capacity(room.len().saturating_mul(8));
        for word in room {
            bytes.extend_from_slice(&word.load(Relaxed).to_le_bytes());
        }
        bytes.truncate(length);
        let confirmed = self.confirmed();
        let digest: [u64; 4] =
            array::from_fn(|at| self.digest.get(at).map_or(0, |word| word.load(Relaxed)));
        (digest == slot.digest(found, &bytes)).then_some(Found {
            generation: found,
            confirmed,
            bytes,
        })
    }

    #[expect(clippy::too_many_arguments, reason = "what a document is, and who writes it")]
    fn write(
        &self,
        slot: &Slot,
        room: &[Word],
        generation: u64,
        bytes: &[u8],
        at: UnixTime,
        holds: &dyn Fn() -> bool,
        pen: &Pen,
    ) -> bool {
        let Ok(length) = u64::try_from(bytes.len()) else { return false };
        if bytes.is_empty() || bytes.len() > CAPACITY || room.len() < bytes.len().div_ceil(8) {
            return false;
        }
        pen.store(&self.generation, 0, Release);
        for (words, chunk) in room.chunks(CHUNK).zip(bytes.chunks(CHUNK.saturating_mul(8))) {
            if !holds() {
                return false;
            }
            for (word, value) in words.iter().zip(words_of(chunk)) {
                pen.store(word, value, Relaxed);
            }
        }
        pen.store(&self.length, length, Relaxed);
        pen.store(&self.confirmed, at.secs().cast_unsigned(), Relaxed);
        for (word, value) in self.digest.iter().zip(slot.digest(generation, bytes)) {
            pen.store(word, value, Relaxed);
        }
        pen.store(&self.generation, generation, Release);
        true
    }
}

impl Slot {
    fn digest(&self, generation: u64, bytes: &[u8]) -> [u64; 4] {
        let mut context = Context::new(&SHA256);
        for word in &self.source {
            context.update(&word.load(Relaxed).to_le_bytes());
        }
        context.update(&generation.to_le_bytes());
        context.update(bytes);
        let mut words = words_of(&bytes_of(&context)).collect::<Vec<_>>().into_iter();
        array::from_fn(|_| words.next().unwrap_or_default())
    }
}

/// Looks at a document that is replaced again and again while it is read.
const ATTEMPTS: usize = 8;

/// Words that are written between two looks at the lock.
const CHUNK: usize = 512;
