//! `meshctl policy explain --token`.

use serde_json::Value;

use crate::desk::{Desk, Run};

const POLICY: &str = "version: 1
services:
  orders: [ { issuer: okta, service: orders } ]
  batch: [ { spiffe: 'spiffe://prod.example/batch' } ]
groups: { eng: [okta/data-eng] }
roles: { producer: [ { kafka: { topics: ['orders.*'], actions: [produce] } } ] }
bindings:
  - { name: orders, role: producer, services: [orders] }
  - { name: eng, role: producer, groups: [eng], claims: { /amr: [mfa] } }
  - { name: batch, role: producer, services: [batch] }
";

const NOW: &str = "2026-01-01T00:00:00Z";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("policy.yaml", POLICY);
    desk.key("one", "ES256");
    desk
}

/// A token of some claims, valid for an hour.
fn token(desk: &Desk, claims: &str) -> String {
    let arguments = ["--claims", claims, "--at", NOW];
    desk.done("token mint --key one.jwk --expires 1h --audience kafka", &arguments)
}

fn explain(desk: &Desk, token: &str, options: &str) -> Run {
    let words = format!(
        "policy explain policy.yaml --jwks jwks.json --platform kafka_rest --method POST \
         --target /topics/orders.a --json {options}"
    );
    desk.run_with(&words, &["--token", token], b"")
}

/// The decision of a run, and the rule or the reason.
fn told(run: &Run) -> (i32, String, String) {
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
    let why = text("rule").or_else(|| text("reason")).unwrap_or_default();
    (run.status, text("decision").unwrap_or_default(), why)
}

#[track_caller]
fn assert_told(run: &Run, status: i32, decision: &str, why: &str) {
    assert_eq!(told(run), (status, decision.to_owned(), why.to_owned()), "{run:?}");
}

#[test]
fn the_one_who_asks_is_the_service_of_a_verified_token() {
    let desk = desk();
    let orders = token(&desk, r#"{"iss":"https://idp.example","sub":"orders"}"#);
    let at = format!("--at {NOW}");
    assert_told(&explain(&desk, &orders, &at), 0, "allowed", "orders");
    let other = token(&desk, r#"{"iss":"https://idp.example","sub":"payments"}"#);
    assert_told(&explain(&desk, &other, &at), 1, "refused", "default");
    let named = token(&desk, r#"{"iss":"https://idp.example","sub":"x","azp":"orders"}"#);
    let at = format!("{at} --service-claim /azp");
    assert_told(&explain(&desk, &named, &at), 0, "allowed", "orders");
}

#[test]
fn a_token_brings_its_groups_and_claims() {
    let desk = desk();
    let at = format!("--at {NOW}");
    let of = |claims: &str| {
        let claims = format!(r#"{{"iss":"https://idp.example","sub":"x"{claims}}}"#);
        told(&explain(&desk, &token(&desk, &claims), &at)).2
    };
    assert_eq!(of(r#","groups":["data-eng"],"amr":["pwd","mfa"]"#), "eng");
    assert_eq!(of(r#","groups":["data-eng"],"amr":["pwd"]"#), "default");
    assert_eq!(of(r#","groups":["data-eng"]"#), "default");
    assert_eq!(of(r#","groups":["other"],"amr":["mfa"]"#), "default");
    assert_eq!(of(r#","amr":["mfa"]"#), "default", "groups that are not listed are not known");
    let roles =
        token(&desk, r#"{"iss":"https://idp.example","sub":"x","roles":["data-eng"],"amr":"mfa"}"#);
    let run = explain(&desk, &roles, &format!("{at} --groups-claim /roles"));
    assert_told(&run, 0, "allowed", "eng");
}

#[test]
fn a_spiffe_id_is_one_of_its_trust_domain_alone() {
    let desk = desk();
    let at = format!("--at {NOW}");
    let batch = token(&desk, r#"{"sub":"spiffe://prod.example/batch"}"#);
    let of_domain =
        |domain: &str| explain(&desk, &batch, &format!("{at} --spiffe-trust-domain {domain}"));
    assert_told(&of_domain("prod.example"), 0, "allowed", "batch");
    assert_told(&of_domain("other.example"), 1, "refused", "issuer_refused");
    let plain =
        token(&desk, r#"{"iss":"https://idp.example","sub":"spiffe://prod.example/batch"}"#);
    assert_told(&explain(&desk, &plain, &at), 1, "refused", "default");
}

#[test]
fn a_token_that_is_refused_asks_nothing() {
    let desk = desk();
    let orders = token(&desk, r#"{"iss":"https://idp.example","sub":"orders"}"#);
    let run = explain(&desk, &orders, "--at 2026-01-01T02:00:00Z");
    assert_told(&run, 1, "refused", "token_expired");
    let (head, signature) = orders.rsplit_once('.').unwrap();
    let spoilt: String = signature.chars().rev().collect();
    let run = explain(&desk, &format!("{head}.{spoilt}"), &format!("--at {NOW}"));
    assert_eq!(run.status, 1);
    assert!(["signature_invalid", "token_malformed"].contains(&&*told(&run).2), "{run:?}");
    desk.key("two", "ES256");
    std::fs::remove_file(desk.path("jwks.json")).unwrap();
    desk.key("three", "ES256");
    let run = explain(&desk, &orders, &format!("--at {NOW}"));
    assert_told(&run, 1, "refused", "unknown_key");
    desk.write("jwks.json", r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#);
    let run = explain(&desk, &orders, &format!("--at {NOW}"));
    assert_told(&run, 1, "refused", "keys_unavailable");
    let people = "policy explain policy.yaml --jwks jwks.json --platform kafka_rest --method POST --target /topics/a";
    let run = desk.run_with(people, &["--token", "x"], b"");
    assert_eq!((run.status, run.out.lines().next()), (1, Some("refused: keys_unavailable")));
}

#[test]
fn a_policy_of_several_issuers_asks_for_the_name() {
    let desk = desk();
    let more = POLICY.replace("groups: {", "groups: { ops: [entra/ops],");
    desk.write("policy.yaml", &more);
    let orders = token(&desk, r#"{"iss":"https://idp.example","sub":"orders"}"#);
    let at = format!("--at {NOW}");
    let run = explain(&desk, &orders, &at);
    assert_eq!(run.status, 2);
    assert!(run.err.contains("the policy names entra, okta"), "{run:?}");
    assert_told(&explain(&desk, &orders, &format!("{at} --issuer okta")), 0, "allowed", "orders");
    assert_told(&explain(&desk, &orders, &format!("{at} --issuer entra")), 1, "refused", "default");
}

#[test]
fn a_token_comes_with_keys_and_without_an_identity() {
    let desk = desk();
    let rest = ["--platform", "http", "--method", "GET", "--target", "/"];
    for who in [
        &["--token", "x"][..],
        &["--jwks", "jwks.json"],
        &["--token", "x", "--jwks", "jwks.json", "--identity", "{}"],
        &["--issuer", "okta", "--identity", "{}"],
        &[],
    ] {
        let arguments = [who, &rest].concat();
        let run = desk.run_with("policy explain policy.yaml", &arguments, b"");
        assert_eq!(run.status, 2, "{run:?}");
    }
    let orders = token(&desk, r#"{"iss":"https://idp.example","sub":"orders"}"#);
    let words = format!(
        "policy explain policy.yaml --token - --jwks jwks.json --at {NOW} --platform kafka_rest \
         --method POST --target /topics/orders.a"
    );
    let run = desk.run_with(&words, &[], orders.as_bytes());
    assert_eq!((run.status, run.out.lines().next()), (0, Some("allowed by \"orders\"")), "{run:?}");
}
