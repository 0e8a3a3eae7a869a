//! What denials hold.

use super::*;

fn with(deny: &str) -> Policy {
    policy(&format!(
        "roles:
  r:
    - kafka: {{ topics: ['*'], groups: ['*'], actions: ['*'] }}
    - dbt: {{ jobs: ['*'], actions: ['*', override, write] }}
    - kafka: {{ acls: ['*'], actions: [describe, alter] }}
bindings: [ {{ name: b, role: r, services: [orders] }} ]
deny: [ {deny} ]
"
    ))
}

fn ask(policy: &Policy, request: &str) -> String {
    rule(policy, &token("orders", Some(&["eng"])), request)
}

#[test]
fn without_actions_or_with_an_asterisk_it_holds_every_action_named_ones_too() {
    for actions in ["", ", actions: ['*']", ", actions: ['*', read]"] {
        let policy = with(&format!("{{ name: d, dbt: {{ jobs: [7]{actions} }} }}"));
        for action in ["read", "run", "override", "write", "delete"] {
            assert_eq!(ask(&policy, &format!("dbt update_job job:{action} 7")), "d", "{action}");
            assert_eq!(ask(&policy, &format!("dbt update_job job:{action} 8")), "b", "{action}");
        }
    }
}

#[test]
fn it_may_hold_single_operations() {
    let policy = with("{ name: d, dbt: { jobs: ['*'], operations: [update_job] } }");
    assert_eq!(ask(&policy, "dbt update_job job:write 7"), "d");
    assert_eq!(ask(&policy, "dbt trigger_job_run job:run 7"), "b");
}

#[test]
fn it_may_be_for_some_and_not_for_others() {
    let request = "kafka api.v2.produce-to-topic topic:produce t";
    for (who, denied) in [
        ("", true),
        ("services: [orders],", true),
        ("services: [both],", false),
        ("groups: [eng],", true),
        ("groups: [privacy],", false),
        ("services: [both], groups: [eng],", true),
        ("unless_services: [orders],", false),
        ("unless_services: [both],", true),
        ("unless_groups: [eng],", false),
        ("unless_groups: [privacy],", true),
        ("unless_groups: [privacy], unless_services: [orders],", false),
        ("services: [orders], unless_groups: [eng],", false),
    ] {
        let policy = with(&format!("{{ {who} name: d, kafka: {{ topics: [t] }} }}"));
        assert_eq!(ask(&policy, request), if denied { "d" } else { "b" }, "{who}");
    }
}

#[test]
fn all_holds_every_name_but_in_a_list() {
    let subscribe = "kafka api.v2.consumers.subscribe topic:consume all";
    for pattern in ["pii", "pii.*", "*.pii", "p*i"] {
        let policy = with(&format!("{{ name: d, kafka: {{ topics: ['{pattern}'] }} }}"));
        assert_eq!(ask(&policy, subscribe), "d", "{pattern}");
        assert_eq!(ask(&policy, &format!("{LIST} all list")), "b", "{pattern}");
        assert_eq!(ask(&policy, &format!("{LIST} all")), "d", "{pattern}");
    }
    for pattern in ["'*'", "'**'", "a, '*'"] {
        let policy = with(&format!("{{ name: d, kafka: {{ topics: [{pattern}] }} }}"));
        assert_eq!(ask(&policy, &format!("{LIST} all list")), "d", "{pattern}");
    }
    for pattern in ["7", "nightly-load", "'nightly-*'"] {
        let policy = with(&format!("{{ name: d, dbt: {{ jobs: [{pattern}] }} }}"));
        assert_eq!(ask(&policy, "dbt list_jobs job:read all list"), "b", "{pattern}");
        assert_eq!(ask(&policy, "dbt list_jobs job:run all"), "d", "{pattern}");
    }
    let other = with(
        "{ name: d, kafka: { groups: [g] } }, { name: e, kafka: { topics: [t], actions: [produce] } }",
    );
    assert_eq!(ask(&other, subscribe), "b", "another kind, and another action");
}

#[test]
fn the_first_of_the_file_is_named() {
    let policy =
        with("{ name: x, kafka: { topics: [b] } }, { name: y, kafka: { topics: [a, b] } }");
    let subscribe = "kafka api.v2.consumers.subscribe topic:consume";
    assert_eq!(ask(&policy, &format!("{subscribe} a topic:consume b")), "x");
    assert_eq!(ask(&policy, &format!("{subscribe} a")), "y");
}

#[test]
fn it_is_of_its_platform_alone() {
    let policy = with("{ name: d, synapse: { pipelines: ['*'] } }");
    assert_eq!(ask(&policy, "dbt trigger_job_run job:run 7"), "b");
}
