use std::sync::LazyLock;

use mesh_core::body::{BodyError, Boundary, Extract, Reader, Type, Use, Wanted};
use serde_json::Value;

const BOUNDARY: &str = "-b";

static WANTED: LazyLock<Wanted> = LazyLock::new(|| {
    let pointers = [
        ("/path", Use::Value),
        ("/topics/*", Use::Value),
        ("/tasks/*/job/id", Use::Value),
        ("/params", Use::Presence),
    ];
    Wanted::new(&pointers, Some(&["cause"])).expect("pointers")
});

/// A body is read alike however it is cut. What is found in one that is taken is what a whole reading
/// of it finds, and no lenient one finds more.
///
/// Returns whether it is taken. The input is a form after `f`, parts after `m`, of no type after `n`, or
/// JSON after any other letter.
pub fn body(data: &[u8]) -> bool {
    let Some((first, body)) = data.split_first() else { return false };
    let kind = match first {
        b'f' => Type::Form,
        b'n' => Type::Absent,
        b'm' => Type::Multipart(Boundary::new(BOUNDARY).expect("a boundary")),
        _ => Type::Json,
    };
    let whole = read(kind, body, body.len());
    for length in [1, 3, 8, body.len() / 2] {
        assert_eq!(read(kind, body, length), whole, "in pieces of {length}");
    }
    let Ok(found) = whole else { return false };
    match kind {
        _ if body.is_empty() => assert_eq!(found, read(Type::Json, b"", 0).expect("nothing")),
        Type::Form => of_form(body, &found),
        Type::Json => of_json(body, &found),
        Type::Multipart(_) => of_parts(body, &found),
        Type::Absent => panic!("a body without a type is empty"),
    }
    true
}

fn read(kind: Type, body: &[u8], length: usize) -> Result<Extract, BodyError> {
    let mut reader = Reader::new(kind, &WANTED);
    for piece in body.chunks(length.max(1)) {
        reader.feed(piece)?;
    }
    reader.finish()
}

fn values(found: &Extract, place: usize) -> Vec<&str> {
    (0..).map_while(|at| found.value(place, at)).collect()
}

/// Against a tree, in which the last of two members of one name wins; among those that are wanted there
/// must be no second one.
fn of_json(body: &[u8], found: &Extract) {
    let tree: Value = match serde_json::from_slice(body) {
        Ok(tree) => tree,
        Err(error) if error.to_string().contains("out of range") => return,
        Err(error) => panic!("no JSON: {error}"),
    };
    let same = |place: usize, members: Vec<&Value>| {
        let members: Vec<_> = members.into_iter().filter(|it| !it.is_null()).collect();
        let values = values(found, place);
        assert_eq!(values.len(), members.len(), "place {place}");
        for (value, member) in values.into_iter().zip(members) {
            match member {
                Value::String(text) => assert_eq!(value, text),
                Value::Number(number) => {
                    let read: Value = serde_json::from_str(value).expect("a number");
                    assert_eq!(&read, &Value::Number(number.clone()));
                }
                other => assert_eq!(value, other.to_string()),
            }
        }
    };
    let elements = |name: &str| tree.get(name).and_then(Value::as_array).into_iter().flatten();
    same(0, tree.get("path").into_iter().collect());
    same(1, elements("topics").collect());
    same(2, elements("tasks").filter_map(|task| task.pointer("/job/id")).collect());
    assert_eq!(found.is_there(3), tree.get("params").is_some_and(|it| !it.is_null()));
    let Some(members) = tree.as_object() else { return assert!(tree.is_null()) };
    // A tree has lost the first of two others, which may be the one that is not null.
    let has_other = members.iter().any(|(name, value)| name != "cause" && !value.is_null());
    assert!(found.has_other() >= has_other);
    let wanted = ["path", "topics", "tasks", "params"];
    assert!(members.keys().all(|name| !is_other_spelling(name, &wanted)));
}

/// As a server that does not tell case, `_` and `-`.
fn is_other_spelling(name: &str, wanted: &[&str]) -> bool {
    let folded = name.to_lowercase().replace(['_', '-'], "");
    !wanted.contains(&name) && wanted.contains(&&*folded)
}

fn of_form(body: &[u8], found: &Extract) {
    let mut paths = Vec::new();
    for pair in body.split(|byte| *byte == b'&') {
        let mut sides = pair.splitn(2, |byte| *byte == b'=').map(decoded);
        let (name, value) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        if name == b"path" {
            paths.push(value);
        }
        let name = String::from_utf8(name).expect("a name is UTF-8");
        assert!(!is_other_spelling(&name, &["path", "topics", "tasks", "params"]));
    }
    let found: Vec<_> = values(found, 0).into_iter().map(|it| it.as_bytes().to_owned()).collect();
    assert_eq!(found, paths);
    assert!(paths.len() < 2);
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'%' {
            let digits = std::str::from_utf8(&text[at + 1..at + 3]).expect("digits");
            bytes.push(u8::from_str_radix(digits, 16).expect("an escape"));
            at += 3;
        } else {
            bytes.push(if text[at] == b'+' { b' ' } else { text[at] });
            at += 1;
        }
    }
    bytes
}

/// As a server that divides at every boundary, wherever it is.
fn of_parts(body: &[u8], found: &Extract) {
    let text = body.escape_ascii().to_string();
    let mut parts: Vec<&str> = text.split("---b").collect();
    assert_eq!(parts.remove(0), "", "nothing is before the first");
    let last = parts.pop().expect("a last boundary");
    assert!(["--", "--\\r\\n"].contains(&last), "{last} follows the last");
    let mut paths = Vec::new();
    for part in parts {
        let part = part.strip_prefix("\\r\\n").expect("a line of its own");
        let (fields, data) = part.split_once("\\r\\n\\r\\n").expect("fields end");
        let data = data.strip_suffix("\\r\\n").expect("a boundary begins a line");
        let fields = fields.to_ascii_lowercase();
        if fields.contains("name=\\\"path\\\"") || fields.contains("name=path") {
            paths.push(data.to_owned());
        }
    }
    let found: Vec<_> = values(found, 0).into_iter().collect();
    let found: Vec<_> = found.iter().map(|it| it.as_bytes().escape_ascii().to_string()).collect();
    assert!(found.iter().all(|value| paths.contains(value)), "{found:?} of {paths:?}");
    assert!(found.len() < 2);
}
