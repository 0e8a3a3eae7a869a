//! A request has one reading: ours and an honest one agree, and no server's habit makes another.

mod document;
mod forms;
mod honest;
mod rows;
mod sent;
mod server;
mod table;
mod tree;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use mesh_core::body::Reader;
use mesh_core::platform::shipped::shipped;
use mesh_core::platform::{Asked, Fields as FieldsOf, Platform};
use mesh_core::refusal::Reason;
use mesh_core::request::Field;

use honest::{Named, Unread, read};
use server::{SERVERS, Server};
use table::{Place, Row, Table};
use tree::Tree;

const PLATFORMS: [&str; 5] = ["kafka_rest", "databricks", "synapse", "dbt_cloud", "http"];

/// Each table, as the code reads it and as a plain list.
static OURS: LazyLock<Vec<Platform>> = LazyLock::new(|| {
    PLATFORMS.iter().map(|word| Platform::new(shipped(word).expect("a table"))).collect()
});
static TABLES: LazyLock<Vec<Table>> =
    LazyLock::new(|| OURS.iter().map(|it| Table::read(it.table().text())).collect());

/// Names in lower case, and values.
type Fields = Vec<(String, Vec<u8>)>;

/// A request to a platform.
#[derive(Clone, Debug, Default)]
struct Sent {
    platform: usize,
    /// Whether all options are on.
    has_options: bool,
    /// Words and values of ids that are pinned.
    pins: Vec<(String, String)>,
    method: String,
    path: Vec<u8>,
    query: Option<Vec<u8>>,
    is_decoded: bool,
    fields: Fields,
    body: Vec<u8>,
}

impl FieldsOf for Sent {
    fn field(&self, name: &str) -> Field<'_> {
        let mut found = self.fields.iter().filter(|(known, _)| known == name);
        match (found.next(), found.next()) {
            (None, _) => Field::Absent,
            (Some((_, value)), None) => Field::One(value),
            (Some(_), Some(_)) => Field::Several,
        }
    }
}

/// A request that has a name is read so by the honest reader, and by each server that has a habit of its
/// own: there are never two readings of it. A plain one that the honest reader names has a name.
///
/// Returns whether it has one.
pub fn naming(data: &[u8]) -> bool {
    let Some(sent) = Sent::read(data, &TABLES) else { return false };
    match judge(&sent) {
        Ok(is_named) => is_named,
        Err(finding) => panic!("{finding}"),
    }
}

/// Whether a request has a name; an error tells of another reading.
fn judge(sent: &Sent) -> Result<bool, String> {
    let table = &TABLES[sent.platform];
    let ours = match ours(sent) {
        Ok(ours) => ours,
        Err(reason) => {
            return match plain(table, sent) {
                Some(reading) => Err(format!("{sent} is refused as {reason}, and is {reading:?}")),
                None => Ok(false),
            };
        }
    };
    let row = table.rows.iter().find(|row| row.line == ours.line).expect("its row");
    let is_late = row.has("any_character") || row.has("encoded_slash");
    for server in SERVERS {
        // The servers of such rows decode segments, not paths.
        if is_late && (server.decodes_first > 0 || server.takes_backslashes) {
            continue;
        }
        let reading = read(table, sent, server).map(|reading| as_strict(reading, &ours));
        if reading != Ok(ours.clone()) && reading != Err(Unread::Untold) {
            return Err(format!("{sent} is {ours:?}, and {reading:?} for {server:?}"));
        }
    }
    if is_late {
        let [one, other] = [false, true].map(|merges| {
            Server { decodes_first: 1, takes_backslashes: true, merges, ..Server::default() }
                .segments(sent)
        });
        if one != other {
            return Err(format!("{sent} is {ours:?}, and leads elsewhere"));
        }
    }
    Ok(true)
}

/// The reading of a request without anything odd that all servers agree about.
fn plain(table: &Table, sent: &Sent) -> Option<Named> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_/.=&%+,".contains(byte);
    let is_step = |part: &&str| ["", ".", ".."].contains(part);
    let path = std::str::from_utf8(&sent.path).ok()?.trim_start_matches('/').trim_end_matches('/');
    let is_plain = !path.split('/').any(|part| is_step(&part))
        && sent.path.iter().all(|byte| is_plain(byte) && *byte != b'%')
        && sent.query.iter().flatten().all(is_plain)
        && sent.fields.iter().all(|(name, _)| name != "content-encoding")
        && !twins(sent.fields.iter().map(|(name, _)| name));
    let reading =
        Some(sent).filter(|_| is_plain).and_then(|_| read(table, sent, SERVERS[0]).ok())?;
    let is_one = |server: &Server| read(table, sent, *server).as_ref() == Ok(&reading);
    let is_sized =
        sent.body.len() < 4096 && (Tree::read(&sent.body).is_some() || !sent.body.contains(&b';'));
    let row = table.rows.iter().find(|row| row.line == reading.line)?;
    let is_honest = is_sized && !has_twins(sent) && !is_respelt(row, sent);
    (is_honest && SERVERS.iter().all(is_one)).then_some(reading)
}

/// Whether a name is there in another spelling, which is refused whatever it says.
fn is_respelt(row: &Row, sent: &Sent) -> bool {
    let pointers = row.pointers();
    let mut wanted: BTreeSet<&str> = pointers.iter().flat_map(|it| it.split('/')).collect();
    wanted.extend(row.places().filter_map(|place| match place {
        Place::Query { name, .. } => Some(name.as_str()),
        _ => None,
    }));
    wanted.extend(row.chosen_by.iter().map(|(name, _)| name.as_str()));
    let mut names = Vec::new();
    if let Some(tree) = Tree::read(&sent.body) {
        tree.names(&mut names);
    }
    for text in sent.query.iter().chain([&sent.body]) {
        let members = std::str::from_utf8(text).ok().and_then(|text| SERVERS[0].members(text));
        names.extend(members.into_iter().flatten().map(|(name, _)| name));
    }
    let is_other = |name: &String| {
        wanted.iter().any(|it| it != name && server::folded(it) == server::folded(name))
    };
    // A name with a control character is refused too.
    names.iter().any(|name| is_other(name) || name.chars().any(char::is_control))
}

/// Whether a member of the query or of the body is there twice, which is refused whatever it says.
fn has_twins(sent: &Sent) -> bool {
    let has = |text: &[u8]| {
        let members = std::str::from_utf8(text).ok().and_then(|text| SERVERS[0].members(text));
        members.is_some_and(|members| twins(members.iter().map(|(name, _)| name)))
    };
    sent.query.as_deref().is_some_and(has)
        || Tree::read(&sent.body).map_or_else(|| has(&sent.body), |tree| tree.has_twins())
}

fn twins<'n>(names: impl Iterator<Item = &'n String>) -> bool {
    let mut seen = BTreeSet::new();
    names.into_iter().any(|name| !seen.insert(name))
}

/// Whoever may override may run: a reading as a run is no way round a name that says more.
fn as_strict(mut reading: Named, ours: &Named) -> Named {
    if ours.action == "override" && reading.action != "override" {
        let resources = reading.resources.into_iter().map(|(kind, action, name)| {
            let is_first = kind == reading.kind && action == reading.action;
            (kind, if is_first { "override".into() } else { action }, name)
        });
        reading.resources = resources.collect();
        reading.action = "override".into();
    }
    reading
}

/// What the code names; an error is the word of the refusal.
fn ours(sent: &Sent) -> Result<Named, &'static str> {
    let mut platform = OURS[sent.platform].clone();
    if sent.has_options {
        for option in &TABLES[sent.platform].options {
            assert!(platform.set_option(option), "{option}");
        }
    }
    for (word, value) in &sent.pins {
        assert!(platform.pin(word, value), "{word}");
    }
    let asked = Asked {
        method: &sent.method,
        path: &sent.path,
        query: sent.query.as_deref(),
        is_decoded: sent.is_decoded,
        fields: sent,
    };
    let route = platform.route(&asked).map_err(|refused| refused.word())?;
    let found = match route.wanted().filter(|_| !sent.body.is_empty()) {
        None => None,
        Some(wanted) => {
            let kind = route.body_type().map_err(|error| Reason::from(error).word())?;
            let mut reader = Reader::new(kind, wanted);
            let found = reader.feed(&sent.body).and_then(|()| reader.finish());
            Some(found.map_err(|error| Reason::from(error).word())?)
        }
    };
    let operation = route.name(found.as_ref()).map_err(|refused| refused.word())?;
    let kinds = operation.table.kinds();
    let kind = |id| kinds.get(id).expect("a kind").name.to_string();
    let resources = operation.resources.iter().map(|it| {
        (kind(it.kind), kinds.word(it.action).to_owned(), it.name.as_deref().map(str::to_owned))
    });
    Ok(Named {
        line: route.line(),
        operation: operation.name().into(),
        kind: kind(operation.kind),
        action: kinds.word(operation.action).into(),
        resources: resources.collect::<BTreeSet<_>>(),
    })
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, path, query, fields, body, .. } = self;
        write!(f, "{} {method} {}", PLATFORMS[self.platform], path.escape_ascii())?;
        if let Some(query) = query {
            write!(f, "?{}", query.escape_ascii())?;
        }
        for (name, value) in fields {
            write!(f, " [{name}: {}]", value.escape_ascii())?;
        }
        write!(
            f,
            " {}{}{:?}",
            body.escape_ascii(),
            if self.is_decoded { " decoded " } else { "" },
            self.pins
        )
    }
}

#[cfg(test)]
mod tests {
    use super::sent::known;
    use super::*;

    #[test]
    fn the_requests_of_real_clients_have_one_reading() {
        let (mut named, mut findings) = (0, Vec::new());
        for sent in known() {
            match judge(sent) {
                Ok(is_named) => named += u32::from(is_named),
                Err(finding) => findings.push(finding),
            }
        }
        assert_eq!(findings, Vec::<String>::new());
        assert!(named > 900, "{named} are named");
    }
}
