//! From a request to its operation.

mod naming;
mod values;

use std::borrow::Cow;

use super::choice::choose;
use super::kind::{ActionId, KindId};
use super::operation::{Operation, Resource, Resources};
use super::query::Query;
use super::router::Found;
use super::table::{Effect, Flags, OperationId, Row, ScopeSource};
use super::target::{self, Odd, Target};
use super::{Asked, Fields, Platform, Refused};
use crate::body::{BodyError, Extract, Type, Wanted};
use crate::request::Field;
use naming::Naming;
use values::Values;

/// A request that is a row of the table.
pub struct Route<'p, 'r> {
    platform: &'p Platform,
    row: &'p Row,
    fields: &'r dyn Fields,
    /// The path, decoded.
    path: Cow<'r, [u8]>,
    query: Query<'r>,
    found: Found,
    hides_a_letter: bool,
    hides_a_space: bool,
}

impl core::fmt::Debug for Route<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Route").field("row", &self.row).finish_non_exhaustive()
    }
}

impl<'p, 'r> Route<'p, 'r> {
    /// The row that a request is, if nothing is wrong with any such request.
    #[inline]
    pub(super) fn new(
        platform: &'p Platform,
        asked: &Asked<'r>,
        target: Target<'r>,
    ) -> Result<Self, Refused<'p>> {
        let Target { path, query } = target;
        let (table, mut found) = (&*platform.table, Found::default());
        let row = table
            .router
            .find(&path, table.folds, &mut found, |rows| choose(platform, rows, asked, query))?;
        let row = row.ok_or(Refused::Unknown)?;
        let (mut hides_a_letter, mut hides_a_space) = (false, false);
        for segment in path.others() {
            let text = segment.span.of(path.text());
            hides_a_letter |= is_odd(text, row.flags, asked.is_decoded)?;
            hides_a_space |= text.contains(&b' ');
        }
        let fields = asked.fields;
        if !platform.scopes.is_empty() {
            check_scopes(
                platform,
                &Values { row, fields, path: path.text(), query, found: &found, body: None },
            )?;
        }
        if let Some(reason) = platform.refuses(row) {
            return Err(Refused::OnPurpose(reason));
        }
        let path = path.into_text();
        Ok(Self { platform, row, fields, path, query, found, hides_a_letter, hides_a_space })
    }

    /// What it looks at in the body; `None` if it looks at nothing.
    pub const fn wanted(&self) -> Option<&'p Wanted> {
        match &self.row.effect {
            Effect::Named { wanted, .. } => wanted.as_ref(),
            Effect::Refused(_) => None,
        }
    }

    /// The type of a body that is not empty, if the row reads it.
    ///
    /// # Errors
    ///
    /// [`BodyError::WrongType`] for a type or an encoding that it does not read.
    pub fn body_type(&self) -> Result<Type, BodyError> {
        let Effect::Named { bodies, .. } = &self.row.effect else {
            return Err(BodyError::WrongType);
        };
        match self.fields.field("content-encoding") {
            Field::Absent => {}
            Field::One(value) if value.eq_ignore_ascii_case(b"identity") => {}
            _ => return Err(BodyError::WrongType),
        }
        let Field::One(value) = self.fields.field("content-type") else {
            return Err(BodyError::WrongType);
        };
        let kind = Type::of(value)?;
        let is_read = match kind {
            Type::Json => bodies.json,
            Type::Form => bodies.form,
            Type::Multipart(_) => bodies.multipart,
            Type::Absent => false,
        };
        if is_read { Ok(kind) } else { Err(BodyError::WrongType) }
    }

    /// Whether the name of its resource, or what is done, may be in the body.
    pub fn needs_body(&self) -> bool {
        self.wanted().is_some()
    }

    /// Whether it is answered before anybody is authenticated.
    pub const fn is_probe(&self) -> bool {
        self.row.flags.is_probe
    }

    /// Whether its body is never held.
    pub const fn is_stream(&self) -> bool {
        self.row.flags.is_stream
    }

    /// Whether it may ask for another protocol.
    pub const fn is_upgrade(&self) -> bool {
        self.row.flags.is_upgrade
    }

    /// The operation.
    pub const fn operation(&self) -> OperationId {
        self.row.operation
    }

    /// What the first clause of the row names, if nothing overrides it.
    pub fn kind_and_action(&self) -> Option<(KindId, ActionId)> {
        self.row.uses().next()
    }

    /// Each kind that it may name, and what would be done.
    pub fn uses(&self) -> impl Iterator<Item = (KindId, ActionId)> {
        self.row.uses()
    }

    /// Whether the row says that `*` in a policy does not hold it.
    pub const fn is_named(&self) -> bool {
        self.row.flags.is_named
    }

    /// The line of its row, from one on.
    pub const fn line(&self) -> u32 {
        self.row.line
    }

    /// Whether a segment of the path holds an escaped letter that divides paths: it names the resource only
    /// as long as nobody on the way decodes it.
    pub const fn hides_a_letter(&self) -> bool {
        self.hides_a_letter
    }

    /// Whether a segment of the path holds an escaped space, which ends the path of a line that is written
    /// without escaping it again.
    pub const fn hides_a_space(&self) -> bool {
        self.hides_a_space
    }

    /// Names what the request asks for. `body` is what was found in it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// A name is missing, or not certain, or none of its kind.
    pub fn name<'n>(&'n self, body: Option<&'n Extract>) -> Result<Operation<'p, 'n>, Refused<'p>> {
        let Effect::Named { clauses, overriding, .. } = &self.row.effect else {
            return Err(Refused::Unknown);
        };
        let Some(first) = clauses.first() else { return Err(Refused::Unknown) };
        let is_overridden = overriding.as_ref().filter(|(_, places)| {
            let is_there = |place: &usize| body.is_some_and(|body| body.is_there(*place));
            places.iter().any(is_there)
                || (places.is_empty() && body.is_some_and(Extract::has_other))
        });
        let action = is_overridden.map_or(first.action, |(action, _)| *action);
        let mut operation = Operation {
            table: &self.platform.table,
            row: self.row,
            kind: first.kind,
            action,
            resources: Resources::default(),
        };
        let (values, resources) = (self.values(body), &mut operation.resources);
        let mut naming = Naming { values, kinds: self.platform.table.kinds(), resources };
        for (place, clause) in clauses.iter().enumerate() {
            let action = if place == 0 { action } else { clause.action };
            naming.clause(clause, action)?;
        }
        if operation.resources.is_empty() {
            operation.resources.push(Resource { kind: first.kind, action, name: None });
        }
        Ok(operation)
    }

    /// Where its names stand.
    fn values<'n>(&'n self, body: Option<&'n Extract>) -> Values<'n> {
        let Self { row, fields, path, query, found, .. } = self;
        Values { row, fields: *fields, path, query: *query, found, body }
    }
}

/// Refuses what names another id than the one that is pinned.
fn check_scopes<'p>(platform: &'p Platform, values: &Values<'_>) -> Result<(), Refused<'p>> {
    for (place, pinned) in &platform.scopes {
        let scope = platform.table.scopes.get(*place);
        for source in scope.into_iter().flat_map(|scope| &scope.sources) {
            let found = match source {
                ScopeSource::Parameter(name) => {
                    let place = values.row.template.parameter(name);
                    place.map(|place| values.parameter(place)).transpose()?
                }
                ScopeSource::Other(source) => values.only(source)?,
            };
            if found.is_some_and(|found| *found != **pinned) {
                return Err(Refused::OnPurpose(
                    "the location serves another account, cluster or workspace",
                ));
            }
        }
    }
    Ok(())
}

/// Whether a segment holds a letter that divides paths, which the row must take.
fn is_odd(segment: &[u8], flags: Flags, is_decoded: bool) -> Result<bool, Refused<'static>> {
    let odd = target::odd(segment);
    let is_right = match odd {
        Odd::None => true,
        Odd::Slash => (flags.takes_slash || flags.takes_any) && !is_decoded,
        Odd::Other => flags.takes_any && !is_decoded,
    };
    // A server that decodes early would leave the place that the path names.
    if !is_right || target::leads_elsewhere(segment) {
        return Err(Refused::Ambiguous("a segment of the path holds a letter that divides paths"));
    }
    Ok(odd != Odd::None)
}

#[cfg(test)]
mod tests;
