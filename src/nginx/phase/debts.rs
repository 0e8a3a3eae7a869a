//! The debts of addresses for tokens whose answer they did not wait for: a client that guesses and
//! disconnects is charged like one that stays.

use std::collections::HashMap;
use std::rc::Rc;

use mesh_core::issuer::Question;
use mesh_core::stage::authenticate::Failure;

/// The debts that are due if a token is refused.
#[derive(Default)]
pub(crate) struct Debts {
    owed: HashMap<Rc<Question>, Vec<Failure>>,
    count: usize,
}

impl Debts {
    /// Notes a debt, within bounds: all debts for one question end with it.
    pub(crate) fn add(&mut self, question: &Rc<Question>, failure: Failure) {
        if self.count < MOST {
            self.count = self.count.saturating_add(1);
            self.owed.entry(Rc::clone(question)).or_default().push(failure);
        }
    }

    /// Takes the debts for a question that has ended.
    pub(crate) fn take(&mut self, question: &Question) -> Vec<Failure> {
        let taken = self.owed.remove(question).unwrap_or_default();
        self.count = self.count.saturating_sub(taken.len());
        taken
    }
}

/// Debts at most in one worker: as many as two generations of parked requests.
const MOST: usize = 2048;
