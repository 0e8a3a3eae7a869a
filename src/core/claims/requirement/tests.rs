use proptest::prelude::*;

use super::*;
use crate::text::json::Document;

fn judge(words: &[&str], claims: &str) -> Verdict {
    let document = Document::parse(claims.as_bytes()).unwrap();
    Requirement::parse(words).unwrap().judge(&Claims::of(document.root()))
}

#[test]
fn one_of_the_values_must_be_held() {
    for (claims, verdict) in [
        (r#"{"team":"payments"}"#, Verdict::Holds),
        (r#"{"team":["a","orders"]}"#, Verdict::Holds),
        (r#"{"team":"a"}"#, Verdict::Other),
        (r#"{"team":"payments orders"}"#, Verdict::Other),
        (r#"{"team":[["orders"]]}"#, Verdict::Other),
        (r#"{"team":{"orders":true}}"#, Verdict::Other),
        (r#"{"team":[]}"#, Verdict::Other),
        (r#"{"team":null}"#, Verdict::Absent),
        ("{}", Verdict::Absent),
        ("[]", Verdict::Absent),
        (r#"{"team":"orders","_claim_names":{"team":"src"}}"#, Verdict::Unknown),
    ] {
        assert_eq!(judge(&["/team", "payments", "orders"], claims), verdict, "{claims}");
    }
}

#[test]
fn one_of_several_claims_is_enough() {
    for (claims, verdict) in [
        (r#"{"scp":"a read"}"#, Verdict::Holds),
        (r#"{"roles":["read"]}"#, Verdict::Holds),
        (r#"{"scp":"a","roles":["read"]}"#, Verdict::Holds),
        (r#"{"scp":"read","roles":{"a":1}}"#, Verdict::Holds),
        (r#"{"scp":"a","roles":["b"]}"#, Verdict::Other),
        (r#"{"roles":"a read"}"#, Verdict::Other),
        (r#"{"scp":null,"roles":null}"#, Verdict::Absent),
        (r#"{"scp":"read","_claim_names":{"roles":"src"}}"#, Verdict::Holds),
        (r#"{"_claim_names":{"roles":"src"}}"#, Verdict::Unknown),
    ] {
        assert_eq!(judge(&["/scp|/roles", "read"], claims), verdict, "{claims}");
    }
}

#[test]
fn what_must_not_be_held_is_refused_unless_it_is_plain_that_it_is_not() {
    for (claims, verdict) in [
        (r#"{"groups":["eng"]}"#, Verdict::Holds),
        (r#"{"groups":"eng"}"#, Verdict::Holds),
        (r#"{"groups":[]}"#, Verdict::Holds),
        (r#"{"groups":["eng","guests"]}"#, Verdict::Other),
        (r#"{"groups":"guests"}"#, Verdict::Other),
        (r#"{"groups":[["guests"]]}"#, Verdict::Unknown),
        (r#"{"groups":{"guests":true}}"#, Verdict::Unknown),
        (r#"{"groups":null}"#, Verdict::Absent),
        ("{}", Verdict::Absent),
        (r#"{"groups":["eng"],"_claim_names":{"groups":"src1"}}"#, Verdict::Unknown),
        (r#"{"hasgroups":true}"#, Verdict::Unknown),
    ] {
        assert_eq!(judge(&["/groups", "!guests"], claims), verdict, "{claims}");
    }
    let both = |claims| judge(&["/groups", "eng", "ops", "!guests"], claims);
    assert_eq!(both(r#"{"groups":["eng"]}"#), Verdict::Holds);
    assert_eq!(both(r#"{"groups":["eng","guests"]}"#), Verdict::Other);
    assert_eq!(both(r#"{"groups":["hr"]}"#), Verdict::Other);
    let several = |claims| judge(&["/scp|/roles", "!write"], claims);
    assert_eq!(several(r#"{"scp":"read"}"#), Verdict::Holds);
    assert_eq!(several(r#"{"scp":"read","roles":["write"]}"#), Verdict::Other);
    assert_eq!(several(r#"{"scp":"read","_claim_names":{"roles":"src"}}"#), Verdict::Unknown);
    assert_eq!(several("{}"), Verdict::Absent);
}

#[test]
fn numbers_are_compared_by_their_value_and_texts_by_their_bytes() {
    let big = "340282366920938463463374607431768211455";
    let other = "340282366920938463463374607431768211456";
    for (value, claim, holds) in [
        (big, big, true),
        (big, other, false),
        ("1500000000", "1.5e9", true),
        ("1.5e9", "1500000000", true),
        ("1.5E+9", "[1500000000.0]", true),
        ("0", "-0", true),
        ("0.1", "1e-1", true),
        ("3", "\"3\"", true),
        ("3.0", "\"3\"", false),
        ("03", "3", false),
        ("true", "true", true),
        ("true", "\"true\"", true),
        ("1", "true", false),
    ] {
        let claims = format!("{{\"n\":{claim}}}");
        assert_eq!(judge(&["/n", value], &claims) == Verdict::Holds, holds, "{value} {claim}");
    }
}

#[test]
fn a_bar_can_be_part_of_a_name() {
    assert_eq!(judge(&["/g|h", "a"], r#"{"g|h":"a"}"#), Verdict::Holds);
    assert_eq!(judge(&["/g~2/h", "a"], r#"{"g|":{"h":"a"}}"#), Verdict::Holds);
    assert_eq!(judge(&["/g|/h", "a"], r#"{"g|":{"h":"a"}}"#), Verdict::Absent);
    assert_eq!(judge(&["/g~02", "a"], r#"{"g~2":"a"}"#), Verdict::Holds);
    assert_eq!(judge(&["/v", "\\!a"], r#"{"v":"!a"}"#), Verdict::Holds);
    assert_eq!(judge(&["/v", "!!a"], r#"{"v":"!a"}"#), Verdict::Other);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    use RequirementError::{Both, NoOther, NoScope, NoValue, Pointer, SameClaim};
    for (words, error) in [
        (&["/a"][..], NoValue),
        (&["a", "b"], Pointer("a".into())),
        (&["/a|/a", "b"], SameClaim),
        (&["/a|/~3", "b"], Pointer("/~3".into())),
        (&["/a", "!"], NoOther),
        (&["/a", "b", "!b"], Both),
        (&["/scope", "a b"], NoScope("a b".into())),
        (&["/scope", "!a b"], NoScope("a b".into())),
        (&["/scp", ""], NoScope("".into())),
    ] {
        assert_eq!(Requirement::parse(words), Err(error), "{words:?}");
    }
    assert!(Requirement::parse(&["/scp|/roles", "a b"]).is_ok(), "a role may have a space");
}

proptest! {
    #[test]
    fn a_verdict_is_found_where_it_was_kept(
        verdicts in prop::collection::vec(0_u8..4, 0..100),
    ) {
        let verdicts: Vec<_> = verdicts
            .into_iter()
            .map(|verdict| match verdict {
                0 => Verdict::Absent,
                1 => Verdict::Holds,
                2 => Verdict::Other,
                _ => Verdict::Unknown,
            })
            .collect();
        let kept = Verdicts::of(verdicts.iter().copied());
        for (number, verdict) in verdicts.iter().enumerate() {
            prop_assert_eq!(kept.get(number), *verdict);
        }
        prop_assert_eq!(kept.get(verdicts.len()), Verdict::Absent, "what nobody judged does not hold");
    }

    #[test]
    fn what_must_not_be_held_never_is_where_it_holds(
        groups in prop::collection::vec("[ab]", 0..4), is_list: bool,
    ) {
        let claims = match (groups.first(), is_list) {
            (Some(one), false) => serde_json::json!({ "g": one }),
            _ => serde_json::json!({ "g": groups }),
        };
        let held = if is_list { groups.contains(&"a".to_owned()) } else { groups.first().is_some_and(|it| it == "a") };
        let verdict = judge(&["/g", "!a"], &claims.to_string());
        prop_assert_eq!(verdict == Verdict::Holds, !held);
    }
}
