use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: UnixTime = UnixTime::from_secs(crate::testing::NOW);

fn issuer(name: &str) -> Option<usize> {
    ["okta", "entra"].iter().position(|known| *known == name)
}

fn list(entries: &Value) -> Revocations {
    let text = json!({ "version": 1, "revoked": entries }).to_string();
    Revocations::parse(text.as_bytes(), issuer).unwrap()
}

fn fault(text: &str) -> RevocationError {
    Revocations::parse(text.as_bytes(), issuer).expect_err(text)
}

static KEYS: LazyLock<[Box<str>; 2]> = LazyLock::new(|| ["k".into(), "l".into()]);

/// A token of the first issuer with a name of each kind.
fn token() -> Revocable<'static> {
    Revocable {
        issuer: 0,
        token: Some("t"),
        subject: Some("s"),
        session: Some("o"),
        keys: &*KEYS,
        issued_at: Some(1_799_999_000),
    }
}

#[test]
fn a_key_is_revoked_by_each_of_its_names() {
    for (kid, covered) in [("k", true), ("l", true), ("m", false)] {
        assert_eq!(covers(&json!([{ "kid": kid }])), covered, "{kid}");
    }
}

fn covers(entries: &Value) -> bool {
    list(entries).cover(&token(), NOW)
}

#[test]
fn each_kind_is_compared_with_its_own_name_alone() {
    let names = [("jti", "t"), ("sub", "s"), ("sid", "o"), ("kid", "k")];
    for (member, name) in names {
        for (_, other) in names {
            assert_eq!(covers(&json!([{ member: other }])), name == other, "{member} {other}");
        }
        assert!(!covers(&json!([{ member: name.to_uppercase() }])));
        assert!(!covers(&json!([{ member: format!("{name} ") }])));
    }
    let nameless = Revocable { token: None, subject: None, session: None, keys: &[], ..token() };
    let all = json!([{ "jti": "t" }, { "sub": "s" }, { "sid": "o" }, { "kid": "k" }]);
    assert!(!list(&all).cover(&nameless, NOW));
}

#[test]
fn nothing_is_revoked_by_an_empty_list() {
    assert_eq!(list(&json!([])).count(), 0);
    assert!(!covers(&json!([])));
}

#[test]
fn an_entry_of_one_issuer_leaves_the_others_alone() {
    assert!(covers(&json!([{ "jti": "t", "issuer": "okta" }])));
    assert!(!covers(&json!([{ "jti": "t", "issuer": "entra" }])));
    let both = list(&json!([{ "jti": "t", "issuer": "entra" }, { "jti": "t", "issuer": "okta" }]));
    assert_eq!(both.count(), 2);
    assert!(both.cover(&token(), NOW));
    assert!(!both.cover(&Revocable { issuer: 2, ..token() }, NOW));
    let every = list(&json!([{ "jti": "t", "issuer": "entra" }, { "jti": "t" }]));
    assert!(every.cover(&Revocable { issuer: 2, ..token() }, NOW));
}

#[test]
fn before_spares_the_tokens_that_were_issued_later() {
    let before = |time: Value| json!([{ "sub": "s", "before": time }]);
    assert!(covers(&before(json!(1_799_999_000))), "issued in that very second");
    assert!(!covers(&before(json!(1_799_998_999))));
    assert!(covers(&before(json!("2027-01-15T07:43:20Z"))));
    assert!(!covers(&before(json!("2027-01-15T07:43:19Z"))));
    assert!(covers(&before(json!("2027-01-15T07:43:19.001Z"))), "a fraction is rounded up");
    let ageless = Revocable { issued_at: None, ..token() };
    assert!(list(&before(json!(0))).cover(&ageless, NOW), "nobody knows how old it is");
}

#[test]
fn from_until_on_an_entry_counts_no_more() {
    let until = |time: Value| json!([{ "jti": "t", "until": time }]);
    assert!(covers(&until(json!(1_800_000_001))));
    assert!(!covers(&until(json!(1_800_000_000))));
    assert!(!covers(&until(json!("2027-01-15T08:00:00Z"))));
    assert!(covers(&until(json!("2027-01-15T08:00:00.5Z"))));
}

#[test]
fn what_is_listed_twice_is_revoked_as_far_as_either_says() {
    for entries in [
        json!([{ "sub": "s", "before": 5 }, { "sub": "s" }]),
        json!([{ "sub": "s" }, { "sub": "s", "before": 5 }]),
        json!([{ "sub": "s", "until": 5 }, { "sub": "s", "until": 1_800_000_001 }]),
        json!([{ "sub": "s", "until": 1_800_000_001 }, { "sub": "s", "until": 5 }]),
        json!([{ "sub": "s", "before": 1_799_999_000 }, { "sub": "s", "before": 5 }]),
    ] {
        assert_eq!(list(&entries).count(), 1, "{entries}");
        assert!(covers(&entries), "{entries}");
    }
    assert!(!covers(&json!([{ "sub": "s", "before": 5 }, { "sub": "s", "before": 6 }])));
}

#[test]
fn anything_else_is_refused_with_its_place() {
    let entry = |text: &str| format!("{{\"version\":1,\"revoked\":[\n{text}]}}");
    let a_time = Fault::NotA("a time: whole Unix seconds, or as in \"2026-01-01T00:00:00Z\"");
    let an_entry = Fault::NotA("an entry, which is an object");
    for (text, line, column, fault_is) in [
        ("", 1, 1, Fault::Syntax),
        (" \n", 2, 1, Fault::Syntax),
        ("{", 1, 1, Fault::Syntax),
        ("[]", 1, 1, Fault::NotA("an object")),
        ("{}", 1, 2, Fault::Missing("version")),
        ("{\"version\":1}", 1, 13, Fault::Missing("revoked")),
        ("{\"revoked\":[]}", 1, 14, Fault::Missing("version")),
        ("{\"version\":2,\"revoked\":[]}", 1, 12, Fault::Version),
        ("{\"version\":\"1\",\"revoked\":[]}", 1, 14, Fault::NotA("a version")),
        ("{\"version\":1,\"revoked\":{}}", 1, 23, Fault::NotA("a list of entries")),
        ("{\"version\":1,\"revoke\":[]}", 1, 21, Fault::UnknownMember),
        ("{\"version\":1,\"version\":1}", 1, 22, Fault::Duplicate),
        ("{\"revoked\":[],\"revoked\":[]}", 1, 23, Fault::Duplicate),
        ("{\"version\":1,\"revoked\":[]} x", 1, 28, Fault::Syntax),
        ("{\"version\":1,\"revoked\":[]}\n{}", 2, 1, Fault::Syntax),
        (&entry("\"t\""), 2, 3, an_entry),
        (&entry("{\"jti\":\"t\"},[]"), 2, 12, an_entry),
        (&entry("{}"), 2, 2, Fault::Nameless),
        (&entry("{\"issuer\":\"okta\"}"), 2, 17, Fault::Nameless),
        (&entry("{\"jti\":\"t\",\"sub\":\"s\"}"), 2, 16, Fault::Several),
        (&entry("{\"jti\":\"t\",\"jti\":\"t\"}"), 2, 16, Fault::Duplicate),
        (&entry("{\"jti\":\"t\",\"j\\u0074i\":\"u\"}"), 2, 21, Fault::Duplicate),
        (&entry("{\"sub\":\"s\",\"note\":\"\",\"note\":\"\"}"), 2, 27, Fault::Duplicate),
        (&entry("{\"sub\":\"s\",\"until\":1,\"until\":1}"), 2, 28, Fault::Duplicate),
        (&entry("{\"sub\":\"s\",\"before\":1,\"before\":1}"), 2, 30, Fault::Duplicate),
        (&entry("{\"issuer\":\"okta\",\"issuer\":\"okta\"}"), 2, 25, Fault::Duplicate),
        (&entry("{\"Jti\":\"t\"}"), 2, 6, Fault::UnknownMember),
        (&entry("{\"jti\":\"t\",\"exp\":1}"), 2, 16, Fault::UnknownMember),
        (&entry("{\"jti\":\"\"}"), 2, 9, Fault::Empty),
        (&entry("{\"jti\":7}"), 2, 8, Fault::NotA("a text")),
        (&entry("{\"jti\":[\"t\"]}"), 2, 7, Fault::NotA("a text")),
        (&entry("{\"jti\":null}"), 2, 11, Fault::NotA("a text")),
        (&entry("{\"jti\":\"t\",\"issuer\":\"Okta\"}"), 2, 26, Fault::UnknownIssuer),
        (&entry("{\"jti\":\"t\",\"before\":1}"), 2, 22, Fault::BeforeWithoutSubject),
        (&entry("{\"sub\":\"s\",\"before\":1.5}"), 2, 23, a_time),
        (&entry("{\"sub\":\"s\",\"before\":true}"), 2, 24, a_time),
        (&entry("{\"sub\":\"s\",\"before\":\"1\"}"), 2, 23, a_time),
        (&entry("{\"sub\":\"s\",\"until\":\"2026-01-01\"}"), 2, 31, a_time),
        (&entry("{\"sub\":\"s\",\"until\":\"2026-01-01T00:00:00+01:00\"}"), 2, 46, a_time),
        (&entry("{\"sub\":\"s\",\"until\":-1}"), 2, 21, Fault::TimeOutOfRange),
        (&entry("{\"sub\":\"s\",\"until\":1800000000000}"), 2, 32, Fault::TimeOutOfRange),
        (&entry("{\"sub\":\"s\",}"), 2, 12, Fault::Syntax),
        (&entry("{\"sub\":\"\u{7f}\\q\"}"), 2, 11, Fault::Syntax),
    ] {
        let error = fault(text);
        let expected = RevocationError { line, column, fault: fault_is };
        assert_eq!(error, expected, "{text}");
    }
}

#[test]
fn a_name_is_as_long_as_a_token_may_be() {
    let name = "x".repeat(MAX_NAME_BYTES);
    let long = Revocable { token: Some(&name), ..token() };
    assert!(list(&json!([{ "jti": name }])).cover(&long, NOW));
    let text = json!({ "version": 1, "revoked": [{ "jti": format!("{name}x") }] }).to_string();
    assert_eq!(fault(&text).fault, Fault::TooLong);
}

#[test]
fn size_and_number_are_bounded() {
    let many = |count: usize| {
        let entries: Vec<_> =
            (0..count).map(|number| format!("{{\"jti\":\"{number}\"}}")).collect();
        format!("{{\"version\":1,\"revoked\":[{}]}}", entries.join(","))
    };
    let full = Revocations::parse(many(MAX_ENTRIES).as_bytes(), issuer).unwrap();
    assert_eq!(full.count(), MAX_ENTRIES);
    let last = (MAX_ENTRIES - 1).to_string();
    assert!(full.cover(&Revocable { token: Some(&last), ..token() }, NOW));
    assert!(!full.cover(&token(), NOW));
    assert_eq!(fault(&many(MAX_ENTRIES + 1)).fault, Fault::TooMany);
    let padded = format!("{}{}", " ".repeat(MAX_BYTES), "{\"version\":1,\"revoked\":[]}");
    assert_eq!(fault(&padded).fault, Fault::TooLarge);
}

#[test]
fn an_error_quotes_nothing_of_the_list() {
    let error = fault("{\"version\":1,\"revoked\":[{\"jti\":\"secret\",\"secret\":1}]}");
    assert_eq!(error.to_string(), "unknown member at line 1 column 48");
    assert!(!format!("{error:?}").contains("secret"));
}

/// An entry as the test knows it: kind, name, issuer, `before`, `until`.
type Model = (usize, String, Option<usize>, Option<i64>, Option<i64>);

fn any_entry() -> impl Strategy<Value = Model> {
    let name = prop::sample::select(vec!["a", "b", "ab", "", "\u{0}", "é\"\\"]);
    let name = (name, 0_u8..3).prop_map(|(stem, number)| format!("{stem}{number}"));
    let time = || prop::option::of(0_i64..6);
    (0_usize..4, name, prop::option::of(0_usize..2), time(), time()).prop_map(
        |(kind, name, from, before, until)| (kind, name, from, before.filter(|_| kind == 1), until),
    )
}

fn written((kind, name, from, before, until): &Model) -> Value {
    let mut entry = json!({ Kind::ALL[*kind].member(): name });
    if let Some(from) = from {
        entry["issuer"] = json!(["okta", "entra"][*from]);
    }
    before.iter().for_each(|time| entry["before"] = json!(time));
    until.iter().for_each(|time| entry["until"] = json!(time));
    entry
}

proptest! {
    #[test]
    fn a_token_is_revoked_exactly_when_an_entry_is_about_it(
        entries in prop::collection::vec(any_entry(), 0..40),
        asked in any_entry(),
        issuer in 0_usize..3,
        issued_at in prop::option::of(0_i64..6),
        now in 0_i64..6,
    ) {
        let list = list(&entries.iter().map(written).collect());
        let (kind, name, ..) = asked;
        let named = |which: usize| (which == kind).then_some(name.as_str());
        let keys: Vec<Box<str>> = named(3).map(Into::into).into_iter().collect();
        let token = Revocable {
            issuer, issued_at,
            token: named(0), subject: named(1), session: named(2), keys: &keys,
        };
        let about = |from: Option<usize>| {
            let mut same = entries.iter().filter(|it| it.0 == kind && it.1 == name && it.2 == from);
            let Some(first) = same.next() else { return false };
            // Listed twice, the later times apply.
            let (before, until) = same.fold((first.3, first.4), |(before, until), it| {
                (before.zip(it.3).map(|(a, b)| a.max(b)), until.zip(it.4).map(|(a, b)| a.max(b)))
            });
            before.is_none_or(|before| issued_at.is_none_or(|issued| issued <= before))
                && until.is_none_or(|until| now < until)
        };
        let expected = about(None) || about(Some(issuer));
        prop_assert_eq!(list.cover(&token, UnixTime::from_secs(now)), expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = Revocations::parse(&bytes, issuer);
    }

    #[test]
    fn a_changed_list_is_read_as_json_reads_it_or_refused(
        entries in prop::collection::vec(any_entry(), 0..4),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let entries: Value = entries.iter().map(written).collect();
        let mut text = json!({ "version": 1, "revoked": entries }).to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(list) = Revocations::parse(&text, issuer) {
            let lenient: Value = serde_json::from_slice(&text).unwrap();
            prop_assert!(list.count() <= lenient["revoked"].as_array().unwrap().len());
            for entry in lenient["revoked"].as_array().unwrap() {
                let of = |kind: Kind| entry.get(kind.member()).and_then(Value::as_str);
                let keys: Vec<Box<str>> = of(Kind::Key).map(Into::into).into_iter().collect();
                let token = Revocable {
                    issuer: entry.get("issuer").and_then(Value::as_str).and_then(issuer).unwrap_or(9),
                    issued_at: None,
                    token: of(Kind::Token), subject: of(Kind::Subject),
                    session: of(Kind::Session), keys: &keys,
                };
                let is_over = entry.get("until").is_some();
                prop_assert!(is_over || list.cover(&token, NOW));
            }
        }
    }
}
