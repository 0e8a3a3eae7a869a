//! One key's way through the table: found, placed, charged, given back, by compare-and-swap alone.
//!
//! No worker ever waits for another, and none leaves anything behind that another would have to
//! clean up: a worker may be killed between any two instructions here.
//!
//! **What holds.** Empty slots are filled in the order of the key's places and never emptied
//! again, so a walk ends at the first empty one. A slot whose owner is not in debt is a fresh
//! slot, whoever owned it. A charge counts only if, *after* it was written, its slot is still the
//! first that the key owns; otherwise it is taken back and made again. Therefore any number of
//! workers that charge one key of capacity C at once admit exactly C.
//!
//! **What can go wrong, at worst.** All of it needs buckets whose every slot has had an owner, and
//! a worker that is interrupted between two neighbouring instructions:
//!
//! - A key that was idle is charged in the very moment in which a stranger takes its slot: what
//!   was charged in that moment is forgotten, so the key may spend up to its capacity once more.
//!   The stranger does not inherit the debt (its mark differs).
//! - Two workers place the same new key in two slots: the later one takes over the debt of the
//!   earlier. If it is killed right between, that debt is forgotten.
//! - A charge that is taken back (a lost race, or another quota of the same request that turned
//!   out exhausted) is visible for the moment until then: a simultaneous charge on the same key
//!   may be refused by that much too early. A worker killed in that moment leaves the debt of one
//!   charge, which time pays back.
//! - A slot's mark has 8 bits. A stranger's charge that lands in a slot which is changing hands
//!   counts against the new owner if both marks are equal, one time in 255, until it is taken back.
//!
//! Workers read the clock once per event loop turn, so theirs differ by milliseconds. A key is in
//! debt or not by the clock of who asks: it gains at most the rate times that difference.

use super::charge::Charge;
use super::gcra::Quota;
use super::key::{Key, PLACES};
use super::slot::{Mark, Slot, Word};
use crate::time::Tick;

/// The slots in which one key may be, and what it is about to be charged.
pub(super) struct Probe<'a, 'z> {
    places: [&'z [Slot]; PLACES],
    quota: &'a Quota,
    key: Key,
    mark: Mark,
    price: u64,
    now: Tick,
}

/// What came of a charge.
pub(super) enum Outcome<'z> {
    /// It stands in this slot, which now owes so much.
    Counted(&'z Slot, u64),
    /// Every slot belongs to somebody in debt.
    Full,
    /// It would pass after the wait; the debt is as it was.
    Refused { debt: u64, wait: u64 },
}

/// Where a walk ended.
enum Place<'z> {
    /// The key owns this slot.
    Owned(&'z Slot),
    /// The key owns none, and this is the first that nobody ever owned.
    Vacant(&'z Slot),
    /// The key owns none, and all had owners.
    Taken,
}

/// What came of the attempt to place a key.
enum Placed<'z> {
    /// The key owns this slot, and owes so much from a slot that it owned already.
    At(&'z Slot, u64),
    /// Another worker was faster: the walk must begin again.
    Lost,
    /// Every slot belongs to somebody in debt.
    Full,
}

impl<'a, 'z> Probe<'a, 'z> {
    /// The way of a charge through these places.
    pub(super) const fn new(places: [&'z [Slot]; PLACES], charge: &Charge<'a>, now: Tick) -> Self {
        let key = charge.key();
        let (quota, mark, price) = (charge.quota(), Mark::of(key.bits()), charge.price());
        Self { places, quota, key, mark, price, now }
    }

    /// Charges the key if its quota allows.
    pub(super) fn charge(&self) -> Outcome<'z> {
        self.commit(|debt| self.quota.admit(debt, self.price))
    }

    /// Charges the key whether or not its quota allows.
    pub(super) fn debit(&self) -> Outcome<'z> {
        self.commit(|debt| Ok(self.quota.debit(debt, self.price)))
    }

    /// The debt that the key has, without a charge.
    pub(super) fn debt(&self) -> u64 {
        match self.find() {
            Place::Owned(slot) => self.read(slot).1,
            Place::Vacant(_) | Place::Taken => 0,
        }
    }

    /// The wait until the charge would pass, if it does not pass now.
    pub(super) fn wait(&self, debt: u64) -> Option<u64> {
        self.quota.admit(debt, self.price).err()
    }

    /// Takes a charge back that was counted in this slot.
    pub(super) fn give_back(&self, slot: &Slot) {
        let mut seen = slot.word();
        // A debt that ended, or is another's by now, has nothing to give back.
        while seen.debt(self.now, self.mark) > 0 {
            match slot.exchange(seen, seen.refund(self.price)) {
                Ok(()) => return,
                Err(word) => seen = word,
            }
        }
    }

    fn commit(&self, after: impl Fn(u64) -> Result<u64, u64>) -> Outcome<'z> {
        // Whoever loses a race has let another win it. Should that never end, the request is
        // admitted rather than held: a worker that spins serves nobody.
        for _ in 0..ATTEMPTS {
            let (slot, owed) = match self.place() {
                Placed::At(slot, owed) => (slot, owed),
                Placed::Lost => continue,
                Placed::Full => return Outcome::Full,
            };
            if let Some(outcome) = self.write(slot, owed, &after) {
                return outcome;
            }
        }
        Outcome::Full
    }

    /// Writes the charge into a slot of the key; `None` when the slot changed hands meanwhile.
    fn write(
        &self,
        slot: &'z Slot,
        owed: u64,
        after: &impl Fn(u64) -> Result<u64, u64>,
    ) -> Option<Outcome<'z>> {
        loop {
            let (seen, debt) = self.read(slot);
            // A debt under another mark is void only while the slot is ours.
            if !seen.is_of(self.mark) && slot.owner() != self.key.bits() {
                return None;
            }
            let debt = debt.max(owed);
            let word = match after(debt) {
                Ok(debt) => Word::new(self.now, debt, self.mark),
                Err(wait) => {
                    return self.is_first(slot).then_some(Outcome::Refused { debt, wait });
                }
            };
            if slot.exchange(seen, word).is_err() {
                continue;
            }
            settle();
            if self.is_first(slot) {
                return Some(Outcome::Counted(slot, word.debt(self.now, self.mark)));
            }
            if slot.exchange(word, seen).is_err() {
                self.give_back(slot);
            }
            return None;
        }
    }

    /// The debt in a slot, brought back to the window where it is further ahead than any worker's
    /// clock or charge can have put it: after a burst was lowered, the clock stepped back, or the
    /// memory was damaged.
    fn read(&self, slot: &Slot) -> (Word, u64) {
        let window = self.quota.window();
        let mut seen = slot.word();
        loop {
            let debt = seen.debt(self.now, self.mark);
            if debt <= window.saturating_add(SKEW) || slot.owner() != self.key.bits() {
                return (seen, debt);
            }
            let word = Word::new(self.now, window, self.mark);
            seen = slot.exchange(seen, word).map_or_else(|word| word, |()| word);
        }
    }

    fn place(&self) -> Placed<'z> {
        match self.find() {
            Place::Owned(slot) => Placed::At(slot, 0),
            Place::Vacant(slot) if slot.take(0, self.key) => Placed::At(slot, 0),
            Place::Vacant(_) => Placed::Lost,
            Place::Taken => self.replace(),
        }
    }

    fn find(&self) -> Place<'z> {
        for slot in self.slots() {
            match slot.owner() {
                0 => return Place::Vacant(slot),
                owner if owner == self.key.bits() => return Place::Owned(slot),
                _ => {}
            }
        }
        Place::Taken
    }

    /// Takes the slot that has been idle longest in the first bucket that has an idle one: the
    /// same choice whatever the worker's clock, and the owner least likely to come back now.
    fn replace(&self) -> Placed<'z> {
        for bucket in self.places {
            let mut choice: Option<(u64, &Slot, u64)> = None;
            for slot in bucket {
                let owner = slot.owner();
                if owner == self.key.bits() {
                    return Placed::Lost;
                }
                let (word, mark) = (slot.word(), Mark::of(owner));
                if word.debt(self.now, mark) > 0 {
                    continue;
                }
                // Another mark: the owner has just arrived and is about to be charged. Last resort.
                let idle = if word.is_of(mark) { word.idle(self.now).saturating_add(1) } else { 0 };
                if choice.is_none_or(|(most, _, _)| idle > most) {
                    choice = Some((idle, slot, owner));
                }
            }
            if let Some((_, slot, owner)) = choice {
                if !slot.take(owner, self.key) {
                    return Placed::Lost;
                }
                settle();
                return Placed::At(slot, self.owed_elsewhere(slot));
            }
        }
        Placed::Full
    }

    /// The debt in other slots of the same key: another worker placed it meanwhile.
    fn owed_elsewhere(&self, here: &Slot) -> u64 {
        let others = self
            .slots()
            .filter(|slot| !core::ptr::eq(*slot, here) && slot.owner() == self.key.bits());
        others.map(|slot| self.read(slot).1).max().unwrap_or(0)
    }

    fn is_first(&self, slot: &Slot) -> bool {
        let first = self.slots().find(|slot| slot.owner() == self.key.bits());
        first.is_some_and(|first| core::ptr::eq(first, slot))
    }

    fn slots(&self) -> impl Iterator<Item = &'z Slot> {
        self.places.into_iter().flatten()
    }
}

/// Orders what this worker wrote before what it reads next: nothing to do, for all operations on a
/// slot are sequentially consistent.
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

/// How many lost races are followed by another try.
const ATTEMPTS: u32 = 64;
