//! `meshctl platform`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::desk::Desk;

fn data(name: &str) -> String {
    format!("{}/../../t/platform/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_request_is_told_with_its_operation_and_resources() {
    let desk = Desk::new();
    desk.write("body.json", r#"{"topics": ["a", "b"]}"#);
    let line = "platform match kafka_rest --method POST --target /consumers/g/instances/i/subscription \
                --body body.json --json";
    let mut arguments: Vec<&str> = line.split_whitespace().collect();
    arguments.extend(["--header", "Content-Type: application/json"]);
    let run = desk.run_with("", &arguments, b"");
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    let expected = json!({
        "operation": "api.v2.consumers.subscribe", "kind": "topic", "action": "consume",
        "resources": [
            { "kind": "topic", "action": "consume", "name": "a" },
            { "kind": "topic", "action": "consume", "name": "b" },
            { "kind": "group", "action": "consume", "name": "g" },
        ],
        "needs_body": true, "named": false,
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_request_without_a_name_is_status_1() {
    let desk = Desk::new();
    for (target, expected) in [
        ("/topics/a/b", r#"{"refused":"operation_unknown"}"#),
        ("/topics/a%20b", r#"{"refused":"name_malformed"}"#),
        ("/topics/a/partitions/0/messages", "operation_refused"),
        ("/topics/a%2Fb", "request_ambiguous"),
    ] {
        let run =
            desk.run(&format!("platform match kafka_rest --method GET --target {target} --json"));
        assert_eq!(run.status, 1);
        assert!(run.out.contains(expected), "{run:?}");
    }
}

#[test]
fn all_resources_of_a_kind_are_null() {
    let run = Desk::new().run("platform match kafka_rest --method GET --target /topics --json");
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(answer.pointer("/resources/0/name"), Some(&Value::Null));
}

#[test]
fn the_requests_of_real_clients_are_answered_in_their_order() {
    for (word, named) in
        [("kafka_rest", 19), ("synapse", 71), ("dbt_cloud", 46), ("databricks", 320)]
    {
        let file = data(&format!("traffic/{word}.jsonl"));
        let run = Desk::new().run(&format!("platform match {word} --requests {file}"));
        assert_eq!((run.status, run.err.as_str()), (0, ""));
        let requests = std::fs::read_to_string(&file).unwrap();
        let pairs: Vec<(Value, Value)> = requests
            .lines()
            .zip(run.out.lines())
            .map(|(one, other)| {
                (serde_json::from_str(one).unwrap(), serde_json::from_str(other).unwrap())
            })
            .collect();
        assert_eq!((pairs.len(), run.out.lines().count()), (requests.lines().count(), pairs.len()));
        for (request, answer) in &pairs {
            let is_hostile = request.get("hostile").is_some();
            assert!(!is_hostile || answer.get("refused").is_some(), "{request}");
        }
        let count = pairs.iter().filter(|(_, answer)| answer.get("operation").is_some()).count();
        assert_eq!(count, named, "{word}");
    }
}

#[test]
fn each_operation_that_clients_know_is_covered() {
    for (word, expected) in [
        (
            "kafka_rest",
            "147 named, 0 named for values that the table lists, 3 refused on purpose, 0 without a row\n",
        ),
        (
            "synapse",
            "146 named, 0 named for values that the table lists, 0 refused on purpose, 0 without a row\n",
        ),
        (
            "dbt_cloud",
            "231 named, 0 named for values that the table lists, 0 refused on purpose, 0 without a row\n",
        ),
    ] {
        let run =
            Desk::new().run(&format!("platform coverage {}", data(&format!("routes/{word}.tsv"))));
        assert_eq!((run.status, run.out.as_str(), run.err.as_str()), (0, expected, ""));
    }
}

#[test]
fn a_table_of_ones_own_is_read_and_its_faults_are_told() {
    let desk = Desk::new();
    desk.write("own.routes", "platform own\nkind thing form=plain actions=read\nGET /things/{id} things.get thing:read path:id\n");
    let run = desk.run("platform match file=own.routes --method GET --target /things/7");
    assert_eq!((run.status, run.out.as_str()), (0, "things.get\n  thing:read 7\n"));
    desk.write(
        "bad.routes",
        "platform own\nkind thing form=plain actions=read\nGET /a x thing:write all\n",
    );
    let run = desk.run("platform match file=bad.routes --method GET --target /a");
    assert_eq!(run.status, 2);
    assert!(run.err.contains("bad.routes:3: \"thing\" has no such action"), "{run:?}");
    desk.write("two.routes", "platform own\nkind thing form=plain actions=read\nGET /{a}/b x thing:read all\nGET /a/{b} y thing:read all\n");
    let run = desk.run("platform match file=two.routes --method GET --target /a/b");
    assert!(
        run.err.contains("two.routes:4: a request may be this row or the one of line 3"),
        "{run:?}"
    );
}

#[test]
fn settings_turn_options_on_and_pin_ids() {
    let desk = Desk::new();
    let run = |settings: &str, target: &str| {
        desk.run(&format!("platform match {settings} --method GET --target {target}")).status
    };
    assert_eq!(run("dbt_cloud account=1", "/api/v2/accounts/1/jobs/7"), 0);
    assert_eq!(run("dbt_cloud account=1", "/api/v2/accounts/2/jobs/7"), 1);
    assert_eq!(run("databricks", "/oidc/v1/authorize"), 1);
    assert_eq!(run("databricks oidc=pass", "/oidc/v1/authorize"), 0);
    assert_eq!(run("kafka_rest dialect=confluent", "/metrics"), 1);
    assert_eq!(run("kafka_rest dialect=other", "/metrics"), 2);
    assert_eq!(run("kafka_rest tenant=1", "/metrics"), 2);
    assert_eq!(run("kafka", "/metrics"), 2);
}

/// `kind:action name` of each resource in some order, from `kind:action name, name + kind:action name`.
fn sorted(text: &str) -> Vec<String> {
    let clauses = text.split(" + ").map(|clause| clause.split_once(' ').unwrap_or((clause, "")));
    let names = clauses.flat_map(|(what, names)| names.split(", ").map(move |name| (what, name)));
    let mut names: Vec<String> =
        names.map(|(what, name)| format!("{what} {name}").trim().to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What a request reads as, in the words of an attack: `*` for all of a kind, and `\*` in a name.
fn reading(answer: &Value) -> String {
    match answer.get("refused").and_then(Value::as_str) {
        Some("operation_unknown") => return "unknown".to_owned(),
        Some(_) => return "refused".to_owned(),
        None => {}
    }
    let resources = answer.get("resources").and_then(Value::as_array).unwrap();
    let resources = resources.iter().map(|it| {
        let text = |name: &str| it.get(name).and_then(Value::as_str);
        let name = text("name").map_or_else(|| "*".to_owned(), |name| name.replace('*', "\\*"));
        format!("{}:{} {name}", text("kind").unwrap(), text("action").unwrap())
    });
    resources.collect::<Vec<_>>().join(" + ")
}

#[test]
fn what_attackers_send_reads_as_what_it_does_or_is_refused() {
    for (word, settings) in [
        ("kafka_rest", "cluster=C"),
        ("databricks", "workspace=1"),
        ("synapse", ""),
        ("dbt_cloud", "account=1"),
        ("http", ""),
    ] {
        let file = data(&format!("hostile/{word}.jsonl"));
        let run = Desk::new().run(&format!("platform match {word} {settings} --requests {file}"));
        assert_eq!((run.status, run.err.as_str()), (0, ""));
        let attacks = std::fs::read_to_string(&file).unwrap();
        let attacks: Vec<Value> =
            attacks.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(run.out.lines().count(), attacks.len());
        let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
        for (attack, answer) in attacks.iter().zip(run.out.lines()) {
            let call = attack.get("call").and_then(Value::as_str).unwrap();
            assert!(seen.insert(attack.to_string()), "{word}: {call} is there twice");
            let found = reading(&serde_json::from_str(answer).unwrap());
            let mut expected =
                ["reads_as", "also"].into_iter().filter_map(|name| attack.get(name)?.as_str());
            if !expected.any(|expected| sorted(expected) == sorted(&found)) {
                wrong.push(format!("{call}: {found}"));
            }
        }
        assert_eq!(wrong, Vec::<String>::new(), "{word}");
        assert!(attacks.len() > 150, "{word} has {} attacks", attacks.len());
    }
}
