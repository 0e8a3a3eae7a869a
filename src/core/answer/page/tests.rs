use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::refusal::Reason;

/// What a client was read to repeat a refused request for, wherever it is in the message.
const REPEATED: [&str; 26] = [
    // databricks-sdk for Python 0.162.0.
    "com.databricks.backend.manager.util.UnknownWorkerEnvironmentException",
    "does not have any associated worker environments",
    "There is no worker environment with id",
    "Unknown worker environment",
    "ClusterNotReadyException",
    "Unexpected error",
    "Please try again later or try a faster operation.",
    "RPC token bucket limit has been exceeded",
    // The SDKs for Go and JavaScript; the first is the beginning of an expression.
    "worker env ",
    "connection reset by peer",
    "TLS handshake timeout",
    "connection refused",
    "i/o timeout",
    // Spark Connect of databricks-connect 15.4 and 16.1.
    "INVALID_CURSOR.DISCONNECTED",
    "Received RST_STREAM with error",
    "RST_STREAM closed stream. HTTP/2 error code: INTERNAL_ERROR",
    "failed to connect to all addresses",
    "invalid content-type",
    "is in unexpected state Pending",
    "RESOURCE_LIMIT_EXCEEDED: Only 1 cluster(s)",
    // What changes the class of the error: the SDKs' overrides, and Spark Connect.
    "does not exist",
    "doesn't exist",
    "PYTHON_VERSION_MISMATCH",
    // databricks-sql-connector 4.9.0.
    "Invalid SessionHandle",
    "databricks OAuth is not",
    // Of no client that is known, but what one would look for.
    "try again",
];

const DENIED: What<'static> = What {
    operation: Some("jobs.run_now"),
    kind: Some("job"),
    action: Some("run"),
    name: Some("42"),
};

fn page(shape: Shape, reason: Reason, what: What<'_>, explain: bool) -> Page {
    let refusal = Refusal::from(reason);
    let status = refusal.status(429);
    let who = Some("nightly-etl");
    Page::new(shape, &Told { refusal: &refusal, status, who, what, reference: "7f3a", explain })
}

fn denied(shape: Shape) -> Value {
    serde_json::from_str(&page(shape, Reason::ClaimRefused, DENIED, false).body).unwrap()
}

fn explained(shape: Shape) -> Value {
    serde_json::from_str(&page(shape, Reason::ClaimRefused, DENIED, true).body).unwrap()
}

const MESSAGE: &str =
    "service 'nightly-etl' may not run the job '42' (jobs.run_now); reference '7f3a'";
const EXPLAINED: &str = "service 'nightly-etl' may not run the job '42' (jobs.run_now): a claim that this location \
                         requires does not hold (claim_refused); reference '7f3a'";

#[test]
fn databricks_is_told_in_a_body_and_in_a_field() {
    let facts = json!({
        "action": "run", "kind": "job", "operation": "jobs.run_now", "resource": "42", "service": "nightly-etl",
    });
    let body = |message: &str, reason: &str| {
        json!({
            "error_code": "PERMISSION_DENIED", "message": message,
            "details": [
                { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "mesh",
                  "metadata": facts },
                { "@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": "7f3a", "serving_data": "" },
            ],
        })
    };
    assert_eq!(denied(Shape::Databricks), body(MESSAGE, "PERMISSION_DENIED"));
    assert_eq!(explained(Shape::Databricks), body(EXPLAINED, "claim_refused"));
    let page = page(Shape::Databricks, Reason::ClaimRefused, DENIED, false);
    assert_eq!((page.status, page.content_type), (403, "application/json"));
    let field = ("X-Databricks-Error-Or-Redirect-Message", MESSAGE.to_owned());
    assert_eq!(page.fields, [field]);
}

#[test]
fn clients_that_show_a_phrase_alone_are_told_in_it() {
    let line = |shape, reason| page(shape, reason, DENIED, false).status_line;
    let expected = format!("403 Forbidden: {MESSAGE}");
    for shape in Shape::ALL {
        let has_phrase = matches!(shape, Shape::Databricks | Shape::DbtCloud);
        let expected = has_phrase.then(|| expected.clone());
        assert_eq!(line(shape, Reason::ClaimRefused), expected, "{shape:?}");
    }
    let busy = line(Shape::DbtCloud, Reason::KeysUnavailable).unwrap();
    assert!(busy.starts_with("503 Service Unavailable: "), "{busy}");
}

#[test]
fn tokens_of_databricks_are_refused_as_oauth_has_it() {
    let expected = json!({ "error": "access_denied", "error_description": MESSAGE });
    assert_eq!(denied(Shape::DatabricksOauth), expected);
}

#[test]
fn kafka_rest_has_the_codes_of_confluent() {
    assert_eq!(denied(Shape::KafkaRest), json!({ "error_code": 40301, "message": MESSAGE }));
    let expected = json!({ "error_code": 40301, "message": EXPLAINED, "reason": "claim_refused" });
    assert_eq!(explained(Shape::KafkaRest), expected);
    for (reason, code) in [
        (Reason::CredentialConflict, 40002),
        (Reason::TokenExpired, 40101),
        (Reason::Limited, 42901),
        (Reason::CertificateMisdirected, 421),
        (Reason::KeysUnavailable, 503),
    ] {
        let body: Value =
            serde_json::from_str(&page(Shape::KafkaRest, reason, What::default(), false).body)
                .unwrap();
        assert_eq!(body["error_code"], code, "{reason}");
    }
}

#[test]
fn synapse_has_the_error_of_odata() {
    let error =
        json!({ "code": "Forbidden", "message": MESSAGE, "target": "job/42", "details": [] });
    assert_eq!(denied(Shape::Synapse), json!({ "error": error }));
    let detail = json!({ "code": "claim_refused", "message": Reason::ClaimRefused.meaning() });
    let error = json!({ "code": "Forbidden", "message": EXPLAINED, "target": "job/42", "details": [detail] });
    assert_eq!(explained(Shape::Synapse), json!({ "error": error }));
}

#[test]
fn dbt_cloud_has_its_envelope() {
    let body = |user: &str, developer: &str| {
        json!({
            "status": {
                "code": 403, "is_success": false, "user_message": user, "developer_message": developer,
            },
            "data": null,
        })
    };
    assert_eq!(denied(Shape::DbtCloud), body(MESSAGE, ""));
    let developer = "claim_refused: a claim that this location requires does not hold";
    assert_eq!(explained(Shape::DbtCloud), body(EXPLAINED, developer));
}

#[test]
fn any_other_api_has_problem_details() {
    let page = page(Shape::Http, Reason::ClaimRefused, DENIED, false);
    assert_eq!(page.content_type, "application/problem+json");
    let expected = json!({
        "type": "about:blank", "title": "Forbidden", "status": 403, "detail": MESSAGE, "reference": "7f3a",
    });
    assert_eq!(denied(Shape::Http), expected);
    assert_eq!(explained(Shape::Http)["reason"], "claim_refused");
}

#[test]
fn grpc_is_refused_in_fields_alone() {
    let what = What { name: Some("50%"), ..DENIED };
    let page = page(Shape::SparkConnect, Reason::ClaimRefused, what, false);
    assert_eq!((page.status, page.content_type, &*page.body), (200, "application/grpc", ""));
    let message = MESSAGE.replace("42", "50%2525");
    assert_eq!(page.fields, [("grpc-status", "7".to_owned()), ("grpc-message", message)]);
}

#[test]
fn no_refusal_that_lasts_has_a_code_of_grpc_that_clients_repeat() {
    for reason in Reason::ALL {
        let page = page(Shape::SparkConnect, *reason, DENIED, false);
        let code: u8 = page.fields[0].1.parse().unwrap();
        // ABORTED, FAILED_PRECONDITION and INTERNAL are repeated for some messages.
        assert!(![0, 2, 9, 10, 13].contains(&code), "{reason}");
        assert_eq!(code == 14, reason.status() == 503, "{reason}");
    }
}

#[test]
fn the_meaning_is_told_where_nothing_is_named() {
    let page = |reason, what, explain| page(Shape::Http, reason, what, explain).body;
    for (reason, what) in [(Reason::ClaimRefused, What::default()), (Reason::TokenExpired, DENIED)]
    {
        let body = page(reason, what, false);
        assert!(body.contains(reason.meaning()) && !body.contains(reason.word()), "{body}");
        assert!(page(reason, what, true).contains(reason.word()));
    }
}

#[test]
fn who_and_what_may_be_absent() {
    let refusal = Refusal::from(Reason::ClaimRefused);
    let what = What { operation: None, name: None, ..DENIED };
    let told =
        Told { refusal: &refusal, status: 403, who: None, what, reference: "r", explain: false };
    let body: Value = serde_json::from_str(&Page::new(Shape::KafkaRest, &told).body).unwrap();
    assert_eq!(body["message"], "the caller may not run the job '*'; reference 'r'");
}

#[test]
fn only_what_passes_says_when() {
    for shape in Shape::ALL {
        for reason in Reason::ALL {
            for status in [reason.status(), 403, 401, 404, 503, 429] {
                let refusal = Refusal::from(*reason);
                let told = Told {
                    refusal: &refusal,
                    status,
                    who: None,
                    what: What::default(),
                    reference: "",
                    explain: false,
                };
                let page = Page::new(shape, &told);
                let after = page.fields.iter().find(|(name, _)| *name == "Retry-After");
                let passes = matches!(status, 429 | 503) && shape != Shape::SparkConnect;
                let expected = match refusal.wait_secs() {
                    Some(secs) if passes => Some(secs.to_string()),
                    None if passes && shape == Shape::Databricks => Some("5".to_owned()),
                    _ => None,
                };
                assert_eq!(after.map(|(_, value)| value), expected.as_ref(), "{shape:?} {reason}");
            }
        }
    }
}

#[test]
fn no_client_of_a_platform_is_sent_to_sleep_for_long() {
    for (shape, expected) in [
        (Shape::Databricks, Some(60)),
        (Shape::DatabricksOauth, Some(60)),
        (Shape::DbtCloud, Some(60)),
        (Shape::Http, Some(3600)),
        (Shape::KafkaRest, Some(60)),
        (Shape::SparkConnect, None),
        (Shape::Synapse, Some(60)),
    ] {
        let waits = &shape.row().waits;
        assert_eq!(waits.secs(429, Some(3600)), expected, "{shape:?}");
        assert_eq!(waits.secs(429, Some(0)), expected.map(|_| 1), "{shape:?}");
        assert_eq!(waits.secs(403, Some(3600)), None, "{shape:?}");
    }
}

#[test]
fn the_shape_is_of_platform_path_and_type() {
    let grpc = Some(&b"application/grpc+proto"[..]);
    for (platform, path, content_type, expected) in [
        ("databricks", "/api/2.2/jobs/run-now", None, Shape::Databricks),
        ("databricks", "/api/2.2/jobs/run-now", grpc, Shape::Databricks),
        ("databricks", "/sql/1.0/warehouses/w", None, Shape::Databricks),
        ("databricks", "/oidc/v1/token", None, Shape::DatabricksOauth),
        ("databricks", "/oidcx", None, Shape::Databricks),
        ("databricks", "/spark.connect.SparkConnectService/Config", grpc, Shape::SparkConnect),
        ("databricks", "/spark.connect.SparkConnectService/Config", None, Shape::Databricks),
        ("databricks", "/spark.connect.X/Y", Some(b"application/grpc"), Shape::SparkConnect),
        ("databricks", "/spark.connect.X/Y", Some(b"application/grpc-web"), Shape::Databricks),
        ("databricks", "/spark.connect.X/Y", Some(b"application/grp"), Shape::Databricks),
        ("kafka_rest", "/spark.connect.SparkConnectService/Config", grpc, Shape::KafkaRest),
        ("kafka", "/oidc/v1/token", None, Shape::KafkaRest),
        ("synapse", "/", None, Shape::Synapse),
        ("dbt_cloud", "/", None, Shape::DbtCloud),
        ("dbt", "/", None, Shape::DbtCloud),
        ("http", "/", None, Shape::Http),
        ("shop", "/", None, Shape::Http),
    ] {
        assert_eq!(Shape::of(platform, path.as_bytes(), content_type), expected, "{path}");
    }
}

#[test]
fn a_name_is_a_name_and_no_phrase() {
    for (name, shown) in [
        ("orders.v1_a-b~c/d:e@f+g=h", "orders.v1_a-b~c/d:e@f+g=h"),
        ("load orders", "load%20orders"),
        ("Unexpected error", "Unexpected%20error"),
        ("*", "%2A"),
        ("a' may run b '", "a%27%20may%20run%20b%20%27"),
        ("${jndi:x}<b>&", "%24%7Bjndi:x%7D%3Cb%3E%26"),
        ("ü\r\n", "%C3%BC%0D%0A"),
        ("clusternotreadyexceptions", "clusternotready%65xceptions"),
        ("x.UnknownWorkerEnvironmentException", "x.UnknownWorkerEnvironment%45xception"),
    ] {
        assert_eq!(text::Name::long(name).to_string(), shown);
    }
}

#[test]
fn a_long_name_is_cut_between_characters() {
    let shown = |text: &str| text::Name::short(text).to_string();
    assert_eq!(shown(&"a".repeat(64)), "a".repeat(64));
    assert_eq!(shown(&"a".repeat(65)), format!("{}...", "a".repeat(64)));
    assert_eq!(shown(&" ".repeat(22)), format!("{}...", "%20".repeat(21)));
}

/// Any text, and any text about what clients repeat: a whole phrase, or what is before or behind a space of it.
fn names() -> impl Strategy<Value = String> {
    let phrase = || proptest::sample::select(REPEATED.to_vec());
    let within = (any::<String>(), phrase(), any::<String>())
        .prop_map(|(before, phrase, after)| before + phrase + &after);
    let part = (phrase(), any::<proptest::sample::Index>(), any::<bool>()).prop_map(
        |(phrase, at, is_head)| {
            let spaces: Vec<usize> = phrase.match_indices(' ').map(|(at, _)| at).collect();
            match spaces.is_empty() {
                true => phrase.to_owned(),
                false => {
                    let (head, tail) = phrase.split_at(spaces[at.index(spaces.len())]);
                    if is_head { head.to_owned() } else { tail.trim_start().to_owned() }
                }
            }
        },
    );
    prop_oneof![any::<String>(), within, part]
}

/// Each phrase, in two names that follow each other.
#[test]
fn no_phrase_is_made_of_two_names() {
    let refusal = Refusal::from(Reason::ClaimRefused);
    for phrase in REPEATED {
        for (at, _) in phrase.match_indices(' ') {
            let (head, tail) = phrase.split_at(at);
            let (head, tail) = (Some(head), Some(tail.trim_start()));
            for [who, action, kind, name, operation] in [
                [head, tail, head, tail, head],
                [tail, head, tail, head, tail],
                [None, head, tail, None, None],
                [None, tail, head, tail, head],
            ] {
                let what = What { operation, kind, action, name };
                let reference = tail.unwrap_or_default();
                let told =
                    Told { refusal: &refusal, status: 403, who, what, reference, explain: true };
                let message = Text::of(&told, "").message;
                assert!(!message.contains(phrase), "{phrase} in {message}");
            }
        }
    }
}

fn decoded(text: &str) -> String {
    crate::text::escape::decode::<crate::text::escape::EscapeError>(text.as_bytes(), false, |_| {
        Ok(())
    })
    .unwrap()
}

proptest! {
    #[test]
    fn every_page_is_well_formed_bounded_and_never_repeated(
        names in [names(), names(), names(), names(), names(), names()],
        absent in any::<u8>(),
        shape in proptest::sample::select(Shape::ALL.to_vec()),
        reason in proptest::sample::select(Reason::ALL.to_vec()),
        explain in any::<bool>(),
    ) {
        let name = |at: usize| (absent >> at & 1 == 0).then_some(&*names[at]);
        let refusal = Refusal::from(reason);
        let page = Page::new(shape, &Told {
            refusal: &refusal,
            status: refusal.status(429),
            who: name(0),
            what: What { operation: name(1), kind: name(2), action: name(3), name: name(4) },
            reference: &names[5],
            explain,
        });
        for value in page.fields.iter().map(|(_, value)| value).chain(&page.status_line) {
            prop_assert!(value.len() <= 3 * text::MOST);
            prop_assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert_eq!(value.trim(), value);
        }
        prop_assert!(page.body.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        if shape == Shape::SparkConnect {
            prop_assert_eq!(&*page.body, "");
        } else {
            prop_assert!(serde_json::from_str::<Value>(&page.body).unwrap().is_object());
        }
        let texts = page.fields.iter().map(|(name, value)| match *name {
            "grpc-message" => decoded(value),
            _ => value.clone(),
        });
        for text in texts.chain([page.body.clone()]).chain(page.status_line.clone()) {
            let text = text.to_ascii_lowercase();
            for phrase in REPEATED {
                let is_told = text.contains(&phrase.to_ascii_lowercase());
                prop_assert!(!is_told, "{} in {}", phrase, text);
            }
        }
    }

    #[test]
    fn a_message_is_bounded_and_a_name_has_one_meaning(name in names()) {
        let whole = text::Name::long(&name).to_string();
        prop_assert!(!whole.contains('\''));
        if !whole.ends_with("...") {
            prop_assert_eq!(decoded(&whole), name.clone());
        }
        for reason in Reason::ALL {
            let refusal = Refusal::from(*reason);
            let name = &*name.repeat(40);
            let what = What { operation: Some(name), kind: Some(name), action: Some(name), name: Some(name) };
            let told = Told {
                refusal: &refusal, status: 403, who: Some(name), what, reference: name, explain: true,
            };
            prop_assert!(Text::of(&told, "").message.len() <= text::MOST);
        }
    }
}
