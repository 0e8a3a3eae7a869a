//! The places of parked requests.

use core::cell::RefCell;
use core::ptr::NonNull;
use std::collections::HashMap;
use std::rc::Rc;

use mesh_core::issuer::Question;
use mesh_core::stage::authenticate::Failure;
use nginx_sys::ngx_connection_t;

use crate::nginx::ngx::live::Live;
use crate::nginx::phase::debts::Debts;

thread_local! {
    /// For the thread of Nginx.
    pub(crate) static LOT: RefCell<Lot> = RefCell::default();
}

/// The requests that are parked in this worker, by what they wait for.
#[derive(Default)]
pub(crate) struct Lot {
    pub(crate) eventfd: Option<NonNull<ngx_connection_t>>,
    parked: HashMap<Rc<Question>, HashMap<u64, NonNull<ngx_connection_t>>>,
    /// Their number, by the issuer that they wait for.
    waiting: HashMap<usize, usize>,
    next: u64,
    /// The debts of requests that went away.
    pub(crate) debts: Debts,
}

impl Lot {
    pub(crate) fn waiting_for(&self, issuer: usize) -> usize {
        self.waiting.get(&issuer).copied().unwrap_or_default()
    }

    fn add(&mut self, question: &Question) {
        let waiting = self.waiting.entry(question.issuer).or_default();
        *waiting = waiting.saturating_add(1);
    }

    fn subtract(&mut self, question: &Question, gone: usize) {
        let waiting = self.waiting.entry(question.issuer).or_default();
        *waiting = waiting.saturating_sub(gone);
    }

    pub(crate) fn take(&mut self, question: &Question) -> Vec<NonNull<ngx_connection_t>> {
        let taken: Vec<_> =
            self.parked.remove(question).map(HashMap::into_values).into_iter().flatten().collect();
        self.subtract(question, taken.len());
        taken
    }

    pub(crate) fn take_all(&mut self) -> Vec<NonNull<ngx_connection_t>> {
        self.waiting.clear();
        self.debts = Debts::default();
        self.parked.drain().flat_map(|(_, waiting)| waiting.into_values()).collect()
    }
}

/// A place in the lot, given back when it is dropped: with its request at the latest.
pub(crate) struct Ticket {
    pub(crate) question: Rc<Question>,
    number: u64,
    /// The debt of its address if it goes and the token is refused.
    pub(crate) failure: Option<Failure>,
}

impl Ticket {
    pub(crate) fn new(r: Live<'_>, question: Question, failure: Option<Failure>) -> Self {
        LOT.with_borrow_mut(|lot| {
            let number = lot.next;
            lot.next = lot.next.wrapping_add(1);
            let question = Rc::new(question);
            if let Some(connection) = NonNull::new(r.connection()) {
                let places = lot.parked.entry(Rc::clone(&question)).or_default();
                places.insert(number, connection);
                lot.add(&question);
            }
            Self { question, number, failure }
        })
    }

    /// Whether there is no answer yet.
    pub(crate) fn is_waiting(&self) -> bool {
        LOT.with_borrow(|lot| {
            lot.parked.get(&self.question).is_some_and(|places| places.contains_key(&self.number))
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // After the end of the thread-local there is no lot to leave.
        let _ = LOT.try_with(|lot| {
            let Ok(mut lot) = lot.try_borrow_mut() else { return };
            let Some(places) = lot.parked.get_mut(&self.question) else { return };
            let is_gone = places.remove(&self.number).is_some();
            if places.is_empty() {
                lot.parked.remove(&self.question);
            }
            if is_gone {
                lot.subtract(&self.question, 1);
                if let Some(failure) = self.failure.take() {
                    lot.debts.add(&self.question, failure);
                }
            }
        });
    }
}
