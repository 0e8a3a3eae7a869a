//! Of the rows of one path the one that is a request's: by method, query and type.

use super::table::Row;
use super::{Asked, Platform, Refused, target};
use crate::request::Field;
use crate::text::alike::is_alike;

/// Of the rows of one path the one that is a request's.
pub(super) fn choose<'p>(
    platform: &'p Platform,
    rows: &[u16],
    asked: &Asked<'_>,
    query: Option<&str>,
) -> Result<Option<&'p Row>, Refused<'static>> {
    let rows = || {
        let rows = rows.iter().filter_map(|row| platform.table.rows.get(usize::from(*row)));
        rows.filter(|row| row.dialects == 0 || row.dialects & platform.dialects != 0)
    };
    // Most paths have one row of a method, which nothing else chooses.
    let of_method = Row::method(asked.method);
    if asked.method != "HEAD" {
        let mut of_method = rows().filter(|row| row.is_of_bit(of_method));
        match (of_method.next(), of_method.next()) {
            (None, _) => return Ok(None),
            (Some(row), None) if row.template.query.is_empty() && row.types.is_empty() => {
                return Ok(Some(row));
            }
            _ => {}
        }
    }
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
