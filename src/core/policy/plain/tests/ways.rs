//! The ways in which a design like this is got round, each as a real request that a policy decides.

use super::*;
use crate::body::Reader;
use crate::platform::{Asked as Request, Fields, Platform};
use crate::policy::index::Index;
use crate::refusal::Reason;
use crate::request::Field;

mod code;
mod containers;
mod names;
mod rules;

/// A client of JSON.
struct Json;

impl Fields for Json {
    fn field(&self, name: &str) -> Field<'_> {
        if name == "content-type" { Field::One(b"application/json") } else { Field::Absent }
    }
}

/// How the path of a request goes upstream.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Sent {
    Unchanged,
    Decoded,
}

/// What is said of `METHOD target body` to a platform: the rule, or why it has no name. The index says the
/// same.
fn ask_as(policy: &Policy, subject: &Subject<'_>, word: &str, request: &str, sent: Sent) -> String {
    let mut words = request.splitn(3, ' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let body = words.next().unwrap_or_default();
    let (path, query) =
        target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let asked = Request {
        method,
        path: path.as_bytes(),
        query: query.map(str::as_bytes),
        is_decoded: sent == Sent::Decoded,
        fields: &Json,
    };
    let place = SHIPPED.iter().position(|known| known.word == word).unwrap();
    let platform = Platform::new(Arc::clone(&TABLES[place]));
    let route = match platform.route(&asked) {
        Ok(route) => route,
        Err(refused) => return refused.word().into(),
    };
    let found = route.wanted().filter(|_| !body.is_empty()).map(|wanted| {
        let mut reader = Reader::new(route.body_type()?, wanted);
        reader.feed(body.as_bytes()).and_then(|()| reader.finish())
    });
    let found = match found.transpose() {
        Ok(found) => found,
        Err(error) => return Reason::from(error).word().into(),
    };
    let operation = match route.name(found.as_ref()) {
        Ok(operation) => operation,
        Err(refused) => return refused.word().into(),
    };
    let asked = crate::policy::asked(&operation, place);
    crate::policy::ask(asked, &operation.resources, |asked| {
        let plain = decide(policy, subject, asked, NOW);
        let index = Index::new(policy.clone());
        let view = index.view(subject);
        assert_eq!(index.decide(&view, subject.address, asked, NOW), plain, "{request}");
        [plain.verdict.rule()].into_iter().chain(plain.noted).collect::<Vec<_>>().join(" ")
    })
}

fn ask(policy: &Policy, word: &str, request: &str) -> String {
    ask_as(policy, &token("orders", Some(&[])), word, request, Sent::Unchanged)
}

/// A policy that lets the service `orders` do what some grants say, but for some denials.
fn with(grants: &str, denials: &str) -> Policy {
    policy(&format!(
        "roles: {{ r: [ {grants} ] }}
bindings: [ {{ name: b, role: r, services: [orders] }} ]
deny: [ {denials} ]
"
    ))
}

#[track_caller]
fn assert_told(policy: &Policy, word: &str, table: &[(&str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .map(|(request, expected)| (request, expected, ask(policy, word, request)))
        .filter(|(_, expected, found)| found != *expected)
        .map(|(request, expected, found)| format!("{request}: {found}, expected {expected}"))
        .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn all_of_a_kind_is_refused_by_a_denial_of_one() {
    let kafka = with(
        "{ kafka: { topics: ['*'], actions: ['*'] } }, { kafka: { groups: ['*'], actions: ['*'] } }",
        "{ name: pii, kafka: { topics: [pii] } }",
    );
    let subscribe = "POST /consumers/g/instances/i/subscription";
    assert_told(
        &kafka,
        "kafka_rest",
        &[
            (&format!("{subscribe} {{\"topics\":[\"orders\"]}}"), "b"),
            (&format!("{subscribe} {{\"topics\":[\"orders\",\"pii\"]}}"), "pii"),
            (&format!("{subscribe} {{\"topic_pattern\":\"o.*\"}}"), "pii"),
            ("GET /consumers/g/instances/i/offsets", "pii"),
            ("POST /v3/clusters/C/topics/-/records {}", "pii"),
            ("DELETE /v3/clusters/C/topics/-", "pii"),
            // A list tells names, and no contents.
            ("GET /topics", "b"),
            ("GET /v3/clusters/C/topics/-/configs", "b"),
        ],
    );
    let databricks = with(
        "{ databricks: { jobs: ['*'], actions: ['*', submit] } }, { databricks: { paths: ['*'], actions: ['*'] } }",
        "{ name: load, databricks: { jobs: [42] } }, { name: pii, databricks: { paths: ['/Shared/pii/**'] } }",
    );
    assert_told(
        &databricks,
        "databricks",
        &[
            ("POST /api/2.2/jobs/runs/cancel-all {\"job_id\":7}", "b"),
            ("POST /api/2.2/jobs/runs/cancel-all {\"all_queued_runs\":true}", "load"),
            // What has no name yet, an id that does not tell the name, and a path without its root.
            ("POST /api/2.2/jobs/create {\"name\":\"n\"}", "load"),
            ("DELETE /api/2.0/repos/7", "pii"),
            ("POST /api/2.0/workspace/delete {\"path\":\"pii\"}", "pii"),
            ("POST /api/2.0/workspace/delete {\"path\":\"/Shared\"}", "pii"),
            ("POST /api/2.0/workspace/delete {\"path\":\"/Shared/other\"}", "b"),
        ],
    );
}

#[test]
fn what_is_sent_is_what_is_named() {
    let policy = with(
        "{ databricks: { files: ['/Volumes/c/s/v/**'], actions: ['*'] } }, { kafka: { topics: [orders], actions: ['*'] } }, { http: { paths: ['/public/**'], actions: ['*'] } }",
        "{ name: pii, databricks: { files: ['/Volumes/c/s/v/pii/**'] } }",
    );
    let orders = token("orders", None);
    let files = "GET /api/2.0/fs/files/Volumes/c/s/v";
    for (word, request, unchanged, decoded) in [
        ("databricks", format!("{files}/a b"), "b", "b"),
        ("databricks", format!("{files}/x%2Fa"), "b", "request_ambiguous"),
        ("databricks", format!("{files}/pii%2Fa"), "pii", "request_ambiguous"),
        (
            "databricks",
            format!("{files}/x%2F..%2Fpii%2Fa"),
            "request_ambiguous",
            "request_ambiguous",
        ),
        ("databricks", format!("{files}/100%25"), "b", "request_ambiguous"),
        ("databricks", format!("{files}/a?b"), "b", "b"),
        ("databricks", format!("{files}/a%3Fb"), "b", "request_ambiguous"),
        ("kafka_rest", "GET /topics/%6frders".into(), "b", "request_ambiguous"),
        ("kafka_rest", "GET /topics/orders".into(), "b", "b"),
        (
            "kafka_rest",
            "GET /topics/orders%2F..%2Fpii".into(),
            "request_ambiguous",
            "request_ambiguous",
        ),
        ("http", "GET /public/../admin".into(), "request_ambiguous", "request_ambiguous"),
        ("http", "GET /public/%2e%2e/admin".into(), "request_ambiguous", "request_ambiguous"),
        ("http", "GET /public;/../admin".into(), "request_ambiguous", "request_ambiguous"),
        ("http", "GET /public//".into(), "operation_unknown", "operation_unknown"),
    ] {
        let ask = |sent| ask_as(&policy, &orders, word, &request, sent);
        assert_eq!(
            (ask(Sent::Unchanged), ask(Sent::Decoded)),
            (unchanged.into(), decoded.into()),
            "{request}"
        );
    }
}
