//! What rules are about, besides names.

use std::collections::HashMap;

use super::Wanted;
use crate::platform::kind::{Actions, KindId};
use crate::platform::table::OperationId;
use crate::policy::model::{Policy, Scope};

/// What a rule is about, besides names.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct What {
    /// Actions that it holds.
    actions: Actions,
    /// Actions that it holds by `*`: not of a row that must be named.
    any: Actions,
    operations: Box<[OperationId]>,
}

impl What {
    /// What a grant holds of a kind.
    pub(super) fn of_grant(policy: &Policy, scope: &Scope, kind: KindId) -> Self {
        let kind = policy.tables.get(scope.platform).and_then(|table| table.kinds().get(kind));
        let named = kind.map_or(Actions::NONE, |kind| kind.named);
        let any = if scope.is_any { Actions::ALL.without(named) } else { Actions::NONE };
        Self { actions: scope.actions, any, operations: (*scope.operations).into() }
    }

    /// What a denial holds: without actions or with `*`, everything.
    pub(super) fn of_denial(scope: &Scope) -> Self {
        let says_nothing = scope.actions.is_empty() && scope.operations.is_empty();
        match scope.is_any || says_nothing {
            true => Self { actions: Actions::ALL, any: Actions::NONE, operations: Box::default() },
            false => Self {
                actions: scope.actions,
                any: Actions::NONE,
                operations: (*scope.operations).into(),
            },
        }
    }

    /// Whether it is about what would be done.
    #[inline(always)]
    pub(super) fn holds(&self, wanted: &Wanted<'_>) -> bool {
        self.actions.holds(wanted.asks.action)
            || (!wanted.asked.is_named && self.any.holds(wanted.asks.action))
            || (!self.operations.is_empty() && self.operations.contains(&wanted.asked.operation))
    }

    /// Whether it holds all that another does.
    pub(super) fn covers(&self, other: &Self) -> bool {
        other.actions.without(self.actions).is_empty()
            && other.any.without(self.any.and(self.actions)).is_empty()
            && other.operations.iter().all(|it| self.operations.contains(it))
    }

    /// Adds what another holds.
    pub(super) fn join(&mut self, other: &Self) {
        self.actions = self.actions.and(other.actions);
        self.any = self.any.and(other.any);
        if !other.operations.is_empty() {
            let operations = self.operations.iter().chain(&other.operations).copied();
            self.operations = operations.collect();
        }
    }

    pub(super) fn nothing() -> Self {
        Self { actions: Actions::NONE, any: Actions::NONE, operations: Box::default() }
    }
}

/// What rules are about, each once.
#[derive(Debug, Default)]
pub(super) struct Whats {
    all: Vec<What>,
    places: HashMap<What, u32>,
}

impl Whats {
    /// The place of one, which it gets if it is new.
    pub(super) fn place(&mut self, what: What) -> u32 {
        if let Some(place) = self.places.get(&what) {
            return *place;
        }
        let place = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(what.clone());
        self.places.insert(what, place);
        place
    }

    /// All of them by their places.
    pub(super) fn finish(self) -> Box<[What]> {
        self.all.into()
    }
}
