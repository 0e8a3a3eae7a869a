//! The operation of a request, for variables and messages.

use std::sync::Arc;

use crate::platform::Route;
use crate::platform::kind::{ActionId, KindId};
use crate::platform::operation::Resource;
use crate::platform::table::{OperationId, Table};

/// The operation of a request, for variables and messages.
#[derive(Clone, Debug)]
pub struct Named {
    /// The table that names it.
    pub table: Arc<Table>,
    /// The line of its row.
    pub line: u32,
    /// Whether it may ask for another protocol.
    pub is_upgrade: bool,
    /// Whether its path holds an escaped letter that divides paths: it must go upstream as it came.
    pub hides_a_letter: bool,
    /// The operation.
    operation: OperationId,
    /// The kind of what it names first.
    kind: KindId,
    /// What would be done.
    action: ActionId,
    /// The name of what it names first: the outer `None` before it is known or if nobody asks for it,
    /// the inner one for all.
    pub resource: Option<Option<Box<str>>>,
}

impl Named {
    /// What a row of a table names, before its resources are known; `None` if it names nothing.
    pub(super) fn of(route: &Route<'_, '_>, table: Arc<Table>) -> Option<Self> {
        let (kind, action) = route.kind_and_action()?;
        Some(Self {
            table,
            line: route.line(),
            is_upgrade: route.is_upgrade(),
            hides_a_letter: route.hides_a_letter(),
            operation: route.operation(),
            kind,
            action,
            resource: None,
        })
    }

    /// The operation, by the platform's own name.
    pub fn operation(&self) -> &str {
        self.table.operation_name(self.operation)
    }

    /// The kind of what it names first.
    pub fn kind(&self) -> &str {
        self.table.kinds().get(self.kind).map_or("", |kind| &kind.name)
    }

    /// What would be done.
    pub fn action(&self) -> &str {
        self.table.kinds().word(self.action)
    }

    /// Takes a resource; its name only if somebody asks for it.
    pub(super) fn show(&mut self, resource: &Resource<'_>, is_named: bool) {
        self.kind = resource.kind;
        self.action = resource.action;
        if is_named {
            self.resource = Some(resource.name.as_deref().map(Into::into));
        }
    }
}
