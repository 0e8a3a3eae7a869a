//! From a request to its operation.

mod naming;

use std::borrow::Cow;

use super::kind::{ActionId, KindId};
use super::operation::{Operation, Resource};
use super::router::Found;
use super::selector::Source;
use super::table::{Effect, OperationId, Row, ScopeSource};
use super::target::{self, Odd, Target};
use super::{Asked, Platform, Refused};
use crate::body::{BodyError, Extract, Type, Wanted};
use crate::request::Field;
use crate::text::alike::is_alike;
use naming::Naming;

/// A request that is a row of the table.
#[derive(Debug)]
pub struct Route<'p, 'r> {
    platform: &'p Platform,
    row: &'p Row,
    asked: Asked<'r>,
    target: Target<'r>,
    found: Found,
}

impl<'p, 'r> Route<'p, 'r> {
    /// A request that is a row, if nothing is wrong with any such request.
    pub(super) fn new(
        platform: &'p Platform,
        row: &'p Row,
        asked: &Asked<'r>,
        target: Target<'r>,
        found: Found,
    ) -> Result<Self, Refused<'p>> {
        let route = Self { platform, row, asked: *asked, target, found };
        route.check()?;
        Ok(route)
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
        match self.asked.fields.field("content-encoding") {
            Field::Absent => {}
            Field::One(value) if value.eq_ignore_ascii_case(b"identity") => {}
            _ => return Err(BodyError::WrongType),
        }
        let Field::One(value) = self.asked.fields.field("content-type") else {
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
    pub fn hides_a_letter(&self) -> bool {
        self.target.segments.others().iter().any(|segment| segment.odd() != Odd::None)
    }

    /// Whether a segment of the path holds an escaped space, which ends the path of a line that is written
    /// without escaping it again.
    pub fn hides_a_space(&self) -> bool {
        self.target.segments.others().iter().any(|segment| segment.text.contains(' '))
    }

    /// What may be wrong with any request of the row.
    fn check(&self) -> Result<(), Refused<'p>> {
        let flags = self.row.flags;
        for segment in self.target.segments.others() {
            let is_right = match segment.odd() {
                Odd::None => true,
                Odd::Slash => (flags.takes_slash || flags.takes_any) && !self.asked.is_decoded,
                Odd::Other => flags.takes_any && !self.asked.is_decoded,
            };
            // A server that decodes early would leave the place that the path names.
            let is_right = is_right && !segment.leads_elsewhere();
            if !is_right {
                return Err(Refused::Ambiguous(
                    "a segment of the path holds a letter that divides paths",
                ));
            }
        }
        for (place, pinned) in &self.platform.scopes {
            let scope = self.platform.table.scopes.get(*place);
            for source in scope.into_iter().flat_map(|scope| &scope.sources) {
                let found = match source {
                    ScopeSource::Parameter(name) => {
                        self.row.template.parameter(name).map(|place| self.parameter(place))
                    }
                    ScopeSource::Other(source) => self.only(source, None)?,
                };
                if found.is_some_and(|found| *found != **pinned) {
                    return Err(Refused::OnPurpose(
                        "the location serves another account, cluster or workspace",
                    ));
                }
            }
        }
        if let Some(option) = self.row.option
            && self.platform.options
                & 1_u32.checked_shl(u32::try_from(option).unwrap_or(32)).unwrap_or(0)
                == 0
        {
            let reason = self.platform.table.options().nth(option).map_or("", |(_, reason)| reason);
            return Err(Refused::OnPurpose(reason));
        }
        match &self.row.effect {
            Effect::Refused(reason) => Err(Refused::OnPurpose(reason)),
            Effect::Named { .. } => Ok(()),
        }
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
        let mut naming = Naming::new(self, body);
        for (place, clause) in clauses.iter().enumerate() {
            let action = if place == 0 { action } else { clause.action };
            naming.clause(clause, action)?;
        }
        let mut resources = naming.resources;
        if resources.is_empty() {
            resources.push(Resource { kind: first.kind, action, name: None });
        }
        Ok(Operation {
            table: &self.platform.table,
            row: self.row,
            kind: first.kind,
            action,
            resources,
        })
    }

    /// Whether a hyphen stands for all there.
    const fn is_dash(&self, source: &Source) -> bool {
        self.row.flags.has_dash && matches!(source, Source::Path(_))
    }

    /// Whether a place is a parameter that spans segments.
    fn spans(&self, source: &Source) -> bool {
        match source {
            Source::Path(place) => self.found.spans().get(usize::from(*place)).is_none(),
            _ => false,
        }
    }

    /// The value of a parameter.
    fn parameter(&self, place: u8) -> Cow<'_, str> {
        let segments = &self.target.segments;
        if let Some(span) = self.found.spans().get(usize::from(place)) {
            let text = segments.text(span.segment()).and_then(|it| it.get(span.bytes()));
            return Cow::Borrowed(text.unwrap_or_default());
        }
        let from = self.found.rest.unwrap_or(usize::MAX);
        let mut value = String::new();
        for text in (from..segments.len()).filter_map(|at| segments.text(at)) {
            value.push('/');
            value.push_str(text);
        }
        Cow::Owned(value)
    }

    /// The value of a place that is there at most once.
    fn only<'n>(
        &'n self,
        source: &'n Source,
        body: Option<&'n Extract>,
    ) -> Result<Option<Cow<'n, str>>, Refused<'static>> {
        let mut only = None;
        self.each(source, body, &mut |value| {
            if only.replace(value).is_some() {
                return Err(Refused::Ambiguous("what names a resource is there twice"));
            }
            Ok(())
        })?;
        Ok(only)
    }

    /// Each value of a place.
    fn each<'n>(
        &'n self,
        source: &'n Source,
        body: Option<&'n Extract>,
        take: &mut dyn FnMut(Cow<'n, str>) -> Result<(), Refused<'static>>,
    ) -> Result<(), Refused<'static>> {
        match source {
            Source::Path(place) => take(self.parameter(*place)),
            Source::Constant(text) => take(Cow::Borrowed(text)),
            Source::Header(name) => match self.asked.fields.field(name) {
                Field::Absent => Ok(()),
                Field::Several => {
                    Err(Refused::Ambiguous("a field that names a resource is there twice"))
                }
                Field::One(value) => {
                    let value = core::str::from_utf8(value).map_err(|_| Refused::Name)?;
                    take(Cow::Borrowed(value))
                }
            },
            Source::Query { name, repeats } => {
                let mut is_first = true;
                for member in target::members(self.target.query.unwrap_or_default()) {
                    let (found, value) = member?;
                    if *found != **name {
                        if is_alike(&found, name) {
                            return Err(Refused::Ambiguous(
                                "a member of the query is spelt in another way",
                            ));
                        }
                        continue;
                    }
                    if !repeats && !is_first {
                        return Err(Refused::Ambiguous("a member of the query is there twice"));
                    }
                    is_first = false;
                    take(value)?;
                }
                Ok(())
            }
            Source::Body(place) => {
                let values = (0..).map_while(|at| body.and_then(|body| body.value(*place, at)));
                values.map(Cow::Borrowed).try_for_each(take)
            }
        }
    }
}
