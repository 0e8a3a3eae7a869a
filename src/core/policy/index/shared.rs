//! Views that identities share.

use core::cell::Cell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use super::Index;
use super::view::View;
use super::who::Standing;
use crate::policy::subject::Subject;

/// Views that identities share: those to whom the same bindings and denials apply may do the same.
///
/// A view stays for as long as somebody holds it.
#[derive(Debug, Default)]
pub struct Shared {
    views: HashMap<Rc<Standing>, Weak<View>>,
    /// How many views were held when those were forgotten that nobody holds any more.
    held: usize,
    bytes: Rc<Cell<usize>>,
}

/// The bytes of a view, until nobody holds it any more.
#[derive(Debug)]
pub(super) struct Weight {
    all: Rc<Cell<usize>>,
    own: usize,
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.all.set(self.all.get().saturating_sub(self.own));
    }
}

/// How many views are remembered at least, before those are forgotten that nobody holds any more.
const FEW: usize = 64;

impl Shared {
    /// What an identity may do under a policy.
    pub fn view(&mut self, index: &Index, subject: &Subject<'_>) -> Rc<View> {
        let standing = index.standing(subject);
        if let Some(view) = self.views.get(&standing).and_then(Weak::upgrade) {
            return view;
        }
        let view = index.view_of(standing.into());
        let own = view.bytes();
        self.bytes.set(self.bytes.get().saturating_add(own));
        let view = Rc::new(view.weighed(Weight { all: Rc::clone(&self.bytes), own }));
        if self.views.len() >= self.held.saturating_mul(2).max(FEW) {
            self.sweep();
        }
        self.views.insert(view.standing(), Rc::downgrade(&view));
        view
    }

    /// Forgets the views that nobody holds any more.
    pub fn sweep(&mut self) {
        self.views.retain(|_, view| view.strong_count() > 0);
        self.held = self.views.len();
    }

    /// How many bytes the views take that are held.
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// How many views are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.views.len()
    }
}
