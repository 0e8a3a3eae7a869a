//! One key's way through the table: found, placed, charged, given back, by compare-and-swap alone.
//!
//! No worker ever waits for another, and none leaves anything behind that another would have to
//! clean up: a worker may be killed between any two instructions here.
//!
//! **What holds.** Empty slots are filled in the order of the key's places and never emptied again,
//! so a walk ends at the first empty one. A slot whose owner is not in debt is a fresh slot,
//! whoever owned it. A charge is final only if, *after* it was written, its slot is still the first
//! that the key owns; otherwise it is taken back and made again. Therefore any number of workers
//! that charge one key of capacity C at once admit exactly C.
//!
//! Two workers that do not see each other may place one key in two slots. A worker that charges the
//! first of them first moves the other's debt there; a charge that is moved along is final.
//!
//! **What can go wrong, at worst.**
//!
//! - A charge that is taken back (a lost race, or another quota of the same request that turned
//!   out exhausted) or moved is visible for a moment, once or twice: a simultaneous charge on the
//!   same key may be refused by that much too early. A worker killed in that moment leaves the
//!   debt of what it was about to take back, which time pays back.
//! - Marks and turns have 8 bits. If a worker is interrupted between two instructions, and the same
//!   slot changes meanwhile so that these bits come out the same, which is rare, the worker may
//!   forget the debt of one key, or add another's charge to it until that is taken back.
//!
//! Whether a key is in debt depends on the asking worker's clock; `host.rs` explains which time
//! applies.

use super::bucket::Bucket;
use super::gcra::Measure;
use super::key::{Key, PLACES};
use super::slot::{Mark, Owner, Slot, Word};
use crate::text::time::Tick;

/// The slots in which one key may be, and the charge that it is about to get.
pub(super) struct Probe<'z> {
    buckets: &'z [Bucket],
    measure: Measure,
    key: Key,
    mark: Mark,
    price: u64,
    now: Tick,
}

/// The result of a charge.
pub(super) enum Outcome {
    /// The key now owes so much.
    Counted(u64),
    /// Every slot belongs to a key in debt.
    Full,
    /// It would pass after the wait; the debt is unchanged.
    Refused { debt: u64, wait: u64 },
}

/// Where a walk ended.
enum Place<'z> {
    /// The key owns this slot.
    Owned(&'z Slot),
    /// The key owns none, and this is the first slot that never had an owner.
    Vacant(&'z Slot, Owner),
    /// The key owns none, and all had owners.
    Taken,
}

/// The result of an attempt to place a key.
enum Placed<'z> {
    /// The key owns this slot.
    At(&'z Slot),
    /// Another worker was faster: the walk must begin again.
    Lost,
    /// Every slot belongs to a key in debt.
    Full,
}

impl<'z> Probe<'z> {
    /// The way of a charge of `price` through its places among these buckets.
    pub(super) const fn new(
        buckets: &'z [Bucket],
        measure: Measure,
        key: Key,
        price: u64,
        now: Tick,
    ) -> Self {
        Self { buckets, measure, key, mark: Mark::of(key), price, now }
    }

    /// Charges the key if its quota allows.
    pub(super) fn charge(&self) -> Outcome {
        self.commit(|debt| self.measure.admit(debt, self.price))
    }

    /// Charges the key whether or not its quota allows.
    pub(super) fn debit(&self) -> Outcome {
        self.commit(|debt| Ok(self.measure.debit(debt, self.price)))
    }

    /// The debt that the key has, without a charge; `None` if it has no slot and finds none.
    pub(super) fn debt(&self) -> Option<u64> {
        match self.find() {
            Place::Owned(slot) => Some(self.read(slot).1),
            Place::Vacant(..) => Some(0),
            Place::Taken => self.slots().any(|slot| !slot.word().is_owed(self.now)).then_some(0),
        }
    }

    /// The wait until the charge would pass, if it does not pass now.
    pub(super) fn wait(&self, debt: u64) -> Option<u64> {
        self.measure.admit(debt, self.price).err()
    }

    /// Takes a charge back that was counted.
    pub(super) fn give_back(&self) {
        if let Place::Owned(slot) = self.find() {
            self.lower(slot, self.price);
        }
    }

    fn commit(&self, after: impl Fn(u64) -> Result<u64, u64>) -> Outcome {
        // A lost race is another worker's win. If the losses never end, the request is admitted
        // rather than held: a worker that spins serves no request.
        for _ in 0..ATTEMPTS {
            let slot = match self.place() {
                Placed::At(slot) => slot,
                Placed::Lost => continue,
                Placed::Full => return Outcome::Full,
            };
            if let Some(outcome) = self.write(slot, &after) {
                return outcome;
            }
        }
        Outcome::Full
    }

    /// Writes the charge into a slot of the key; `None` when it must be made elsewhere.
    fn write(&self, slot: &Slot, after: &impl Fn(u64) -> Result<u64, u64>) -> Option<Outcome> {
        loop {
            let (seen, debt) = self.open(slot)?;
            if !seen.is_of(self.mark) && !self.gather(slot) {
                return None;
            }
            let debt = match after(debt) {
                Ok(debt) => debt,
                Err(wait) => {
                    return self.is_first(slot).then_some(Outcome::Refused { debt, wait });
                }
            };
            let word = Word::new(self.now, debt, self.mark);
            if slot.exchange(seen, word).is_err() {
                continue;
            }
            settle();
            if self.is_first(slot) {
                return Some(Outcome::Counted(debt));
            }
            if slot.exchange(word, seen).is_ok() || self.lower(slot, self.price) {
                return None;
            }
            // A debt that is neither here nor paid back was moved to the first slot.
            return Some(Outcome::Counted(debt));
        }
    }

    /// The debt in a slot of the key, from which it may be replaced; `None` when the slot is not
    /// the key's.
    fn open(&self, slot: &Slot) -> Option<(Word, u64)> {
        loop {
            let owner = slot.owner();
            let (seen, debt) = self.read(slot);
            if seen.is_of(self.mark) {
                return Some((seen, debt));
            }
            if !owner.is(self.key) {
                return None;
            }
            // Void: just taken, or about to be taken by another key.
            if slot.keep(owner) {
                return Some((seen, 0));
            }
        }
    }

    /// Lowers the key's debt in a slot, if it is there.
    fn lower(&self, slot: &Slot, amount: u64) -> bool {
        let mut seen = slot.word();
        while seen.debt(self.now, self.mark) > 0 {
            match slot.exchange(seen, seen.refund(amount)) {
                Ok(()) => return true,
                Err(word) => seen = word,
            }
        }
        false
    }

    /// The debt in a slot, brought back to the window if it is further ahead than any worker's
    /// clock or charge can have put it: after a burst was lowered, the clock stepped back, or the
    /// memory was damaged.
    fn read(&self, slot: &Slot) -> (Word, u64) {
        let window = self.measure.window();
        let mut seen = slot.word();
        loop {
            let debt = seen.debt(self.now, self.mark);
            if debt <= window.saturating_add(SKEW) || !slot.owner().is(self.key) {
                return (seen, debt);
            }
            let word = Word::new(self.now, window, self.mark);
            seen = slot.exchange(seen, word).map_or_else(|word| word, |()| word);
        }
    }

    #[inline(always)]
    fn place(&self) -> Placed<'z> {
        match self.find() {
            Place::Owned(slot) => Placed::At(slot),
            Place::Vacant(slot, nobody) if slot.take(nobody, self.key) => Placed::At(slot),
            Place::Vacant(..) => Placed::Lost,
            Place::Taken => self.replace(),
        }
    }

    #[inline(always)]
    fn find(&self) -> Place<'z> {
        self.find_in(0).unwrap_or_else(|| self.find_beyond())
    }

    /// As [`Self::find`], among the slots of one of the key's places; `None` if all are others'.
    #[inline(always)]
    fn find_in(&self, nth: usize) -> Option<Place<'z>> {
        self.bucket(nth).iter().find_map(|slot| match slot.owner() {
            owner if owner.is(self.key) => Some(Place::Owned(slot)),
            owner if owner.is_nobody() => Some(Place::Vacant(slot, owner)),
            _ => None,
        })
    }

    /// As [`Self::find`], behind the first place. Not inlined: nearly every key sits there.
    #[inline(never)]
    fn find_beyond(&self) -> Place<'z> {
        (1..PLACES).find_map(|nth| self.find_in(nth)).unwrap_or(Place::Taken)
    }

    /// Takes the slot that has been idle longest in the first bucket that has an idle one: the
    /// same choice whatever the worker's clock, and the owner least likely to come back now.
    #[cold]
    fn replace(&self) -> Placed<'z> {
        for bucket in (0..PLACES).map(|nth| self.bucket(nth)) {
            let mut choice: Option<(u64, &Slot, Owner, Word)> = None;
            for slot in bucket {
                let owner = slot.owner();
                if owner.is(self.key) {
                    return Placed::Lost;
                }
                let word = slot.word();
                if word.is_owed(self.now) {
                    continue;
                }
                // Void: the owner has just arrived and is about to be charged. Last resort.
                let idle = if word.is_void() { 0 } else { word.idle(self.now).saturating_add(1) };
                if choice.is_none_or(|(most, ..)| idle > most) {
                    choice = Some((idle, slot, owner, word));
                }
            }
            if let Some((_, slot, owner, word)) = choice {
                if slot.exchange(word, word.void()).is_err() || !slot.take(owner, self.key) {
                    return Placed::Lost;
                }
                settle();
                return Placed::At(slot);
            }
        }
        Placed::Full
    }

    /// Moves the debt of the same key in later slots into this one, when another worker placed the
    /// key there meanwhile; false when this slot is not, or no longer, the first of the key.
    fn gather(&self, here: &Slot) -> bool {
        let mut slots = self.slots().skip_while(|slot| !slot.owner().is(self.key));
        if !slots.next().is_some_and(|first| core::ptr::eq(first, here)) {
            return false;
        }
        for other in slots {
            let owner = other.owner();
            if owner.is_nobody() {
                return true;
            }
            if core::ptr::eq(other, here) || !owner.is(self.key) {
                continue;
            }
            // Here first, there second: for a moment a debt is in two slots rather than in none.
            loop {
                let (seen, debt) = self.read(other);
                if debt == 0 {
                    break;
                }
                if !self.raise(here, debt) {
                    return false;
                }
                if other.exchange(seen, seen.void()).is_ok() {
                    break;
                }
                self.lower(here, debt);
            }
        }
        true
    }

    /// Raises the key's debt in a slot, if it still is the key's.
    fn raise(&self, slot: &Slot, amount: u64) -> bool {
        while let Some((seen, debt)) = self.open(slot) {
            let word = Word::new(self.now, debt.saturating_add(amount), self.mark);
            if slot.exchange(seen, word).is_ok() {
                return true;
            }
        }
        false
    }

    fn is_first(&self, slot: &Slot) -> bool {
        match self.first_in(0) {
            Some(first) => core::ptr::eq(first, slot),
            None => self.is_first_beyond(slot),
        }
    }

    /// The first slot of one of the key's places that the key owns.
    #[inline(always)]
    fn first_in(&self, nth: usize) -> Option<&'z Slot> {
        self.bucket(nth).iter().find(|slot| slot.owner().is(self.key))
    }

    #[inline(never)]
    fn is_first_beyond(&self, slot: &Slot) -> bool {
        let first = (1..PLACES).find_map(|nth| self.first_in(nth));
        first.is_some_and(|first| core::ptr::eq(first, slot))
    }

    fn slots(&self) -> impl Iterator<Item = &'z Slot> {
        (0..PLACES).flat_map(|nth| self.bucket(nth))
    }

    /// The slots of one of the key's places: nearly every key sits in the first.
    #[inline]
    fn bucket(&self, nth: usize) -> &'z [Slot] {
        let place = self.key.place(nth, self.buckets.len());
        self.buckets.get(place).map_or(&[][..], Bucket::slots)
    }
}

/// Orders this worker's writes before its next reads: nothing to do, for all operations on a slot
/// are sequentially consistent.
#[cfg(not(loom))]
const fn settle() {}

/// Loom knows the sequentially consistent order from fences alone.
#[cfg(loom)]
fn settle() {
    loom::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
}

/// How far the clocks of two workers may be apart before one takes the other's debts for damage:
/// 60 s, far more than any turn of an event loop takes.
const SKEW: u64 = 60_000_000_000;

/// How many lost races are retried.
const ATTEMPTS: u32 = 64;
