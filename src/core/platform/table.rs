//! A platform's table: which request is which operation.

mod read;
pub(super) mod row;

#[cfg(test)]
mod tests;

use core::cmp::Ordering;
use core::fmt;
use std::collections::HashMap;

pub use read::Error;
#[cfg(test)]
pub(super) use row::METHODS;
pub(super) use row::{Effect, Flags, Row};

use super::kind::{ActionId, Actions, KindId, Kinds};
use super::router::Router;
use super::selector::Source;
use crate::body::Wanted;
use crate::text::reserved::{fold, folds_to};

/// An operation of one platform, by its place among them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OperationId(u16);

/// Fields by which some servers take another method or path than the request's.
const OVERRIDES: [&str; 5] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// The bit of a length; those that are long share one.
const fn length_bit(length: usize) -> u64 {
    1 << if length < 63 { length } else { 63 }
}

/// The same for the first letter of a name of a field, in any case and however it is folded.
fn letter_bit(name: &[u8]) -> u32 {
    1_u32.wrapping_shl(name.first().map_or(0, |first| u32::from(fold(*first))))
}

/// A platform's table.
pub struct Table {
    name: Box<str>,
    kinds: Kinds,
    operations: Vec<Box<str>>,
    operations_by_name: HashMap<Box<str>, OperationId>,
    pub(super) rows: Vec<Row>,
    pub(super) router: Router,
    pub(super) folds: bool,
    pub(super) scopes: Vec<Scope>,
    strip: Vec<Box<str>>,
    /// Fields that go upstream only of requests that they name something of, in lower case.
    pub(super) guarded: Vec<Box<str>>,
    /// Bits of their lengths, and of their first letters: nearly no field of a request has both.
    guarded_lengths: u64,
    guarded_letters: u32,
    dialects: Vec<Box<str>>,
    options: Vec<(Box<str>, Box<str>)>,
    text: Box<str>,
}

/// An id that is no resource, and that a location may pin.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Scope {
    pub(super) word: Box<str>,
    pub(super) sources: Vec<ScopeSource>,
}

/// Where such an id stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ScopeSource {
    /// In a parameter of this name, of any row.
    Parameter(Box<str>),
    /// Anywhere else.
    Other(Source),
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows.len();
        f.debug_struct("Table")
            .field("name", &self.name)
            .field("rows", &rows)
            .finish_non_exhaustive()
    }
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    ///
    /// Each line that is wrong, and why; not which rows overlap: see [`Table::overlaps`].
    pub fn parse(text: &str) -> Result<Self, Vec<Error>> {
        read::read(text)
    }

    /// The platform's word in a policy.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kinds of its resources.
    pub const fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The operation of a name.
    pub fn operation(&self, name: &str) -> Option<OperationId> {
        self.operations_by_name.get(name).copied()
    }

    /// What the row of a line looks at in a body.
    pub fn wanted(&self, line: u32) -> Option<&Wanted> {
        match &self.row(line)?.effect {
            Effect::Named { wanted, .. } => wanted.as_ref(),
            Effect::Refused(_) => None,
        }
    }

    /// The row of a line: rows are in the order of their lines.
    pub(super) fn row(&self, line: u32) -> Option<&Row> {
        let place = self.rows.partition_point(|row| row.line < line);
        self.rows.get(place).filter(|row| row.line == line)
    }

    /// The name of an operation.
    pub fn operation_name(&self, id: OperationId) -> &str {
        self.operations.get(usize::from(id.0)).map_or("", |name| name)
    }

    /// The names of all operations.
    pub fn operation_names(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().map(|name| &**name)
    }

    /// What an operation may do: each kind and action of each of its rows.
    pub fn uses_of(&self, operation: OperationId) -> impl Iterator<Item = (KindId, ActionId)> {
        self.rows.iter().filter(move |row| row.operation == operation).flat_map(Row::uses)
    }

    /// What operations do with a kind.
    pub fn actions_on(&self, kind: KindId) -> Actions {
        let uses = self.rows.iter().flat_map(Row::uses).filter(|(used, _)| *used == kind);
        uses.fold(Actions::NONE, |all, (_, action)| all.and(Actions::of(action)))
    }

    /// Collects the fields that do not go upstream of any request.
    pub(super) fn guard(&mut self) {
        let of_scope = |source: &ScopeSource| match source {
            ScopeSource::Other(Source::Header(name)) => Some(name.clone()),
            ScopeSource::Other(_) | ScopeSource::Parameter(_) => None,
        };
        let scopes = self.scopes.iter().flat_map(|scope| &scope.sources).filter_map(of_scope);
        let rows = self.rows.iter().flat_map(Row::fields).map(Into::into);
        let overrides = OVERRIDES.iter().map(|name| Box::from(*name));
        let mut fields: Vec<Box<str>> = self.strip.clone();
        fields.extend(scopes.chain(rows).chain(overrides));
        fields.sort_unstable();
        fields.dedup();
        self.guarded_lengths = fields.iter().fold(0, |all, name| all | length_bit(name.len()));
        self.guarded_letters = fields.iter().fold(0, |all, name| all | letter_bit(name.as_bytes()));
        self.guarded = fields;
    }

    /// Whether a field of a request may be a guarded one: no other is.
    #[inline]
    pub(super) fn may_be_guarded(&self, field: &[u8]) -> bool {
        self.guarded_lengths & length_bit(field.len()) != 0
            && self.guarded_letters & letter_bit(field) != 0
    }

    /// The guarded field that a field of a request is, however it is spelt.
    pub(super) fn guarded(&self, field: &[u8]) -> Option<&str> {
        self.guarded.iter().find(|name| folds_to(field, name.as_bytes())).map(|name| &**name)
    }

    /// The words of `dialect=`.
    pub fn dialects(&self) -> impl Iterator<Item = &str> {
        self.dialects.iter().map(|word| &**word)
    }

    /// The words that turn rows on which are refused otherwise, each with the reason.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options.iter().map(|(word, reason)| (&**word, &**reason))
    }

    /// The words of ids that a location may pin.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(|scope| &*scope.word)
    }

    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Pairs of rows of which a request may be either, when neither says more about it.
    pub fn overlaps(&self) -> Vec<Error> {
        let mut errors = Vec::new();
        for (place, one) in self.rows.iter().enumerate() {
            for other in self.rows.get(place.saturating_add(1)..).unwrap_or_default() {
                let is_one = matches!(
                    one.template.overlap(&other.template),
                    Some(None | Some(Ordering::Equal))
                );
                if is_one && one.is_like(other) && !self.is_settled(one, other) {
                    errors.push(Error {
                        line: other.line,
                        text: format!("a request may be this row or the one of line {}", one.line),
                    });
                }
            }
        }
        errors
    }

    fn is_settled(&self, one: &Row, other: &Row) -> bool {
        let wins = |row: &Row, over: &Row| {
            row.over.as_deref().is_some_and(|name| name == self.operation_name(over.operation))
        };
        wins(one, other) || wins(other, one)
    }
}
