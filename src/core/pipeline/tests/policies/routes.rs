//! The lines of requests that a worker has named before.

use super::*;
use crate::stage::decide::RouteCache;

/// A Databricks and a Kafka REST platform, each in two locations that name the same lines in other ways.
fn servers(key: &Key) -> [Server; 2] {
    let of = |platforms: [&[&str]; 2]| {
        let location = |platform| {
            [
                ("mesh_authenticate", &["token"][..]),
                ("mesh_platform", platform),
                ("mesh_policy", &["policy.yaml"]),
            ]
        };
        let locations = platforms.map(location);
        let mut server = Server::new(key, &[], &[&locations[0], &locations[1]]);
        let policies = Policies::new(server.tables.clone(), vec!["idp".into()]);
        let (edition, _) = policies.read(POLICY.as_bytes()).unwrap();
        server.worker.policies = policies.with(vec![edition]);
        server
    };
    [
        of([&["kafka_rest"], &["kafka_rest", "prefix=/topics"]]),
        of([&["databricks"], &["databricks", "workspace=7"]]),
    ]
}

/// What comes of a request: the rule or the reason and the rule, and its name.
fn told(server: &mut Server, location: usize, sent: &Sent) -> String {
    let mut memo = Memo::default();
    let result = match server.ask_in(location, sent, &mut memo) {
        Ok(admission) => admission.rule().to_owned(),
        Err(refusal) => format!("{}{}", refusal.reason().word(), refusal.detail()),
    };
    format!("{result} {:?}", memo.take_named())
}

#[test]
fn a_line_that_is_known_means_what_it_means_to_a_new_worker() {
    const LINES: [[&str; 2]; 22] = [
        ["POST", "/topics/orders"],
        ["GET", "/topics/orders"],
        ["DELETE", "/topics/orders"],
        ["post", "/topics/orders"],
        ["POST", "/topics/o-1"],
        ["POST", "/topics/o-1?"],
        ["POST", "/topics/o-1?a=b"],
        ["POST", "/topics/o-1a=b"],
        ["POST", "/topics/o%2d1"],
        ["POST", "/topics/payments"],
        ["POST", "/topics/topics/orders"],
        ["GET", "/topics"],
        ["GET", "/topics/"],
        ["GET", "/topics/topics"],
        ["POST", "/topics/o-1/partitions/0"],
        ["GET", "/api/2.1/jobs/runs/list?job_id=42"],
        ["GET", "/api/2.1/jobs/runs/list?job_id=43"],
        ["GET", "/api/2.1/jobs/runs/list?job_id=42&job_id=43"],
        ["GET", "/api/2.1/jobs/get?job_id=42&o=7"],
        ["GET", "/api/2.1/jobs/get?job_id=42&o=8"],
        ["POST", "/api/2.1/jobs/run-now"],
        ["GET", "/api/2.1/unity-catalog/tables/main.sales.orders"],
    ];
    let key = Key::new("k1");
    let tokens = [key.token(&json!({})), key.token(&json!({ "sub": "stranger" }))];
    let fields = [
        None,
        Some(("x-databricks-org-id", "7")),
        Some(("x-databricks-org-id", "8")),
        Some(("content-type", "application/vnd.kafka.v1+json")),
    ];
    let (mut seen, mut kept) = (std::collections::BTreeSet::new(), 0);
    for mut server in servers(&key) {
        for _ in 0..3 {
            for ([method, target], token) in
                LINES.iter().flat_map(|line| tokens.iter().map(move |token| (line, token)))
            {
                for (location, field) in [0, 1].into_iter().flat_map(|it| fields.map(|of| (it, of)))
                {
                    let sent = Sent::token(token).asking(method, target);
                    let sent = field.map_or_else(
                        || sent.clone(),
                        |(name, value)| sent.clone().and(name, value),
                    );
                    let known = told(&mut server, location, &sent);
                    let routes = core::mem::take(&mut server.routes);
                    let anew = told(&mut server, location, &sent);
                    server.routes = routes;
                    assert_eq!(known, anew, "{method} {target} {field:?} in {location}");
                    seen.insert(known);
                }
            }
        }
        kept += server.routes.len();
    }
    assert!(seen.len() > 20 && kept > 12, "{} {kept}: {seen:?}", seen.len());
}

#[test]
fn a_line_that_is_known_is_decided_about_anew() {
    let key = Key::new("k1");
    let mut server = server(&key, "kafka_rest", &[]);
    let (ours, stranger) = (key.token(&json!({})), key.token(&json!({ "sub": "stranger" })));
    server.ask(&produce("orders", &ours)).unwrap();
    server.ask(&produce("orders", &ours)).unwrap();
    assert_eq!(server.routes.len(), 1);
    assert_eq!(server.reason(&produce("orders", &stranger)), Reason::PolicyDenied);
    server.set_policy(&POLICY.replace("orders-api", "stranger"));
    assert_eq!(server.reason(&produce("orders", &ours)), Reason::PolicyDenied);
    server.ask(&produce("orders", &stranger)).unwrap();
    assert_eq!(server.routes.len(), 1);
}

#[test]
fn what_a_body_says_is_not_kept() {
    let key = Key::new("k1");
    let token = key.token(&json!({}));
    let mut server = server(&key, "databricks", &[]);
    server.ask(&run_now(&token, 13)).unwrap_err();
    let body = server.body();
    let found = server.find(&body, "{\"job_id\": 42}");
    let mut memo = Memo::default();
    memo.set_body(BodyRead { entry: body.entry, found });
    server.ask_in(0, &run_now(&token, 13), &mut memo).unwrap();
    assert!(server.routes.is_empty());
}

#[test]
fn a_line_whose_name_may_be_in_a_body_is_known_without_one_alone() {
    let key = Key::new("k1");
    let token = key.token(&json!({}));
    let mut server = server(&key, "databricks", &[]);
    let get = |body| {
        let sent = Sent::token(&token).asking("GET", "/api/2.1/jobs/get?job_id=42");
        Sent { body, ..sent.and("content-type", "application/json") }
    };
    for _ in 0..2 {
        assert_eq!(server.reason(&get(None)), Reason::PolicyDenied);
        assert_eq!(server.routes.len(), 1);
        server.ask(&get(Some(9))).unwrap_err();
        server.body();
    }
}

#[test]
fn a_line_that_rests_on_fields_is_known_by_them_as_well() {
    let key = Key::new("k1");
    let token = key.token(&json!({}));
    let mut server = server(&key, "kafka_rest", &[]);
    let of = |types: &[&str]| {
        types.iter().fold(produce("orders", &token), |sent, it| sent.and("content-type", *it))
    };
    let (json, first) = ("application/vnd.kafka.json.v2+json", "application/vnd.kafka.v1+json");
    let long = format!("{json};{}", "a".repeat(200));
    for _ in 0..3 {
        server.ask(&of(&[])).unwrap();
        server.ask(&of(&[json])).unwrap();
        assert_eq!(server.reason(&of(&[first])), Reason::OperationRefused);
        assert_eq!(server.reason(&of(&[json, json])), Reason::RequestAmbiguous);
        assert_eq!(server.reason(&of(&[json, first])), Reason::RequestAmbiguous);
        server.ask(&of(&[&long])).unwrap();
    }
    assert_eq!(server.routes.len(), 2, "without a type and with one");
}

#[test]
fn nothing_is_kept_for_whoever_has_no_credential() {
    let key = Key::new("k1");
    let mut server = server(&key, "kafka_rest", &[]);
    let sent = Sent::default().asking("POST", "/topics/orders");
    assert_eq!(server.reason(&sent), Reason::CredentialMissing);
    assert!(server.routes.is_empty());
}

#[test]
fn the_lines_that_are_kept_fit_into_their_room() {
    let key = Key::new("k1");
    let token = key.token(&json!({}));
    let mut server = server(&key, "kafka_rest", &[]);
    for at in 0..3 * RouteCache::ROOM {
        server.ask(&produce(&format!("o-{at}"), &token)).unwrap();
    }
    let kept = server.routes.len();
    assert!((RouteCache::ROOM / 2..=RouteCache::ROOM).contains(&kept), "{kept}");
    let long = format!("orders?{}", "a".repeat(300));
    let before = server.routes.len();
    server.ask(&produce(&long, &token)).unwrap();
    assert_eq!(server.routes.len(), before);
}
