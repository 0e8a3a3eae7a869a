//! What grants hold.

use super::*;

fn with(grant: &str) -> Policy {
    policy(&format!(
        "roles: {{ r: [ {{ {grant} }} ] }}
bindings: [ {{ name: b, role: r, services: [orders] }} ]
"
    ))
}

fn holds(policy: &Policy, request: &str) -> bool {
    rule(policy, &token("orders", None), request) == "b"
}

#[test]
fn all_is_granted_by_an_asterisk_alone_and_never_by_a_prefix() {
    for (pattern, all) in [("*", true), ("**", true), ("t*", false), ("*t", false), ("t", false)] {
        let policy = with(&format!("kafka: {{ topics: ['{pattern}'], actions: [describe] }}"));
        assert_eq!(holds(&policy, &format!("{LIST} all list")), all, "{pattern}");
        assert!(holds(&policy, &format!("{LIST} t")), "{pattern}");
    }
    for (pattern, all) in [("/**", false), ("/*", false), ("*", true), ("**", true)] {
        let policy = with(&format!("databricks: {{ paths: ['{pattern}'], actions: [read] }}"));
        let request = "databricks workspace.list path:read";
        assert_eq!(holds(&policy, &format!("{request} all list")), all, "{pattern}");
        assert!(holds(&policy, &format!("{request} /a list")), "{pattern}");
    }
}

#[test]
fn a_grant_by_pattern_never_holds_a_number_without_a_name() {
    let policy = with("dbt: { jobs: ['nightly-*', '*-check', nightly-load], actions: [run] }");
    let asks = |job: &str| holds(&policy, &format!("dbt trigger_job_run job:run {job}"));
    assert!(asks("42") && asks("43"));
    assert!(!asks("44") && !asks("4") && !asks("all"));
}

#[test]
fn a_row_that_is_named_is_held_by_its_action_or_its_operation_alone() {
    for (grant, is_held) in [
        ("actions: ['*']", false),
        ("actions: [produce]", true),
        ("operations: [api.v2.produce-to-topic]", true),
        ("operations: [api.v2.topics.get]", false),
        ("actions: ['*'], operations: [api.v2.produce-to-topic]", true),
    ] {
        let policy = with(&format!("kafka: {{ topics: ['*'], {grant} }}"));
        let table = &policy.tables[0];
        let action = table.kinds().action("produce").unwrap();
        let kind = table.kinds().by_name("topic").unwrap().0;
        let asks = [Asks { kind, action, name: Some("t") }];
        let operation = table.operation("api.v2.produce-to-topic").unwrap();
        let asked =
            Asked { platform: 0, operation, is_list: false, is_named: true, resources: &asks };
        let decision = decide(&policy, &token("orders", None), &asked, NOW);
        assert_eq!(decision.verdict.is_allowed(), is_held, "{grant}");
    }
}

#[test]
fn one_object_with_several_names_is_one() {
    let policy =
        with("databricks: { paths: [/Workspace/Shared/a, '/Workspace/b/**'], actions: [read] }");
    for path in ["/Shared/a", "/b/c"] {
        assert!(
            holds(&policy, &format!("databricks workspace.list path:read {path} list")),
            "{path}"
        );
    }
    let policy = with("synapse: { pipelines: [Load_Orders, 'DAILY*'], actions: [run] }");
    for name in ["load_orders", "daily"] {
        let request = format!("synapse Pipeline.create_pipeline_run pipeline:run {name}");
        assert!(holds(&policy, &request), "{name}");
    }
    let policy = with("databricks: { securables: [Main.*.*], actions: [read] }");
    assert!(holds(&policy, "databricks tables.get securable:read main.sales.orders"));
    assert!(!holds(&policy, "databricks tables.get securable:read main.sales"));
}

#[test]
fn a_group_of_an_issuer_is_split_at_the_first_slash() {
    let policy = policy(
        "roles: { r: [ { kafka: { topics: ['*'], actions: [produce] } } ] }
bindings: [ { name: b, role: r, groups: [okta/a/b] } ]
",
    );
    let request = format!("{PRODUCE} t");
    assert_eq!(rule(&policy, &token("x", Some(&["a/b"])), &request), "b");
    assert_eq!(rule(&policy, &token("x", Some(&["b"])), &request), "default");
    let other = Subject { issuer: Some("okta/a"), ..token("x", Some(&["b"])) };
    assert_eq!(rule(&policy, &other, &request), "default");
}
