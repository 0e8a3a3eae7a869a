//! The proofs that were accepted, in memory that all workers share: each counts once.
//!
//! There is no lock, and a worker may die at any instruction. A slot is two words: the first holds
//! a mark of the proof, until when it is kept, and whether that is certain; the second the rest of
//! the proof's fingerprint. Whoever meets a proof that it does not find
//!
//! 1. claims a free slot, by compare-and-swap of the first word, as one that is not certain,
//! 2. writes the second word,
//! 3. looks at all places of the proof once more: if another slot before its own holds the proof,
//!    or a certain one behind it, that one was first; one behind it that is not certain, it voids,
//! 4. makes its own claim certain, which fails if somebody voided it.
//!
//! Of any number of workers, one gets through 4: each claims before it looks, so that of two the
//! later one sees the earlier, and the order of the places decides between those that see each
//! other. They may claim different slots of one proof because their clocks differ: what is free to
//! one is not to another. A claim whose worker died is kept like a proof: it is refused, not lost.

use core::fmt;
use core::hash::Hasher;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use siphasher::sip128::{Hasher128, SipHasher24};

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU32, AtomicU64, fence};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, AtomicU64, fence};

use super::nonce::Nonces;

/// What the memory begins with: 128 bytes, all atomics; zeroed memory was never used.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct MemoryHeader {
    /// [`MAGIC`], written last.
    magic: AtomicU64,
    /// [`LAYOUT`]
    layout: AtomicU32,
    unused: AtomicU32,
    buckets: AtomicU64,
    seed: [AtomicU64; 2],
    /// What nonces are made with.
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

#[derive(Debug, Default)]
#[repr(C)]
struct Slot {
    /// A [`State`].
    state: AtomicU64,
    /// The rest of the fingerprint, which counts once the state is certain.
    rest: AtomicU64,
}

/// The accepted proofs of all keys, in memory that outlives `'z`.
///
/// A slot takes 16 bytes and is taken from the first use of a proof until it is [`SLACK`] older
/// than any location accepts. A proof may live in any of three buckets; the first that finds all of
/// them full comes when about 40 % of the slots are taken. It is refused: to forget another instead
/// would let that one be used again.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'z> {
    header: &'z MemoryHeader,
    buckets: &'z [MemoryBucket],
}

/// What new memory begins with; all of it random.
#[derive(Clone, Copy)]
pub struct Secrets {
    /// So that nobody can aim at a slot.
    pub seed: [u64; 2],
    /// What nonces are made with.
    pub nonces: [u64; 4],
}

impl<'z> Memory<'z> {
    /// How many buckets fit into a block of so many bytes, behind the [`MemoryHeader`].
    ///
    /// The block begins on a multiple of 128 bytes with the header; the buckets follow at
    /// [`Memory::BUCKETS_OFFSET`].
    pub const fn buckets_in(bytes: usize) -> usize {
        bytes.saturating_sub(Self::BUCKETS_OFFSET) / BUCKET_BYTES
    }

    /// Where the buckets begin in a block that begins with the header, in bytes.
    pub const BUCKETS_OFFSET: usize = 128;

    /// Begins memory that is new, or takes over what is there, for a configuration that accepts
    /// proofs up to `max_age` seconds old.
    ///
    /// Called by one process before others use the memory under that configuration (the master).
    /// What is not known cannot be told from a replay: proofs that are older than new memory are
    /// not accepted, nor those that were forgotten under a shorter `max_age`.
    ///
    /// # Errors
    ///
    /// [`MemoryError`] when there are no buckets, and when the memory holds something else.
    pub fn begin(
        header: &'z MemoryHeader,
        buckets: &'z [MemoryBucket],
        secrets: &Secrets,
        max_age: i64,
        now: i64,
    ) -> Result<Self, MemoryError> {
        let max_age = u64::try_from(max_age).unwrap_or(0);
        let now = u64::try_from(now).unwrap_or(0);
        if header.magic.load(Acquire) == 0 {
            header.layout.store(LAYOUT, Relaxed);
            header.buckets.store(u64::try_from(buckets.len()).unwrap_or(u64::MAX), Relaxed);
            let words = header.seed.iter().chain(&header.secret);
            for (word, secret) in words.zip(secrets.seed.into_iter().chain(secrets.nonces)) {
                word.store(secret, Relaxed);
            }
            header.keep.store(max_age, Relaxed);
            header.since.store(now, Relaxed);
            header.magic.store(MAGIC, Release);
        }
        let memory = Self::open(header, buckets)?;
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
    /// As there.
    pub fn open(
        header: &'z MemoryHeader,
        buckets: &'z [MemoryBucket],
    ) -> Result<Self, MemoryError> {
        if buckets.is_empty() {
            return Err(MemoryError::Empty);
        }
        if header.magic.load(Acquire) != MAGIC {
            return Err(MemoryError::Foreign);
        }
        let found = header.layout.load(Relaxed);
        if found != LAYOUT {
            return Err(MemoryError::Layout { found });
        }
        let given = u64::try_from(buckets.len()).unwrap_or(u64::MAX);
        let found = header.buckets.load(Relaxed);
        if found != given {
            return Err(MemoryError::Size { found, given });
        }
        Ok(Self { header, buckets })
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

    /// Remembers a proof that was made at `issued_at`, if it is the first time.
    pub(super) fn remember(&self, proof: Fingerprint, issued_at: i64, now: i64) -> Remembered {
        let keep = i64::try_from(self.header.keep.load(Relaxed)).unwrap_or(i64::MAX);
        let until = issued_at.saturating_add(keep).saturating_add(SLACK);
        let remembered = Search { places: self.places(proof), proof, now }.remember(until);
        if remembered == Remembered::Full {
            self.header.refused.fetch_add(1, Relaxed);
        }
        remembered
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

/// 128 bits that a proof is known by, 88 of them in its slot: nobody outside can aim them, and of
/// those that are kept at once no two are the same by chance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fingerprint {
    /// The lowest bits mark a slot, the highest choose the place.
    first: u64,
    rest: u64,
}

impl Fingerprint {
    /// 24 bits.
    const fn mark(self) -> u64 {
        self.first & (u64::MAX >> MARK_AT)
    }

    fn places(self, buckets: usize) -> [usize; PLACES] {
        // Each from 64 bits of which most are in no slot, well mixed.
        let second = self.first.rotate_left(16).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let third = self.first.rotate_left(8).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        [scale(self.first, buckets), scale(second, buckets), scale(third, buckets)]
    }
}

/// Where a hash falls among so many buckets.
#[expect(clippy::cast_possible_truncation, reason = "the product is below the bucket count")]
const fn scale(hash: u64, buckets: usize) -> usize {
    ((hash as u128).wrapping_mul(buckets as u128) >> 64) as usize
}

/// What became of a proof.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Remembered {
    /// It is the first time, and will not be again.
    First,
    /// There is no room.
    Full,
    /// It was there before.
    Known,
}

/// A slot's first word: 24 bits of mark, 8 that count the turns of the slot, 31 of the second until
/// which it is kept, 0 where it is free, and whether it is certain.
///
/// Without the turns, a claim that was voided and made again by another worker would be the same
/// word, and two workers could take it for theirs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct State(u64);

impl State {
    /// The claim of a proof upon a slot that was found like this.
    const fn claimed_by(self, proof: Fingerprint, until: i64) -> Self {
        let until = match until.cast_unsigned() & TIME {
            0 => 1,
            until => until,
        };
        Self((proof.mark() << MARK_AT) | self.next_turn() | (until << 1))
    }

    const fn certain(self) -> Self {
        Self(self.0 | 1)
    }

    const fn free(self) -> Self {
        Self(self.next_turn())
    }

    const fn next_turn(self) -> u64 {
        (self.0 & TURN).wrapping_add(1 << TURN_AT) & TURN
    }

    const fn is_certain(self) -> bool {
        self.0 & 1 != 0
    }

    const fn has_mark_of(self, proof: Fingerprint) -> bool {
        self.0 >> MARK_AT == proof.mark()
    }

    /// Whether it is kept at `now`; time wraps after 68 years, and what is further ahead than any
    /// proof is kept is none.
    const fn is_kept(self, now: i64) -> bool {
        let until = (self.0 >> 1) & TIME;
        let left = until.wrapping_sub(now.cast_unsigned()) & TIME;
        until != 0 && left > 0 && left <= HORIZON
    }
}

impl Slot {
    fn state(&self) -> State {
        State(self.state.load(SeqCst))
    }

    fn exchange(&self, seen: State, state: State) -> bool {
        self.state.compare_exchange(seen.0, state.0, SeqCst, SeqCst).is_ok()
    }

    /// The state, if the slot holds that proof. A claim that is not certain counts by its mark: its
    /// rest may not be written yet.
    fn holds(&self, proof: Fingerprint, now: i64) -> Option<State> {
        loop {
            let state = self.state();
            if !state.is_kept(now) || !state.has_mark_of(proof) {
                return None;
            }
            let is_same = !state.is_certain() || self.rest.load(SeqCst) == proof.rest;
            // What was read in between belongs to this state if it still is the same.
            if self.state() == state {
                return is_same.then_some(state);
            }
        }
    }
}

/// One worker's search for the places of one proof.
struct Search<'z> {
    places: [&'z [Slot]; PLACES],
    proof: Fingerprint,
    now: i64,
}

impl<'z> Search<'z> {
    fn remember(&self, until: i64) -> Remembered {
        for _ in 0..ATTEMPTS {
            let mut free = None;
            for slot in self.slots() {
                if self.holds(slot) {
                    return Remembered::Known;
                }
                let state = slot.state();
                if free.is_none() && !state.is_kept(self.now) {
                    free = Some((slot, state));
                }
            }
            let Some((slot, seen)) = free else { return Remembered::Full };
            let claim = seen.claimed_by(self.proof, until);
            if slot.exchange(seen, claim) {
                slot.rest.store(self.proof.rest, SeqCst);
                // Every claim is written before its worker looks for others.
                fence(SeqCst);
                if self.prevails(slot) && slot.exchange(claim, claim.certain()) {
                    return Remembered::First;
                }
                slot.exchange(claim, claim.free());
                return Remembered::Known;
            }
        }
        // Others have been faster each time: the places are as good as full.
        Remembered::Full
    }

    /// Whether no other slot has a better claim to the proof than `own`.
    fn prevails(&self, own: &Slot) -> bool {
        let mut is_behind = false;
        for slot in self.slots() {
            if core::ptr::eq(slot, own) {
                is_behind = true;
                continue;
            }
            while let Some(state) = slot.holds(self.proof, self.now) {
                if !is_behind || state.is_certain() {
                    return false;
                }
                if slot.exchange(state, state.free()) {
                    break;
                }
            }
        }
        true
    }

    fn holds(&self, slot: &Slot) -> bool {
        slot.holds(self.proof, self.now).is_some()
    }

    fn slots(&self) -> impl Iterator<Item = &'z Slot> {
        self.places.into_iter().flatten()
    }
}

/// Why memory is none of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MemoryError {
    /// There is room for no bucket.
    Empty,
    /// The memory holds something else.
    Foreign,
    /// The memory was laid out by another version of the module.
    Layout {
        /// The layout that was found.
        found: u32,
    },
    /// The memory is of another size.
    Size {
        /// The buckets that the header names.
        found: u64,
        /// The buckets that were given.
        given: u64,
    },
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the zone is too small"),
            Self::Foreign => f.write_str("the zone holds something else than proofs"),
            Self::Layout { found } => {
                write!(f, "the zone has layout {found} where {LAYOUT} is expected")
            }
            Self::Size { found, given } => {
                write!(f, "the zone holds {found} buckets where {given} are expected")
            }
        }
    }
}

impl core::error::Error for MemoryError {}

/// The secrets are not shown.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// Seconds that a proof is kept after nobody would accept it: two workers' clocks may be apart by
/// as much as a turn of an event loop takes.
pub(super) const SLACK: i64 = 60;

/// Seconds that any proof may be kept ahead, by a clock that was set back meanwhile.
const HORIZON: u64 = 3_600;

/// The bits of a time.
const TIME: u64 = 0x7fff_ffff;

/// Where the turns are in a state.
const TURN_AT: u32 = 32;
const TURN: u64 = 0xff << TURN_AT;

/// Where the mark is in a state.
const MARK_AT: u32 = 40;

/// What a [`MemoryBucket`] takes: two cache lines, fetched as a pair.
const BUCKET_BYTES: usize = 128;

/// What tells the memory of proofs from any other.
const MAGIC: u64 = u64::from_le_bytes(*b"meshdpop");

/// The version of the layout; any change of it raises it.
const LAYOUT: u32 = 1;

/// Slots in a bucket; two under loom, whose models grow with every load.
const SLOTS: usize = if cfg!(loom) { 2 } else { 8 };

/// How many buckets a proof may live in.
const PLACES: usize = 3;

/// How many lost races are followed by another try.
const ATTEMPTS: u32 = 64;

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<MemoryHeader>() == 128);
    assert!(size_of::<MemoryBucket>() == BUCKET_BYTES);
    assert!(size_of::<MemoryHeader>() <= Memory::BUCKETS_OFFSET);
    assert!(Memory::BUCKETS_OFFSET.is_multiple_of(align_of::<MemoryBucket>()));
};

#[cfg(test)]
#[cfg(not(loom))]
mod tests;

#[cfg(test)]
#[cfg(loom)]
mod models;
