use crate::issuer::Question;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::issuer::KeySource;
use crate::testing::{self, Lines};

/// An issuer that introspects and has no keys, unless the lines say otherwise.
pub(super) fn issuer(lines: Lines<'_>) -> Issuer {
    let usual: Lines<'_> = &[
        ("issuer", &["https://idp.example"]),
        ("audience", &["api"]),
        ("introspection", &["https://idp.example/introspect"]),
        ("introspection_client", &["gateway", "secret=x"]),
    ];
    testing::issuers(&[("idp", &[usual, lines].concat())]).issuers.remove(0)
}

fn signed(header: &str, claims: &str) -> Vec<u8> {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(header), part(claims), part("signature")).into_bytes()
}

#[test]
fn a_token_is_opaque_unless_it_has_the_form_of_a_signed_one() {
    for token in [
        &b"a"[..],
        b"",
        b"..",
        b"a.b.c",
        b"v4.local.c2VjcmV0",
        b"eyJhIjoxfQ..c2ln",
        b"eyJhIjoxfQ.e30",
        b"eyJhIjoxfQ.e30.",
        b"eyJhIjoxfQ.e30.c2ln.c2ln",
        b"eyJhIjoxfQ.a.b.c.d",
        b"eyJhIjoxfQ.e30~.c2ln",
        b"eyJhIjoxfQ=a.e30.c2ln",
        b"eyJhIjoxfQ.=.c2ln",
        b"W10.e30.c2ln",
        b"IjEi.e30.c2ln",
        b"\xff.\xff.\xff",
    ] {
        assert!(is_opaque(token), "{token:?}");
    }
    for token in [
        signed(r#"{"alg":"RS256"}"#, "{}"),
        signed(r#" {"alg":"none"}"#, "not even JSON"),
        // An ambiguous token is refused as a signed token, and not shown to any issuer.
        signed(r#"{"alg":"RS256","alg":"none"}"#, "{}"),
        signed("{", "{}"),
        b"eyJhIjoxfQ==.e30=.c2ln=".to_vec(),
    ] {
        assert!(!is_opaque(&token), "{token:?}");
    }
}

#[test]
fn a_signed_token_concerns_its_own_issuer_where_that_has_no_keys_or_is_always_asked() {
    let own = signed(r#"{"alg":"RS256"}"#, r#"{"iss":"https://idp.example"}"#);
    let others = [
        signed(r#"{"alg":"RS256"}"#, r#"{"iss":"https://other.example"}"#),
        signed(r#"{"alg":"RS256"}"#, r#"{"iss":["https://idp.example"]}"#),
        signed(
            r#"{"alg":"RS256"}"#,
            r#"{"iss":"https://idp.example","iss":"https://idp.example"}"#,
        ),
        signed(r#"{"alg":"RS256"}"#, "{}"),
        signed(r#"{"alg":"RS256"}"#, "no claims"),
    ];
    let without_keys = issuer(&[]);
    assert_eq!(without_keys.keys, KeySource::None);
    let with_keys = issuer(&[("jwks", &["k.json"])]);
    let mut always = with_keys.clone();
    always.introspection.as_mut().unwrap().always = true;
    let mut silent = with_keys.clone();
    silent.introspection = None;
    for (issuer, asked) in
        [(&without_keys, true), (&with_keys, false), (&always, true), (&silent, false)]
    {
        assert_eq!(concerns(&own, issuer), asked);
        assert_eq!(concerns(b"opaque", issuer), issuer.introspection.is_some());
        for other in &others {
            assert!(!concerns(other, issuer));
        }
    }
}

#[test]
fn a_question_shows_no_token() {
    let question = Question { issuer: 3, token: (*b"secret").into() };
    let shown = format!("{question:?}");
    assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_a_panic(token in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = (is_opaque(&token), concerns(&token, &issuer(&[])));
    }

    #[test]
    fn what_is_read_as_a_signed_token_is_never_opaque(claims in "[a-z{}\":,]{0,20}") {
        let token = signed(&json!({ "alg": "RS256", "kid": claims }).to_string(), &claims);
        prop_assume!(crate::key::jws::CompactJws::parse(&token).is_ok());
        prop_assert!(!is_opaque(&token));
    }
}
