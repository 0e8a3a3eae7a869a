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

/// A test of the policy above.
fn test(topic: &str, decision: &str, rule: &str) -> String {
    format!(
        r#"{{"name":"{topic}","identity":{{"issuer":"okta","service":"orders"}},"platform":"kafka_rest","method":"POST","target":"/topics/{topic}","decision":"{decision}","rule":"{rule}"}}"#
    )
}

#[test]
fn tests_hold_a_policy_to_its_decisions() {
    let desk = Desk::new();
    desk.write("policy.yaml", POLICY);
    let good = [
        test("orders.a", "allowed", "orders"),
        test("orders.frozen", "refused", "frozen"),
        test("x", "refused", "default"),
    ];
    desk.write("good.jsonl", &good.join("\n"));
    let run = desk.run("policy test policy.yaml good.jsonl");
    assert_eq!((run.status, run.out.as_str()), (0, "3 passed, 0 failed\n"));
    desk.write(
        "bad.jsonl",
        &[test("x", "allowed", "orders"), test("orders.a", "allowed", "orders")].join("\n"),
    );
    let run = desk.run("policy test policy.yaml bad.jsonl");
    let expected = "bad.jsonl:1: x: decision is refused, expected allowed; rule is default, expected orders\n\
                    1 passed, 1 failed\n";
    assert_eq!((run.status, run.out.as_str()), (1, expected));
    desk.write(
        "none.jsonl",
        r#"{"identity":{},"platform":"kafka_rest","method":"GET","target":"/topics"}"#,
    );
    assert_eq!(desk.run("policy test policy.yaml none.jsonl").status, 2);
}

#[test]
fn a_rule_that_no_test_touches_is_told() {
    let desk = Desk::new();
    desk.write("policy.yaml", POLICY);
    desk.write("tests.jsonl", &test("orders.a", "allowed", "orders"));
    let run = desk.run("policy coverage policy.yaml --tests tests.jsonl");
    let expected = "no test touches the rule \"frozen\"\n1 of 2 rules are touched\n";
    assert_eq!((run.status, run.out.as_str()), (1, expected));
    desk.write(
        "tests.jsonl",
        &[test("orders.a", "allowed", "orders"), test("orders.frozen", "refused", "frozen")]
            .join("\n"),
    );
    assert_eq!(desk.run("policy coverage policy.yaml --tests tests.jsonl").status, 0);
}

#[test]
fn what_a_new_policy_decides_otherwise_is_told() {
    let desk = Desk::new();
    desk.write("old.yaml", POLICY);
    desk.write("new.yaml", &POLICY.replace("topics: [orders.frozen]", "topics: [orders.a]"));
    desk.write("log.jsonl", &[test("orders.a", "-", "-"), test("orders.b", "-", "-")].join("\n"));
    let run = desk.run("policy diff old.yaml new.yaml --requests log.jsonl");
    let expected =
        "log.jsonl:1: POST /topics/orders.a: allowed by orders, then refused by frozen\n";
    assert_eq!((run.status, run.out.as_str()), (1, expected));
    assert_eq!(desk.run("policy diff old.yaml old.yaml --requests log.jsonl").status, 0);
}

#[test]
fn a_suggested_policy_permits_its_cases_and_nothing_else() {
    let desk = Desk::new();
    let spiffe = r#"{"identity":{"spiffe_id":"spiffe://d/etl"},"platform":"dbt_cloud","method":"GET","target":"/api/v2/accounts/1/jobs/42/"}"#;
    let list = r#"{"identity":{"spiffe_id":"spiffe://d/etl"},"platform":"kafka_rest","method":"GET","target":"/topics"}"#;
    let unknown = r#"{"identity":{"issuer":"okta","service":"x"},"platform":"kafka_rest","method":"GET","target":"/nowhere"}"#;
    let nobody = r#"{"identity":{"principal":"x"},"platform":"kafka_rest","method":"GET","target":"/topics"}"#;
    let log =
        [&test("orders.a", "-", "-"), &test("orders.b", "-", "-"), spiffe, list, unknown, nobody]
            .map(str::to_owned);
    desk.write("log.jsonl", &log.join("\n"));
    let run = desk.run("policy suggest log.jsonl");
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    assert!(run.out.contains("# line 5 has no name: operation_unknown\n"), "{}", run.out);
    assert!(run.out.contains("# line 6 has no service that a policy could name\n"), "{}", run.out);
    desk.write("policy.yaml", &run.out);
    let decisions = desk.run("policy explain policy.yaml --cases log.jsonl").out;
    let allowed = |line: &str| line.contains(r#""decision":"allowed""#);
    assert_eq!(
        decisions.lines().map(allowed).collect::<Vec<_>>(),
        [true, true, true, true, false, false]
    );
    let other = [
        test("orders.c", "-", "-"),
        spiffe.replace("/42/", "/43/"),
        spiffe.replace("GET", "DELETE"),
    ];
    desk.write("other.jsonl", &other.join("\n"));
    assert!(!allowed(&desk.run("policy explain policy.yaml --cases other.jsonl").out));
}

#[test]
fn what_real_clients_ask_for_is_permitted_by_the_suggested_policy() {
    for word in ["kafka_rest", "synapse", "dbt_cloud", "databricks"] {
        let desk = Desk::new();
        let file = format!("{}/../../t/platform/traffic/{word}.jsonl", env!("CARGO_MANIFEST_DIR"));
        let cases = std::fs::read_to_string(file).unwrap();
        let cases = cases.lines().map(|line| {
            let mut case: Value = serde_json::from_str(line).unwrap();
            let members = case.as_object_mut().unwrap();
            members.insert("platform".into(), word.into());
            members
                .insert("identity".into(), serde_json::json!({ "issuer": "okta", "service": "s" }));
            case.to_string()
        });
        desk.write("log.jsonl", &cases.collect::<Vec<_>>().join("\n"));
        desk.write("policy.yaml", &desk.done("policy suggest log.jsonl", &[]));
        let run = desk.run("policy explain policy.yaml --cases log.jsonl");
        for (number, line) in (1..).zip(run.out.lines()) {
            let answer: Value = serde_json::from_str(line).unwrap();
            let rule = answer.get("rule").and_then(Value::as_str);
            // Without a rule it has no name; names with an asterisk are told in comments.
            let is_star = answer.to_string().contains('*') && word == "synapse";
            assert!(rule != Some("default") || is_star, "{word}:{number}: {line}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_policy_is_told_with_its_place() {
    let desk = Desk::new();
    desk.write("policy.yaml", POLICY);
    let run = desk.run("policy check policy.yaml");
    assert_eq!(run.status, 0);
    assert!(run.out.ends_with("1 bindings, 1 denials\n"), "{run:?}");
    let bad = "version: 1\nroles: { r: [ { kafka: { topics: [a], actions: [produces] } } ] }\n";
    desk.write("bad.yaml", bad);
    let run = desk.run("policy check bad.yaml");
    assert_eq!(run.status, 1);
    let expected = "bad.yaml:2:49: topics have no action \"produces\"; did you mean \"produce\"?\n";
    assert!(run.out.starts_with(expected), "{run:?}");
    let run = desk.run("policy check --issuer entra policy.yaml");
    assert!(run.status == 0 && run.out.contains(": warning: "), "{run:?}");
    assert_eq!(desk.run("policy check nowhere.yaml").status, 2);
}

#[test]
fn the_schema_is_one_of_json_schema() {
    let run = Desk::new().run("policy schema");
    let schema: Value = serde_json::from_str(&run.out).unwrap();
    let dialect = schema.get("$schema").and_then(Value::as_str).unwrap();
    assert!(dialect.contains("2020-12"), "{dialect}");
    assert!(schema.pointer("/properties/bindings").is_some());
}
