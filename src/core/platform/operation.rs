//! What a request asks for: an operation of its platform, and the resources that it names.

use std::borrow::Cow;

use super::kind::{ActionId, KindId};
use super::name::Name;
use super::table::{Row, Table};

/// A resource that a request names, and what it would do with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resource<'r> {
    /// What it is.
    pub kind: KindId,
    /// What would be done.
    pub action: ActionId,
    /// Its name in the normal form of its kind; `None` for all resources of the kind.
    pub name: Name<'r>,
}

/// The resources of a request, in the order of the table: at least one.
#[derive(Clone, Debug, Default)]
pub struct Resources<'r> {
    /// Most requests name no other.
    first: Option<Resource<'r>>,
    others: Vec<Resource<'r>>,
}

impl<'r> Resources<'r> {
    /// How many a request may name.
    pub const MAX: usize = 1000;

    /// Adds one; `false` if there are too many.
    pub(super) fn push(&mut self, resource: Resource<'r>) -> bool {
        if self.first.is_none() {
            self.first = Some(resource);
            return true;
        }
        if self.others.len() >= Self::MAX.saturating_sub(1) {
            return false;
        }
        self.others.push(resource);
        true
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Resource<'r>> {
        self.first.iter().chain(&self.others)
    }

    /// The only one; `None` if there are several.
    pub fn only(&self) -> Option<&Resource<'r>> {
        self.first.as_ref().filter(|_| self.others.is_empty())
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        match self.first {
            Some(_) => self.others.len().saturating_add(1),
            None => 0,
        }
    }

    /// Whether nothing is named yet.
    pub const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The same, for whoever outlives the request.
    pub fn into_owned(self) -> Resources<'static> {
        Resources {
            first: self.first.map(Resource::into_owned),
            others: self.others.into_iter().map(Resource::into_owned).collect(),
        }
    }
}

impl Resource<'_> {
    fn into_owned(self) -> Resource<'static> {
        let name = self.name.map(|name| Cow::Owned(name.into_owned()));
        Resource { kind: self.kind, action: self.action, name }
    }
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub struct Operation<'t, 'r> {
    /// The table that names it.
    pub table: &'t Table,
    pub(super) row: &'t Row,
    /// The kind of its first clause.
    pub kind: KindId,
    /// The action of its first clause, or `override` in its place.
    pub action: ActionId,
    /// What it names.
    pub resources: Resources<'r>,
}

impl<'t> Operation<'t, '_> {
    /// The platform's own name of it.
    pub fn name(&self) -> &'t str {
        self.table.operation_name(self.row.operation)
    }

    /// Its place among the operations of the table.
    pub const fn id(&self) -> super::table::OperationId {
        self.row.operation
    }

    /// Whether its answer holds names and settings, and no contents.
    pub const fn is_list(&self) -> bool {
        self.row.flags.is_list
    }

    /// Whether its row says that `*` in a policy does not hold it, whatever its kinds say.
    pub const fn is_row_named(&self) -> bool {
        self.row.flags.is_named
    }

    /// Whether `*` in a policy does not hold it.
    pub fn is_named(&self) -> bool {
        self.row.flags.is_named
            || self.table.kinds().get(self.kind).is_some_and(|kind| kind.named.holds(self.action))
    }
}
