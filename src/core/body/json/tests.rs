use proptest::prelude::*;
use serde_json::Value;

use crate::body::{BodyError, Extract, Reader, Type, Use, Wanted};

mod oracle;

fn wanted() -> Wanted {
    let pointers = [
        ("/job_id", Use::Value),
        ("/topics/*", Use::Value),
        ("/tasks/*/notebook/path", Use::Value),
        ("/params", Use::Presence),
        ("/a~1b", Use::Value),
    ];
    Wanted::new(&pointers, Some(&["cause", "job_id"])).unwrap()
}

/// What is found at once, which is what is found byte by byte.
fn read(body: &[u8]) -> Result<Extract, BodyError> {
    let wanted = wanted();
    let mut whole = Reader::new(Type::Json, &wanted);
    let result = whole.feed(body).and_then(|()| whole.finish());
    let mut pieces = Reader::new(Type::Json, &wanted);
    let by_byte =
        body.chunks(1).try_for_each(|byte| pieces.feed(byte)).and_then(|()| pieces.finish());
    assert_eq!(by_byte, result);
    result
}

#[track_caller]
fn found(body: &str) -> Extract {
    read(body.as_bytes()).unwrap()
}

fn values(found: &Extract, place: usize) -> Vec<&str> {
    (0..).map_while(|at| found.value(place, at)).collect()
}

#[test]
fn selected_members_are_found_in_their_order() {
    let body = r#" { "x": [{"job_id": 1}], "job_id" : 42, "topics": ["a", "b\u0041\n", null], "cause": {},
        "tasks": [{"notebook": {"path": "/a"}}, {}, {"notebook": null}, {"notebook": {"path": "/b", "z": [[]]}}],
        "a/b": "x" } "#;
    let it = found(body);
    assert_eq!(values(&it, 0), ["42"]);
    assert_eq!(values(&it, 1), ["a", "bA\n"]);
    assert_eq!(values(&it, 2), ["/a", "/b"]);
    assert_eq!(values(&it, 4), ["x"]);
    assert!(it.is_there(0) && !it.is_there(3) && it.has_other());
}

#[test]
fn null_is_as_if_it_were_not_there() {
    let it = found(r#"{"job_id": null, "params": null, "other": null, "cause": "x"}"#);
    assert!(!it.is_there(0) && !it.is_there(3) && !it.has_other());
    for other in ["[]", "{}", "false", "0", "\"\""] {
        assert!(found(&format!("{{\"other\": {other}}}")).has_other(), "{other}");
        assert!(found(&format!("{{\"params\": {other}}}")).is_there(3), "{other}");
    }
}

#[test]
fn a_whole_number_is_its_text() {
    for number in ["0", "42", "-1", "18446744073709551615", "-9223372036854775808"] {
        assert_eq!(values(&found(&format!("{{\"job_id\":{number}}}")), 0), [number]);
    }
}

#[test]
fn what_readers_write_as_different_texts_names_nothing() {
    for value in [
        "-0",
        "1.0",
        "1.50",
        "1e3",
        "-1E+2",
        "18446744073709551616",
        "-9223372036854775809",
        "true",
        "false",
    ] {
        let body = format!("{{\"job_id\":{value}}}");
        assert_eq!(read(body.as_bytes()), Err(BodyError::Malformed), "{body}");
        let other = found(&format!("{{\"params\":{value},\"other\":[{value}]}}"));
        assert!(other.is_there(3) && other.has_other(), "{value}");
    }
}

#[test]
fn what_may_be_read_in_two_ways_is_ambiguous() {
    for body in [
        r#"{"job_id": 1, "job_id": 1}"#,
        r#"{"job_id": 1, "job\u005fid": 1}"#,
        r#"{"job_id": null, "job_id": 1}"#,
        r#"{"jobId": 1}"#,
        r#"{"job_id": 1, "JOB-ID": 2}"#,
        r#"{"topics": [], "topics": ["a"]}"#,
        r#"{"tasks": [{"notebook": {"path": "a", "path": "b"}}]}"#,
        r#"{"tasks": [{"noteBook": {}}]}"#,
        "{\"job_\u{130}d\": 1}",
        "{\"job_\u{131}d\": 1}",
        "{\"params\": 1, \"param\u{17f}\": 1}",
        r#"{"tasks": [{"noteboo\u212a": {}}]}"#,
    ] {
        assert_eq!(read(body.as_bytes()), Err(BodyError::Ambiguous), "{body}");
    }
    assert!(read(br#"{"x": 1, "x": 2, "tasks": [{"z": {"path": 1, "path": 2}}]}"#).is_ok());
}

#[test]
fn a_name_is_neither_a_list_nor_an_object() {
    for body in [
        r#"{"job_id": [42]}"#,
        r#"{"job_id": {}}"#,
        r#"{"topics": "a"}"#,
        r#"{"topics": {"0": "a"}}"#,
        r#"{"topics": [["a"]]}"#,
        r#"{"tasks": {"notebook": {"path": "a"}}}"#,
        r#"{"tasks": [[{"notebook": {"path": "a"}}]]}"#,
        r#"{"tasks": ["a"]}"#,
        r#"[{"job_id": 1}]"#,
        "42",
        "\"job_id\"",
        "true",
    ] {
        assert_eq!(read(body.as_bytes()), Err(BodyError::Malformed), "{body}");
    }
}

#[test]
fn what_is_no_json_is_malformed() {
    for body in [
        &b"{"[..],
        b"{}x",
        b"{} {}",
        b"{\"a\"}",
        b"{\"a\":}",
        b"{\"a\":1,}",
        b"{,}",
        b"{\"a\":[1,]}",
        b"{\"a\":01}",
        b"{\"a\":1.}",
        b"{\"a\":.1}",
        b"{\"a\":+1}",
        b"{\"a\":1e}",
        b"{\"a\":-}",
        b"{\"a\":tru}",
        b"{\"a\":nul}",
        b"{\"a\":\"\n\"}",
        b"{\"a\":\"\\x\"}",
        b"{\"a\":\"\\u12\"}",
        b"{\"a\":\"\\ud800\"}",
        b"{\"a\":\"\\ud800x\"}",
        b"{\"a\":\"\\ud800\\n\"}",
        b"{\"a\":\"\\udc00\"}",
        b"{\"a\":\"\\ud800\\ud800\"}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\xc0\x80\"}",
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xe2\x82\"}",
        b"{'a':1}",
        b"{\"a\\u0000\":1}",
        b"\xef\xbb\xbf{}",
        b"{\"a\":[}",
        b"{\"a\":{]}",
        b"// x\n{}",
        b" ",
    ] {
        assert_eq!(read(body), Err(BodyError::Malformed), "{}", String::from_utf8_lossy(body));
    }
    let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(deep(63).as_bytes()).is_ok());
    assert_eq!(read(deep(64).as_bytes()), Err(BodyError::Malformed));
    assert!(read(b"").is_ok());
}

#[test]
fn no_more_is_kept_than_names_need() {
    let long = format!("{{\"job_id\": \"{}\"}}", "a".repeat(64 * 1024 + 1));
    assert_eq!(read(long.as_bytes()), Err(BodyError::TooLarge));
    let many = format!("{{\"topics\": [{}]}}", vec!["\"a\""; 1001].join(","));
    assert_eq!(read(many.as_bytes()), Err(BodyError::TooLarge));
    let skipped = format!("{{\"other\": \"{}\"}}", "a".repeat(1024 * 1024));
    assert!(read(skipped.as_bytes()).is_ok());
}

/// Any document, with the names that are wanted among its own.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let name = prop_oneof![
            Just("job_id".to_owned()),
            Just("topics".to_owned()),
            Just("tasks".to_owned()),
            Just("notebook".to_owned()),
            Just("path".to_owned()),
            "[a-z]{1,3}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(name, inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_found_is_what_a_tree_holds(document in document(), is_pretty in any::<bool>()) {
        let text = if is_pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        if let Ok(found) = read(text.unwrap().as_bytes()) {
            let scalar = |value: &Value| match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            let job: Vec<String> = document.get("job_id").and_then(scalar).into_iter().collect();
            prop_assert_eq!(values(&found, 0), job);
            let topics = document.get("topics").and_then(Value::as_array).into_iter().flatten();
            prop_assert_eq!(values(&found, 1), topics.filter_map(scalar).collect::<Vec<_>>());
            let tasks = document.get("tasks").and_then(Value::as_array).into_iter().flatten();
            let paths = tasks.filter_map(|task| task.pointer("/notebook/path").and_then(scalar));
            prop_assert_eq!(values(&found, 2), paths.collect::<Vec<_>>());
        }
    }

    #[test]
    fn nothing_is_taken_that_is_no_json(text in "[\\[\\]{}\":,0-9a-z.e+\\\\u -]{0,24}") {
        if read(text.as_bytes()).is_ok() && !text.is_empty() {
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn a_document_of_objects_is_taken(document in document()) {
        // Names that are not wanted, so that nothing of them is refused.
        let text = serde_json::to_string(&serde_json::json!({ "x": document })).unwrap();
        prop_assert!(read(text.as_bytes()).is_ok());
    }

    #[test]
    fn any_bytes_have_a_verdict(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = read(&bytes);
    }
}
