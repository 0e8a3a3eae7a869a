//! The honest reader: all rows are tried, and the one that says most is taken.

use std::collections::BTreeSet;

use super::Sent;
use super::forms::normal;
use super::rows::{Parameters, the_row};
use super::server::{Members, Server};
use super::table::{Clause, Place, Row, Seg, Selector, Table};
use super::tree::Tree;

/// A resource: its kind, the action, and its name; none for all.
pub(super) type Resource = (String, String, Option<String>);

/// What a request reads as.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Named {
    pub(super) line: u32,
    pub(super) operation: String,
    /// The first clause's.
    pub(super) kind: String,
    pub(super) action: String,
    pub(super) resources: BTreeSet<Resource>,
}

/// Why there is no reading.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unread {
    /// No row holds the request, or several do.
    Row,
    /// The row refuses it on purpose.
    OnPurpose,
    /// Its names are not there, or none of their kinds.
    Names,
    /// The oracle itself cannot tell.
    Untold,
}

pub(super) type Reading<T> = Result<T, Unread>;

/// What a server finds in a body.
enum Body {
    Nothing,
    Json(Tree),
    Form(Members),
}

/// A request as a server reads it.
struct Reader<'a> {
    table: &'a Table,
    sent: &'a Sent,
    server: Server,
    /// None if it is none, which only who looks at it minds.
    query: Option<Members>,
    row: &'a Row,
    parameters: Parameters,
    body: Body,
}

/// Reads a request as a server does.
pub(super) fn read(table: &Table, sent: &Sent, server: Server) -> Reading<Named> {
    let segments = server.segments(sent).ok_or(Unread::Row)?;
    let query = match &sent.query {
        Some(query) => server.members(std::str::from_utf8(query).map_err(|_| Unread::Row)?),
        None => Some(Vec::new()),
    };
    let (row, parameters) = the_row(table, sent, server, &segments, &query)?;
    if row.clauses.is_none() || !row.words("option").is_none_or(|_| sent.has_options) {
        return Err(Unread::OnPurpose);
    }
    let body = if row.reads_body() { body(row, sent, server)? } else { Body::Nothing };
    let reader = Reader { table, sent, server, query, row, parameters, body };
    reader.scopes()?;
    reader.name()
}

fn body(row: &Row, sent: &Sent, server: Server) -> Reading<Body> {
    if sent.body.is_empty() {
        return Ok(Body::Nothing);
    }
    let bodies = row.words("body").unwrap_or_else(|| vec!["json"]);
    let media_type = server.media_type(&sent.fields).ok_or(Unread::Names)?;
    match &*media_type {
        "application/x-www-form-urlencoded" if bodies.contains(&"form") => {
            let text = std::str::from_utf8(&sent.body).map_err(|_| Unread::Names)?;
            server.members(text).map(Body::Form).ok_or(Unread::Names)
        }
        // Another target reads parts.
        "multipart/form-data" => Err(Unread::Untold),
        json if bodies.contains(&"json") && is_json(json) => {
            match serde_json::from_slice::<serde_json::Value>(&sent.body) {
                Err(error) if error.to_string().contains("out of range") => Err(Unread::Untold),
                Err(_) => Err(Unread::Names),
                Ok(_) => Tree::read(&sent.body).map(Body::Json).ok_or(Unread::Names),
            }
        }
        _ => Err(Unread::Names),
    }
}

fn is_json(media_type: &str) -> bool {
    let is_right = |it: char| it.is_ascii_alphanumeric() || "!#$&-^_.+".contains(it);
    let kind = media_type.strip_prefix("application/").and_then(|it| it.strip_suffix("+json"));
    ["application/json", "text/json"].contains(&media_type)
        || kind.is_some_and(|kind| !kind.is_empty() && kind.chars().all(is_right))
}

impl Reader<'_> {
    /// Whether each pinned id is the right one wherever it is.
    fn scopes(&self) -> Reading<()> {
        for (word, places) in &self.table.scopes {
            for (pinned, value) in &self.sent.pins {
                for place in places.iter().filter(|_| word == pinned) {
                    let found = match place {
                        Place::Path(name) => {
                            self.parameters.get(name).cloned().into_iter().collect()
                        }
                        place => self.values(place)?,
                    };
                    if found.iter().any(|it| it != value) {
                        return Err(Unread::OnPurpose);
                    }
                }
            }
        }
        Ok(())
    }

    fn name(&self) -> Reading<Named> {
        let clauses = self.row.clauses.as_deref().ok_or(Unread::OnPurpose)?;
        let first = clauses.first().expect("a clause");
        let action = if self.is_overridden()? { "override" } else { &*first.action };
        let mut resources = BTreeSet::new();
        for (at, clause) in clauses.iter().enumerate() {
            if let Some(when) = &clause.when
                && !self.is_there(when)?
            {
                continue;
            }
            let action = if at == 0 { action } else { &*clause.action };
            for name in self.names(clause)? {
                resources.insert((clause.kind.clone(), action.to_owned(), name));
            }
        }
        if resources.is_empty() {
            resources.insert((first.kind.clone(), action.to_owned(), None));
        }
        Ok(Named {
            line: self.row.line,
            operation: self.row.operation.clone(),
            kind: first.kind.clone(),
            action: action.to_owned(),
            resources,
        })
    }

    fn is_overridden(&self) -> Reading<bool> {
        let Some(words) = self.row.words("override") else { return Ok(false) };
        if words != ["any"] {
            let found = words.iter().map(|pointer| self.found(pointer));
            return Ok(found.collect::<Reading<Vec<_>>>()?.iter().any(|found| !found.is_empty()));
        }
        let except = self.row.words("except").unwrap_or_default();
        let is_other = |name: &str| {
            let members = [(name.to_owned(), ())];
            except.iter().all(|known| self.server.named(&members, known).is_empty())
        };
        match &self.body {
            Body::Nothing | Body::Json(Tree::Null) => Ok(false),
            Body::Json(Tree::Members(members)) => Ok(members
                .iter()
                .any(|(name, value)| is_other(name) && !matches!(value, Tree::Null))),
            Body::Json(_) => Err(Unread::Names),
            Body::Form(members) => Ok(members.iter().any(|(name, _)| is_other(name))),
        }
    }

    fn is_there(&self, place: &Place) -> Reading<bool> {
        match place {
            Place::Body(pointer) => Ok(!self.found(pointer)?.is_empty()),
            place => Ok(!self.values(place)?.is_empty()),
        }
    }

    fn names(&self, clause: &Clause) -> Reading<Vec<Option<String>>> {
        let form = &*self.table.kinds[&clause.kind].form;
        let mut names = Vec::new();
        for selector in &clause.selectors {
            let (parts, joined) = match selector {
                Selector::All => {
                    names.push(None);
                    continue;
                }
                Selector::Named(parts, joined) => (parts, *joined),
            };
            let is_dash = |place: &Place, value: &str| {
                self.row.has("dash") && value == "-" && matches!(place, Place::Path(_))
            };
            let mut found = Vec::new();
            if joined == '=' {
                for (place, _) in parts {
                    for value in self.values(place)? {
                        let name = match is_dash(place, &value) {
                            true => None,
                            false => normal(form, &value).map_err(|()| Unread::Names)?,
                        };
                        found.push(name);
                    }
                }
                if parts.len() > 1 && found.windows(2).any(|pair| pair[0] != pair[1]) {
                    return Err(Unread::Names);
                }
            } else {
                found.extend(self.joined(parts, joined, form)?);
            }
            let missing = parts.last().expect("a part").1;
            match (found.is_empty(), missing) {
                (true, '!') => return Err(Unread::Names),
                (true, '*') => names.push(None),
                _ => names.extend(found),
            }
        }
        Ok(names)
    }

    /// The name that its parts make; without its head it may be any.
    fn joined(
        &self,
        parts: &[(Place, char)],
        separator: char,
        form: &str,
    ) -> Reading<Option<Option<String>>> {
        let mut values = Vec::new();
        for (place, missing) in parts {
            let value = self.values(place)?.into_iter().next();
            if value.is_none() && *missing == '!' {
                return Err(Unread::Names);
            }
            values.push(value);
        }
        let there = values.iter().take_while(|it| it.is_some()).count();
        if values.iter().skip(there).any(Option::is_some) {
            return Ok(Some(None));
        }
        let values: Vec<String> = values.into_iter().flatten().collect();
        let mut name = String::new();
        for ((place, _), value) in parts.iter().zip(&values) {
            let spans = |it: &str| self.row.segments.last() == Some(&Seg::Rest(it.to_owned()));
            match place {
                // It begins with a slash of its own.
                Place::Path(it) if separator == '/' && spans(it) => name.push_str(value),
                place => {
                    let is_odd = value.is_empty() || value.contains(separator);
                    if is_odd && !matches!(place, Place::Constant(_)) {
                        return Err(Unread::Names);
                    }
                    name.extend((!name.is_empty()).then_some(separator));
                    name.push_str(value);
                }
            }
        }
        if values.is_empty() {
            return Ok(None);
        }
        let name = normal(form, &name);
        name.map(Some).map_err(|()| Unread::Names)
    }

    /// The values of a place.
    fn values(&self, place: &Place) -> Reading<Vec<String>> {
        match place {
            Place::Path(name) => Ok(vec![self.parameters.get(name).expect("a parameter").clone()]),
            Place::Constant(text) => Ok(vec![text.clone()]),
            Place::Header(name) => {
                Ok(self.server.field(&self.sent.fields, name).into_iter().collect())
            }
            Place::Query { name, repeats } => {
                let query = self.query.as_ref().ok_or(Unread::Names)?;
                let found = self.server.named(query, name);
                if *repeats {
                    return Ok(found.into_iter().cloned().collect());
                }
                Ok(self.server.one(&found).into_iter().cloned().collect())
            }
            Place::Body(pointer) => {
                let texts = self.found(pointer)?.into_iter().map(|tree| match tree {
                    Tree::Text(text) => Ok(text),
                    // Not every server makes the same text of anything else.
                    Tree::Whole(number) => Ok(number.to_string()),
                    _ => Err(Unread::Names),
                });
                texts.collect()
            }
        }
    }

    /// What is in a place of the body, and is not null.
    fn found(&self, pointer: &str) -> Reading<Vec<Tree>> {
        let steps: Vec<&str> = pointer.split('/').skip(1).collect();
        let mut found = match &self.body {
            Body::Nothing => Vec::new(),
            Body::Json(tree) => vec![tree.clone()],
            Body::Form(members) => {
                let members =
                    members.iter().map(|(name, it)| (name.clone(), Tree::Text(it.clone())));
                vec![Tree::Members(members.collect())]
            }
        };
        for step in steps {
            let mut next = Vec::new();
            for tree in found {
                match tree {
                    Tree::List(items) if step == "*" => next.extend(items),
                    Tree::Members(members) if step != "*" => {
                        let named = self.server.named(&members, step);
                        next.extend(self.server.one(&named).cloned());
                    }
                    Tree::Null => {}
                    // Who knows what a server makes of it.
                    _ => return Err(Unread::Names),
                }
            }
            found = next;
        }
        found.retain(|tree| !matches!(tree, Tree::Null));
        Ok(found)
    }
}
