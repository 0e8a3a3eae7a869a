//! Credentials that add up, dry runs and `default`.

use super::*;

#[test]
fn two_credentials_do_not_add_up() {
    let policy = policy(
        "roles: { r: [ { kafka: { topics: [orders], actions: [produce] } } ], s: [ { kafka: { topics: [both], actions: [produce] } } ] }
bindings: [ { name: b, role: r, services: [orders] }, { name: s, role: s, services: [both] }, { name: g, role: s, groups: [okta/eng] } ]
deny: [ { name: own, kafka: { topics: [own] }, unless_services: [orders] } ]
",
    );
    let ask = |subject: &Subject<'_>, topic: &str| {
        ask_as(
            &policy,
            subject,
            "kafka_rest",
            &format!("POST /topics/{topic} {{}}"),
            Sent::Unchanged,
        )
    };
    let mine = certificate("spiffe://d/orders");
    assert_eq!(ask(&mine, "orders"), "b");
    // A stolen token beside a certificate of one's own, and the other way round.
    let beside = Subject { spiffe_id: Some("spiffe://d/orders"), ..token("other", Some(&["eng"])) };
    assert_eq!((ask(&beside, "orders"), ask(&beside, "both")), ("default".into(), "g".into()));
    assert_eq!(ask(&beside, "own"), "own");
    let half = Subject { spiffe_id: Some("spiffe://d/other"), ..token("both", None) };
    assert_eq!(ask(&half, "both"), "default");
    let both = Subject { spiffe_id: Some("spiffe://d/both"), ..token("both", None) };
    assert_eq!(ask(&both, "both"), "s");
}

#[test]
fn a_binding_in_a_dry_run_grants_nothing() {
    let policy = policy(
        "roles: { r: [ { kafka: { topics: [a, b], actions: [produce] } } ], s: [ { kafka: { topics: [b], actions: [produce] } } ] }
bindings:
  - { name: dry, role: r, services: [orders], dry_run: true }
  - { name: live, role: s, services: [orders] }
deny: [ { name: tried, kafka: { topics: [b] }, dry_run: true } ]
",
    );
    let produce = |topic: &str| ask(&policy, "kafka_rest", &format!("POST /topics/{topic} {{}}"));
    assert_eq!((produce("a"), produce("b")), ("default dry".into(), "live tried".into()));
}

#[test]
fn what_no_rule_holds_is_refused_by_default() {
    let nothing = policy("bindings: []\n");
    for (word, request) in [
        ("kafka_rest", "GET /topics"),
        ("databricks", "GET /api/2.0/preview/scim/v2/Me"),
        ("synapse", "GET /workspace"),
        ("dbt_cloud", "GET /api/v2/accounts/"),
        ("http", "OPTIONS /"),
    ] {
        assert_eq!(ask(&nothing, word, request), "default", "{word}");
    }
    let some = with("{ kafka: { topics: [a], actions: [consume] } }", "");
    assert_eq!(
        ask(&some, "kafka_rest", "POST /consumers/g/instances/i/subscription {\"topics\":[\"a\"]}"),
        "default",
        "each resource needs a binding"
    );
    let text = format!("{HEAD}deny: [ {{ name: default, kafka: {{ topics: [a] }} }} ]\n");
    assert!(read(&text, &TABLES).is_err(), "no rule has its name");
}
