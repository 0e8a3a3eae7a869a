use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::claims::Kept;
use crate::testing;
use crate::testing::keys::{P256, P384, RSA, Signer, key_set};

const NOW: UnixTime = UnixTime::from_secs(testing::NOW);

/// The issuers "idp" and "other", of which the first has these keys.
fn trust(keys: &[Value]) -> Trust {
    let (audience, jwks) = (("audience", &["api"][..]), ("jwks", &["file"][..]));
    let main = testing::issuers(&[
        ("idp", &[("issuer", &["https://idp.example"]), audience, jwks]),
        ("other", &[("issuer", &["https://other.example"]), audience, jwks]),
    ]);
    Trust::new(main.issuers, Kept::default(), vec![Some(key_set(keys)), None])
}

fn compact(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|it| URL_SAFE_NO_PAD.encode(it.to_string()));
    format!("{header}.{claims}.AAAA")
}

fn said(token: &str, reason: Reason, trust: &Trust) -> Option<String> {
    let accept = [Accept { issuer: 0, audiences: None }];
    explain(token.as_bytes(), reason, &accept, trust, NOW)
}

fn of(iss: &Value) -> Value {
    json!({ "iss": iss, "sub": "secret-subject" })
}

#[test]
fn an_unknown_key_is_told_with_those_that_there_are() {
    let trust = trust(&[P256.jwk("a\n\"b"), RSA.jwk("r")]);
    let idp = of(&json!("https://idp.example"));
    let has =
        "mesh_issuer \"idp\" has \"a%0A%22b\" (ES256), \"r\" (PS256 PS384 PS512 RS256 RS384 RS512)";
    for (header, named) in [
        (json!({ "alg": "ES256", "kid": "secret" }), "its key by kid"),
        (json!({ "alg": "ES256", "x5t": "secret" }), "its key by x5t"),
        (json!({ "alg": "ES256" }), "no key"),
    ] {
        let text = said(&compact(&header, &idp), Reason::UnknownKey, &trust).unwrap();
        let expected = format!("the token is signed by ES256 and names {named}, {has}");
        assert_eq!(text, expected);
    }
    for (alg, expected) in [
        ("nOnE", "the token is not signed"),
        ("HS256", "the token is signed by a shared secret"),
        ("secret", "the token names an alg that is not known"),
    ] {
        let header = json!({ "alg": alg, "kid": "r" });
        let text = said(&compact(&header, &idp), Reason::AlgorithmRefused, &trust).unwrap();
        assert_eq!(text, expected);
    }
}

#[test]
fn the_tool_shows_what_the_token_says() {
    let set = key_set(&[P256.jwk("a")]);
    for (header, named) in [
        (json!({ "alg": "ES256", "kid": "x\r\n" }), "kid \"x%0D%0A\" and alg \"ES256\""),
        (json!({ "alg": "none", "x5t": "t" }), "x5t \"t\" and alg \"none\""),
        (json!({ "alg": "ES256" }), "no key and alg \"ES256\""),
    ] {
        let token = compact(&header, &json!({}));
        let text = explain_signature(token.as_bytes(), Reason::UnknownKey, &set).unwrap();
        assert_eq!(text, format!("the token names {named}, the set has \"a\" (ES256)"));
    }
    let token = compact(&json!({ "alg": "ES256", "kid": "k".repeat(1000) }), &json!({}));
    let text = explain_signature(token.as_bytes(), Reason::UnknownKey, &set).unwrap();
    assert!(text.contains(&format!("\"{}...\"", "k".repeat(Short::LIMIT))), "{text}");
    assert_eq!(explain_signature(token.as_bytes(), Reason::SignatureInvalid, &set), None);
}

#[test]
fn a_long_list_of_keys_is_cut() {
    let mut keys: Vec<_> = (0..20).map(|n| Signer::ed25519().jwk(&n.to_string())).collect();
    keys.push(testing::keys::with(&P384.jwk(""), "kid", Value::Null));
    keys.reverse();
    let trust = trust(&keys);
    let header = json!({ "alg": "ES256", "kid": "k".repeat(1000) });
    let idp = of(&json!("https://idp.example"));
    let text = said(&compact(&header, &idp), Reason::UnknownKey, &trust).unwrap();
    assert!(text.contains("has one without kid (ES384), \"19\" (EdDSA), "), "{text}");
    assert!(text.ends_with(", \"13\" (EdDSA) and 13 more"), "{text}");
}

#[test]
fn an_issuer_that_is_not_accepted_is_told_with_those_that_are() {
    let trust = trust(&[P256.jwk("a")]);
    let accepted = "accepted here: \"https://idp.example\"";
    for (iss, expected) in [
        (
            json!("https://x.example\n"),
            format!("the token's iss is \"https://x.example%0A\", {accepted}"),
        ),
        (
            json!("https://idp.example/"),
            format!(
                "the token's iss is \"https://idp.example/\" (compared byte by byte), {accepted}"
            ),
        ),
        (json!(["https://idp.example"]), format!("the token's iss is no string, {accepted}")),
        (
            json!("https://other.example"),
            "the token's iss is \"https://other.example\" (mesh_issuer \"other\"), which is not \
             accepted here"
                .to_owned(),
        ),
    ] {
        let token = compact(&json!({ "alg": "ES256" }), &of(&iss));
        let text = said(&token, Reason::IssuerRefused, &trust).unwrap();
        assert_eq!(text, expected);
    }
    let token = compact(&json!({ "alg": "ES256" }), &json!({}));
    let text = said(&token, Reason::IssuerRefused, &trust).unwrap();
    assert_eq!(text, format!("the token has no iss, {accepted}"));
}

#[test]
fn an_encrypted_token_is_recognised() {
    let trust = trust(&[P256.jwk("a")]);
    let header = json!({ "alg": "RSA-OAEP", "enc": "A256GCM", "kid": "a" }).to_string();
    let token = format!("{}.AA.AA.AA.AA", URL_SAFE_NO_PAD.encode(&header));
    for reason in [Reason::TokenMalformed, Reason::AlgorithmRefused] {
        assert!(
            said(&token, reason, &trust).unwrap().starts_with("the token is encrypted (a JWE)")
        );
        let keys = key_set(&[P256.jwk("a")]);
        let text = explain_signature(token.as_bytes(), reason, &keys).unwrap();
        assert!(text.starts_with("the token is encrypted"));
    }
    for other in ["a.AA.AA.AA.AA", "....", &token.replacen(".AA", "", 1)] {
        let text = said(other, Reason::TokenMalformed, &trust);
        assert_eq!(text, None, "{other}");
    }
}

#[test]
fn a_token_for_microsoft_graph_is_recognised() {
    let trust = trust(&[P256.jwk("a")]);
    let header = json!({ "alg": "ES256", "kid": "a", "nonce": "n0nce" });
    let token = compact(&header, &of(&json!("https://idp.example")));
    let text = said(&token, Reason::SignatureInvalid, &trust).unwrap();
    assert!(text.contains("Microsoft Graph") && !text.contains("n0nce"), "{text}");
    let token = compact(&header, &of(&json!("https://x.example")));
    let text = said(&token, Reason::IssuerRefused, &trust).unwrap();
    assert!(text.contains("https://x.example") && text.contains("Microsoft Graph"), "{text}");
    let plain = compact(&json!({ "alg": "ES256" }), &of(&json!("https://idp.example")));
    assert_eq!(said(&plain, Reason::SignatureInvalid, &trust), None);
    assert_eq!(said(&token, Reason::TokenExpired, &trust), None);
}

#[test]
fn keys_that_are_not_there_are_told_by_their_issuer() {
    let trust = trust(&[P256.jwk("a")]);
    let token = compact(&json!({ "alg": "ES256" }), &of(&json!("https://other.example")));
    let text = said(&token, Reason::KeysUnavailable, &trust);
    assert_eq!(text.as_deref(), Some("of mesh_issuer \"other\""));
}

proptest! {
    #[test]
    fn whatever_a_token_says_is_shown_short_and_clean(
        alg in any::<String>(), kid in any::<String>(), iss in any::<String>(), x5t in any::<String>(),
    ) {
        let trust = trust(&[P256.jwk("a")]);
        let header = json!({ "alg": alg, "kid": kid, "x5t": x5t, "nonce": 1 });
        for iss in [iss, "https://idp.example".to_owned()] {
            let token = compact(&header, &of(&json!(iss)));
            for reason in Reason::ALL {
                if let Some(text) = said(&token, *reason, &trust) {
                    prop_assert!(text.len() < 1200, "{}", text);
                    prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{}", text);
                    prop_assert!(!text.contains("secret-subject"));
                }
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let trust = trust(&[P256.jwk("a")]);
        for reason in Reason::ALL {
            let _ = explain(&bytes, *reason, &[], &trust, NOW);
        }
    }
}
