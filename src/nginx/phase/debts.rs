//! What addresses owe for tokens whose answer they did not wait for: who guesses and goes is
//! charged as who stays.

use std::collections::HashMap;
use std::rc::Rc;

use mesh_core::issuer::Question;
use mesh_core::stage::authenticate::Failure;

/// What is owed should a token be refused.
#[derive(Default)]
pub(crate) struct Debts {
    owed: HashMap<Rc<Question>, Vec<Failure>>,
    count: usize,
}

impl Debts {
    /// Notes what is owed, within bounds: all that is owed for one question ends with it.
    pub(crate) fn add(&mut self, question: &Rc<Question>, failure: Failure) {
        if self.count < MOST {
            self.count = self.count.saturating_add(1);
            self.owed.entry(Rc::clone(question)).or_default().push(failure);
        }
    }

    /// Takes what is owed for a question that has its end.
    pub(crate) fn take(&mut self, question: &Question) -> Vec<Failure> {
        let taken = self.owed.remove(question).unwrap_or_default();
        self.count = self.count.saturating_sub(taken.len());
        taken
    }
}

/// Debts at most in one worker: as many as two generations of parked requests.
const MOST: usize = 2048;
