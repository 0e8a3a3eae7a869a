//! The shared memory of the limits: a header and buckets of slots, found by hash.

use core::fmt;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::charge::{Charge, Charged, Limited};
use super::gcra::{Quota, Remaining};
use super::key::Key;
use super::probe::{Outcome, Probe};
use super::slot::Slot;
use super::{AtomicU32, AtomicU64};
use crate::time::Tick;

/// What a zone begins with: 64 bytes, all atomics; zeroed memory is a header that was never used.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Header {
    /// [`MAGIC`], written last.
    magic: AtomicU64,
    /// [`LAYOUT`]
    layout: AtomicU32,
    unused: AtomicU32,
    buckets: AtomicU64,
    seed: [AtomicU64; 2],
    /// Charges that found no free slot and were admitted without being counted.
    uncounted: AtomicU64,
    reserve: [AtomicU64; 2],
}

/// One cache line pair of slots; zeroed memory is an empty bucket.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct Bucket([Slot; SLOTS]);

/// The counters of all keys, in memory that outlives `'z`.
///
/// A slot takes 16 bytes and holds one key; only keys in debt need one, and a key is in debt from
/// a request until the time that its charges stand for has passed (10 ms for one request at
/// `100r/s`). A key may live in any of three buckets. The first key that finds all of them full of
/// others in debt comes when about 40 % of the slots are; at 50 % (32 bytes a key) it is one in
/// 50,000, at 70 % one in 1,000. It is admitted and counted in [`Table::uncounted`]: nobody is ever
/// refused for a stranger's debt.
///
/// Any number of workers that charge one key at once admit exactly its capacity. What may happen, at
/// worst: a charge that is about to be taken back is visible for a moment, so a simultaneous one on
/// the same key may be refused too early by that much; a worker killed in that moment leaves that
/// debt, which time pays back; and workers whose clocks differ judge a key by their own, so it gains
/// or loses its rate times that difference. `probe.rs` tells how and why.
#[derive(Clone, Copy, Debug)]
pub struct Table<'z> {
    header: &'z Header,
    buckets: &'z [Bucket],
    seed: [u64; 2],
}

impl<'z> Table<'z> {
    /// How many buckets fit into a block of so many bytes, behind the [`Header`].
    ///
    /// The block begins on a multiple of 128 bytes with the header; the buckets follow at
    /// [`BUCKETS_OFFSET`].
    pub const fn buckets_in(bytes: usize) -> usize {
        bytes.saturating_sub(BUCKETS_OFFSET) / BUCKET_BYTES
    }

    /// Adopts the memory of a zone: zeroed memory is initialised with `seed`, which must be
    /// random; memory that was used before keeps its own seed and all its counters.
    ///
    /// To be called by one process before others use the memory (the master, for a new zone).
    ///
    /// # Errors
    ///
    /// [`TableError`] when there are no buckets, and when the memory holds something else than a
    /// table of this layout and size.
    pub fn open(
        header: &'z Header,
        buckets: &'z [Bucket],
        seed: [u64; 2],
    ) -> Result<Self, TableError> {
        if buckets.is_empty() {
            return Err(TableError::Empty);
        }
        let given = u64::try_from(buckets.len()).unwrap_or(u64::MAX);
        match header.magic.load(Acquire) {
            0 => header.begin(given, seed),
            MAGIC => {}
            _ => return Err(TableError::Foreign),
        }
        let found = header.layout.load(Relaxed);
        if found != LAYOUT {
            return Err(TableError::Layout { found });
        }
        let found = header.buckets.load(Relaxed);
        if found != given {
            return Err(TableError::Size { found, given });
        }
        let [first, second] = &header.seed;
        Ok(Self { header, buckets, seed: [first.load(Relaxed), second.load(Relaxed)] })
    }

    /// The key of `who` under a quota: under its name, for its parameters may change by a reload.
    ///
    /// The parts of `who` are taken one by one: `["ab", "c"]` and `["a", "bc"]` are two parties.
    pub fn key(&self, quota: &Quota, who: &[&[u8]]) -> Key {
        Key::new(self.seed, quota.name(), who)
    }

    /// Makes all charges, or none of them.
    ///
    /// # Errors
    ///
    /// [`Limited`] when a quota does not allow its charge; nothing is charged then.
    pub fn charge(&self, charges: &[Charge<'_>], now: Tick) -> Result<Charged, Limited> {
        // A single charge refuses for itself and leaves nothing behind.
        if charges.len() > 1 {
            self.survey(charges, now)?;
        }
        self.commit(charges, 0, Charged::nothing(), now)
    }

    /// What is left for a charge that would pass now, without charging it.
    ///
    /// # Errors
    ///
    /// [`Limited`] when the charge would not pass.
    pub fn peek(&self, charge: &Charge<'_>, now: Tick) -> Result<Remaining, Limited> {
        self.survey(core::slice::from_ref(charge), now)?;
        Ok(charge.quota().remaining(self.probe(charge, now).debt()))
    }

    /// Charges whether or not the quota allows, for what is known only afterwards: a refused
    /// credential, the bytes of a response.
    ///
    /// The debt ends at most one interval past the window, so whoever stops is admitted again
    /// after a time that does not grow with what went before.
    pub fn debit(&self, charge: &Charge<'_>, now: Tick) -> Charged {
        match self.probe(charge, now).debit() {
            Outcome::Counted(debt) | Outcome::Refused { debt, .. } => {
                Charged::nothing().and(0, charge.quota(), debt)
            }
            Outcome::Full => {
                self.count_uncounted();
                Charged::nothing().and_uncounted()
            }
        }
    }

    /// How many charges found no free slot since the zone began, and were admitted uncounted.
    ///
    /// More than a few mean that the zone is too small for its keys, or under attack.
    pub fn uncounted(&self) -> u64 {
        self.header.uncounted.load(Relaxed)
    }

    /// How many keys the table can hold at once.
    pub const fn slots(&self) -> usize {
        self.buckets.len().saturating_mul(SLOTS)
    }

    /// About how many keys are in debt now, from at most 1,024 buckets spread over the table.
    pub fn in_debt(&self, now: Tick) -> usize {
        let stride = self.buckets.len().div_ceil(1_024).max(1);
        let owes = |slot: &&Slot| slot.word().is_owed(now);
        let sample = self.buckets.iter().step_by(stride);
        let found = sample.clone().flat_map(|bucket| &bucket.0).filter(owes).count();
        let sampled = sample.len().max(1);
        found.saturating_mul(self.buckets.len()).checked_div(sampled).unwrap_or(0)
    }

    /// Looks at all charges; of those that would not pass, the one with the longest wait speaks.
    fn survey(&self, charges: &[Charge<'_>], now: Tick) -> Result<(), Limited> {
        let refusals = charges.iter().enumerate().filter_map(|(index, charge)| {
            let probe = self.probe(charge, now);
            let debt = probe.debt();
            probe.wait(debt).map(|wait| Limited::new(index, charge.quota(), debt, wait))
        });
        refusals.max_by_key(Limited::retry_after).map_or(Ok(()), Err)
    }

    /// Makes the charges in turn; the stack remembers what to give back when a later one fails.
    fn commit(
        &self,
        charges: &[Charge<'_>],
        index: usize,
        charged: Charged,
        now: Tick,
    ) -> Result<Charged, Limited> {
        let Some((charge, rest)) = charges.split_first() else { return Ok(charged) };
        let (quota, probe, next) = (charge.quota(), self.probe(charge, now), index.wrapping_add(1));
        if charge.price() == 0 {
            return self.commit(rest, next, charged.and(index, quota, probe.debt()), now);
        }
        match probe.charge() {
            Outcome::Counted(debt) => self
                .commit(rest, next, charged.and(index, quota, debt), now)
                .inspect_err(|_| probe.give_back()),
            Outcome::Full => {
                self.count_uncounted();
                self.commit(rest, next, charged.and_uncounted(), now)
            }
            Outcome::Refused { debt, wait } => Err(Limited::new(index, quota, debt, wait)),
        }
    }

    fn probe<'a>(&self, charge: &Charge<'a>, now: Tick) -> Probe<'a, 'z> {
        let slots = |at: usize| self.buckets.get(at).map_or(&[][..], |bucket| &bucket.0[..]);
        Probe::new(charge.key().places(self.buckets.len()).map(slots), charge, now)
    }

    fn count_uncounted(&self) {
        self.header.uncounted.fetch_add(1, Relaxed);
    }
}

impl Header {
    fn begin(&self, buckets: u64, seed: [u64; 2]) {
        self.layout.store(LAYOUT, Relaxed);
        self.buckets.store(buckets, Relaxed);
        for (word, seed) in self.seed.iter().zip(seed) {
            word.store(seed, Relaxed);
        }
        self.magic.store(MAGIC, Release);
    }
}

/// Why memory is no table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TableError {
    /// There is room for no bucket.
    Empty,
    /// The memory holds something else.
    Foreign,
    /// The memory was laid out by another version of the module.
    Layout {
        /// The layout that was found.
        found: u32,
    },
    /// The memory holds a table of another size.
    Size {
        /// The buckets that the header names.
        found: u64,
        /// The buckets that were given.
        given: u64,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the zone is too small"),
            Self::Foreign => f.write_str("the zone holds something else than limits"),
            Self::Layout { found } => {
                write!(f, "the zone has layout {found} where {LAYOUT} is expected")
            }
            Self::Size { found, given } => {
                write!(f, "the zone holds {found} buckets where {given} are expected")
            }
        }
    }
}

impl core::error::Error for TableError {}

/// Where the buckets begin in a block that begins with the [`Header`], in bytes.
pub const BUCKETS_OFFSET: usize = 128;

/// What a [`Bucket`] takes: two cache lines, fetched as a pair.
const BUCKET_BYTES: usize = 128;

/// What tells a zone of limits from any other memory.
const MAGIC: u64 = u64::from_le_bytes(*b"meshrate");

/// The version of the layout of [`Header`], [`Bucket`] and [`Slot`]; any change of them raises it.
const LAYOUT: u32 = 1;

/// Slots in a bucket; two under loom, whose models grow with every load.
const SLOTS: usize = if cfg!(loom) { 2 } else { 8 };

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<Header>() == 64);
    assert!(size_of::<Bucket>() == BUCKET_BYTES);
    assert!(size_of::<Header>() <= BUCKETS_OFFSET);
    assert!(BUCKETS_OFFSET.is_multiple_of(align_of::<Bucket>()));
};

#[cfg(test)]
#[cfg(not(loom))]
mod tests;

#[cfg(test)]
#[cfg(loom)]
mod models;
