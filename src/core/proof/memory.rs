//! The proofs that were accepted, in memory that all workers share: each is accepted once.
//!
//! There is no lock, and a worker may die at any instruction. A slot is two words: the first holds
//! a mark of the proof, until when it is kept, and whether that is certain; the second the rest of
//! the proof's fingerprint. A worker that meets a proof which it does not find
//!
//! 1. claims a free slot, by compare-and-swap of the first word, as one that is not certain,
//! 2. writes the second word,
//! 3. looks at all places of the proof once more: if another slot before its own holds the proof,
//!    or a certain one behind it, that one was first; one behind it that is not certain, it voids,
//! 4. makes its own claim certain, which fails if another worker voided it.
//!
//! Of any number of workers, one gets through 4: each claims before it looks, so that of two the
//! later one sees the earlier, and the order of the places decides between those that see each
//! other. They may claim different slots of one proof because their clocks differ: what is free to
//! one is not to another. A claim whose worker died is kept like a proof: it is refused, not lost.

use core::fmt;
use core::hash::Hasher;
use core::sync::atomic::Ordering::Relaxed;

use siphasher::sip128::{Hasher128, SipHasher24};

use super::AHEAD;
use super::nonce::Nonces;
use crate::limit::{Measure, Shares};
use crate::memory::{AtomicU64, Label, MemoryError, Stamp};
use crate::text::time::Now;

pub use crate::limit::Bucket as ShareBucket;

mod search;

pub(super) use search::{Fingerprint, Remembered};
use search::{PLACES, Search, Slot};

/// The header of the memory: 128 bytes, all atomics; zeroed memory was never used.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct MemoryHeader {
    stamp: Stamp,
    seed: [AtomicU64; 2],
    /// The secret that nonces are made with.
    secret: [AtomicU64; 4],
    /// The most seconds after `iat` that any configuration has taken a proof.
    keep: AtomicU64,
    /// Proofs from before this second are not known here any more, or never were.
    since: AtomicU64,
    /// Proofs that found no free slot and were refused.
    refused: AtomicU64,
    reserve: [AtomicU64; 4],
}

/// One cache line pair of slots; zeroed memory is an empty bucket.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct MemoryBucket([Slot; SLOTS]);

/// The accepted proofs of all keys, in memory that outlives `'z`.
///
/// A slot takes 16 bytes and is taken from the first use of a proof until it is a minute older
/// than any location accepts. A proof may live in any of three buckets; the first that finds all of
/// them full comes when about 40 % of the slots are taken. It is refused: to forget another instead
/// would let that one be used again.
///
/// The proofs of one key never hold more than a sixteenth: half of that may come at once, and as
/// many again come back over the time that a proof is kept. A key is counted as limits count, in
/// buckets of its own behind those of the proofs.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'z> {
    header: &'z MemoryHeader,
    buckets: &'z [MemoryBucket],
    shares: Shares<'z>,
}

/// The secrets of new memory, all of them random.
#[derive(Clone, Copy)]
pub struct Secrets {
    /// So that no client can aim at a slot.
    pub seed: [u64; 2],
    /// The secret that nonces are made with.
    pub nonces: [u64; 4],
}

impl<'z> Memory<'z> {
    /// How many buckets of proofs, and how many of shares behind them, fit into a block of so many
    /// bytes behind the [`MemoryHeader`].
    ///
    /// The block begins on a multiple of 128 bytes with the header; the buckets, of as many bytes
    /// each, follow at [`Memory::BUCKETS_OFFSET`].
    pub const fn buckets_in(bytes: usize) -> (usize, usize) {
        let all = bytes.saturating_sub(Self::BUCKETS_OFFSET) / BUCKET_BYTES;
        let shares = all.div_ceil(SHARE);
        (all.saturating_sub(shares), shares)
    }

    /// Where the buckets begin in a block that begins with the header, in bytes.
    pub const BUCKETS_OFFSET: usize = 128;

    /// Begins memory that is new, or takes over what is there, for a configuration that accepts
    /// proofs up to `max_age` seconds old.
    ///
    /// Called by one process before others use the memory under that configuration (the master).
    /// An unknown proof cannot be told from a replay: proofs that are older than new memory are not
    /// accepted, nor those that were forgotten under a shorter `max_age`.
    ///
    /// # Errors
    ///
    /// [`MemoryError`] when there are no buckets, and when the memory holds something else.
    pub fn begin(
        header: &'z MemoryHeader,
        buckets: &'z [MemoryBucket],
        shares: &'z [ShareBucket],
        secrets: &Secrets,
        max_age: i64,
        now: i64,
    ) -> Result<Self, MemoryError> {
        let max_age = u64::try_from(max_age).unwrap_or(0);
        let now = u64::try_from(now).unwrap_or(0);
        if header.stamp.is_new() {
            let words = header.seed.iter().chain(&header.secret);
            for (word, secret) in words.zip(secrets.seed.into_iter().chain(secrets.nonces)) {
                word.store(secret, Relaxed);
            }
            header.keep.store(max_age, Relaxed);
            header.since.store(now, Relaxed);
            header.stamp.begin(LABEL, buckets.len());
        }
        let memory = Self::open(header, buckets, shares)?;
        let kept = header.keep.load(Relaxed);
        if max_age > kept {
            header.since.fetch_max(now.saturating_sub(kept), Relaxed);
            header.keep.fetch_max(max_age, Relaxed);
        }
        Ok(memory)
    }

    /// Takes memory that [`Memory::begin`] has begun.
    ///
    /// # Errors
    ///
    /// As [`Memory::begin`].
    pub fn open(
        header: &'z MemoryHeader,
        buckets: &'z [MemoryBucket],
        shares: &'z [ShareBucket],
    ) -> Result<Self, MemoryError> {
        if buckets.is_empty() {
            return Err(MemoryError::Empty);
        }
        header.stamp.check(LABEL, buckets.len())?;
        Ok(Self { header, buckets, shares: Shares::new(shares) })
    }

    /// How many proofs found no free slot since the memory began, and were refused.
    pub fn refused(&self) -> u64 {
        self.header.refused.load(Relaxed)
    }

    /// Whether a proof of that second would be known here, had it been used before.
    pub(super) fn would_know(&self, issued_at: i64) -> bool {
        let since = self.header.since.load(Relaxed);
        u64::try_from(issued_at).is_ok_and(|issued_at| issued_at >= since)
    }

    pub(super) fn nonces(&self) -> Nonces {
        let mut secret = [0; 32];
        for (bytes, word) in secret.chunks_exact_mut(8).zip(&self.header.secret) {
            bytes.copy_from_slice(&word.load(Relaxed).to_le_bytes());
        }
        Nonces::new(&secret)
    }

    /// The fingerprint of a proof, of parts that are taken one by one.
    pub(super) fn fingerprint(&self, parts: &[&[u8]]) -> Fingerprint {
        let [first, second] = &self.header.seed;
        let mut hasher = SipHasher24::new_with_keys(first.load(Relaxed), second.load(Relaxed));
        for part in parts {
            hasher.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.write(part);
        }
        let hash = hasher.finish128();
        Fingerprint { first: hash.h1, rest: hash.h2 }
    }

    /// Remembers a proof that `key` made at `issued_at`, if it is the first time.
    pub(super) fn remember(
        &self,
        proof: Fingerprint,
        key: &[u8; 32],
        issued_at: i64,
        now: Now,
    ) -> Remembered {
        let keep = i64::try_from(self.header.keep.load(Relaxed)).unwrap_or(i64::MAX);
        let until = issued_at.saturating_add(keep).saturating_add(SLACK);
        // Taken before, so that a key never holds more; a replay takes nothing.
        let hash = self.fingerprint(&[key]).first;
        let taken = match self.share(keep) {
            Some(share) => match self.shares.take(hash, share, now.tick) {
                None => return Remembered::TooMany,
                taken => taken,
            },
            None => None,
        };
        let search = Search { places: self.places(proof), proof, now: now.unix.secs() };
        let remembered = search.remember(until);
        if remembered == Remembered::Full {
            self.header.refused.fetch_add(1, Relaxed);
        }
        if let Some(taken) = taken.filter(|_| remembered != Remembered::First) {
            taken.give_back();
        }
        remembered
    }

    /// What one key may have remembered while proofs are kept for so long after `iat`.
    fn share(&self, keep: i64) -> Option<Measure> {
        let slots = self.buckets.len().saturating_mul(SLOTS);
        let half = u64::try_from(slots / SHARE / 2).unwrap_or(u64::MAX).max(1);
        let secs = keep.saturating_add(SLACK).saturating_add(AHEAD).saturating_add(1);
        let nanos = u64::try_from(secs).unwrap_or(0).saturating_mul(1_000_000_000);
        Measure::new(nanos.checked_div(half)?, half)
    }

    /// The buckets in which a proof may live, each once and in the same order for all workers.
    fn places(&self, proof: Fingerprint) -> [&'z [Slot]; PLACES] {
        let [one, other, third] = proof.places(self.buckets.len());
        let at = |index: usize| self.buckets.get(index).map_or(&[][..], |bucket| &bucket.0[..]);
        let other_place = if other == one { &[] } else { at(other) };
        let third_place = if third == one || third == other { &[] } else { at(third) };
        [at(one), other_place, third_place]
    }
}

/// The secrets are not shown.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// Seconds that a proof is kept after it cannot be accepted any more: two workers' clocks may be
/// apart by as much as a turn of an event loop takes.
pub(super) const SLACK: i64 = 60;

/// The size of a [`MemoryBucket`]: two cache lines, fetched as a pair.
const BUCKET_BYTES: usize = 128;

/// The label that tells the memory of proofs from any other.
const LABEL: Label =
    Label { magic: u64::from_le_bytes(*b"meshdpop"), layout: 2, contents: "proofs" };

/// The part of the memory that one key may hold, and that the counters of keys take.
const SHARE: usize = 16;

/// Slots in a bucket; two under loom, whose models grow with every load.
const SLOTS: usize = if cfg!(loom) { 2 } else { 8 };

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<MemoryHeader>() == 128);
    assert!(size_of::<MemoryBucket>() == BUCKET_BYTES);
    assert!(size_of::<MemoryHeader>() <= Memory::BUCKETS_OFFSET);
    assert!(Memory::BUCKETS_OFFSET.is_multiple_of(align_of::<MemoryBucket>()));
    assert!(size_of::<ShareBucket>() == BUCKET_BYTES);
    assert!(align_of::<ShareBucket>() == align_of::<MemoryBucket>());
};

#[cfg(test)]
#[cfg(not(loom))]
mod tests;

#[cfg(test)]
#[cfg(loom)]
mod models;
