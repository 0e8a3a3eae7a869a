//! One key's place in shared memory: its owner, and how far in debt it is.
//!
//! Two words cannot change in one step, so each tells of changes to the other. The debt carries a
//! mark of its owner: under another mark it is void, so no key inherits another's debt. The owner
//! carries a turn. A key that wants the slot of an idle owner first makes the idle debt void, which
//! fails if the owner was just charged, and then takes the slot at the turn at which it was found.
//! An owner that finds its debt void begins another turn before it writes, so that keys about to
//! take the slot fail.

use core::sync::atomic::Ordering::SeqCst;

use super::gcra::GRAIN;
use super::key::{Key, TURN_MASK};
use crate::memory::AtomicU64;
use crate::text::time::Tick;

/// A key and its debt; zeroed memory is an empty slot.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Slot {
    /// An [`Owner`].
    owner: AtomicU64,
    /// The theoretical arrival time of the owner's next request, as a [`Word`].
    tat: AtomicU64,
}

impl Slot {
    /// The owner of the slot, and its turn.
    pub(super) fn owner(&self) -> Owner {
        Owner(self.owner.load(SeqCst))
    }

    /// Makes `key` the owner, unless the slot was taken or kept since its owner was read.
    pub(super) fn take(&self, seen: Owner, key: Key) -> bool {
        self.pass(seen, key.bits())
    }

    /// Begins another turn of the same owner.
    pub(super) fn keep(&self, seen: Owner) -> bool {
        self.pass(seen, seen.0 & !TURN_MASK)
    }

    fn pass(&self, seen: Owner, to: u64) -> bool {
        let owner = to | (seen.0.wrapping_add(1) & TURN_MASK);
        self.owner.compare_exchange(seen.0, owner, SeqCst, SeqCst).is_ok()
    }

    /// The present debt.
    pub(super) fn word(&self) -> Word {
        Word(self.tat.load(SeqCst))
    }

    /// Replaces the debt unless it changed since it was read; then says what it is now.
    pub(super) fn exchange(&self, seen: Word, word: Word) -> Result<(), Word> {
        match self.tat.compare_exchange(seen.0, word.0, SeqCst, SeqCst) {
            Ok(_) => Ok(()),
            Err(now) => Err(Word(now)),
        }
    }
}

/// The key that owns a slot, above 8 bits that count the turns; 0 if there never was one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Owner(u64);

impl Owner {
    /// Whether the key owns the slot.
    pub(super) const fn is(self, key: Key) -> bool {
        self.0 & !TURN_MASK == key.bits()
    }

    /// Whether the slot never had an owner.
    pub(super) const fn is_nobody(self) -> bool {
        self.0 == 0
    }
}

/// Until when an owner is in debt, and the owner's mark: 56 bits of time above 8 bits of mark.
///
/// Time counts in grains of 4 ns and wraps after nine years; it is only ever compared with a
/// present that is less than [`HORIZON`] away. Anything further ahead is garbage and no debt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Word(u64);

impl Word {
    /// The word of an owner with so many nanoseconds of debt at `now`.
    pub(super) const fn new(now: Tick, debt: u64, mark: Mark) -> Self {
        let time = grains(now).wrapping_add(debt.wrapping_div(GRAIN));
        Self(time << MARK_BITS | mark.0 as u64)
    }

    /// Whether the debt belongs to an owner with this mark.
    pub(super) const fn is_of(self, mark: Mark) -> bool {
        self.0 & MARK_MASK == mark.0 as u64
    }

    /// The nanoseconds of debt at `now` of an owner with this mark.
    pub(super) const fn debt(self, now: Tick, mark: Mark) -> u64 {
        if self.is_of(mark) { self.ahead(now).wrapping_mul(GRAIN) } else { 0 }
    }

    /// Whether any owner is in debt at `now`.
    pub(super) const fn is_owed(self, now: Tick) -> bool {
        !self.is_void() && self.ahead(now) > 0
    }

    /// The grains since the debt ended, whoever owed it.
    pub(super) const fn idle(self, now: Tick) -> u64 {
        grains(now).wrapping_sub(self.time()) & TIME_MASK
    }

    /// The word after `price` nanoseconds are given back.
    pub(super) const fn refund(self, price: u64) -> Self {
        Self(self.0.wrapping_sub(price.wrapping_div(GRAIN) << MARK_BITS))
    }

    /// A void word in place of this one, never the same as before.
    pub(super) const fn void(self) -> Self {
        Self(self.0.wrapping_add(1 << MARK_BITS) & !MARK_MASK)
    }

    /// Whether the debt is void.
    pub(super) const fn is_void(self) -> bool {
        self.0 & MARK_MASK == 0
    }

    const fn ahead(self, now: Tick) -> u64 {
        let ahead = self.time().wrapping_sub(grains(now)) & TIME_MASK;
        if ahead <= HORIZON { ahead } else { 0 }
    }

    const fn time(self) -> u64 {
        self.0 >> MARK_BITS
    }
}

/// Eight bits of a key, never 0: zeroed memory is a void debt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mark(u8);

impl Mark {
    /// The mark of a key, from the bits that matter least for its first bucket.
    pub(super) const fn of(key: Key) -> Self {
        let [_turn, low, ..] = key.bits().to_le_bytes();
        Self(if low == 0 { 1 } else { low })
    }
}

const fn grains(now: Tick) -> u64 {
    now.nanos().wrapping_div(GRAIN) & TIME_MASK
}

const MARK_BITS: u32 = 8;
const MARK_MASK: u64 = 0xff;
const TIME_MASK: u64 = u64::MAX >> MARK_BITS;

/// The furthest debt in grains: 417 days, four times the longest window.
const HORIZON: u64 = 1 << 53;

#[cfg(not(loom))]
const _: () = assert!(size_of::<Slot>() == 16);

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "the models add and multiply plainly")]

    use proptest::prelude::*;

    use super::super::gcra::MAX_WINDOW_NANOS;
    use super::*;

    const MARK: Mark = Mark(7);

    #[test]
    fn zeroed_memory_is_nobodys_debt() {
        for nanos in [0, 1 << 40, u64::MAX] {
            for low in 0..=255 {
                assert_eq!(
                    Word(0).debt(Tick::from_nanos(nanos), Mark::of(Key::from_hash(low << 8))),
                    0
                );
            }
        }
    }

    #[test]
    fn a_slot_passes_only_at_the_turn_at_which_it_was_seen() {
        let (slot, [a, b]) = (Slot::default(), [1 << 8, 2 << 8].map(Key::from_hash));
        let empty = slot.owner();
        assert!(empty.is_nobody() && slot.take(empty, a));
        let seen = slot.owner();
        assert!(seen.is(a) && !slot.take(empty, b));
        assert!(slot.keep(seen) && slot.owner().is(a));
        assert!(!slot.take(seen, b) && !slot.keep(seen));
        for _ in 0..255 {
            assert!(slot.keep(slot.owner()) && slot.owner().is(a));
        }
        assert!(slot.take(slot.owner(), b) && slot.owner().is(b));
    }

    #[test]
    fn garbage_far_ahead_is_no_debt() {
        let now = Tick::from_nanos(1 << 50);
        let far = Word((grains(now) + HORIZON + 1) << MARK_BITS | 7);
        assert_eq!(far.debt(now, MARK), 0);
        assert_eq!(Word(u64::MAX).debt(now, Mark(255)), 0);
    }

    proptest! {
        #[test]
        fn a_debt_is_paid_back_by_time(
            now: u64, debt in 0..MAX_WINDOW_NANOS, later in 0..MAX_WINDOW_NANOS,
        ) {
            let (now, debt, later) = (now / 4 * 4, debt / 4 * 4, later / 4 * 4);
            let word = Word::new(Tick::from_nanos(now), debt, MARK);
            let at = Tick::from_nanos(now.wrapping_add(later));
            // Also where the 56 bits of time wrap.
            prop_assert_eq!(word.debt(at, MARK), debt.saturating_sub(later));
            prop_assert_eq!(word.debt(at, Mark(8)), 0);
        }

        #[test]
        fn a_refund_takes_back_what_was_charged(
            now: u64, debt in 0_u64..1 << 50, price in 0_u64..1 << 50,
        ) {
            let (now, debt, price) = (Tick::from_nanos(now), debt / 4 * 4, price / 4 * 4);
            let word = Word::new(now, debt + price, MARK).refund(price);
            prop_assert_eq!(word, Word::new(now, debt, MARK));
        }
    }
}
