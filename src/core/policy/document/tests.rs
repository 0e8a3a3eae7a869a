use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::platform::shipped::{SHIPPED, shipped};

const EXAMPLE: &str = r#"
version: 1
names:                     # readable names for what the platform calls by number
  dbt: { jobs: { nightly-load: 42, nightly-check: 43 } }
services:                  # who; any one of the lines identifies the service
  orders-api:  [ { spiffe: "spiffe://prod.example/ns/shop/sa/orders-api" }, { issuer: okta, service: 0oa1orders } ]
  nightly-etl: [ { issuer: entra, service: 7a1b } ]
groups:
  data-eng: [ "okta/data-eng", "entra/5f3c0d3e" ]
  privacy: [ "okta/privacy" ]
roles:
  orders-producer:
    - kafka: { topics: ["orders.*"], actions: [produce, describe] }
  etl-runner:
    - dbt: { jobs: ["nightly-*"], actions: [run, read] }
    - dbt: { runs: ["*"], actions: [read] }        # polls
    - synapse: { pipelines: ["load_*"], actions: [run] }
  on-call:
    include: [etl-runner, synapse/compute-operator]
bindings:
  - { name: orders, role: orders-producer, services: [orders-api] }
  - { name: night, role: etl-runner, groups: [data-eng], from: 2026-01-01T00:00:00Z, until: 2026-12-31T00:00:00Z, addresses: [10.0.0.0/8], claims: { /amr: [mfa] } }
  - { name: duty, role: on-call, groups: ["okta/on-call"] }
deny:
  - { name: pii, kafka: { topics: ["pii.*"] }, unless_groups: [privacy] }
"#;

static TABLES: LazyLock<Vec<Arc<Table>>> =
    LazyLock::new(|| SHIPPED.iter().map(|it| shipped(it.word).unwrap()).collect());

fn read(text: &str) -> Result<Read, Vec<Fault>> {
    super::read(text, &TABLES)
}

/// What is wrong with a text, a line each.
fn faults(text: &str) -> String {
    match read(text) {
        Ok(_) => "none".into(),
        Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

#[test]
fn the_example_of_the_manual_is_read() {
    let Read { policy, warnings } = read(EXAMPLE).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(policy.services.len(), 2);
    assert_eq!(
        policy.bindings.iter().map(|it| &*it.name).collect::<Vec<_>>(),
        ["orders", "night", "duty"]
    );
    let night = &policy.bindings[1];
    assert_eq!(policy.groups[night.subjects.groups[0]].members.len(), 2);
    assert_eq!((night.conditions.addresses.len(), night.conditions.claims.len()), (1, 1));
    let duty = &policy.roles[policy.bindings[2].role];
    assert_eq!((duty.grants.len(), duty.includes.len()), (0, 2));
    assert!(
        policy.grants(policy.bindings[2].role).count() > 3 + 4,
        "what it includes is there too"
    );
    let unless = policy.denials[0].unless.groups[0];
    assert_eq!(&*policy.groups[unless].members[0].group, "privacy");
}

#[test]
fn json_is_a_policy_too() {
    let text = r#"{"version": 1, "services": {"a": [{"spiffe": "spiffe://d/a"}]},
        "roles": {"r": [{"kafka": {"topics": ["t\u0041"], "actions": ["consume"]}}]},
        "bindings": [{"name": "b", "role": "r", "services": ["a"]}]}"#;
    let policy = read(text).unwrap().policy;
    let scope = &policy.roles.last().unwrap().grants[0].scope;
    assert!(scope.kinds[0].1[0].holds(Some("tA")));
}

#[test]
fn a_fault_is_told_with_its_place_and_the_nearest_word() {
    let head = "version: 1\n";
    for (text, expected) in [
        ("roles: {}\n", "1:1: the policy does not say \"version: 1\""),
        ("version: 2\n", "1:10: this product reads version 1"),
        ("version: \"1\"\n", "1:10: this product reads version 1"),
        (
            "version: 1\nbinding: []\n",
            "2:1: a policy has no section \"binding\"; did you mean \"bindings\"?",
        ),
        ("[]\n", "1:1: a policy is a map that begins with \"version: 1\""),
        ("version: 1\nversion: 1\n", "2:1: \"version\" is there twice"),
        ("version: 1\n---\nversion: 1\n", "2:1: a policy is one document"),
        ("version: 1\nroles: { r: &a [] }\n", "2:13: a policy has no anchors and no tags"),
        ("version: 1\nroles: { r: !x [] }\n", "2:13: a policy has no anchors and no tags"),
        ("version: 1\nroles: { <<: [] }\n", "2:10: a policy has no merge keys"),
    ] {
        assert_eq!(faults(text), expected, "{text}");
    }
    for (text, expected) in [
        (
            "roles: { r: [ { kafka: { topics: [a], actions: [produces] } } ] }",
            "2:49: topics have no action \"produces\"; did you mean \"produce\"?",
        ),
        (
            "roles: { r: [ { kafka: { topic: [a], actions: [produce] } } ] }",
            "2:26: \"kafka\" has no \"topic\"; did you mean \"topics\"?",
        ),
        (
            "roles: { r: [ { kafak: { topics: [a], actions: [produce] } } ] }",
            "2:17: there is no platform \"kafak\"; did you mean \"kafka\"?",
        ),
        (
            "roles: { r: [ { kafka: { topics: [a], groups: [a], actions: [produce] } } ] }",
            "2:62: groups have no action \"produce\"",
        ),
        ("roles: { r: [ { kafka: { topics: [a] } } ] }", "2:24: a grant has actions or operations"),
        (
            "roles: { r: [ { kafka: { topics: [a], operations: [api.v2.topics.gets] } } ] }",
            "2:52: \"kafka\" has no operation \"api.v2.topics.gets\"; did you mean \"api.v2.topics.get\"?",
        ),
        (
            "roles: { r: [ { kafka: { topics: [a b], actions: [produce] } } ] }",
            "2:35: no resource of this kind can have such a name",
        ),
        (
            "roles: { r: [ { dbt: { jobs: ['4*'], actions: [run] } } ] }",
            "2:31: a number is whole: a pattern matches the names in \"names\"",
        ),
        (
            "roles: { r: [ { dbt: { jobs: [nightly], actions: [run] } } ] }",
            "2:31: \"names\" has no such name as \"nightly\"",
        ),
        (
            "roles: { r: [ { dbt: { jobs: [042], actions: [run] } } ] }",
            "2:31: a number has no leading zero",
        ),
        (
            "names: { dbt: { jobs: { 7: 42 } } }",
            "2:25: a name is not of digits alone, and has no asterisk",
        ),
        ("names: { kafka: { topics: { a: 42 } } }", "2:19: \"topics\" have names of their own"),
        (
            "services: { a: [ { issuer: okta } ] }",
            "2:18: \"issuer\" and \"service\" stand together",
        ),
        ("services: { a: [ { spiffe: a } ] }", "2:18: a SPIFFE ID begins with \"spiffe://\""),
        ("services: { null: [] }", "2:13: \"null\" is no name: put it in quotes if it is one"),
        ("groups: { a/b: [] }", "2:11: the name of a group has no slash: that is an issuer's own"),
        ("groups: { a: [b] }", "2:15: a group of an issuer is ISSUER/GROUP"),
        ("roles: { synapse/user: [] }", "2:10: the role \"synapse/user\" ships with the product"),
        ("bindings: [ { name: b, role: r, groups: [a/b] } ]", "2:30: there is no role \"r\""),
        (
            "roles: { r: [] }\nbindings: [ { name: b, role: r } ]",
            "3:13: a binding says whom it is for: services or groups",
        ),
        (
            "roles: { r: [] }\nbindings: [ { name: b, role: r, groups: [devs] } ]",
            "3:42: there is no group \"devs\"; an issuer's own is ISSUER/GROUP",
        ),
        (
            "roles: { r: [] }\nbindings: [ { name: b, role: r, groups: [a/b], untill: 2026-01-01T00:00:00Z } ]",
            "3:48: a binding has no \"untill\"; did you mean \"until\"?",
        ),
        (
            "roles: { r: [] }\nbindings: [ { name: b, role: r, groups: [a/b], until: 2026-01-01 } ]",
            "3:55: a time has an offset, such as 2026-01-01T00:00:00Z",
        ),
        (
            "roles: { r: [] }\nbindings: [ { name: default, role: r, groups: [a/b] } ]",
            "3:21: \"default\" is the rule of what no binding holds: choose another name",
        ),
        (
            "deny: [ { name: d, kafka: { topics: [a] } }, { name: d, kafka: { topics: [b] } } ]",
            "2:54: the rule \"d\" is in line 2 as well",
        ),
        (
            "deny: [ { name: d } ]",
            "2:9: a denial says what it is about, such as \"kafka: { ... }\"",
        ),
        (
            "limits: [ { role: r, rate: 1r/s } ]",
            "2:11: limits by role are not built yet: use mesh_limit, and remove this",
        ),
        (
            "roles: { a: { include: [b] }, b: { include: [a] } }",
            "2:10: the role \"a\" includes itself, by itself or by another",
        ),
    ] {
        assert_eq!(faults(&format!("{head}{text}\n")), expected, "{text}");
    }
    assert!(faults("version: 1\nservices: { a: [\n").contains(": this is neither YAML nor JSON: "));
}

#[test]
fn a_scalar_in_the_place_of_a_name_is_its_source() {
    let text = "version: 1\nservices: { 0123: [ { issuer: no, service: 5e10 } ] }\n";
    let policy = read(text).unwrap().policy;
    assert_eq!(&*policy.services[0].name, "0123");
    let (issuer, service) = policy.services[0].lines[0].token.as_ref().unwrap();
    assert_eq!((&**issuer, &**service), ("no", "5e10"));
}

#[test]
fn what_cannot_be_used_is_warned_of() {
    let warnings = |text: &str| {
        let warnings = read(text).unwrap().warnings;
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let text = "version: 1\nroles: { r: [ { kafka: { acls: ['*'], actions: [describe] } } ] }\n";
    assert_eq!(warnings(text), ["2:10: no binding grants the role \"r\""]);
}

#[test]
fn no_more_than_twenty_faults_are_told() {
    let bad = "  - { name: b, role: r, groups: [a/b] }\n".repeat(50);
    let text = format!("version: 1\nbindings:\n{bad}");
    assert_eq!(read(&text).unwrap_err().len(), 20);
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_has_faults(text in "\\PC{0,80}") {
        let _ = read(&format!("version: 1\nroles: {text}\n"));
        let _ = read(&text);
    }
}
