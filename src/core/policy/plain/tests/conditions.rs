//! When a rule holds.

use super::*;
use crate::claims::Claims as Read;
use crate::text::json::Document;

/// A token with these claims.
struct Token(&'static str);

impl Judge for Token {
    fn judge(&self, requirement: &Requirement) -> crate::claims::Verdict {
        let document = Document::parse(self.0.as_bytes()).unwrap();
        requirement.judge(&Read::of(document.root()))
    }
}

fn with(conditions: &str) -> Policy {
    policy(&format!(
        "roles: {{ r: [ {{ kafka: {{ topics: ['*'], actions: [produce] }} }} ] }}
bindings: [ {{ name: b, role: r, services: [orders] }}, {{ name: c, role: r, groups: [okta/c], {conditions} }} ]
deny: [ {{ name: d, groups: [okta/d], kafka: {{ topics: [t] }}, {conditions} }} ]
"
    ))
}

/// What the rules with the conditions say: of the binding, and of the denial.
fn ask(policy: &Policy, subject: &Subject<'_>, now: UnixTime) -> (bool, bool) {
    let table = &policy.tables[0];
    let (kind, action) =
        (table.kinds().by_name("topic").unwrap().0, table.kinds().action("produce").unwrap());
    let asks = [Asks { kind, action, name: Some("t") }];
    let operation = table.operation("api.v2.produce-to-topic").unwrap();
    let asked = Asked { platform: 0, operation, is_list: false, is_named: false, resources: &asks };
    let bound = Subject { service: Some("x"), groups: Some(&["c"]), ..*subject };
    let denied = Subject { groups: Some(&["d"]), ..*subject };
    (
        decide(policy, &bound, &asked, now).verdict.is_allowed(),
        !decide(policy, &denied, &asked, now).verdict.is_allowed(),
    )
}

#[test]
fn a_rule_holds_from_its_first_second_until_before_its_last() {
    let policy = with("from: 2026-01-01T01:00:00+01:00, until: 2026-01-01T00:00:10Z");
    let begin = 1_767_225_600;
    for (secs, holds) in [(-1, false), (0, true), (9, true), (10, false)] {
        let now = UnixTime::from_secs(begin + secs);
        assert_eq!(ask(&policy, &token("orders", None), now), (holds, holds), "{secs}");
    }
}

#[test]
fn an_address_is_of_one_form_and_a_unix_peer_has_none() {
    let policy = with("addresses: [10.0.0.0/8, '2001:db8::/32']");
    let nowhere = token("orders", None);
    for (address, holds) in [
        ("10.1.1.1", true),
        ("::ffff:10.1.1.1", true),
        ("2001:db8::1", true),
        ("11.1.1.1", false),
        ("::10.1.1.1", false),
    ] {
        let subject = Subject { address: Some(address.parse().unwrap()), ..nowhere };
        assert_eq!(ask(&policy, &subject, NOW), (holds, holds), "{address}");
    }
    assert_eq!(ask(&policy, &nowhere, NOW), (false, true), "unknown is for the denial alone");
}

#[test]
fn a_claim_has_one_of_the_values_as_mesh_require_claim_compares_them() {
    let policy = with("claims: { /amr: [mfa, hwk], /level: [2] }");
    for (claims, expected) in [
        (r#"{"amr": ["pwd", "mfa"], "level": 2.0}"#, (true, true)),
        (r#"{"amr": "hwk", "level": "2"}"#, (true, true)),
        (r#"{"amr": ["pwd"], "level": 2}"#, (false, false)),
        (r#"{"level": 2}"#, (false, false)),
        (r#"{"amr": ["mfa"], "level": 3}"#, (false, false)),
        (r#"{"_claim_names": {"amr": "elsewhere"}, "level": 2}"#, (false, true)),
        (r#"{"_claim_names": {"amr": "elsewhere"}, "level": 3}"#, (false, false)),
    ] {
        let claims_of = Token(claims);
        let subject = Subject { claims: &claims_of, ..token("orders", None) };
        assert_eq!(ask(&policy, &subject, NOW), expected, "{claims}");
    }
    assert_eq!(ask(&policy, &token("orders", None), NOW), (false, true), "no token, no claim");
}

#[test]
fn all_conditions_must_hold() {
    let policy =
        with("until: 2030-01-01T00:00:00Z, addresses: [10.0.0.0/8], claims: { /amr: [mfa] }");
    let (yes, no) = (Token(r#"{"amr": "mfa"}"#), Token("{}"));
    let near = Subject { address: Some("10.1.1.1".parse().unwrap()), ..token("orders", None) };
    assert_eq!(ask(&policy, &Subject { claims: &yes, ..near }, NOW), (true, true));
    assert_eq!(ask(&policy, &Subject { claims: &no, ..near }, NOW), (false, false));
    assert_eq!(ask(&policy, &Subject { claims: &yes, address: None, ..near }, NOW), (false, true));
    let later = UnixTime::from_secs(1_900_000_000);
    assert_eq!(ask(&policy, &Subject { claims: &yes, ..near }, later), (false, false));
}
