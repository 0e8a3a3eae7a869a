//! Lists of what is revoked.

use std::collections::HashSet;
use std::sync::LazyLock;

use mesh_core::issuer::revocation::{Kind, MAX_BYTES, Revocable, Revocations};
use mesh_core::text::json::without_mark;
use mesh_core::text::time::UnixTime;
use serde_json::{Value, json};

use crate::assert_printable;
use crate::recipe;

const ISSUERS: [&str; 2] = ["okta", "entra"];

static LISTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let lists = [
        json!([]),
        json!([{ "jti": "a" }, { "sub": "s", "issuer": "okta" }, { "sid": "o" }, { "kid": "k" }]),
        json!([{ "sub": "s", "before": 1_800_000_000, "until": "2030-01-01T00:00:00Z" }]),
        json!([{ "sub": "s", "before": "2026-11-26T08:00:00.5Z", "note": "x" }, { "sub": "s" }]),
        json!([{ "jti": "a", "until": 5 }, { "jti": "a", "issuer": "entra", "until": 9 }]),
    ];
    let list = |entries| json!({ "version": 1, "revoked": entries }).to_string().into_bytes();
    lists.into_iter().map(list).collect()
});

/// A list is JSON of one shape with each member once, and revokes what its entries name, as far as
/// they say, and nothing else; a refusal names a place within it and quotes nothing.
///
/// Returns whether it can be used. The input is a list, or a [`recipe`] over some.
pub fn revocations(data: &[u8]) -> bool {
    let bytes = if recipe::is_recipe(data) { recipe::bake(&LISTS, data) } else { data.to_owned() };
    let find = |name: &str| ISSUERS.iter().position(|known| *known == name);
    let list = match Revocations::parse(&bytes, find) {
        Ok(list) => list,
        Err(error) => {
            assert_printable(&error.to_string());
            assert!((1..=bytes.len() + 1).contains(&error.line));
            assert!((1..=bytes.len() + 1).contains(&error.column));
            return false;
        }
    };
    assert!(bytes.len() <= MAX_BYTES);
    let document: Value = serde_json::from_slice(without_mark(&bytes)).expect("a list is JSON");
    let members = document.as_object().expect("a list is an object");
    assert_eq!((members.len(), &members["version"]), (2, &json!(1)));
    let entries = members["revoked"].as_array().expect("a list has entries");
    let mut distinct = HashSet::new();
    for entry in entries {
        let (kind, name) = named(entry);
        let issuer = entry.get("issuer").map(|name| name.as_str().and_then(find).expect("one"));
        distinct.insert((kind, name, issuer));
        // While it counts, for a token of which nobody knows the age, and for the oldest one.
        for (issuer, issued_at) in [(issuer.unwrap_or(7), None), (issuer.unwrap_or(0), Some(0))] {
            assert!(covers(&list, kind, name, issuer, issued_at), "{entry} does not count");
        }
        let strange = format!("{name}+");
        let other = covers(&list, kind, &strange, 0, None);
        let is_listed = entries.iter().any(|it| named(it) == (kind, &strange));
        assert!(is_listed || !other, "{strange} is not listed");
    }
    assert_eq!(list.count(), distinct.len());
    let counted: usize = Kind::ALL.into_iter().map(|kind| list.count_of(kind)).sum();
    assert_eq!(counted, distinct.len());
    true
}

/// The one name of an entry, whose other members are no names.
fn named(entry: &Value) -> (Kind, &str) {
    let entry = entry.as_object().expect("an entry is an object");
    let extras = ["issuer", "before", "until", "note"];
    let mut names = entry.iter().filter(|(member, _)| !extras.contains(&&***member));
    let (Some((member, name)), None) = (names.next(), names.next()) else {
        panic!("not one name");
    };
    let kind = match &**member {
        "jti" => Kind::Token,
        "kid" => Kind::Key,
        "sid" => Kind::Session,
        "sub" => Kind::Subject,
        other => panic!("{other} is no name"),
    };
    (kind, name.as_str().filter(|name| !name.is_empty()).expect("a text"))
}

/// Whether a token with that one name is revoked while its entry counts.
fn covers(
    list: &Revocations,
    kind: Kind,
    name: &str,
    issuer: usize,
    issued_at: Option<i64>,
) -> bool {
    let of = |which: Kind| (which == kind).then_some(name);
    let keys: Vec<Box<str>> = of(Kind::Key).map(Into::into).into_iter().collect();
    let token = Revocable {
        issuer,
        token: of(Kind::Token),
        subject: of(Kind::Subject),
        session: of(Kind::Session),
        keys: &keys,
        issued_at,
    };
    list.cover(&token, UnixTime::from_secs(-1))
}
