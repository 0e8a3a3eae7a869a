//! From a request to its operation.

mod naming;

use std::borrow::Cow;
use std::sync::Arc;

use super::Refused;
use super::kind::{ActionId, KindId};
use super::operation::{Operation, Resource};
use super::router::Found;
use super::selector::Source;
use super::table::{Effect, OperationId, Row, ScopeSource, Table};
use super::target::{self, Odd, Segment, Target};
use super::template::Template;
use crate::body::{self, BodyError, Type, Wanted};
use crate::text::alike::is_alike;
use naming::Naming;

/// A platform as a location sets it: its table, and what of it is on.
#[derive(Clone, Debug)]
pub struct Platform {
    table: Arc<Table>,
    /// Bits of the dialects that are on.
    dialects: u32,
    /// Bits of the options that are on.
    options: u32,
    /// Ids that are pinned: the place of the scope, and the only value.
    scopes: Vec<(usize, Box<str>)>,
}

/// What a request says of itself; nothing here waits for a body.
#[derive(Clone, Copy)]
pub struct Asked<'r> {
    /// As it goes upstream.
    pub method: &'r str,
    /// The path as it goes upstream.
    pub path: &'r [u8],
    /// What follows the question mark.
    pub query: Option<&'r [u8]>,
    /// Whether Nginx sends the path decoded.
    pub is_decoded: bool,
    /// Its fields.
    pub fields: &'r dyn Fields,
}

/// The fields of a request.
pub trait Fields {
    /// The value of the only field of a name, which is in lower case.
    fn field(&self, name: &str) -> Field<'_>;
}

/// How often a field is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Field<'r> {
    /// It is not.
    Absent,
    /// Once.
    One(&'r [u8]),
    /// More than once.
    Several,
}

/// What was found in a body, by the places of a route's pointers.
pub trait Extract {
    /// A value of a member, as text: the first, the next, and so on.
    fn value(&self, place: usize, at: usize) -> Option<&str>;

    /// Whether a member is there and not null.
    fn is_there(&self, place: usize) -> bool;

    /// Whether a member at the top that the route does not name is there and not null.
    fn has_other(&self) -> bool;
}

impl Extract for body::Extract {
    fn value(&self, place: usize, at: usize) -> Option<&str> {
        self.value(place, at)
    }

    fn is_there(&self, place: usize) -> bool {
        self.is_there(place)
    }

    fn has_other(&self) -> bool {
        self.has_other()
    }
}

impl core::fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Asked").field("method", &self.method).finish_non_exhaustive()
    }
}

impl Platform {
    /// A platform with every dialect on, no option, and no id pinned.
    pub const fn new(table: Arc<Table>) -> Self {
        Self { table, dialects: u32::MAX, options: 0, scopes: Vec::new() }
    }

    /// Its table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Leaves only these dialects on; `false` if the table lacks one of them.
    pub fn set_dialects(&mut self, words: &[&str]) -> bool {
        self.dialects = 0;
        words.iter().all(|word| {
            let place = self.table.dialects().position(|known| known == *word);
            let bit = place.and_then(|place| 1_u32.checked_shl(u32::try_from(place).ok()?));
            self.dialects |= bit.unwrap_or(0);
            bit.is_some()
        })
    }

    /// Turns an option on; `false` if the table lacks it.
    pub fn set_option(&mut self, word: &str) -> bool {
        let place = self.table.options().position(|(known, _)| known == word);
        let bit = place.and_then(|place| 1_u32.checked_shl(u32::try_from(place).ok()?));
        self.options |= bit.unwrap_or(0);
        bit.is_some()
    }

    /// Pins an id that is no resource; `false` if the table lacks its word.
    pub fn pin(&mut self, word: &str, value: &str) -> bool {
        let place = self.table.scopes().position(|known| known == word);
        if let Some(place) = place {
            self.scopes.push((place, value.into()));
        }
        place.is_some()
    }

    /// Whether some request of a path with parameters has a name: of one whose parameters have listed
    /// values, or that a member of the query chooses.
    pub fn knows(&self, method: &str, path: &str) -> bool {
        let Ok(template) = Template::parse(path.trim_end_matches('/'), self.table.folds) else {
            return false;
        };
        let rows = self.table.rows.iter().filter(|row| row.is_of(method));
        let mut named = rows.filter(|row| matches!(row.effect, Effect::Named { .. }));
        named.any(|row| row.template.overlap(&template).is_some())
    }

    /// The row that a request is.
    ///
    /// # Errors
    ///
    /// It is none, or none for certain; or it is refused on purpose.
    pub fn route<'p, 'r>(&'p self, asked: &Asked<'r>) -> Result<Route<'p, 'r>, Refused<'p>> {
        let target = Target::parse(asked.path, asked.query, asked.is_decoded)?;
        let table = &*self.table;
        let mut chosen = None;
        table.router.find(&target.segments, table.folds, &mut |rows, found| {
            let row = self.choose(rows, asked, target.query)?;
            chosen = row.map(|row| (row, *found));
            Ok(row.is_some())
        })?;
        let (row, found) = chosen.ok_or(Refused::Unknown)?;
        let route = Route { platform: self, row, asked: *asked, target, found };
        route.check()?;
        Ok(route)
    }

    /// Of the rows of one path the one that is a request's.
    fn choose<'p>(
        &'p self,
        rows: &[u16],
        asked: &Asked<'_>,
        query: Option<&str>,
    ) -> Result<Option<&'p Row>, Refused<'static>> {
        let rows = || {
            let rows = rows.iter().filter_map(|row| self.table.rows.get(usize::from(*row)));
            rows.filter(|row| row.dialects == 0 || row.dialects & self.dialects != 0)
        };
        let method = match asked.method {
            "HEAD" if !rows().any(|row| row.is_of("HEAD")) => "GET",
            method => method,
        };
        let rows = || rows().filter(|row| row.is_of(method));
        let has_choice = rows().any(|row| !row.template.query.is_empty());
        let by_query = if has_choice { by_query(&mut rows(), query)? } else { ByQuery::Plain };
        let rows = || rows().filter(|row| by_query.takes(row));
        let has_types = rows().any(|row| !row.types.is_empty());
        let mut chosen = match has_types.then(|| media_type(asked)).transpose()?.flatten() {
            Some(media_type)
                if rows().any(|row| row.types.iter().any(|it| **it == *media_type)) =>
            {
                rows().filter(|row| row.types.iter().any(|it| **it == *media_type)).collect()
            }
            _ => rows().filter(|row| row.types.is_empty()).collect::<Vec<_>>(),
        };
        if let [_, _, ..] = chosen.as_slice() {
            let names: Vec<&str> = chosen.iter().filter_map(|row| row.over.as_deref()).collect();
            chosen.retain(|row| !names.contains(&self.table.operation_name(row.operation)));
        }
        match chosen.as_slice() {
            [] => Ok(None),
            [row] => Ok(Some(row)),
            _ => Err(Refused::Ambiguous("two rows of the table are this request")),
        }
    }
}

/// What the query chooses of rows that it can choose.
enum ByQuery {
    /// None of the members is there.
    Plain,
    /// The row of this line.
    Row(u32),
}

impl ByQuery {
    fn takes(&self, row: &Row) -> bool {
        match self {
            Self::Plain => row.template.query.is_empty(),
            Self::Row(line) => row.line == *line,
        }
    }
}

fn by_query(
    rows: &mut dyn Iterator<Item = &Row>,
    query: Option<&str>,
) -> Result<ByQuery, Refused<'static>> {
    let rows: Vec<&Row> = rows.collect();
    let members = query.map_or_else(
        || Ok(Vec::new()),
        |query| target::members(query).collect::<Result<Vec<_>, _>>(),
    )?;
    let mut is_plain = true;
    for (name, _) in rows.iter().flat_map(|row| &row.template.query) {
        for (member, _) in members.iter().filter(|(member, _)| is_alike(member, name)) {
            if **member != **name {
                return Err(Refused::Ambiguous("a member of the query is spelt in another way"));
            }
            is_plain = false;
        }
    }
    if is_plain {
        return Ok(ByQuery::Plain);
    }
    let holds = |row: &&&Row| {
        !row.template.query.is_empty()
            && row.template.query.iter().all(|(name, values)| {
                let mut found = members.iter().filter(|(member, _)| **member == **name);
                let first = found.next();
                found.next().is_none()
                    && first.is_some_and(|(_, value)| values.iter().any(|it| **it == **value))
            })
    };
    // The row that says most.
    let row = rows.iter().filter(holds).max_by_key(|row| row.template.query.len());
    row.map(|row| ByQuery::Row(row.line)).ok_or(Refused::Unknown)
}

/// The media type of a request without its parameters, in lower case.
fn media_type(asked: &Asked<'_>) -> Result<Option<String>, Refused<'static>> {
    let value = match asked.fields.field("content-type") {
        Field::Absent => return Ok(None),
        Field::Several => return Err(Refused::Ambiguous("the request has two types")),
        Field::One(value) => value,
    };
    let value = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    Ok(Some(String::from_utf8_lossy(value).to_ascii_lowercase()))
}

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

    /// Whether the row says that `*` in a policy does not hold it.
    pub const fn is_named(&self) -> bool {
        self.row.flags.is_named
    }

    /// The line of its row, from one on.
    pub const fn line(&self) -> u32 {
        self.row.line
    }

    /// What may be wrong with any request of the row.
    fn check(&self) -> Result<(), Refused<'p>> {
        let flags = self.row.flags;
        for segment in &self.target.segments {
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
    pub fn name<'n>(
        &'n self,
        body: Option<&'n dyn Extract>,
    ) -> Result<Operation<'p, 'n>, Refused<'p>> {
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

    /// The value of a parameter.
    fn parameter(&self, place: u8) -> Cow<'_, str> {
        let segment = |at: usize| self.target.segments.get(at);
        if let Some(span) = self.found.spans().get(usize::from(place)) {
            let text = segment(span.segment).and_then(|it| it.text.get(span.from..span.to));
            return Cow::Borrowed(text.unwrap_or_default());
        }
        let from = self.found.rest.unwrap_or(usize::MAX);
        let rest = self.target.segments.get(from..).unwrap_or_default();
        let mut value = String::new();
        for Segment { text, .. } in rest {
            value.push('/');
            value.push_str(text);
        }
        Cow::Owned(value)
    }

    /// The value of a place that is there at most once.
    fn only<'n>(
        &'n self,
        source: &'n Source,
        body: Option<&'n dyn Extract>,
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
        body: Option<&'n dyn Extract>,
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
