//! Of the rows of one path the one that is a request's: by method, query and type.

use super::query::Query;
use super::rows::Rows;
use super::table::row::Row;
use super::{Asked, Platform, Refused};
use crate::request::Field;
use crate::text::alike::is_alike;

/// Of the rows of one path the one that is a request's.
#[inline]
pub(super) fn choose<'p>(
    platform: &'p Platform,
    rows: &Rows,
    asked: &Asked<'_>,
    query: Query<'_>,
) -> Result<Option<&'p Row>, Refused<'static>> {
    let method = Row::method(asked.method);
    // Most paths have one row of a method, which nothing else chooses.
    if rows.alone & method == 0 {
        return among(platform, rows, asked, query);
    }
    let place = rows.rows.iter().find(|(_, methods)| methods & method != 0);
    let row = place.and_then(|(place, _)| platform.table.rows.get(usize::from(*place)));
    Ok(row.filter(|row| row.is_on(platform.dialects)))
}

/// The same, whatever chooses the row.
#[inline(never)]
fn among<'p>(
    platform: &'p Platform,
    rows: &Rows,
    asked: &Asked<'_>,
    query: Query<'_>,
) -> Result<Option<&'p Row>, Refused<'static>> {
    let rows = || {
        let places = rows.rows.iter().map(|(place, _)| usize::from(*place));
        let rows = places.filter_map(|place| platform.table.rows.get(place));
        rows.filter(|row| row.is_on(platform.dialects))
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
        Some(media_type) if rows().any(|row| row.types.iter().any(|it| **it == *media_type)) => {
            rows().filter(|row| row.types.iter().any(|it| **it == *media_type)).collect()
        }
        _ => rows().filter(|row| row.types.is_empty()).collect::<Vec<_>>(),
    };
    if let [_, _, ..] = chosen.as_slice() {
        let names: Vec<&str> = chosen.iter().filter_map(|row| row.over.as_deref()).collect();
        chosen.retain(|row| !names.contains(&platform.table.operation_name(row.operation)));
    }
    match chosen.as_slice() {
        [] => Ok(None),
        [row] => Ok(Some(row)),
        _ => Err(Refused::Ambiguous("two rows of the table are this request")),
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
    query: Query<'_>,
) -> Result<ByQuery, Refused<'static>> {
    let rows: Vec<&Row> = rows.collect();
    let members = query.members().collect::<Result<Vec<_>, _>>()?;
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

#[cfg(test)]
mod tests;
