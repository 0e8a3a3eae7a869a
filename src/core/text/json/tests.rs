#![expect(clippy::arithmetic_side_effects, reason = "tests may overflow and panic")]

use proptest::prelude::*;

use super::*;

fn nested(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn duplicate_member_is_refused_at_every_level() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":2,"a":null}"#,
        r#"{"x":{"a":1,"a":2}}"#,
        r#"[[{"a":1,"a":2}]]"#,
        r#"{"":1,"":2}"#,
    ] {
        assert!(matches!(parse(text.as_bytes()), Err(JsonError::Duplicate { .. })), "{text}");
    }
}

#[test]
fn duplicate_member_is_found_behind_its_escapes() {
    for text in [r#"{"iss":1,"\u0069ss":2}"#, r#"{"a/b":1,"a\/b":2}"#, r#"{"é":1,"\u00E9":2}"#] {
        assert!(matches!(parse(text.as_bytes()), Err(JsonError::Duplicate { .. })), "{text}");
    }
}

#[test]
fn same_name_in_different_objects_or_case_is_no_duplicate() {
    let value = parse(br#"{"a":{"a":1},"b":[{"a":2},{"a":3}],"A":4}"#).unwrap();
    assert_eq!(value["b"][1]["a"], 3);
    assert_eq!(value["A"], 4);
}

#[test]
fn depth_of_16_is_accepted_and_17_refused() {
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    for levels in [MAX_DEPTH + 1, 100, 200_000] {
        let refused = parse(nested(levels).as_bytes());
        assert_eq!(refused, Err(JsonError::TooDeep { line: 1, column: 17 }), "{levels}");
    }
    let objects = format!("{}1{}", r#"{"a":"#.repeat(17), "}".repeat(17));
    assert!(matches!(parse(objects.as_bytes()), Err(JsonError::TooDeep { .. })));
}

#[test]
fn anything_but_one_utf8_document_is_a_syntax_error() {
    for bytes in [
        &b""[..],
        b" ",
        b"{} {}",
        b"{}\0",
        b"{},",
        b"\xEF\xBB\xBF{}",
        b"\"\xFF\"",
        b"\"\xC0\xAF\"",
        b"\"\xED\xA0\x80\"",
        b"\"\\ud800\"",
        b"\"\n\"",
        b"{\"a\xFF\":1}",
        b"{a:1}",
        b"{\"a\":1,}",
        b"[1,]",
        b"01",
        b"1.",
        b"+1",
        b"NaN",
        b"1e400",
        b"//\n1",
        b"'a'",
        b"tru",
    ] {
        assert!(matches!(parse(bytes), Err(JsonError::Syntax { .. })), "{bytes:?}");
    }
}

#[test]
fn error_names_the_place_and_quotes_nothing() {
    let error = parse(b"{\n  \"secret\": 1,\n  \"secret\": 2\n}").unwrap_err();
    assert!(error.to_string().starts_with("duplicate member at line 3 column "), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[test]
fn numbers_keep_their_kind() {
    let value = parse(b"[18446744073709551615, -9223372036854775808, 1.5, 1e3]").unwrap();
    assert_eq!(value[0].as_u64(), Some(u64::MAX));
    assert_eq!(value[1].as_i64(), Some(i64::MIN));
    assert_eq!(value[2].as_f64(), Some(1.5));
    assert_eq!(value[3].as_u64(), None);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A text that is nearly JSON: whole values, with pieces left out, doubled or put elsewhere.
fn near_json() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        "-?(0|[1-9][0-9]{0,6})([.][0-9]{1,4})?([eE][+-]?[0-9]{1,2})?",
        "-?[0-9]{18,40}",
        "-?[0-9]{1,3}[.]?[0-9]{0,2}[eE]?[+-]?[0-9]{0,4}",
    ];
    let string = prop_oneof![
        r#""[a-c]{0,2}""#,
        r#""([a-c\u00e9 /]|\\(["\\/bfnrt]|u00(6[1-3]|e9|1f)|ud83d\\ude00|ud800|ude00|u[0-9a-fA-F]{0,4}|x)){0,4}""#,
        r#""[ -~]{0,20}""#,
        Just("\"\u{1}\"".to_owned()),
        Just("\"a\u{7f}\u{10ffff}\"".to_owned()),
    ];
    let word = prop_oneof![Just("null"), Just("true"), Just("false"), Just("nul"), Just("True")];
    let leaf = prop_oneof![number, string.clone(), word.prop_map(str::to_owned)];
    let space = || "[ \n\r\t]{0,2}";
    let whole = leaf.prop_recursive(20, 96, 24, move |inner| {
        let member = (string.clone(), space(), inner.clone(), space());
        let member = member.prop_map(|(name, before, value, behind)| {
            format!("{before}{name}{behind}:{before}{value}{behind}")
        });
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(member, 0..24).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    });
    let deep = (0_usize..20).prop_map(|levels| "[".repeat(levels) + &"]".repeat(levels));
    (
        prop_oneof![8 => whole.boxed(), 1 => deep.boxed()],
        any::<prop::sample::Index>(),
        0_u8..8,
        "[\\[\\]{}:,\"\\\\0-9a-e.+ -]",
    )
        .prop_map(|(text, at, how, other)| {
            let at = text.char_indices().map(|(at, _)| at).nth(at.index(text.len().max(1)));
            let Some(at) = at.filter(|_| how < 3) else { return text };
            let (before, behind) = text.split_at(at);
            let rest = behind.chars().skip(1).collect::<String>();
            match how {
                0 => format!("{before}{rest}"),
                1 => format!("{before}{other}{behind}"),
                _ => format!("{before}{other}{rest}"),
            }
        })
}

/// The kind of an error; serde names some places otherwise.
fn kind<T>(read: Result<T, JsonError>) -> Result<T, core::mem::Discriminant<JsonError>> {
    read.map_err(|error| core::mem::discriminant(&error))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn it_reads_as_serde_does(text in near_json()) {
        let (ours, theirs) = (kind(parse(text.as_bytes())), kind(oracle::parse(text.as_bytes())));
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert!(alike(ours, theirs), "{ours} {theirs}"),
            _ => prop_assert_eq!(&ours, &theirs, "{}", text),
        }
    }

    #[test]
    fn it_reads_any_bytes_as_serde_does(bytes in prop::collection::vec(
        prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]:,\"\\u0 "[..])], 0..64,
    )) {
        prop_assert_eq!(kind(parse(&bytes)).err(), kind(oracle::parse(&bytes)).err());
    }

    #[test]
    fn faults_before_bytes_that_are_no_utf8_come_first(text in near_json(), at in any::<prop::sample::Index>()) {
        let mut bytes = text.into_bytes();
        bytes.insert(at.index(bytes.len() + 1), 0xFF);
        prop_assert_eq!(kind(parse(&bytes)), kind(oracle::parse(&bytes)));
    }
}

/// Whether two values are equal, doubles to 15 digits: serde rounds some to a neighbour.
fn alike(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| alike(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| ours.0 == theirs.0 && alike(ours.1, theirs.1))
        }
        (Value::Number(ours), Value::Number(theirs)) if ours.is_f64() && theirs.is_f64() => {
            let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
            ours == theirs || (ours - theirs).abs() <= ours.abs() * 1e-15
        }
        _ => ours == theirs,
    }
}

#[test]
fn duplicates_are_found_among_many_names_and_behind_escapes() {
    for count in [15, 16, 17, 18, 500] {
        let names: Vec<String> =
            (0..count).map(|name| format!("\"n{name}\":{{\"n0\":1}}")).collect();
        let whole = |more: &str| format!("{{{}{more}}}", names.join(","));
        assert!(parse(whole("").as_bytes()).is_ok(), "{count}");
        for name in ["n0", "\\u006e0", "n14", "n\\u0031\u{34}"] {
            let text = whole(&format!(",\"{name}\":1"));
            assert!(
                matches!(parse(text.as_bytes()), Err(JsonError::Duplicate { .. })),
                "{count} {name}"
            );
        }
    }
}

proptest! {
    #[test]
    fn every_value_is_read_as_it_was_written(value in any_value()) {
        prop_assert_eq!(parse(&serde_json::to_vec(&value).unwrap()), Ok(value));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn what_is_accepted_the_lenient_parser_reads_alike(text in r#"[\[\]{}:,"ab0-9\\u ]{0,40}"#) {
        if let Ok(value) = parse(text.as_bytes()) {
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }
}
