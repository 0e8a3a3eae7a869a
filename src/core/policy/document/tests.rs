use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::platform::shipped::{SHIPPED, shipped};
use crate::policy::pattern::Pattern;

mod faults;
mod schema;
mod syntax;
mod warnings;

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
    let Read { policy, warnings, .. } = read(EXAMPLE).unwrap();
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
fn a_scalar_in_the_place_of_a_name_is_its_source() {
    let text = "version: 1\nservices: { 0123: [ { issuer: no, service: 5e10 } ] }\n";
    let policy = read(text).unwrap().policy;
    assert_eq!(&*policy.services[0].name, "0123");
    let (issuer, service) = policy.services[0].lines[0].token.as_ref().unwrap();
    assert_eq!((&**issuer, &**service), ("no", "5e10"));
}

#[test]
fn no_more_than_twenty_faults_are_told() {
    let bad = "  - { name: b, role: r, groups: [a/b] }\n".repeat(50);
    let text = format!("version: 1\nbindings:\n{bad}");
    assert_eq!(read(&text).unwrap_err().len(), 20);
}

#[test]
fn the_eleven_roles_of_synapse_ship() {
    let mut reader = Reader::new(SHIPPED_ROLES);
    assert!(Sections::new(&TABLES).add(&mut reader).is_ok());
    assert_eq!(reader.faults, []);
    let policy = read("version: 1\n").unwrap().policy;
    let names: Vec<&str> = policy.roles.iter().map(|role| &*role.name).collect();
    assert_eq!(names.len(), 11);
    assert!(names.iter().all(|name| name.starts_with("synapse/")), "{names:?}");
    assert!((0..11).all(|role| policy.grants(role).next().is_some()));
}

#[test]
fn a_shipped_role_is_for_a_platform_that_need_not_be_there() {
    let kafka = TABLES.iter().filter(|table| table.name() == "kafka").cloned();
    let read = super::read("version: 1\n", &kafka.collect::<Vec<_>>()).unwrap();
    assert_eq!(read.policy.grants(0).count(), 0);
}

#[test]
fn roles_that_include_each_other_take_no_more_memory_than_the_document() {
    let mut text = String::from(
        "version: 1\nroles:\n  r0: [ { kafka: { topics: [t], actions: [produce] } } ]\n",
    );
    for role in 1..3000 {
        text += &format!(
            "  r{role}: {{ include: [r{}, r0], grants: [ {{ kafka: {{ topics: [t], actions: [produce] }} }} ] }}\n",
            role - 1
        );
    }
    let policy = read(&text).unwrap().policy;
    let last = policy.roles.len() - 1;
    assert_eq!((policy.roles[last].grants.len(), policy.grants(last).count()), (1, 3000));
}

#[test]
fn a_name_may_be_used_before_it_is_given() {
    let text = "bindings: [ { name: b, role: r, services: [s], groups: [g] } ]
deny: [ { name: d, dbt: { jobs: [nightly] } } ]
roles: { r: { include: [q] }, q: [ { dbt: { jobs: ['night*', 7], actions: [run] } } ] }
groups: { g: [okta/g] }
services: { s: [ { spiffe: 'spiffe://d/s' } ] }
names: { dbt: { jobs: { nightly: 42, night: 42 } } }
version: 1
";
    let policy = read(text).unwrap().policy;
    let numbers = |pattern: &Pattern| {
        let all = ["7", "42", "43"].into_iter();
        all.filter(|number| pattern.holds(Some(number))).collect::<Vec<_>>()
    };
    let role = policy.bindings[0].role;
    let granted: Vec<_> =
        policy.grants(role).flat_map(|it| &it.scope.kinds[0].1).map(numbers).collect();
    assert_eq!(granted, [vec!["42"], vec!["7"]]);
    assert_eq!(numbers(&policy.denials[0].scope.kinds[0].1[0]), ["42"]);
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_has_faults(text in "\\PC{0,80}") {
        for text in [format!("version: 1\nroles: {text}\n"), format!("{{\"version\": 1, {text}"), text] {
            let read = read(&text);
            prop_assert!(read.is_ok() || !read.unwrap_err().is_empty());
        }
    }

    #[test]
    fn a_document_with_a_wrong_byte_is_a_policy_or_has_faults(at in 0..EXAMPLE.len(), byte in "[\\x00-\\x7f]") {
        let mut text = EXAMPLE.to_owned();
        text.replace_range(at..=at, &byte);
        let read = read(&text);
        prop_assert!(read.is_ok() || !read.unwrap_err().is_empty());
    }

    #[test]
    fn json_is_read_as_our_own_reader_reads_it(text in "[ {}\\[\\],:\"a\\\\u0n1e.\\-]{0,24}") {
        let text = format!("{{\"a\":{text}}}");
        let mut json = json::Json::new(&text);
        let is_json = loop {
            match json.next() {
                Ok((event::Event::End, _)) => break true,
                Ok(_) => {}
                Err(_) => break false,
            }
        };
        match crate::text::json::parse(text.as_bytes()) {
            Ok(_) => prop_assert!(is_json, "{text}"),
            // Names are looked at by the reader of a policy.
            Err(crate::text::json::JsonError::Syntax { .. }) => prop_assert!(!is_json, "{text}"),
            Err(_) => {}
        }
    }
}
