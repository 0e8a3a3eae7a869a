use std::sync::{Arc, LazyLock};

use super::*;
use crate::claims::Requirement;
use crate::platform::shipped::{SHIPPED, shipped};
use crate::policy::document::read;
use crate::policy::subject::Judge;

mod conditions;
mod denials;
mod explain;
mod grants;
mod properties;
mod several;
mod trees;
mod ways;
mod who;

/// A token whose claims are judged so.
struct Claims(crate::claims::Verdict);

impl Judge for Claims {
    fn judge(&self, _requirement: &Requirement) -> crate::claims::Verdict {
        self.0
    }
}

const NO_CLAIMS: &Claims = &Claims(crate::claims::Verdict::Unknown);
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

const HEAD: &str = "version: 1
names: { dbt: { jobs: { nightly-load: 42, nightly-check: 43 } } }
services:
  orders: [ { spiffe: 'spiffe://d/orders' }, { issuer: okta, service: orders } ]
  both: [ { spiffe: 'spiffe://d/both', issuer: okta, service: both } ]
groups: { eng: [okta/eng, entra/eng], privacy: [okta/privacy] }
";

static TABLES: LazyLock<Vec<Arc<Table>>> =
    LazyLock::new(|| SHIPPED.iter().map(|it| shipped(it.word).unwrap()).collect());

fn policy(rest: &str) -> Policy {
    read(&format!("{HEAD}{rest}"), &TABLES).unwrap_or_else(|faults| panic!("{faults:?}")).policy
}

fn token<'s>(service: &'s str, groups: Option<&'s [&'s str]>) -> Subject<'s> {
    Subject {
        issuer: Some("okta"),
        service: Some(service),
        principal: Some(service),
        spiffe_id: None,
        groups,
        claims: NO_CLAIMS,
        address: None,
    }
}

fn certificate(spiffe_id: &str) -> Subject<'_> {
    Subject {
        issuer: None,
        service: None,
        principal: Some(spiffe_id),
        spiffe_id: Some(spiffe_id),
        groups: None,
        claims: NO_CLAIMS,
        address: None,
    }
}

/// What a policy says of `platform operation kind:action name ...`: the rule, and what is noted.
fn rule(policy: &Policy, subject: &Subject<'_>, request: &str) -> String {
    let words: Vec<&str> = request.split(' ').collect();
    let [platform, operation, rest @ ..] = words.as_slice() else { panic!("{request}") };
    let (rest, is_list) = match rest {
        [rest @ .., "list"] => (rest, true),
        rest => (rest, false),
    };
    let place = policy.tables.iter().position(|table| table.name() == *platform).unwrap();
    let table = &policy.tables[place];
    let resources: Vec<Asks<'_>> = rest
        .chunks(2)
        .map(|pair| {
            let (kind, action) = pair[0].split_once(':').unwrap();
            Asks {
                kind: table.kinds().by_name(kind).unwrap().0,
                action: table.kinds().action(action).unwrap(),
                name: Some(pair[1]).filter(|name| *name != "all"),
            }
        })
        .collect();
    let operation = table.operation(operation).unwrap();
    let asked =
        Asked { platform: place, operation, is_list, is_named: false, resources: &resources };
    let Decision { verdict, noted, .. } = decide(policy, subject, &asked, NOW);
    [verdict.rule()].into_iter().chain(noted).collect::<Vec<_>>().join(" ")
}

const PRODUCE: &str = "kafka api.v2.produce-to-topic topic:produce";
const LIST: &str = "kafka api.v2.topics.list topic:describe";

#[test]
fn what_no_binding_holds_is_refused_by_default() {
    let policy = policy(
        "roles: { r: [ { kafka: { topics: ['orders.*'], actions: [produce] } } ] }
bindings: [ { name: b, role: r, services: [orders] } ]
",
    );
    let orders = token("orders", None);
    assert_eq!(rule(&policy, &orders, &format!("{PRODUCE} orders.a")), "b");
    assert_eq!(rule(&policy, &orders, &format!("{PRODUCE} payments")), "default");
    assert_eq!(rule(&policy, &orders, &format!("{PRODUCE} all")), "default");
    assert_eq!(
        rule(&policy, &orders, "kafka api.v2.topics.get topic:describe orders.a"),
        "default"
    );
    assert_eq!(rule(&policy, &token("other", None), &format!("{PRODUCE} orders.a")), "default");
    assert_eq!(
        rule(&policy, &certificate("spiffe://d/orders"), &format!("{PRODUCE} orders.a")),
        "b"
    );
    assert_eq!(
        rule(&policy, &certificate("spiffe://d/ORDERS"), &format!("{PRODUCE} orders.a")),
        "default"
    );
}

#[test]
fn a_line_that_names_two_things_asks_for_both() {
    let policy = policy(
        "roles: { r: [ { kafka: { topics: ['*'], actions: [produce] } } ] }
bindings: [ { name: b, role: r, services: [both] } ]
",
    );
    let request = format!("{PRODUCE} t");
    assert_eq!(rule(&policy, &token("both", None), &request), "default");
    assert_eq!(rule(&policy, &certificate("spiffe://d/both"), &request), "default");
    let svid = Subject { spiffe_id: Some("spiffe://d/both"), ..token("both", None) };
    assert_eq!(rule(&policy, &svid, &request), "b");
}

#[test]
fn unknown_groups_are_never_to_the_advantage_of_the_subject() {
    let policy = policy(
        "roles: { r: [ { kafka: { topics: ['*'], actions: [produce] } } ] }
bindings: [ { name: by-group, role: r, groups: [eng] }, { name: by-service, role: r, services: [orders] } ]
deny:
  - { name: of-group, groups: [okta/contractors], kafka: { topics: [secret] } }
  - { name: unless-group, kafka: { topics: [pii] }, unless_groups: [privacy] }
",
    );
    let unknown = token("orders", None);
    let known = token("orders", Some(&["privacy"]));
    let ask =
        |subject: &Subject<'_>, topic: &str| rule(&policy, subject, &format!("{PRODUCE} {topic}"));
    assert_eq!(ask(&unknown, "t"), "by-service");
    assert_eq!(ask(&token("x", None), "t"), "default");
    assert_eq!(ask(&token("x", Some(&["eng"])), "t"), "by-group");
    assert_eq!(ask(&unknown, "secret"), "of-group");
    assert_eq!(ask(&known, "secret"), "by-service");
    assert_eq!(ask(&token("orders", Some(&["contractors"])), "secret"), "of-group");
    assert_eq!(ask(&unknown, "pii"), "unless-group");
    assert_eq!(ask(&known, "pii"), "by-service");
    let other_issuer = Subject { issuer: Some("entra"), groups: Some(&["privacy"]), ..unknown };
    assert_eq!(ask(&other_issuer, "pii"), "unless-group");
}

#[test]
fn a_denial_wins_over_every_resource_and_whatever_the_order() {
    let policy = policy(
        "roles:
  r: [ { kafka: { topics: ['*'], groups: ['*'], actions: ['*'] } } ]
bindings: [ { name: b, role: r, services: [orders] } ]
deny: [ { name: pii, kafka: { topics: ['pii.*'] } } ]
",
    );
    let orders = token("orders", None);
    let subscribe = "kafka api.v2.consumers.subscribe group:consume g topic:consume";
    assert_eq!(rule(&policy, &orders, &format!("{subscribe} a topic:consume b")), "b");
    assert_eq!(rule(&policy, &orders, &format!("{subscribe} a topic:consume pii.b")), "pii");
    assert_eq!(rule(&policy, &orders, &format!("{subscribe} all")), "pii", "all holds every name");
    assert_eq!(rule(&policy, &orders, &format!("{LIST} all list")), "b", "a list tells names only");
    assert_eq!(rule(&policy, &orders, &format!("{LIST} all")), "pii");
}

#[test]
fn a_denial_of_everything_refuses_lists_too() {
    let policy = policy(
        "roles: { r: [ { kafka: { topics: ['*'], actions: ['*'] } } ] }
bindings: [ { name: b, role: r, services: [orders] } ]
deny: [ { name: none, kafka: { topics: ['*'], actions: [describe] } } ]
",
    );
    assert_eq!(rule(&policy, &token("orders", None), &format!("{LIST} all list")), "none");
    assert_eq!(rule(&policy, &token("orders", None), &format!("{PRODUCE} t")), "b");
}

#[test]
fn an_asterisk_does_not_hold_what_is_dangerous() {
    let policy = policy(
        "roles:
  any: [ { dbt: { jobs: ['*'], actions: ['*'] } } ]
  named: [ { dbt: { jobs: ['*'], actions: [override] } } ]
  operation: [ { dbt: { jobs: ['*'], operations: [update_job] } } ]
bindings:
  - { name: any, role: any, services: [orders] }
  - { name: named, role: named, groups: [eng] }
  - { name: operation, role: operation, groups: [okta/op] }
deny: [ { name: frozen, groups: [okta/frozen], dbt: { jobs: [7], actions: [run] } } ]
",
    );
    let (any, named, operation) =
        (token("orders", Some(&[])), token("x", Some(&["eng"])), token("x", Some(&["op"])));
    let trigger = "dbt trigger_job_run job:";
    assert_eq!(rule(&policy, &any, &format!("{trigger}run 42")), "any");
    assert_eq!(rule(&policy, &any, &format!("{trigger}override 42")), "default");
    assert_eq!(rule(&policy, &any, "dbt update_job job:write 42"), "default");
    assert_eq!(rule(&policy, &named, &format!("{trigger}override 42")), "named");
    assert_eq!(rule(&policy, &named, &format!("{trigger}run 42")), "named", "override holds run");
    assert_eq!(rule(&policy, &operation, "dbt update_job job:write 42"), "operation");
    assert_eq!(rule(&policy, &operation, "dbt destroy_job job:delete 42"), "default");
    let frozen = token("x", Some(&["eng", "frozen"]));
    assert_eq!(
        rule(&policy, &frozen, &format!("{trigger}override 7")),
        "frozen",
        "who may not run may not override"
    );
}

#[test]
fn names_of_numbers_hold_their_numbers_alone() {
    let policy = policy(
        "roles: { r: [ { dbt: { jobs: ['nightly-*'], actions: [run] } } ], s: [ { dbt: { jobs: [7], actions: [run] } } ] }
bindings: [ { name: r, role: r, services: [orders] }, { name: s, role: s, services: [orders] } ]
",
    );
    let ask = |job: &str| {
        rule(&policy, &token("orders", None), &format!("dbt trigger_job_run job:run {job}"))
    };
    assert_eq!((ask("42"), ask("43"), ask("7")), ("r".into(), "r".into(), "s".into()));
    assert_eq!(
        (ask("44"), ask("4"), ask("all")),
        ("default".into(), "default".into(), "default".into())
    );
}

#[test]
fn what_changes_a_place_is_refused_by_a_denial_above_and_below_it() {
    let policy = policy(
        "roles: { r: [ { http: { paths: ['/**'], actions: ['*'] } } ] }
bindings: [ { name: b, role: r, services: [orders] } ]
deny: [ { name: pii, http: { paths: ['/shared/pii/**'] } } ]
",
    );
    let ask = |request: &str| rule(&policy, &token("orders", None), &format!("http {request}"));
    for path in ["/shared", "/shared/pii", "/shared/pii/a"] {
        assert_eq!(ask(&format!("delete path:delete {path}")), "pii", "{path}");
    }
    assert_eq!(ask("delete path:delete /shared/other"), "b");
}

#[test]
fn conditions_must_hold_for_a_binding_and_may_for_a_denial() {
    let policy = policy(
        "roles: { r: [ { kafka: { topics: ['*'], actions: [produce] } } ] }
bindings:
  - { name: past, role: r, services: [orders], until: 2026-01-01T00:00:00Z }
  - { name: future, role: r, services: [orders], from: 2028-01-01T00:00:00Z }
  - { name: near, role: r, services: [orders], addresses: [10.0.0.0/8] }
  - { name: mfa, role: r, services: [orders], claims: { /amr: [mfa] } }
deny: [ { name: far, kafka: { topics: [secret] }, addresses: [192.0.2.0/24] } ]
",
    );
    let nowhere = token("orders", None);
    let at = |address: &str| Subject { address: Some(address.parse().unwrap()), ..nowhere };
    let ask =
        |subject: &Subject<'_>, topic: &str| rule(&policy, subject, &format!("{PRODUCE} {topic}"));
    assert_eq!(ask(&nowhere, "t"), "default");
    assert_eq!(ask(&at("10.1.1.1"), "t"), "near");
    assert_eq!(ask(&at("11.1.1.1"), "t"), "default");
    assert_eq!(ask(&nowhere, "secret"), "far", "an unknown condition of a denial holds");
    assert_eq!(ask(&at("192.0.2.1"), "secret"), "far");
    assert_eq!(ask(&at("10.1.1.1"), "secret"), "near");
    for (verdict, expected) in [
        (crate::claims::Verdict::Holds, "mfa"),
        (crate::claims::Verdict::Other, "default"),
        (crate::claims::Verdict::Absent, "default"),
        (crate::claims::Verdict::Unknown, "default"),
    ] {
        assert_eq!(ask(&Subject { claims: &Claims(verdict), ..nowhere }, "t"), expected);
    }
}

#[test]
fn a_rule_in_a_dry_run_is_noted_unless_another_decides_the_same() {
    let policy = policy(
        "roles: { r: [ { kafka: { topics: [a, b], actions: [produce] } } ], s: [ { kafka: { topics: [b], actions: [produce] } } ] }
bindings:
  - { name: dry, role: r, services: [orders], dry_run: true }
  - { name: live, role: s, services: [orders] }
deny: [ { name: dry-denial, kafka: { topics: [b, c] }, dry_run: true } ]
",
    );
    let ask = |topic: &str| rule(&policy, &token("orders", None), &format!("{PRODUCE} {topic}"));
    assert_eq!(ask("a"), "default dry");
    assert_eq!(ask("b"), "live dry-denial");
    assert_eq!(ask("c"), "default");
}
