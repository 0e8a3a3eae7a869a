//! Requests, written down as bytes: a request as text, or one of a real client or of a row, and what an
//! attacker changes of it.

use std::sync::LazyLock;

use serde_json::Value;

use super::document;
use super::table::{Place, Row, Seg, Table};
use super::{PLATFORMS, Sent};
use crate::dice::Dice;
use crate::recipe;

/// What real clients sent, and the examples of the tables, by platform.
static KNOWN: LazyLock<[Vec<Sent>; 5]> = LazyLock::new(|| {
    let files = [
        (
            include_str!("../../../platform/traffic/kafka_rest.jsonl"),
            include_str!("../../../platform/examples/kafka_rest.txt"),
        ),
        (
            include_str!("../../../platform/traffic/databricks.jsonl"),
            include_str!("../../../platform/examples/databricks.txt"),
        ),
        (
            include_str!("../../../platform/traffic/synapse.jsonl"),
            include_str!("../../../platform/examples/synapse.txt"),
        ),
        (
            include_str!("../../../platform/traffic/dbt_cloud.jsonl"),
            include_str!("../../../platform/examples/dbt_cloud.txt"),
        ),
        ("", include_str!("../../../platform/examples/http.txt")),
    ];
    let mut platform = 0..;
    files.map(|(traffic, examples)| {
        let platform = platform.next().expect("a number");
        let traffic = traffic.lines().filter_map(|line| of_traffic(platform, line));
        traffic.chain(examples.lines().filter_map(|line| of_example(platform, line))).collect()
    })
});

/// Every request of a real client and every example.
#[cfg(test)]
pub(super) fn known() -> impl Iterator<Item = &'static Sent> {
    KNOWN.iter().flatten()
}

impl Sent {
    fn new(platform: usize, method: &str, target: &str) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.as_bytes().to_vec())),
            None => (target, None),
        };
        let (method, path) = (method.into(), path.as_bytes().to_vec());
        Self { platform, method, path, query, ..Self::default() }
    }

    /// Reads an input.
    pub(super) fn read(data: &[u8], tables: &[Table]) -> Option<Self> {
        if recipe::is_recipe(data) {
            return Some(of_dice(&mut Dice::new(data), tables));
        }
        let end = data.windows(2).position(|it| it == b"\n\n").unwrap_or(data.len());
        let mut lines = data[..end].split(|byte| *byte == b'\n');
        let first = std::str::from_utf8(lines.next()?).ok()?;
        let mut words = first.splitn(3, ' ');
        let (platform, method, target) = (words.next()?, words.next()?, words.next()?);
        let has_options = platform.ends_with('+');
        let platform = platform.trim_end_matches('+');
        let platform = PLATFORMS.iter().position(|word| *word == platform)?;
        let mut sent = Self { has_options, ..Self::new(platform, method, target) };
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = std::str::from_utf8(&line[..colon]).ok()?.to_ascii_lowercase();
            sent.fields.push((name, line[colon + 1..].trim_ascii().to_vec()));
        }
        sent.body = data.get(end + 2..).unwrap_or_default().to_vec();
        Some(sent)
    }
}

fn of_traffic(platform: usize, line: &str) -> Option<Sent> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let mut sent = Sent::new(platform, text("method")?, text("target")?);
    for field in value.get("headers").and_then(Value::as_array).into_iter().flatten() {
        let name = field.get(0)?.as_str()?.to_ascii_lowercase();
        sent.fields.push((name, field.get(1)?.as_str()?.as_bytes().to_vec()));
    }
    sent.body = text("body").unwrap_or_default().into();
    Some(sent)
}

fn of_example(platform: usize, line: &str) -> Option<Sent> {
    let (request, _) = line.split_once("  =>  ")?;
    let mut words = request.splitn(3, ' ');
    let mut sent = Sent::new(platform, words.next()?, words.next()?);
    let rest = words.next().unwrap_or_default();
    let field = rest.strip_prefix('[').and_then(|it| it.split_once(']'));
    let field = field.filter(|(it, _)| it.contains(": "));
    let body = field.map_or(rest, |(_, body)| body.trim_start());
    if let Some((name, value)) = field.and_then(|(field, _)| field.split_once(": ")) {
        sent.fields.push((name.to_ascii_lowercase(), value.into()));
    }
    if sent.fields.iter().all(|(name, _)| name != "content-type") {
        sent.fields.push(("content-type".into(), b"application/json".to_vec()));
    }
    sent.body = body.into();
    Some(sent)
}

const METHODS: [&str; 9] =
    ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "post"];

/// What stands in names, and in place of them.
pub(super) const NAMES: [&str; 24] = [
    "a",
    "42",
    "7",
    "-",
    "orders",
    "042",
    "A",
    "main.sales.orders",
    "scope/key",
    "/Shared/x",
    "/Workspace/Shared/x",
    "dbfs:/x",
    "/Volumes/c/s/v/x",
    "a b",
    "1",
    "0",
    "a:b",
    "%41",
    "+7",
    "\u{212a}",
    "\u{17f}",
    "00000000-0000-0000-0000-00000000000A",
    "18446744073709551616",
    "x.y",
];

/// What an attacker puts into a path.
const ODD: [&str; 40] = [
    "/",
    "//",
    "/../",
    "/./",
    "..",
    ".",
    "%2F",
    "%2f",
    "%5C",
    "\\",
    ";",
    ";x=1",
    "%3B",
    "%2e",
    "%2E%2e",
    "%25",
    "%252F",
    "%00",
    "%0A",
    "%3A",
    ":",
    ":x",
    "?",
    "%3F",
    "#",
    "%23",
    "-",
    "+",
    "%20",
    " ",
    "%",
    "%4",
    "%FF",
    "%C0%AF",
    "%E2%84%AA",
    "\u{130}",
    "%C4%B0",
    "*",
    "0",
    "=",
];

fn of_dice(dice: &mut Dice<'_>, tables: &[Table]) -> Sent {
    let platform = usize::from(dice.byte() & 0x7f) % tables.len();
    let table = &tables[platform];
    let known = &KNOWN[platform];
    let at = dice.below(known.len() + table.rows.len());
    let row = at.checked_sub(known.len()).map(|at| &table.rows[at]);
    let mut sent = match row {
        Some(row) => of_row(platform, row, dice),
        None => known[at].clone(),
    };
    sent.has_options = dice.once_in(2);
    sent.is_decoded = dice.once_in(8);
    if let Some((word, _)) = table.scopes.first().filter(|_| dice.once_in(4)) {
        sent.pins.push((word.clone(), dice.pick(&["1", "a", "42"]).into()));
    }
    for _ in 0..dice.below(5) {
        change(&mut sent, row, dice);
    }
    recipe::change(&mut sent.body, dice.rest());
    sent
}

fn of_row(platform: usize, row: &Row, dice: &mut Dice<'_>) -> Sent {
    let mut path = String::new();
    for segment in &row.segments {
        path.push('/');
        match segment {
            Seg::Literal(text) => path.push_str(text),
            Seg::Parameter { before, behind, is_number, .. } => {
                let name = if *is_number { dice.pick(&NAMES[1..3]) } else { dice.pick(&NAMES) };
                path.push_str(before);
                path.push_str(&name.replace('/', "%2F"));
                path.push_str(behind);
            }
            Seg::Rest(_) => path.push_str(dice.pick(&NAMES).trim_start_matches('/')),
        }
    }
    if path.is_empty() {
        path.push('/');
    }
    let mut sent =
        Sent::new(platform, dice.pick(&row.methods.iter().map(|it| &**it).collect::<Vec<_>>()), "");
    sent.path = path.into_bytes();
    let mut query: Vec<String> =
        row.chosen_by.iter().map(|(name, values)| format!("{name}={}", values[0])).collect();
    for place in row.places() {
        match place {
            Place::Query { name, .. } if dice.once_in(2) => {
                query.push(format!("{name}={}", dice.pick(&NAMES)));
            }
            Place::Header(name) if dice.once_in(2) => {
                sent.fields.push((name.clone(), dice.pick(&NAMES).into()));
            }
            _ => {}
        }
    }
    sent.query = (!query.is_empty()).then(|| query.join("&").into_bytes());
    let bodies = row.words("body").unwrap_or_else(|| vec!["json"]);
    let is_form = bodies.contains(&"form") && dice.once_in(2);
    let kind = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
    sent.fields.push(("content-type".into(), kind.into()));
    if row.reads_body() {
        sent.body = document::write(&row.pointers(), is_form, dice).into_bytes();
    }
    sent
}

/// Makes one change.
fn change(sent: &mut Sent, row: Option<&Row>, dice: &mut Dice<'_>) {
    match dice.below(8) {
        0 => sent.method = dice.pick(&METHODS).into(),
        1 | 2 => insert(&mut sent.path, dice.pick(&ODD).as_bytes(), dice),
        3 => of_segment(&mut sent.path, dice),
        4 => respell(&mut sent.path, dice),
        5 => of_query(sent, row, dice),
        6 => of_fields(sent, dice),
        _ => of_body(&mut sent.body, dice),
    }
}

fn insert(text: &mut Vec<u8>, piece: &[u8], dice: &mut Dice<'_>) {
    let at = dice.below(text.len() + 1);
    drop(text.splice(at..at, piece.iter().copied()));
}

/// Leaves a segment out, takes it twice, or puts another in its place.
fn of_segment(path: &mut Vec<u8>, dice: &mut Dice<'_>) {
    let mut segments: Vec<Vec<u8>> = path.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect();
    let at = dice.below(segments.len());
    match dice.below(3) {
        0 => drop(segments.remove(at)),
        1 => segments.insert(at, segments[at].clone()),
        _ => segments[at] = dice.pick(&NAMES).replace('/', "%2F").into_bytes(),
    }
    *path = segments.join(&b'/');
}

/// Writes a letter in the other case, or escaped.
fn respell(text: &mut Vec<u8>, dice: &mut Dice<'_>) {
    let at = dice.below(text.len());
    let Some(byte) = text.get_mut(at) else { return };
    if byte.is_ascii_alphabetic() && dice.once_in(2) {
        *byte ^= 0x20;
    } else {
        let escape = format!("%{byte:02x}");
        drop(text.splice(at..=at, escape.into_bytes()));
    }
}

fn of_query(sent: &mut Sent, row: Option<&Row>, dice: &mut Dice<'_>) {
    let query = sent.query.get_or_insert_default();
    let mut names: Vec<&str> = vec!["path", "job_id", "run_id", "comp", "action", "api-version"];
    let rows = row.into_iter().flat_map(Row::places);
    names.extend(rows.filter_map(|place| match place {
        Place::Query { name, .. } => Some(name.as_str()),
        _ => None,
    }));
    let name = document::spelt(dice.pick(&names), dice);
    let pair = format!("{name}={}", dice.pick(&NAMES));
    match dice.below(4) {
        0 => respell(query, dice),
        1 => insert(query, dice.pick(&["&", ";", "=", "#", "+", "%26", "%"]).as_bytes(), dice),
        place => {
            let sign = if place == 2 && dice.once_in(4) { b';' } else { b'&' };
            if !query.is_empty() {
                query.push(sign);
            }
            query.extend_from_slice(pair.as_bytes());
        }
    }
}

fn of_fields(sent: &mut Sent, dice: &mut Dice<'_>) {
    let (name, value) = dice.pick(&[
        ("content-type", "application/json"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-type", "application/vnd.kafka.v1+json"),
        ("content-type", "application/vnd.kafka.json.v2+json"),
        ("content-type", "text/plain"),
        ("content-encoding", "gzip"),
        ("x-databricks-cluster-id", "other"),
        ("x-databricks-org-id", "1"),
        ("x-http-method-override", "DELETE"),
    ]);
    if dice.once_in(2) {
        sent.fields.retain(|(known, _)| known != name);
    }
    sent.fields.push((name.into(), value.into()));
}

fn of_body(body: &mut Vec<u8>, dice: &mut Dice<'_>) {
    let piece = dice.pick(&[
        "\"path\":\"/Shared/y\",",
        "\"job_id\":43,",
        "\"jobId\":43,",
        "null",
        "[1]",
        "{}",
        "1.0",
        "\\u0073",
        "&path=x",
        ";",
        "&",
        "%41",
        "1e3",
        "true",
        "-0",
        ",",
    ]);
    match dice.below(3) {
        0 => insert(body, piece.as_bytes(), dice),
        1 => respell(body, dice),
        _ => body.clear(),
    }
}
