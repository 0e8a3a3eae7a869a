//! Users of AWS load balancers.

use base64::engine::general_purpose::URL_SAFE;

use super::*;
use crate::key::algorithm::Algorithm;

const IDP: &str = "https://idp.example";
const ALB: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/edge/50dc6c495c0c9188";
const OTHER_ALB: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:999999999999:loadbalancer/app/edge/50dc6c495c0c9188";
const KID: &str = "12345678-1234-1234-1234-123456789012";

/// The issuer itself, and the load balancer that passes on what it says.
fn server(idp: &Key, alb: &Key) -> Server {
    let issuers: &[(&str, Lines<'_>, Value)] = &[
        (
            "idp",
            &[("issuer", &[IDP]), ("audience", &["api"]), ("jwks", &["x"])],
            json!({ "keys": [idp.jwk] }),
        ),
        (
            "alb",
            &[("issuer", &[IDP]), ("alb", &[ALB]), ("audience", &["client"]), ("jwks", &["x"])],
            json!({ "keys": [alb.jwk] }),
        ),
    ];
    Server::of(issuers, &[TOKEN])
}

fn header(changes: &Value) -> Value {
    let usual =
        json!({ "typ": "JWT", "signer": ALB, "iss": IDP, "client": "client", "exp": NOW + 120 });
    changed(&usual, changes)
}

fn payload(changes: &Value) -> Value {
    let usual = json!({ "sub": "user-1", "email": "a@example.com", "iss": IDP, "exp": NOW + 120 });
    changed(&usual, changes)
}

/// A token as load balancers write it: with padding.
fn padded(key: &Key, header: &Value, payload: &Value) -> String {
    let whole = changed(&json!({ "alg": "ES256", "kid": key.kid }), header);
    let input = [&whole, payload].map(|part| URL_SAFE.encode(part.to_string())).join(".");
    format!("{input}.{}==", key.signer.sign(input.as_bytes(), Algorithm::Es256))
}

#[test]
fn a_user_of_a_listed_load_balancer_is_believed() {
    let [idp, alb] = ["idp", KID].map(Key::new);
    let mut server = server(&idp, &alb);
    let (head, body) = (header(&json!({})), payload(&json!({})));
    let without = payload(&json!({ "iss": null, "exp": null }));
    for token in [
        padded(&alb, &head, &body),
        alb.sign_under(&head, &body),
        padded(&alb, &head, &without),
        padded(&alb, &header(&json!({ "pad": "x" })), &body),
        padded(&alb, &header(&json!({ "pad": "xx" })), &body),
    ] {
        let admission = server.ask(&Sent::token(&token)).unwrap();
        assert_eq!(attribute(&admission, Attribute::Issuer).as_deref(), Some("alb"));
        assert_eq!(attribute(&admission, Attribute::Principal).as_deref(), Some("user-1"));
    }
    let own = idp.token(&json!({}));
    let admission = server.ask(&Sent::token(&own)).unwrap();
    assert_eq!(attribute(&admission, Attribute::Issuer).as_deref(), Some("idp"));
}

#[test]
fn what_a_load_balancer_did_not_say_is_refused() {
    let [idp, alb] = ["idp", KID].map(Key::new);
    let mut server = server(&idp, &alb);
    for (head, body, expected) in [
        (json!({ "signer": OTHER_ALB }), json!({}), Reason::SignerRefused),
        (json!({ "signer": "" }), json!({}), Reason::SignerRefused),
        // Without a signer it is a token of the issuer itself, with a key of another one.
        (json!({ "signer": null }), json!({}), Reason::TokenMalformed),
        (json!({ "signer": [ALB] }), json!({}), Reason::TokenMalformed),
        (json!({ "client": "other" }), json!({}), Reason::AudienceRefused),
        (json!({ "client": null }), json!({}), Reason::AudienceRefused),
        (json!({ "client": null }), json!({ "aud": "client" }), Reason::AudienceRefused),
        (json!({ "client": 7 }), json!({}), Reason::ClaimMalformed),
        (json!({ "exp": NOW - 60 }), json!({ "exp": NOW - 60 }), Reason::TokenExpired),
        (json!({ "exp": NOW - 60 }), json!({ "exp": null }), Reason::TokenExpired),
        (json!({ "exp": NOW + 9_999 }), json!({}), Reason::ClaimMalformed),
        (json!({ "exp": null }), json!({ "exp": null }), Reason::ExpiryMissing),
        (json!({ "iss": "https://other.example" }), json!({}), Reason::ClaimMalformed),
        (json!({ "iss": "https://other.example" }), json!({ "iss": null }), Reason::TokenMalformed),
        (json!({}), json!({ "sub": null }), Reason::ServiceMissing),
        (json!({ "kid": "87654321-1234-1234-1234-123456789012" }), json!({}), Reason::UnknownKey),
        (json!({ "alg": "none" }), json!({}), Reason::AlgorithmRefused),
    ] {
        let token = padded(&alb, &header(&head), &payload(&body));
        assert_eq!(server.reason(&Sent::token(&token)), expected, "{head} {body}");
    }
    let forged = padded(&Key::new(KID), &header(&json!({})), &payload(&json!({})));
    assert_eq!(server.reason(&Sent::token(&forged)), Reason::SignatureInvalid);
    let by_issuer = padded(&idp, &header(&json!({})), &payload(&json!({})));
    assert_eq!(server.reason(&Sent::token(&by_issuer)), Reason::UnknownKey);
}

#[test]
fn padding_is_for_load_balancers_alone() {
    let [idp, alb] = ["idp", KID].map(Key::new);
    let mut server = server(&idp, &alb);
    let claims = json!({ "iss": IDP, "aud": "api", "sub": "orders-api", "exp": NOW + 600 });
    for head in [json!({}), json!({ "signer": "me" }), json!({ "pad": "xx" })] {
        let token = padded(&idp, &head, &claims);
        let refused = server.reason(&Sent::token(&token));
        assert!(
            matches!(refused, Reason::TokenMalformed | Reason::SignerRefused),
            "{head} {refused}"
        );
    }
    let good = padded(&alb, &header(&json!({})), &payload(&json!({})));
    for spoilt in [
        format!("{good}="),
        good.replacen("==", "=", 1),
        format!("={good}"),
        good.replace('.', "=."),
    ] {
        assert_eq!(server.reason(&Sent::token(&spoilt)), Reason::TokenMalformed, "{spoilt}");
    }
    let mut plain = Server::tokens(&idp);
    assert_eq!(
        plain.reason(&Sent::token(&padded(&idp, &json!({}), &claims))),
        Reason::TokenMalformed
    );
}

#[test]
fn a_load_balancer_is_named_by_its_arn_and_its_keys() {
    let block = |signer: &'static [&'static str]| {
        vec![
            ("issuer", &[IDP][..]),
            ("alb", signer),
            ("audience", &["client"][..]),
            ("jwks", &["x"][..]),
        ]
    };
    for (lines, expected) in [
        (block(&["edge"]), "is not the ARN of an application load balancer"),
        (
            block(&["arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/a/b"]),
            "is not the ARN",
        ),
        (block(&[ALB])[..3].to_vec(), "has \"alb\", and no \"alb_keys\""),
        (block(&[OTHER_ALB, ALB]), "already belongs to mesh_issuer \"i0\""),
    ] {
        let refused = refused_block(&lines, &[&block(&[ALB])]);
        assert!(refused.contains(expected), "{refused}");
    }
}
