//! What a token says, beside what its issuer and its location ask for.

use super::*;

#[test]
fn each_wrong_claim_has_a_reason_of_its_own() {
    let key = Key::new("k1");
    let issuer: &[(&str, &[&str])] = &[("max_lifetime", &["1h"]), ("leeway", &["10s"])];
    let mut server = Server::new(&key, issuer, &[&[("mesh_authenticate", &["token"])]]);
    let cases = [
        (json!({ "iss": "https://other.example" }), Reason::IssuerRefused),
        (json!({ "iss": "https://idp.example/" }), Reason::IssuerRefused),
        (json!({ "iss": ["https://idp.example"] }), Reason::IssuerRefused),
        (json!({ "iss": null }), Reason::IssuerRefused),
        (json!({ "aud": "other" }), Reason::AudienceRefused),
        (json!({ "aud": ["b", "c"] }), Reason::AudienceRefused),
        (json!({ "aud": [] }), Reason::AudienceRefused),
        (json!({ "aud": null }), Reason::AudienceRefused),
        (json!({ "aud": ["api", 1] }), Reason::ClaimMalformed),
        (json!({ "aud": { "api": true } }), Reason::ClaimMalformed),
        (json!({ "exp": NOW - 10 }), Reason::TokenExpired),
        (json!({ "exp": 0 }), Reason::TokenExpired),
        (json!({ "exp": -1 }), Reason::TokenExpired),
        (json!({ "exp": null }), Reason::ExpiryMissing),
        (json!({ "exp": "2030" }), Reason::ClaimMalformed),
        (json!({ "exp": 1e300 }), Reason::ClaimMalformed),
        (json!({ "exp": true }), Reason::ClaimMalformed),
        (json!({ "nbf": NOW + 11 }), Reason::TokenNotYetValid),
        (json!({ "nbf": [] }), Reason::ClaimMalformed),
        (json!({ "iat": null }), Reason::LifetimeExceeded),
        (json!({ "iat": NOW - 3001 }), Reason::LifetimeExceeded),
        (json!({ "iat": NOW + 11 }), Reason::LifetimeExceeded),
        (json!({ "sub": null }), Reason::ServiceMissing),
        (json!({ "sub": "" }), Reason::ClaimMalformed),
        (json!({ "sub": 7 }), Reason::ClaimMalformed),
        (json!({ "cnf": {} }), Reason::BindingUnsupported),
        (json!({ "cnf": "x" }), Reason::BindingUnsupported),
        (json!({ "cnf": { "jkt": "x" } }), Reason::BindingUnsupported),
        (json!({ "cnf": { "x5t#S256": "x" } }), Reason::BindingUnsupported),
        (json!({ "cnf": { "x5t#S256": "A".repeat(43), "jkt": "y" } }), Reason::BindingUnsupported),
        (json!({ "cnf": { "x5t#S256": "A".repeat(43) } }), Reason::BindingMismatch),
    ];
    for (changes, reason) in cases {
        assert_eq!(server.reason(&Sent::token(&key.token(&changes))), reason, "{changes}");
    }
    for admitted in
        [json!({ "exp": NOW - 9 }), json!({ "nbf": NOW + 10 }), json!({ "aud": ["x", "api"] })]
    {
        assert!(server.ask(&Sent::token(&key.token(&admitted))).is_ok(), "{admitted}");
    }
}

#[test]
fn required_claims_must_all_hold() {
    let key = Key::new("k1");
    let location: &[(&str, &[&str])] = &[
        ("mesh_authenticate", &["any"]),
        ("mesh_require_claim", &["/scope", "write", "read"]),
        ("mesh_require_claim", &["/groups", "ops"]),
        ("mesh_require_claim", &["/level", "3"]),
    ];
    let mut server = Server::new(&key, &[], &[location]);
    for scope in ["read", "openid read", "write openid"] {
        let changes = json!({ "level": 3, "scope": scope });
        server.ask(&Sent::token(&key.token(&changes))).unwrap();
    }
    for changes in [
        json!({}),
        json!({ "level": 33 }),
        json!({ "level": null }),
        json!({ "level": { "3": 3 } }),
        json!({ "level": 3, "scope": "reader rewrite" }),
        json!({ "level": 3, "groups": ["operators"] }),
        json!({ "level": 3, "groups": null }),
    ] {
        let sent = Sent::token(&key.token(&changes));
        assert_eq!(server.reason(&sent), Reason::ClaimRefused, "{changes}");
    }
    let dns = certificate(&["orders.example"]);
    let sent = Sent::default().with(&dns, ChainVerdict::Verified);
    assert_eq!(server.reason(&sent), Reason::ClaimRefused, "a certificate has no claims");
}

#[test]
fn the_audiences_of_a_location_replace_those_of_the_issuer() {
    let key = Key::new("k1");
    let location: &[(&str, &[&str])] =
        &[("mesh_authenticate", &["token"]), ("mesh_accept", &["idp", "audience=kafka"])];
    let mut server = Server::new(&key, &[], &[location]);
    assert_eq!(server.reason(&Sent::token(&key.token(&json!({})))), Reason::AudienceRefused);
    server.ask(&Sent::token(&key.token(&json!({ "aud": "kafka" })))).unwrap();
}

#[test]
fn a_token_type_is_compared_as_a_media_type() {
    let key = Key::new("k1");
    let mut server =
        Server::new(&key, &[("token_type", &["at+jwt"])], &[&[("mesh_authenticate", &["token"])]]);
    assert_eq!(server.reason(&Sent::token(&key.token(&json!({})))), Reason::TypeRefused);
    let header = json!({ "typ": "application/AT+jwt" });
    let claims = json!({ "iss": "https://idp.example", "aud": "api", "sub": "a", "exp": NOW + 1 });
    server.ask(&Sent::token(&key.sign_under(&header, &claims))).unwrap();
}
