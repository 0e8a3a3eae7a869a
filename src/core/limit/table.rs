//! The shared memory of the limits: a header and buckets of slots, found by hash.

use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;

use super::bucket::{Bucket, SLOTS};
use super::charge::{Charge, Charged, Limited};
use super::gcra::Quota;
use super::host::{Host, SharedTick};
use super::key::Key;
use super::part::{FEWEST, Part};
use super::probe::{Outcome, Probe};
use super::slot::Slot;
use super::tally::Tally;
use crate::memory::{AtomicU64, Label, MemoryError, Stamp};
use crate::text::time::Tick;

/// The header of a zone: three pairs of cache lines, all atomics; zeroed memory is a header that
/// was never used.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct Header {
    stamp: Stamp,
    seed: [AtomicU64; 2],
    tick: SharedTick,
    tallies: Tallies,
}

/// The counts of each part, apart from the words that every charge reads.
#[derive(Debug, Default)]
#[repr(C, align(128))]
struct Tallies([Tally; Part::ALL.len()]);

/// The counters of all keys, in memory that outlives `'z`.
///
/// A slot takes 16 bytes and holds one key; only keys in debt need one, and a key is in debt from a
/// request until the time of its charges has passed (10 ms for one request at `100r/s`). A key may
/// live in any of three buckets of its [`Part`]. The first key that finds all of them full of
/// others in debt comes when about 40 % of the slots are; at 50 % (32 bytes a key) it is one in
/// 50,000, at 70 % one in 1,000. It is counted in [`Table::full`], and no key loses a slot to it:
///
/// - an identity is charged to a bucket that all such newcomers of its quota share,
/// - a key that a client chooses is admitted and not counted: a limit on such keys does not hold
///   their chooser, and others must not pay for it,
/// - for failures, see [`Table::debit`].
///
/// Any number of workers that charge one key at once admit exactly its capacity, however their
/// clocks lag. What may happen, at worst: a charge that is about to be taken back is visible for a
/// moment, so a simultaneous one on the same key may be refused too early by that much; and a worker
/// killed in that moment leaves that debt, which time pays back. `probe.rs` tells how and why.
#[derive(Clone, Copy, Debug)]
pub struct Table<'z> {
    header: &'z Header,
    buckets: &'z [Bucket],
    seed: [u64; 2],
    host: &'z dyn Host,
}

impl<'z> Table<'z> {
    /// How many buckets fit into a block of so many bytes, behind the [`Header`].
    ///
    /// The block begins on a multiple of 128 bytes with the header; the buckets follow at
    /// [`BUCKETS_OFFSET`].
    pub const fn buckets_in(bytes: usize) -> usize {
        bytes.saturating_sub(BUCKETS_OFFSET) / BUCKET_BYTES
    }

    /// Adopts the memory of a zone: zeroed memory is initialised with `seed`, which must be random;
    /// memory that was used before keeps its own seed and all its counters.
    ///
    /// Called by one process before others use the memory (the master, for a new zone).
    ///
    /// # Errors
    ///
    /// [`MemoryError`] if there are too few buckets, or if the memory holds anything but a table of
    /// this layout and size.
    pub fn open(
        header: &'z Header,
        buckets: &'z [Bucket],
        seed: [u64; 2],
        host: &'z dyn Host,
    ) -> Result<Self, MemoryError> {
        if buckets.len() < FEWEST {
            return Err(MemoryError::Empty);
        }
        if header.stamp.is_new() {
            for (word, seed) in header.seed.iter().zip(seed) {
                word.store(seed, Relaxed);
            }
            header.stamp.begin(LABEL, buckets.len());
        }
        header.stamp.check(LABEL, buckets.len())?;
        let [first, second] = &header.seed;
        Ok(Self { header, buckets, seed: [first.load(Relaxed), second.load(Relaxed)], host })
    }

    /// The key of `who` under a quota: under its name, since a reload may change its parameters.
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
    #[inline]
    pub fn charge(&self, charges: &[Charge<'_>], now: Tick) -> Result<Charged, Limited> {
        // Most requests are charged for one, and pass.
        if let [charge] = charges {
            let probe = self.probe(charge, self.header.tick.latest(now, self.host));
            if let Outcome::Counted(debt) = probe.charge() {
                return Ok(Charged::nothing().and(0, charge.measure(), debt));
            }
        }
        self.charge_in_time(charges, now)
    }

    /// As [`Self::charge`], whatever comes of it.
    #[inline(never)]
    fn charge_in_time(&self, charges: &[Charge<'_>], now: Tick) -> Result<Charged, Limited> {
        self.in_time(now, |now| {
            // A single charge refuses for itself and leaves nothing behind.
            if charges.len() > 1 {
                self.survey(charges, now)?;
            }
            self.commit(charges, 0, Charged::nothing(), now)
        })
    }

    /// Whether all charges would pass now, without making them.
    ///
    /// # Errors
    ///
    /// [`Limited`] when a charge would not pass.
    pub fn peek(&self, charges: &[Charge<'_>], now: Tick) -> Result<(), Limited> {
        self.in_time(now, |now| self.survey(charges, now))
    }

    /// Whether a failure may be charged, as [`Table::debit`] would charge it; a failure that would
    /// find no slot may be.
    ///
    /// # Errors
    ///
    /// [`Limited`] when the quota does not allow it.
    pub fn peek_debit(&self, either: &[Charge<'_>], now: Tick) -> Result<(), Limited> {
        let has_slot = |charge: &&Charge<'_>| self.probe(charge, now).debt().is_some();
        let now = self.header.tick.latest(now, self.host);
        let charge = either.iter().find(has_slot);
        charge.map_or(Ok(()), |charge| self.peek(core::slice::from_ref(charge), now))
    }

    /// Charges whether or not the quota allows it, for costs that are known only afterwards: a
    /// refused credential, the bytes of a response. The first of the charges that finds a slot is
    /// made.
    ///
    /// The debt ends at most one interval past the window, so a client that stops is admitted again
    /// after a time that does not grow with its past requests.
    pub fn debit(&self, either: &[Charge<'_>], now: Tick) {
        let now = self.header.tick.latest(now, self.host);
        for (index, charge) in either.iter().enumerate() {
            match self.probe(charge, now).debit() {
                Outcome::Counted(_) | Outcome::Refused { .. } => return,
                // A failure is counted once.
                Outcome::Full if index == 0 => self.count(charge.part(), now),
                Outcome::Full => {}
            }
        }
    }

    /// How many charges found no slot for their key since the zone began.
    ///
    /// More than a few mean that the zone is too small for its keys, or under attack.
    pub fn full(&self, part: Part) -> u64 {
        self.tally(part).map_or(0, Tally::full)
    }

    /// How many keys a part can hold at once.
    pub fn slots(&self, part: Part) -> usize {
        self.buckets_of(part.whole(self.buckets.len())).len().saturating_mul(SLOTS)
    }

    /// About how many keys of a part are in debt now, from at most 1,024 buckets spread over it.
    pub fn in_debt(&self, part: Part, now: Tick) -> usize {
        let buckets = self.buckets_of(part.whole(self.buckets.len()));
        let stride = buckets.len().div_ceil(1_024).max(1);
        let owes = |slot: &&Slot| slot.word().is_owed(now);
        let sample = buckets.iter().step_by(stride);
        let found = sample.clone().flat_map(Bucket::slots).filter(owes).count();
        let sampled = sample.len().max(1);
        found.saturating_mul(buckets.len()).checked_div(sampled).unwrap_or(0)
    }

    /// Calls `attempt` by the latest tick of all workers, and once more by the clock before it may
    /// refuse.
    fn in_time<T>(
        &self,
        now: Tick,
        attempt: impl Fn(Tick) -> Result<T, Limited>,
    ) -> Result<T, Limited> {
        let now = self.header.tick.latest(now, self.host);
        attempt(now).or_else(|limited| {
            let later = self.header.tick.read(now, self.host);
            let told = if later > now { attempt(later) } else { Err(limited) };
            if told.as_ref().is_err_and(Limited::is_overflow) {
                self.count(Part::Identities, later);
            }
            told
        })
    }

    /// Looks at all charges; of those that would not pass, the one with the longest wait is
    /// reported.
    fn survey(&self, charges: &[Charge<'_>], now: Tick) -> Result<(), Limited> {
        let refusals = charges.iter().enumerate().filter_map(|(index, charge)| {
            let probe = self.probe(charge, now);
            let Some(debt) = probe.debt() else { return self.survey_overflow(index, charge, now) };
            let wait = probe.wait(debt)?;
            Some(Limited::new(index, charge.measure(), debt, wait))
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
        let (measure, probe, next) =
            (charge.measure(), self.probe(charge, now), index.wrapping_add(1));
        match probe.charge() {
            Outcome::Counted(debt) => self
                .commit(rest, next, charged.and(index, measure, debt), now)
                .inspect_err(|_| probe.give_back()),
            Outcome::Full => self.commit_overflow(charges, index, charged, now),
            Outcome::Refused { debt, wait } => Err(Limited::new(index, measure, debt, wait)),
        }
    }

    /// As [`Self::commit`], for a charge that finds no slot for its key.
    #[cold]
    fn commit_overflow(
        &self,
        charges: &[Charge<'_>],
        index: usize,
        charged: Charged,
        now: Tick,
    ) -> Result<Charged, Limited> {
        let Some((charge, rest)) = charges.split_first() else { return Ok(charged) };
        let next = index.wrapping_add(1);
        let Some((shared, probe)) = self.overflow(charge, now) else {
            self.count(charge.part(), now);
            return self.commit(rest, next, charged.and_uncounted(), now);
        };
        let measure = shared.measure();
        let refused = |debt, wait| Limited::new(index, measure, debt, wait).by_overflow();
        match probe.charge() {
            Outcome::Counted(debt) => {
                self.count(charge.part(), now);
                self.commit(rest, next, charged.and(index, measure, debt), now)
                    .inspect_err(|_| probe.give_back())
            }
            // More quotas overflow than there are places for: no request is admitted uncounted.
            Outcome::Full => Err(refused(measure.window(), shared.price())),
            Outcome::Refused { debt, wait } => Err(refused(debt, wait)),
        }
    }

    /// As [`Self::survey`], for a charge that would find no slot for its key.
    #[cold]
    fn survey_overflow(&self, index: usize, charge: &Charge<'_>, now: Tick) -> Option<Limited> {
        let (shared, probe) = self.overflow(charge, now)?;
        let measure = shared.measure();
        let debt = probe.debt().unwrap_or(measure.window());
        let wait = probe.wait(debt)?;
        Some(Limited::new(index, measure, debt, wait).by_overflow())
    }

    /// The charge on what newcomers of the same quota share, if it is on an identity.
    fn overflow<'q>(&self, charge: &Charge<'q>, now: Tick) -> Option<(Charge<'q>, Probe<'z>)> {
        if charge.part() != Part::Identities {
            return None;
        }
        let shared = charge.shared(self.key(charge.quota(), &[]));
        Some((shared, self.probe(&shared, now)))
    }

    fn probe(&self, charge: &Charge<'_>, now: Tick) -> Probe<'z> {
        let buckets = self.buckets_of(charge.range(self.buckets.len()));
        Probe::new(buckets, charge.measure(), charge.key(), charge.price(), now)
    }

    fn buckets_of(&self, range: Range<usize>) -> &'z [Bucket] {
        self.buckets.get(range).unwrap_or_default()
    }

    fn tally(&self, part: Part) -> Option<&'z Tally> {
        self.header.tallies.0.get(part as usize)
    }

    #[cold]
    fn count(&self, part: Part, now: Tick) {
        if let Some(tally) = self.tally(part) {
            tally.count(part, now, self.host);
        }
    }
}

/// Where the buckets begin in a block that begins with the [`Header`], in bytes.
pub const BUCKETS_OFFSET: usize = 384;

/// The size of a [`Bucket`]: two cache lines, fetched as a pair.
const BUCKET_BYTES: usize = 128;

/// The label that tells the memory of the limits from any other.
const LABEL: Label =
    Label { magic: u64::from_le_bytes(*b"meshrate"), layout: 2, contents: "limits" };

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<Header>() == BUCKETS_OFFSET);
    assert!(core::mem::offset_of!(Header, tick) == 128);
    assert!(core::mem::offset_of!(Header, tallies) == 256);
    assert!(size_of::<Bucket>() == BUCKET_BYTES);
    assert!(BUCKETS_OFFSET.is_multiple_of(align_of::<Bucket>()));
};

#[cfg(test)]
#[cfg(not(loom))]
mod tests;

#[cfg(test)]
#[cfg(loom)]
mod models;
