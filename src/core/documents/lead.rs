//! The right to fetch, and the right to write.

use core::num::NonZeroU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed};

use super::pen::Pen;
use super::{Documents, Word};

/// The leader's token: the cycle that its worker belongs to, above the turn in that cycle.
///
/// A worker that takes the lead has it until the next one does. A worker of an older cycle never
/// takes it from one of a newer: it may have been begun late, in place of one that died while it
/// was leaving.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lead(u64);

const TURN_BITS: u32 = 32;

/// A process that holds the lock: its pid, and a number by which it differs from one that has the
/// same pid later, and from itself when it takes the lock again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holder(NonZeroU64);

impl Holder {
    /// The process with that pid; `nonce` is a random number.
    pub fn new(pid: u32, nonce: u32) -> Option<Self> {
        NonZeroU64::new(u64::from(pid) << 32 | u64::from(nonce)).map(Self)
    }

    /// The pid.
    pub fn pid(self) -> Option<u32> {
        u32::try_from(self.0.get() >> 32).ok()
    }
}

/// The right to write; given back when it is dropped, unless it was seized meanwhile.
#[derive(Debug)]
pub struct Lock<'z> {
    word: &'z Word,
    holder: Holder,
    pen: Pen,
}

impl Lock<'_> {
    /// Whether it was not seized.
    pub fn is_held(&self) -> bool {
        self.word.load(Relaxed) == self.holder.0.get()
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        let _ = self.pen.exchange(self.word, self.holder.0.get(), 0);
    }
}

impl<'z> Documents<'z> {
    /// Begins a cycle that uses this memory, and returns its number. Called by the master.
    pub fn begin_cycle(&self) -> u32 {
        let cycle = self.pen.count(&self.header.cycles);
        u32::try_from(cycle).unwrap_or(u32::MAX)
    }

    /// Takes the lead for a worker of that cycle; `None` if a newer cycle has it.
    pub fn take_lead(&self, cycle: u32) -> Option<Lead> {
        loop {
            let seen = self.header.lead.load(Acquire);
            if seen >> TURN_BITS > u64::from(cycle) {
                return None;
            }
            let turn = seen.wrapping_add(1) & u64::from(u32::MAX);
            let lead = u64::from(cycle) << TURN_BITS | turn;
            if self.pen.exchange(&self.header.lead, seen, lead) {
                return Some(Lead(lead));
            }
            if self.is_dead() {
                return None;
            }
        }
    }

    /// Whether the lead has not been taken since.
    pub fn leads(&self, lead: Lead) -> bool {
        self.header.lead.load(Acquire) == lead.0
    }

    /// Takes the lock.
    ///
    /// # Errors
    ///
    /// The process that holds it. If that process is dead, or holds the lock for far longer than a
    /// write takes, [`Documents::seize`] is right.
    pub fn lock(&self, holder: Holder) -> Result<Lock<'z>, Holder> {
        self.exchange_lock(0, holder)
    }

    /// Takes the lock from a process that held it when it was looked at.
    ///
    /// # Errors
    ///
    /// The process that holds it now.
    pub fn seize(&self, from: Holder, holder: Holder) -> Result<Lock<'z>, Holder> {
        self.exchange_lock(from.0.get(), holder)
    }

    fn exchange_lock(&self, seen: u64, holder: Holder) -> Result<Lock<'z>, Holder> {
        let word = &self.header.lock;
        if self.pen.exchange(word, seen, holder.0.get()) {
            return Ok(Lock { word, holder, pen: self.pen.clone() });
        }
        // If it was given back just now, the next attempt succeeds.
        Err(NonZeroU64::new(word.load(Relaxed)).map_or(holder, Holder))
    }

    #[cfg(test)]
    fn is_dead(&self) -> bool {
        self.pen.is_dead()
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "only in tests is there something to look at")]
    const fn is_dead(&self) -> bool {
        false
    }
}
