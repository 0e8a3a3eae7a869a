//! What is no fault, and may not be meant.

use super::*;

const DATABRICKS: &str = "platform databricks
kind warehouse form=plain actions=read,use
kind job form=number actions=read,run,submit named=submit
kind securable form=dotted actions=read,use,write
GET /w warehouse warehouse:use query:w
GET /j job job:submit all
GET /s securable securable:read query:s
";

fn warnings(text: &str) -> Vec<String> {
    let mut tables = TABLES.clone();
    tables.retain(|table| table.name() != "databricks");
    tables.push(Arc::new(Table::parse(DATABRICKS).unwrap()));
    let head = "version: 1
services: { a: [ { issuer: okta, service: a } ], b: [ { issuer: okta, service: b } ] }
groups: { g: [okta/g] }
";
    let read = super::super::read(&format!("{head}{text}\n"), &tables).unwrap();
    read.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_role_that_nobody_grants() {
    let text = "roles: { q: [], r: { include: [s] }, s: [] }
bindings: [ { name: b, role: r, services: [a] } ]";
    assert_eq!(warnings(text), ["4:10: no binding grants the role \"q\""]);
}

#[test]
fn a_grant_that_no_operation_can_use() {
    let unused = "bindings: [ { name: b, role: r, services: [a] } ]
roles: { r: [ { databricks: { securables: ['*'], actions: [write, read] } }, { databricks: { securables: ['*'], operations: [job] } } ] }";
    assert_eq!(
        warnings(unused),
        [
            "5:29: no operation does \"write\" with securables",
            "5:92: none of the operations names securables"
        ]
    );
}

#[test]
fn a_pattern_that_holds_no_number() {
    let text = "bindings: [ { name: b, role: r, services: [a] } ]
roles: { r: [ { dbt: { jobs: ['nightly-*'], actions: [run] } } ] }";
    assert_eq!(warnings(text), ["5:31: \"names\" has no such name as \"nightly-*\""]);
}

#[test]
fn a_time_that_ends_before_it_begins() {
    let text = "deny: [ { name: d, kafka: { topics: [a] }, from: 2026-01-02T00:00:00Z, until: 2026-01-01T23:00:00-01:00 } ]";
    assert_eq!(warnings(text), ["4:9: its time ends before it begins: it never holds"]);
}

#[test]
fn any_group_that_may_be_consumed_by() {
    let warnings = warnings(
        "bindings: [ { name: b, role: r, services: [a] } ]
roles: { r: [ { kafka: { groups: ['*'], actions: [consume] } }, { kafka: { groups: ['a*'], actions: [consume] } }, { kafka: { groups: ['*'], actions: [describe] } } ] }",
    );
    let [one] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(one.starts_with("5:24: any group may be consumed by"), "{one}");
}

#[test]
fn one_subject_that_is_denied_data_and_granted_sql() {
    let ask = |binding: &str, denial: &str| {
        let text = format!(
            "roles: {{ over: {{ include: [in] }}, in: {{ include: [sql] }}, sql: [ {{ databricks: {{ warehouses: [w], actions: [use] }} }} ], any: [ {{ databricks: {{ jobs: ['*'], actions: ['*'] }} }} ], submit: [ {{ databricks: {{ jobs: ['*'], actions: [submit] }} }} ] }}
bindings: [ {{ name: rest, role: any, groups: [okta/rest] }}, {{ name: s, role: submit, groups: [okta/s] }}, {{ name: b, {binding} }} ]
deny: [ {{ name: pii, databricks: {denial} }} ]"
        );
        warnings(&text.replace("{ name: s, role: submit, groups: [okta/s] }, ", ""))
            .into_iter()
            .filter(|it| !it.contains("no binding grants"))
            .collect::<Vec<_>>()
    };
    let data = "{ securables: [main.pii] }";
    let found = ask("role: sql, services: [a]", data);
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert!(one.starts_with("6:9: SQL and code are not read: who has \"b\""), "{one}");
    assert_eq!(ask("role: submit, groups: [g]", data).len(), 1);
    assert_eq!(ask("role: over, services: [a]", data).len(), 1);
    assert_eq!(ask("role: any, groups: [g]", data), [""; 0], "\"*\" does not hold submit");
    assert_eq!(ask("role: sql, services: [a]", "{ warehouses: [w] }"), [""; 0]);
    let with = |more: &str| ask("role: sql, services: [a]", &format!("{data}, {more}"));
    assert_eq!(with("services: [b]"), [""; 0]);
    assert_eq!(with("services: [a, b]").len(), 1);
    assert_eq!(with("unless_services: [a]"), [""; 0]);
    assert_eq!(with("unless_services: [b]").len(), 1);
}

#[test]
fn an_issuer_that_the_configuration_does_not_have() {
    let text = "version: 1
services: { a: [ { issuer: okta, service: a } ] }
groups: { g: [entra/g] }
deny: [ { name: d, kafka: { topics: [a] }, unless_groups: [otka/x, okta/y] } ]
";
    let mut read = read(text).unwrap();
    assert_eq!(read.warnings, []);
    read.warn_of_issuers(&["okta"]);
    let warnings: Vec<String> = read.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "3:15: the configuration has no issuer \"entra\"",
            "4:60: the configuration has no issuer \"otka\"; did you mean \"okta\"?"
        ]
    );
}
