//! The decision by platform and policy, on its way through the line.

use super::introspection::ASKED;
use super::*;
use crate::body::{Extract, Reader, Type};
use crate::need;
use crate::policy::Policies;
use crate::stage::decide::BodyRead;

mod routes;

const POLICY: &str = "
version: 1
services:
  orders: [ { issuer: idp, service: orders-api } ]
  peer: [ { spiffe: 'spiffe://prod.example/orders' } ]
roles:
  producer: [ { kafka: { topics: [orders, 'o-*'], actions: [produce, describe] } } ]
  runner: [ { databricks: { jobs: ['42', '43'], actions: [run] } } ]
bindings:
  - { name: orders, role: producer, services: [orders, peer] }
  - { name: runs, role: runner, services: [orders] }
";

/// A platform under a policy; `lines` are further lines of the location.
fn server_with(
    key: &Key,
    policy: &str,
    platform: &str,
    issuer: &[(&str, &[&str])],
    lines: &[(&str, &[&str])],
) -> Server {
    let platform = [("mesh_platform", &[platform][..]), ("mesh_policy", &["policy.yaml"])];
    let usual = [("mesh_authenticate", &["token"][..])];
    let usual =
        if lines.iter().any(|(name, _)| *name == "mesh_authenticate") { &[] } else { &usual[..] };
    let mut server = Server::new(key, issuer, &[&[usual, &platform, lines].concat()]);
    let policies = Policies::new(server.tables.clone(), vec!["idp".into()]);
    let (edition, warnings) = policies.read(policy.as_bytes()).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    server.worker.policies = policies.with(vec![edition]);
    server
}

fn server(key: &Key, platform: &str, lines: &[(&str, &[&str])]) -> Server {
    server_with(key, POLICY, platform, &[], lines)
}

impl Server {
    /// Puts a policy in force.
    fn set_policy(&mut self, text: &str) {
        let (edition, warnings) = self.worker.policies.read(text.as_bytes()).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        self.worker.policies.replace(0, Some(edition));
    }

    /// The body that the last request waits for.
    fn body(&mut self) -> need::Body {
        match self.wanted.take() {
            Some(Need::Body(body)) => *body,
            other => panic!("{other:?}"),
        }
    }

    /// What is found in a body, as the shell has it read.
    fn find(&self, body: &need::Body, text: &str) -> Result<Extract, Reason> {
        let platform = &self.locations[0].authorization.as_ref().unwrap().platform;
        let mut reader = Reader::new(body.kind, platform.table().wanted(body.entry.line).unwrap());
        reader.feed(text.as_bytes()).and_then(|()| reader.finish()).map_err(Reason::from)
    }
}

fn produce(topic: &str, token: &str) -> Sent {
    Sent::token(token).asking("POST", &format!("/topics/{topic}"))
}

fn run_now(token: &str, length: u64) -> Sent {
    let sent = Sent::token(token).asking("POST", "/api/2.1/jobs/run-now");
    Sent { body: Some(length), ..sent.and("content-type", "application/json") }
}

fn rule(refusal: &Refusal) -> String {
    match refusal.detail() {
        crate::refusal::Detail::Denied(denied) => denied.rule.to_string(),
        other => panic!("{other}"),
    }
}

#[test]
fn a_binding_permits_and_its_name_is_the_rule() {
    let key = Key::new("k1");
    let mut server = server(&key, "kafka_rest", &[]);
    let token = key.token(&json!({}));
    let mut memo = Memo::default();
    let admission = server.ask_in(0, &produce("o-1", &token), &mut memo).unwrap();
    assert_eq!(admission.rule(), "orders");
    let named = memo.take_named().unwrap();
    assert_eq!(named.resource, Some(Some("o-1".into())));
    assert!(admission.would_refuse().is_none());

    let refusal = server.ask(&produce("payments", &token)).unwrap_err();
    assert_eq!((refusal.reason(), &*rule(&refusal)), (Reason::PolicyDenied, "default"));
    let stranger = key.token(&json!({ "sub": "stranger" }));
    assert_eq!(server.reason(&produce("orders", &stranger)), Reason::PolicyDenied);
}

#[test]
fn nobody_learns_what_the_table_knows_without_a_credential() {
    let key = Key::new("k1");
    let mut server = server(&key, "kafka_rest", &[]);
    for target in ["/topics/orders", "/no/such/thing", "/topics/%2e%2e"] {
        let sent = Sent::default().asking("POST", target);
        assert_eq!(server.reason(&sent), Reason::CredentialMissing, "{target}");
        let sent = Sent::token(&key.token(&json!({}))).asking("POST", target);
        assert_ne!(server.ask(&sent).map(|_| ()).err().map(|it| it.status(429)), Some(401));
    }
}

#[test]
fn each_fault_of_a_request_has_its_reason() {
    let key = Key::new("k1");
    let token = key.token(&json!({}));
    let mut kafka = server(&key, "kafka_rest", &[]);
    for (target, reason) in [
        ("/topics/orders/x/y/z", Reason::OperationUnknown),
        ("/topics/a%2e", Reason::RequestAmbiguous),
        ("/topics/a%zz", Reason::RequestMalformed),
        ("/topics/a%20b", Reason::RequestAmbiguous),
        ("/topics/a%21b", Reason::NameMalformed),
    ] {
        let sent = Sent::token(&token).asking("POST", target);
        assert_eq!(kafka.reason(&sent), reason, "{target}");
    }
    let mut databricks = server(&key, "databricks", &[]);
    let account = Sent::token(&token).asking("GET", "/api/2.0/accounts/a/workspaces");
    assert_eq!(databricks.reason(&account), Reason::OperationRefused);
    assert_eq!(databricks.reason(&run_now(&token, (1 << 20) + 1)), Reason::BodyTooLarge);
    let sent = run_now(&token, 10);
    let typed = Sent { fields: sent.fields[..1].to_vec(), ..sent }.and("content-type", "text/xml");
    assert_eq!(databricks.reason(&typed), Reason::BodyTypeRefused);
    assert_eq!(databricks.reason(&Sent { body: None, ..typed }), Reason::BodyMemberMissing);
}

#[test]
fn a_worker_without_a_policy_refuses() {
    let key = Key::new("k1");
    let mut server = server(&key, "kafka_rest", &[]);
    server.worker.policies.replace(0, None);
    let sent = produce("orders", &key.token(&json!({})));
    assert_eq!(server.reason(&sent), Reason::PolicyUnavailable);
}

#[test]
fn a_probe_passes_without_a_credential_and_is_charged_to_its_address() {
    let key = Key::new("k1");
    let limits: &[(&str, &[&str])] = &[
        ("mesh_limit", &["address", "rate=1r/m", "burst=1", "key=address"]),
        ("mesh_limit", &["service", "rate=1r/d"]),
    ];
    let mut server = server(&key, "databricks", limits);
    let sent = Sent { address: vec![127, 0, 0, 1], ..Sent::default() };
    let sent = sent.asking("GET", "/.well-known/databricks-config");
    for _ in 0..2 {
        let admission = server.ask(&sent).unwrap();
        assert_eq!(admission.rule(), "probe");
        assert!(admission.identity().is_none() && admission.rendered().is_none());
    }
    assert_eq!(server.reason(&sent), Reason::Limited);
    let bad = Sent { address: vec![127, 0, 0, 2], ..sent }.and("authorization", "Bearer x.y.z");
    assert_eq!(server.ask(&bad).unwrap().rule(), "probe");
}

#[test]
fn limits_are_charged_once_before_the_request_is_named_and_not_given_back() {
    let key = Key::new("k1");
    let limit: &[(&str, &[&str])] = &[("mesh_limit", &["calls", "rate=1r/h", "burst=2"])];
    let mut server = server(&key, "databricks", limit);
    let token = key.token(&json!({}));
    let unknown = Sent::token(&token).asking("GET", "/no/such");
    assert_eq!(server.reason(&unknown), Reason::OperationUnknown);
    // One request, which waits in between.
    let (sent, mut memo) = (run_now(&token, 13), Memo::default());
    server.ask_in(0, &sent, &mut memo).unwrap_err();
    let body = server.body();
    let found = server.find(&body, r#"{"job_id":42}"#);
    memo.set_body(BodyRead { entry: body.entry, found });
    assert_eq!(server.ask_in(0, &sent, &mut memo).unwrap().remaining(), Some(1));
    assert_eq!(server.reason(&unknown), Reason::OperationUnknown);
    assert_eq!(server.reason(&unknown), Reason::Limited);
}

#[test]
fn a_body_is_asked_for_only_if_a_rule_is_about_its_kind() {
    let key = Key::new("k1");
    let mut server = server(&key, "databricks", &[]);
    let stranger = key.token(&json!({ "sub": "stranger" }));
    assert_eq!(server.reason(&run_now(&stranger, 13)), Reason::PolicyDenied);
    assert!(server.wanted.is_none());
    server.ask(&run_now(&key.token(&json!({})), 13)).unwrap_err();
    assert_eq!(server.body().kind, Type::Json);
}

#[test]
fn what_the_body_names_is_decided_on() {
    let key = Key::new("k1");
    let mut server = server(&key, "databricks", &[]);
    let token = key.token(&json!({}));
    let mut run = |text: &str| {
        let length = text.len().try_into().unwrap();
        let (sent, mut memo) = (run_now(&token, length), Memo::default());
        server.ask_in(0, &sent, &mut memo).unwrap_err();
        let body = server.body();
        let found = server.find(&body, text);
        memo.set_body(BodyRead { entry: body.entry, found });
        server.ask_in(0, &sent, &mut memo).map(|it| it.rule().to_owned()).map_err(|it| it.reason())
    };
    assert_eq!(run(r#"{"job_id":42}"#), Ok("runs".to_owned()));
    assert_eq!(run(r#"{"job_id":44}"#), Err(Reason::PolicyDenied));
    assert_eq!(run(r#"{"job_id":42,"python_params":["x"]}"#), Err(Reason::PolicyDenied));
    assert_eq!(run(r#"{"jobId":42}"#), Err(Reason::RequestAmbiguous));
    assert_eq!(run(r#"{"job_id":42,"job_id":44}"#), Err(Reason::RequestAmbiguous));
    assert_eq!(run(r#"{"job_id":"042"}"#), Err(Reason::NameMalformed));
    assert_eq!(run("{"), Err(Reason::BodyMalformed));
    assert_eq!(run("{}"), Err(Reason::BodyMemberMissing));
}

#[test]
fn an_identity_is_verified_again_after_a_wait_and_its_proof_is_not() {
    let key = Key::new("k1");
    let mut server = server(&key, "databricks", &[]);
    let run = |server: &mut Server, token: &str, meanwhile: &dyn Fn(&mut Server)| {
        let (sent, mut memo) = (run_now(token, 13), Memo::default());
        server.ask_in(0, &sent, &mut memo).unwrap_err();
        let body = server.body();
        let found = server.find(&body, r#"{"job_id":42}"#);
        meanwhile(server);
        memo.set_body(BodyRead { entry: body.entry, found });
        server.ask_in(0, &sent, &mut memo).map(|it| it.rule().to_owned()).map_err(|it| it.reason())
    };
    let token = key.token(&json!({}));
    assert_eq!(run(&mut server, &token, &|_| {}), Ok("runs".to_owned()));
    let expire = |server: &mut Server| server.now.unix = UnixTime::from_secs(NOW + 700);
    assert_eq!(run(&mut server, &token, &expire), Err(Reason::TokenExpired));
    server.now.unix = UnixTime::from_secs(NOW);
    let rotate = |server: &mut Server| drop(server.trust.replace(0, Key::new("k2").set()));
    assert_eq!(run(&mut server, &token, &rotate), Err(Reason::UnknownKey));
    server.trust.replace(0, key.set());
    let forbid = |server: &mut Server| {
        server.set_policy(
            "version: 1\nservices: { orders: [ { issuer: idp, service: orders-api } ] }\n\
            roles: { r: [ { databricks: { jobs: ['1'], actions: [run] } } ] }\n\
            bindings: [ { name: b, role: r, services: [orders] } ]\n",
        );
    };
    assert_eq!(run(&mut server, &token, &forbid), Err(Reason::PolicyDenied));
}

#[test]
fn a_body_that_was_read_for_another_row_is_read_again() {
    let key = Key::new("k1");
    let mut server = server(&key, "databricks", &[]);
    let token = key.token(&json!({}));
    let (sent, mut memo) = (run_now(&token, 13), Memo::default());
    server.ask_in(0, &sent, &mut memo).unwrap_err();
    let body = server.body();
    let found = server.find(&body, r#"{"job_id":42}"#);
    memo.set_body(BodyRead { entry: body.entry, found });
    let other = sent.asking("POST", "/api/2.1/jobs/delete");
    server.ask_in(0, &other, &mut memo).unwrap_err();
    assert_ne!(server.body().entry, body.entry);
}

#[test]
fn a_dry_run_of_the_policy_passes_what_it_refuses_and_nobody_unknown() {
    let key = Key::new("k1");
    let mut server = server(&key, "kafka_rest", &[("mesh_dry_run", &["policy"])]);
    let token = key.token(&json!({}));
    for (target, reason) in [
        ("/topics/payments", Reason::PolicyDenied),
        ("/no/such", Reason::OperationUnknown),
        ("/topics/%2e", Reason::RequestAmbiguous),
    ] {
        let admission = server.ask(&Sent::token(&token).asking("POST", target)).unwrap();
        assert_eq!(admission.rule(), "dry-run", "{target}");
        assert_eq!(admission.would_refuse().map(Refusal::reason), Some(reason), "{target}");
        assert!(admission.identity().is_some());
    }
    assert_eq!(server.reason(&produce("orders", "x.y.z")), Reason::TokenMalformed);
    let expired = key.token(&json!({ "exp": NOW - 100 }));
    assert_eq!(server.reason(&produce("orders", &expired)), Reason::TokenExpired);
    server.worker.policies.replace(0, None);
    let unknown = server.ask(&produce("orders", &token)).unwrap();
    assert_eq!(unknown.would_refuse().map(Refusal::reason), Some(Reason::PolicyUnavailable));
}

#[test]
fn rules_in_a_dry_run_are_noted() {
    let key = Key::new("k1");
    let mut server = server(&key, "kafka_rest", &[]);
    server.set_policy(&format!(
        "{POLICY}  - {{ name: later, role: producer, services: [orders], dry_run: true }}\n\
         deny:\n  - {{ name: soon, kafka: {{ topics: ['o-*'] }}, dry_run: true }}\n"
    ));
    let token = key.token(&json!({}));
    let admission = server.ask(&produce("o-1", &token)).unwrap();
    assert_eq!(admission.rule(), "orders");
    assert_eq!(rule(admission.would_refuse().unwrap()), "soon");

    let later =
        POLICY.replace("services: [orders, peer] }", "services: [orders, peer], dry_run: true }");
    server.set_policy(&later);
    let refusal = server.ask(&produce("orders", &token)).unwrap_err();
    assert_eq!(rule(&refusal), "default");
    assert_eq!(
        refusal.detail().to_string(),
        ", rule: \"default\", dry run of \"orders\" would allow it"
    );
}

#[test]
fn a_claim_that_a_new_policy_names_is_read_from_the_token_at_hand() {
    let key = Key::new("k1");
    let mut server = server(&key, "kafka_rest", &[]);
    let (with, without) =
        (key.token(&json!({ "amr": ["mfa"] })), key.token(&json!({ "amr": ["pwd"] })));
    for token in [&with, &without] {
        server.ask(&produce("orders", token)).unwrap();
    }
    server.set_policy(
        &POLICY.replace("[orders, peer] }", "[orders, peer], claims: { /amr: [mfa] } }"),
    );
    server.ask(&produce("orders", &with)).unwrap();
    assert_eq!(server.reason(&produce("orders", &without)), Reason::PolicyDenied);
    // Once more, by what the worker keeps.
    server.ask(&produce("orders", &with)).unwrap();
    assert_eq!(server.reason(&produce("orders", &without)), Reason::PolicyDenied);
    server.set_policy(POLICY);
    server.ask(&produce("orders", &without)).unwrap();
}

#[test]
fn a_claim_of_an_opaque_token_is_read_from_what_its_issuer_answered() {
    let key = Key::new("k1");
    let mut server = server_with(&key, POLICY, "kafka_rest", ASKED, &[]);
    let answer = |amr: &str| {
        json!({ "active": true, "aud": "api", "sub": "orders-api",
        "exp": NOW + 600, "amr": [amr] })
    };
    for (token, amr) in [("opaque-mfa", "mfa"), ("opaque-pwd", "pwd")] {
        server.ask(&produce("orders", token)).unwrap_err();
        let question = server.wanted().unwrap();
        server.says(&question, &answer(amr));
        server.ask(&produce("orders", token)).unwrap();
    }
    server.set_policy(
        &POLICY.replace("[orders, peer] }", "[orders, peer], claims: { /amr: [mfa] } }"),
    );
    server.ask(&produce("orders", "opaque-mfa")).unwrap();
    assert_eq!(server.reason(&produce("orders", "opaque-pwd")), Reason::PolicyDenied);
}

#[test]
fn a_certificate_is_a_subject_and_adds_nothing_to_a_token() {
    let key = Key::new("k1");
    let any: &[(&str, &[&str])] = &[("mesh_authenticate", &["any"])];
    let mut server = server(&key, "kafka_rest", any);
    let svid = certificate(&["spiffe://prod.example/orders"]);
    let other = certificate(&["spiffe://prod.example/other"]);
    let by = |certificate: &PeerCertificate| {
        Sent::default().asking("POST", "/topics/orders").with(certificate, ChainVerdict::Verified)
    };
    for _ in 0..2 {
        assert_eq!(server.ask(&by(&svid)).unwrap().rule(), "orders");
        assert_eq!(server.reason(&by(&other)), Reason::PolicyDenied);
    }
    let stranger = key.token(&json!({ "sub": "stranger" }));
    let both = produce("orders", &stranger).with(&svid, ChainVerdict::Verified);
    assert_eq!(server.reason(&both), Reason::PolicyDenied);
    let ours = produce("orders", &key.token(&json!({}))).with(&other, ChainVerdict::Verified);
    assert_eq!(server.ask(&ours).unwrap().rule(), "orders");
}

#[test]
fn the_view_of_one_token_is_not_that_of_another() {
    let key = Key::new("k1");
    let mut server = server(&key, "kafka_rest", &[]);
    let (ours, stranger) = (key.token(&json!({})), key.token(&json!({ "sub": "stranger" })));
    for _ in 0..3 {
        server.ask(&produce("orders", &ours)).unwrap();
        assert_eq!(server.reason(&produce("orders", &stranger)), Reason::PolicyDenied);
    }
    assert_eq!(server.views.len(), 2);
    // What was kept is of no use under another policy.
    server.set_policy(&POLICY.replace("orders-api", "stranger"));
    server.ask(&produce("orders", &stranger)).unwrap();
    assert_eq!(server.reason(&produce("orders", &ours)), Reason::PolicyDenied);
}
