//! An issuer that names the audience in a claim of its own, as AWS Cognito does.

use super::*;
use crate::token::introspection::{self, Answer};

const CLIENT: (&str, &[&str]) = ("audience_claim", &["/client_id"]);

/// `base` with other members: `null` is one of them.
fn and(mut base: Value, changes: &Value) -> Value {
    base.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    base
}

/// A token without `aud`, changed as told.
fn token(key: &Key, changes: &Value) -> String {
    key.token(&and(json!({ "aud": null, "client_id": "api" }), changes))
}

#[test]
fn the_claim_is_the_audience_of_a_token_without_aud_alone() {
    let key = Key::new("k1");
    let location: Lines<'_> =
        &[("mesh_authenticate", &["token"]), ("mesh_accept", &["idp", "audience=own"])];
    let mut server = Server::new(&key, &[CLIENT], &[TOKEN, location]);
    for good in [
        json!({}),
        json!({ "client_id": ["x", "api"] }),
        json!({ "aud": "api", "client_id": "other" }),
        json!({ "aud": ["api"], "client_id": null }),
    ] {
        let sent = Sent::token(&token(&key, &good));
        assert!(server.ask(&sent).is_ok(), "{good}");
        assert!(server.ask(&sent).is_ok(), "{good}, from the cache");
    }
    for (changes, reason) in [
        (json!({ "client_id": "other" }), Reason::AudienceRefused),
        (json!({ "client_id": null }), Reason::AudienceRefused),
        (json!({ "client_id": [] }), Reason::AudienceRefused),
        (json!({ "client_id": "api ops" }), Reason::AudienceRefused),
        (json!({ "aud": "other" }), Reason::AudienceRefused),
        (json!({ "aud": [] }), Reason::AudienceRefused),
        (json!({ "client_id": 7 }), Reason::ClaimMalformed),
        (json!({ "client_id": true }), Reason::ClaimMalformed),
        (json!({ "client_id": { "api": 1 } }), Reason::ClaimMalformed),
        (json!({ "client_id": ["api", 1] }), Reason::ClaimMalformed),
        (json!({ "aud": 7 }), Reason::ClaimMalformed),
        (json!({ "_claim_names": { "client_id": "x" } }), Reason::AudienceRefused),
    ] {
        assert_eq!(server.reason(&Sent::token(&token(&key, &changes))), reason, "{changes}");
    }
    // mesh_accept names its own audiences.
    let mut own = |changes| {
        let sent = Sent::token(&token(&key, &changes));
        server.ask_in(1, &sent, &mut Memo::default()).map(drop).map_err(|it| it.reason())
    };
    assert_eq!(own(json!({ "client_id": "own" })), Ok(()));
    assert_eq!(own(json!({})), Err(Reason::AudienceRefused));
}

#[test]
fn without_the_setting_the_claim_is_no_audience() {
    let key = Key::new("k1");
    let mut server = Server::new(&key, &[], &[TOKEN]);
    let sent = Sent::token(&token(&key, &json!({})));
    assert_eq!(server.reason(&sent), Reason::AudienceRefused);
}

#[test]
fn the_claim_counts_in_answers_about_opaque_tokens_too() {
    let key = Key::new("k1");
    let asked: Lines<'_> = &[
        CLIENT,
        ("introspection", &["https://idp.example/introspect"]),
        ("introspection_client", &["gateway", "secret=x"]),
    ];
    let optional = [asked, &[("introspection_audience", &["optional"])]].concat();
    for (lines, absent) in [(asked, false), (optional.as_slice(), true)] {
        let server = Server::new(&key, lines, &[TOKEN]);
        let passes = |changes: Value| {
            let body = and(json!({ "active": true, "sub": "etl" }), &changes).to_string();
            let (now, trust) = (UnixTime::from_secs(NOW), &server.trust);
            match introspection::read(body.as_bytes(), b"opaque", 0, trust, now, &mut None) {
                Ok(Answer::Active(token)) => token
                    .check(&server.locations[0].authentication.accept, trust, &trust.load(), now)
                    .is_ok(),
                Ok(Answer::Refused(_)) => false,
                Err(error) => panic!("{error}"),
            }
        };
        assert!(passes(json!({ "client_id": "api" })));
        assert!(passes(json!({ "client_id": "other", "aud": "api" })));
        // Another audience is one, wherever it is named.
        assert!(!passes(json!({ "client_id": "other" })));
        assert!(!passes(json!({ "client_id": "api", "aud": "other" })));
        assert!(!passes(json!({ "client_id": 7 })));
        assert_eq!(passes(json!({})), absent);
    }
}

#[test]
fn the_setting_is_refused_where_aud_is_always_there() {
    let usual: Lines<'_> = &[("issuer", &["https://idp.example"]), ("audience", &["api"]), CLIENT];
    let balancer = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/a/1";
    let no_use = "mesh_issuer \"i0\" cannot have \"audience_claim\": ";
    let refused = refused_block(&[usual, &[("alb", &[balancer]), ("jwks", &["x"])]].concat(), &[]);
    assert!(refused.contains(no_use), "{refused}");
    let refused = refused_block(
        &[usual, &[("spiffe_trust_domain", &["prod"]), ("jwks", &["x"])]].concat(),
        &[],
    );
    assert!(refused.contains(no_use), "{refused}");
    let aud = "applies to tokens without \"aud\", so it cannot be \"aud\"";
    assert_eq!(refused_block(&[("audience_claim", &["/aud"])], &[]), aud);
    assert_eq!(refused_block(&[("audience_claim", &["/aud/0"])], &[]), aud);
    assert!(refused_block(&[("audience_claim", &["client_id"])], &[]).contains("JSON pointer"));
    assert_eq!(refused_block(&[CLIENT, CLIENT], &[]), "is duplicate");
}
