//! Which row of a table a request is.

use std::collections::{BTreeMap, BTreeSet};

use super::Sent;
use super::honest::{Reading, Unread};
use super::server::{Members, Segment, Server, decoded};
use super::table::{Row, Seg, Table};

/// What the parameters of a row's template hold.
pub(super) type Parameters = BTreeMap<String, String>;

/// The row that says most of all that hold the request.
pub(super) fn the_row<'t>(
    table: &'t Table,
    sent: &Sent,
    server: Server,
    segments: &[Segment],
    query: &Option<Members>,
) -> Reading<(&'t Row, Parameters)> {
    let mut held: Vec<(&Row, Parameters)> = Vec::new();
    for row in &table.rows {
        held.extend(parameters(row, segments, server, table.folds).map(|it| (row, it)));
    }
    let paths: BTreeSet<&str> = held.iter().map(|(row, _)| &*row.template).collect();
    let mut left: Vec<(&Row, Parameters)> = Vec::new();
    for path in paths {
        let mut of_path: Vec<_> = held.iter().filter(|(row, _)| row.template == path).collect();
        let has =
            |method: &str| of_path.iter().any(|(row, _)| row.methods.iter().any(|it| it == method));
        let method = if sent.method == "HEAD" && !has("HEAD") { "GET" } else { &*sent.method };
        of_path.retain(|(row, _)| row.methods.iter().any(|it| it == method));
        let names: Vec<&String> =
            of_path.iter().flat_map(|(row, _)| &row.chosen_by).map(|(name, _)| name).collect();
        let query = match query {
            Some(query) => query.as_slice(),
            None if names.is_empty() => &[],
            None => return Err(Unread::Row),
        };
        if names.iter().any(|name| !server.named(query, name).is_empty()) {
            let holds = |row: &Row| {
                !row.chosen_by.is_empty()
                    && row.chosen_by.iter().all(|(name, values)| {
                        let one = server.one(&server.named(query, name));
                        one.is_some_and(|one| values.contains(one))
                    })
            };
            of_path.retain(|(row, _)| holds(row));
            let most = of_path.iter().map(|(row, _)| row.chosen_by.len()).max();
            of_path.retain(|(row, _)| Some(row.chosen_by.len()) == most);
            if of_path.is_empty() {
                return Err(Unread::Row);
            }
        } else {
            of_path.retain(|(row, _)| row.chosen_by.is_empty());
        }
        let media_type = server.media_type(&sent.fields);
        let is_of_type = |row: &Row| {
            row.words("type").is_some_and(|types| {
                media_type.as_deref().is_some_and(|media_type| types.contains(&media_type))
            })
        };
        let by_type = of_path.iter().any(|(row, _)| is_of_type(row));
        of_path
            .retain(|(row, _)| if by_type { is_of_type(row) } else { row.words("type").is_none() });
        left.extend(of_path.into_iter().cloned());
    }
    let most = left.iter().map(|(row, _)| rank(row)).max().ok_or(Unread::Row)?;
    left.retain(|(row, _)| rank(row) == most);
    let over: Vec<String> = left
        .iter()
        .filter_map(|(row, _)| Some((*row.words("over")?.first()?).to_owned()))
        .collect();
    left.retain(|(row, _)| !over.contains(&row.operation));
    match left.as_slice() {
        [(row, parameters)] => Ok((row, parameters.clone())),
        _ => Err(Unread::Row),
    }
}

/// How much a row says of each segment.
fn rank(row: &Row) -> Vec<(u8, usize)> {
    let of = |segment: &Seg| match segment {
        Seg::Literal(_) => (5, 0),
        Seg::Parameter { before, behind, is_number, .. } => {
            let length = before.len() + behind.len();
            match (behind.starts_with(':'), length) {
                (true, _) => (4, length),
                (false, 0) => (1 + u8::from(*is_number), 0),
                _ => (3, length),
            }
        }
        Seg::Rest(_) => (0, 0),
    };
    row.segments.iter().map(of).collect()
}

/// The parameters of a path that a row's template holds.
fn parameters(row: &Row, path: &[Segment], server: Server, folds: bool) -> Option<Parameters> {
    let has_rest = matches!(row.segments.last(), Some(Seg::Rest(_)));
    if path.len() < row.segments.len() || path.len() > row.segments.len() && !has_rest {
        return None;
    }
    let mut found = Parameters::new();
    for (at, segment) in row.segments.iter().enumerate() {
        let Segment { raw, text } = &path[at];
        match segment {
            Seg::Literal(literal) if folds && text.eq_ignore_ascii_case(literal) => {}
            Seg::Literal(literal) if text == literal => {}
            Seg::Literal(_) => return None,
            Seg::Parameter { name, before, behind, is_number } => {
                let is_verb = behind.starts_with(':') && !server.has_late_verbs;
                let inner = match is_verb {
                    true => decoded(between(raw, before, behind, folds)?, false)?,
                    false => between(text, before, behind, folds)?.to_owned(),
                };
                if *is_number && !is_shortest(&inner) {
                    return None;
                }
                found.insert(name.clone(), inner);
            }
            Seg::Rest(name) => {
                let rest = &path[at..];
                // It is empty at neither end.
                if rest.first()?.text.is_empty() || rest.last()?.text.is_empty() {
                    return None;
                }
                let rest = rest.iter().map(|it| format!("/{}", it.text));
                found.insert(name.clone(), rest.collect());
            }
        }
    }
    Some(found)
}

/// What is between a beginning and an end: not empty.
fn between<'t>(text: &'t str, before: &str, behind: &str, folds: bool) -> Option<&'t str> {
    let is = |one: &str, other: &str| {
        if folds { one.eq_ignore_ascii_case(other) } else { one == other }
    };
    let inner = text.get(before.len()..text.len().checked_sub(behind.len())?)?;
    let is_right = is(text.get(..before.len())?, before)
        && is(text.get(text.len() - behind.len()..)?, behind)
        && !inner.is_empty();
    is_right.then_some(inner)
}

fn is_shortest(text: &str) -> bool {
    let is_digits = !text.is_empty() && text.chars().all(|it| it.is_ascii_digit());
    is_digits && (text == "0" || !text.starts_with('0'))
}
