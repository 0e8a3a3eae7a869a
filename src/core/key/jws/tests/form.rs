//! The form of a token: its parts, its header, its size.

use super::*;

#[test]
fn token_has_exactly_three_parts_none_of_them_empty() {
    let [h, p, s] = parts(&ED25519);
    for token in [
        String::new(),
        ".".into(),
        "..".into(),
        h.clone(),
        format!("{h}.{p}"),
        format!(".{p}.{s}"),
        format!("{h}..{s}"),
        format!("{h}.{p}."),
        format!("{h}.{p}.{s}."),
        format!(".{h}.{p}.{s}"),
        format!("{h}.{p}.{s}.{s}"),
        format!("{h}.{p}.{s}.{s}.{s}"),
        format!("{h}.{p}..{s}"),
    ] {
        assert_eq!(parse_error(&token), JwsError::Malformed, "{token}");
    }
}

#[test]
fn part_in_another_spelling_is_refused() {
    let good = parts(&ED25519);
    assert!(CompactJws::parse(good.join(".").as_bytes()).is_ok());
    for place in 0..3 {
        let respell = |spelling: String| {
            let mut parts = good.clone();
            parts[place] = spelling;
            parts.join(".")
        };
        let part = &good[place];
        let rest = part.strip_prefix(|_: char| true).unwrap();
        for spelling in [
            format!("{part}="),
            format!("{part}=="),
            format!(" {part}"),
            format!("{part}\n"),
            format!("{part}\0"),
            format!("+{}", rest),
            format!("/{}", rest),
            format!("%65{}", rest),
        ] {
            assert_eq!(parse_error(&respell(spelling)), JwsError::Malformed);
        }
    }
}

#[test]
fn stray_bits_behind_the_last_byte_are_refused() {
    // 64 bytes of signature leave four unused bits in the last character.
    let token = parts(&ED25519).join(".").into_bytes();
    let accepted = (0..=u8::MAX).filter(|last| {
        let respelt = [&token[..token.len() - 1], &[*last]].concat();
        CompactJws::parse(&respelt).is_ok()
    });
    assert_eq!(accepted.collect::<Vec<_>>(), b"AQgw");
}

#[test]
fn header_is_one_strict_object() {
    for header in ["", "[]", "null", "\"alg\"", "{", r#"{"alg":"EdDSA"} {}"#, r#"{"alg":"EdDSA",}"#]
    {
        assert_eq!(parse_error(&forged(header)), JwsError::Malformed, "{header}");
    }
    for header in [
        r#"{"alg":"EdDSA","alg":"EdDSA"}"#,
        r#"{"alg":"none","\u0061lg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","kid":"a","kid":"b"}"#,
        r#"{"alg":"EdDSA","jwk":{"x":1,"x":2}}"#,
    ] {
        assert_eq!(parse_error(&forged(header)), JwsError::DuplicateMember, "{header}");
    }
}

#[test]
fn header_members_have_their_types() {
    for header in [
        "{}",
        r#"{"Alg":"EdDSA"}"#,
        r#"{"alg":null}"#,
        r#"{"alg":["EdDSA"]}"#,
        r#"{"alg":"EdDSA","kid":1}"#,
        r#"{"alg":"EdDSA","kid":null}"#,
        r#"{"alg":"EdDSA","typ":["JWT"]}"#,
    ] {
        assert_eq!(parse_error(&forged(header)), JwsError::Malformed, "{header}");
    }
    let kid =
        |length: usize| forged(&format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, "k".repeat(length)));
    assert!(CompactJws::parse(kid(MAX_KID_BYTES).as_bytes()).is_ok());
    assert_eq!(parse_error(&kid(MAX_KID_BYTES + 1)), JwsError::Malformed);
}

#[test]
fn critical_extensions_are_refused_whatever_they_hold() {
    for header in [
        r#"{"alg":"EdDSA","crit":["exp"],"exp":1}"#,
        r#"{"alg":"EdDSA","crit":[]}"#,
        r#"{"alg":"EdDSA","crit":null}"#,
        r#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#,
        r#"{"alg":"EdDSA","b64":false}"#,
        r#"{"alg":"EdDSA","b64":true}"#,
    ] {
        assert_eq!(parse_error(&forged(header)), JwsError::Critical, "{header}");
    }
}

#[test]
fn token_over_16_kib_is_too_large() {
    let [header, _, signature] = parts(&ED25519);
    let room = CompactJws::MAX - header.len() - signature.len() - 2;
    let of = |payload: usize| format!("{header}.{}.{signature}", "A".repeat(payload));
    assert_eq!(of(room).len(), 16_384);
    assert!(!matches!(CompactJws::parse(of(room).as_bytes()), Err(JwsError::TooLarge)));
    assert_eq!(parse_error(&of(room + 1)), JwsError::TooLarge);
    assert_eq!(parse_error(&"a".repeat(1 << 20)), JwsError::TooLarge);
}
