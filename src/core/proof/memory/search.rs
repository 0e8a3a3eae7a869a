//! One slot of the memory, and how a worker claims one for a proof.

use core::sync::atomic::Ordering::SeqCst;

#[cfg(not(loom))]
use core::sync::atomic::fence;
#[cfg(loom)]
use loom::sync::atomic::fence;

use crate::memory::{AtomicU64, scale};

/// A proof's place; zeroed memory is an empty one.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Slot {
    /// A [`State`].
    state: AtomicU64,
    /// The rest of the fingerprint, which is valid once the state is certain.
    rest: AtomicU64,
}

/// 128 bits that a proof is known by, 88 of them in its slot: clients cannot aim them, and of those
/// that are kept at once no two are the same by chance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::proof) struct Fingerprint {
    /// The lowest bits mark a slot, the highest choose the place.
    pub(super) first: u64,
    pub(super) rest: u64,
}

impl Fingerprint {
    /// 24 bits.
    const fn mark(self) -> u64 {
        self.first & (u64::MAX >> MARK_AT)
    }

    pub(super) fn places(self, buckets: usize) -> [usize; PLACES] {
        // Each from 64 bits, most of which are in no slot, well mixed.
        let second = self.first.rotate_left(16).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let third = self.first.rotate_left(8).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        [scale(self.first, buckets), scale(second, buckets), scale(third, buckets)]
    }
}

/// The result for a proof.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::proof) enum Remembered {
    /// It is the first time, and will not be again.
    First,
    /// There is no room.
    Full,
    /// It was there before.
    Known,
    /// The key that made it has its share of the memory.
    TooMany,
}

/// A slot's first word: 24 bits of mark, 8 that count the turns of the slot, 31 of the second until
/// which it is kept, 0 if it is free, and whether it is certain.
///
/// Without the turns, a claim that was voided and made again by another worker would be the same
/// word, and two workers could take it for theirs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct State(pub(super) u64);

impl State {
    /// The claim of a proof upon a slot that was found like this.
    pub(super) const fn claimed_by(self, proof: Fingerprint, until: i64) -> Self {
        let until = match until.cast_unsigned() & TIME {
            0 => 1,
            until => until,
        };
        Self((proof.mark() << MARK_AT) | self.next_turn() | (until << 1))
    }

    pub(super) const fn certain(self) -> Self {
        Self(self.0 | 1)
    }

    pub(super) const fn free(self) -> Self {
        Self(self.next_turn())
    }

    pub(super) const fn next_turn(self) -> u64 {
        (self.0 & TURN).wrapping_add(1 << TURN_AT) & TURN
    }

    pub(super) const fn is_certain(self) -> bool {
        self.0 & 1 != 0
    }

    pub(super) const fn has_mark_of(self, proof: Fingerprint) -> bool {
        self.0 >> MARK_AT == proof.mark()
    }

    /// Whether it is kept at `now`. Time wraps after 68 years, so a time further ahead than any
    /// proof is kept means none.
    pub(super) const fn is_kept(self, now: i64) -> bool {
        let until = (self.0 >> 1) & TIME;
        let left = until.wrapping_sub(now.cast_unsigned()) & TIME;
        until != 0 && left > 0 && left <= HORIZON
    }
}

impl Slot {
    fn state(&self) -> State {
        State(self.state.load(SeqCst))
    }

    pub(super) fn exchange(&self, seen: State, state: State) -> bool {
        self.state.compare_exchange(seen.0, state.0, SeqCst, SeqCst).is_ok()
    }

    /// The state, if the slot holds that proof. A claim that is not certain is known by its mark:
    /// its rest may not be written yet.
    fn holds(&self, proof: Fingerprint, now: i64) -> Option<State> {
        loop {
            let state = self.state();
            if !state.is_kept(now) || !state.has_mark_of(proof) {
                return None;
            }
            let is_same = !state.is_certain() || self.rest.load(SeqCst) == proof.rest;
            // The words read in between belong to this state if it is still the same.
            if self.state() == state {
                return is_same.then_some(state);
            }
        }
    }
}

/// One worker's search for the places of one proof.
pub(super) struct Search<'z> {
    pub(super) places: [&'z [Slot]; PLACES],
    pub(super) proof: Fingerprint,
    pub(super) now: i64,
}

impl<'z> Search<'z> {
    pub(super) fn remember(&self, until: i64) -> Remembered {
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

/// Seconds that any proof may be kept ahead, by a clock that was set back meanwhile.
const HORIZON: u64 = 3_600;

/// The bits of a time.
const TIME: u64 = 0x7fff_ffff;

/// Where the turns are in a state.
const TURN_AT: u32 = 32;
const TURN: u64 = 0xff << TURN_AT;

/// Where the mark is in a state.
const MARK_AT: u32 = 40;

/// How many buckets a proof may live in.
pub(super) const PLACES: usize = 3;

/// How many lost races are followed by another try.
const ATTEMPTS: u32 = 64;
