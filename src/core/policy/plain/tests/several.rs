//! Several resources, and which rules decide them.

use super::*;

fn decision(policy: &Policy, subject: &Subject<'_>, names: &[&str]) -> (String, Vec<String>) {
    let table = &policy.tables[0];
    let (kind, action) =
        (table.kinds().by_name("topic").unwrap().0, table.kinds().action("consume").unwrap());
    let asks = |name| Asks { kind, action, name: Some(name) };
    let resources: Vec<Asks<'_>> = names.iter().map(|name| asks(*name)).collect();
    let operation = table.operation("api.v2.consumers.subscribe").unwrap();
    let asked =
        Asked { platform: 0, operation, is_list: false, is_named: false, resources: &resources };
    let decision = decide(policy, subject, &asked, NOW);
    let names = decision.bindings.iter().map(|place| policy.bindings[*place].name.to_string());
    (decision.verdict.rule().to_owned(), names.collect())
}

#[test]
fn several_resources_may_be_held_by_different_bindings_and_the_first_of_each_is_charged_once() {
    let policy = policy(
        "roles:
  a: [ { kafka: { topics: ['a*'], actions: [consume] } } ]
  b: [ { kafka: { topics: ['b*', 'a2'], actions: [consume] } } ]
bindings:
  - { name: first-b, role: b, services: [orders] }
  - { name: first-a, role: a, services: [orders] }
  - { name: second-a, role: a, services: [orders] }
",
    );
    let ask = |names: &[&str]| decision(&policy, &token("orders", None), names);
    let held = |rule: &str, bindings: &[&str]| {
        (rule.to_owned(), bindings.iter().map(|it| (*it).to_owned()).collect())
    };
    assert_eq!(ask(&["a1", "b1", "a3"]), held("first-a", &["first-a", "first-b"]));
    assert_eq!(ask(&["b1", "a1"]), held("first-b", &["first-b", "first-a"]));
    assert_eq!(ask(&["a2"]), held("first-b", &["first-b"]), "the first of the file");
    assert_eq!(ask(&["a1", "c1"]), held("default", &[]));
    assert_eq!(ask(&[]), held("default", &[]));
}
