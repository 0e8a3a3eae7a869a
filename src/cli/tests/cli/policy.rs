//! `meshctl policy`.

use serde_json::Value;

use crate::desk::Desk;

const POLICY: &str = "version: 1
services: { orders: [ { issuer: okta, service: orders } ] }
roles: { producer: [ { kafka: { topics: ['orders.*'], actions: [produce] } } ] }
bindings: [ { name: orders, role: producer, services: [orders] } ]
deny: [ { name: frozen, kafka: { topics: [orders.frozen] } } ]
";

#[test]
fn a_decision_is_told_by_its_rule() {
    let desk = Desk::new();
    desk.write("policy.yaml", POLICY);
    let explain = |service: &str, topic: &str| {
        let identity = format!(r#"{{"issuer":"okta","service":"{service}","groups":[]}}"#);
        let target = format!("/topics/{topic}");
        let run = desk.run_with(
            "",
            &[
                "policy",
                "explain",
                "policy.yaml",
                "--identity",
                &identity,
                "--platform",
                "kafka_rest",
                "--method",
                "POST",
                "--target",
                &target,
                "--json",
            ],
            b"",
        );
        let answer: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"));
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        (run.status, text("decision"), text("rule"), text("reason"))
    };
    let told = |status, decision: &str, rule: &str, reason: &str| {
        (status, decision.to_owned(), rule.to_owned(), reason.to_owned())
    };
    assert_eq!(explain("orders", "orders.a"), told(0, "allowed", "orders", "-"));
    assert_eq!(explain("orders", "payments"), told(1, "refused", "default", "policy_denied"));
    assert_eq!(explain("orders", "orders.frozen"), told(1, "refused", "frozen", "policy_denied"));
    assert_eq!(explain("other", "orders.a"), told(1, "refused", "default", "policy_denied"));
    assert_eq!(explain("orders", "a/b"), told(1, "refused", "-", "operation_unknown"));
}

#[test]
fn people_are_told_what_came_near() {
    let desk = Desk::new();
    desk.write("policy.yaml", POLICY);
    let run = desk.run_with(
        "",
        &[
            "policy",
            "explain",
            "policy.yaml",
            "--identity",
            r#"{"issuer":"okta","service":"orders"}"#,
            "--platform",
            "kafka_rest",
            "--method",
            "GET",
            "--target",
            "/topics/orders.a",
        ],
        b"",
    );
    assert_eq!(run.status, 1);
    assert_eq!(run.out.lines().next(), Some("refused by \"default\""));
    assert!(run.out.contains("binding \"orders\": it does not have the action"), "{run:?}");
}

#[test]
fn cases_are_answered_in_their_order() {
    let desk = Desk::new();
    desk.write("policy.yaml", POLICY);
    let case = |topic: &str| {
        format!(
            r#"{{"identity":{{"issuer":"okta","service":"orders"}},"platform":"kafka_rest","method":"POST","target":"/topics/{topic}","at":"2026-01-01T00:00:00Z"}}"#
        )
    };
    desk.write("cases.jsonl", &format!("{}\n{}\n", case("orders.a"), case("x")));
    let run = desk.run("policy explain policy.yaml --cases cases.jsonl");
    let decisions: Vec<Value> =
        run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let decisions: Vec<&str> =
        decisions.iter().filter_map(|it| it.get("decision")?.as_str()).collect();
    assert_eq!((run.status, decisions), (0, vec!["allowed", "refused"]));
}

#[test]
fn a_policy_that_is_wrong_is_status_2_with_its_place() {
    let desk = Desk::new();
    desk.write(
        "policy.yaml",
        "version: 1\nroles: { r: [ { kafka: { topics: [a], actions: [produces] } } ] }\n",
    );
    let run = desk.run_with("", &["policy", "explain", "policy.yaml", "--cases", "none"], b"");
    assert_eq!(run.status, 2);
    assert!(run.err.contains("policy.yaml:2:49: topics have no action \"produces\""), "{run:?}");
}
