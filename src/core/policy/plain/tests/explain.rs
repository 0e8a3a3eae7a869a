//! Why a policy decides as it does.

use super::*;

fn why(
    policy: &Policy,
    subject: &Subject<'_>,
    action: &str,
    name: Option<&str>,
    is_list: bool,
) -> Vec<String> {
    let table = &policy.tables[0];
    let kind = table.kinds().by_name("topic").unwrap().0;
    let asks = [Asks { kind, action: table.kinds().action(action).unwrap(), name }];
    let operation = table.operation("api.v2.topics.list").unwrap();
    let asked = Asked { platform: 0, operation, is_list, is_named: false, resources: &asks };
    let steps = explain(policy, subject, &asked, NOW);
    steps.iter().map(|step| format!("{} {:?}", step.rule, step.why)).collect()
}

#[test]
fn the_nearest_rules_are_told_with_what_they_lack() {
    let policy = policy(
        "roles:
  r: [ { kafka: { topics: ['orders.*'], actions: [describe] } } ]
  any: [ { kafka: { acls: ['*'], topics: [z], actions: ['*'] } } ]
bindings:
  - { name: b, role: r, services: [orders] }
  - { name: late, role: r, services: [orders], from: 2028-01-01T00:00:00Z }
  - { name: dry, role: r, services: [orders], dry_run: true }
  - { name: near, role: r, services: [orders], addresses: [10.0.0.0/8] }
  - { name: grouped, role: r, groups: [eng] }
",
    );
    let orders = token("orders", None);
    let ask = |action: &str, name: &str| why(&policy, &orders, action, Some(name), false);
    assert_eq!(ask("describe", "orders.a"), ["b Holds", "dry DryRun", "late Condition"]);
    assert_eq!(ask("produce", "orders.a"), ["b Action", "late Action", "dry Action"]);
    assert_eq!(ask("describe", "payments"), ["b Name", "late Name", "dry Name"]);
    let stranger = why(&policy, &token("x", None), "describe", Some("orders.a"), false);
    assert_eq!(stranger, ["grouped SubjectUnknown", "b Subject", "late Subject"]);
    let near = Subject { service: Some("orders"), ..orders };
    let all = why(&policy, &near, "describe", None, true);
    assert_eq!(all, ["b Name", "late Name", "dry Name"]);
}

#[test]
fn the_denials_that_a_list_may_show_through_are_told() {
    let policy = policy(
        "roles: { r: [ { kafka: { topics: ['*'], actions: [describe] } } ] }
bindings: [ { name: b, role: r, services: [orders] } ]
deny:
  - { name: pii, kafka: { topics: ['pii.*'] } }
  - { name: others, kafka: { topics: [x] }, services: [both] }
  - { name: excepted, kafka: { topics: [x] }, unless_services: [orders] }
  - { name: past, kafka: { topics: [x] }, until: 2020-01-01T00:00:00Z }
  - { name: produce, kafka: { topics: [x], actions: [produce] } }
",
    );
    let orders = token("orders", None);
    assert_eq!(
        why(&policy, &orders, "describe", None, true),
        ["pii Shows", "others Subject", "excepted Excepted", "past Condition", "b Holds"]
    );
    assert_eq!(why(&policy, &orders, "describe", None, false)[0], "pii Holds");
}
