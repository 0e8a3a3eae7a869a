use std::rc::Rc;

use serde_json::json;

use super::*;
use crate::key::jws::Headers;
use crate::refusal::Reason;
use crate::testing::keys::{P256, Signer, key_set};
use crate::testing::{self, NOW};
use crate::token::{self, TokenCache, Wish};

fn trust(jwks: &str) -> Trust {
    let main = testing::issuers(&[(
        "idp",
        &[("issuer", &["https://idp.example"]), ("audience", &["api"]), ("jwks", &[jwks])],
    )]);
    Trust::new(main.issuers, Kept::default(), Vec::new())
}

fn remote() -> Trust {
    trust("https://idp.example/keys")
}

/// The default `max_stale`.
const DAY: i64 = 86_400;

fn at(secs: i64) -> UnixTime {
    UnixTime::from_secs(NOW).saturating_add(secs)
}

fn token(kid: Option<&str>) -> String {
    let claims = json!({ "iss": "https://idp.example", "aud": "api", "sub": "a", "exp": NOW });
    P256.token(kid, &claims)
}

fn verify(token: &str, trust: &Trust, now: UnixTime) -> (Option<Reason>, Option<Wish>) {
    let mut wish = None;
    let (snapshot, headers) = (trust.load(), &mut Headers::default());
    let verified = token::verify(token.as_bytes(), trust, &snapshot, now, headers, &mut wish);
    (verified.err().map(|refusal| refusal.reason()), wish)
}

#[test]
fn keys_of_a_server_count_until_max_stale_after_its_last_word() {
    let trust = remote();
    trust.replace_fetched(0, key_set(&[P256.jwk("a")]), at(0));
    assert_eq!(trust.load().last_keys(0).unwrap().confirmed(), Some(at(0)));
    for (secs, counts) in
        [(0, true), (DAY, true), (DAY + 1, false), (-DAY, true), (-DAY - 1, false)]
    {
        assert_eq!(trust.load().keys(0, at(secs)).is_some(), counts, "{secs}");
        let expected = (!counts).then_some(Reason::KeysUnavailable);
        assert_eq!(verify(&token(Some("a")), &trust, at(secs)).0, expected, "{secs}");
    }
    assert!(trust.load().last_keys(0).is_some());
    trust.confirm(0, at(DAY));
    assert!(trust.load().keys(0, at(DAY + 1)).is_some());
}

#[test]
fn keys_of_a_file_always_count() {
    let trust = trust("keys.json");
    trust.replace_fetched(0, key_set(&[P256.jwk("a")]), at(0));
    assert!(trust.load().keys(0, at(100 * DAY)).is_some());
    trust.confirm(0, at(0));
    assert_eq!(trust.load().last_keys(0).unwrap().confirmed(), None);
}

#[test]
fn a_known_token_is_forgotten_by_stale_keys_and_not_by_a_confirmation() {
    let trust = remote();
    trust.replace_fetched(0, key_set(&[P256.jwk("a")]), at(0));
    let mut cache = TokenCache::with_capacity(8);
    let token = token(Some("a"));
    let (snapshot, headers) = (trust.load(), &mut Headers::default());
    let verified =
        token::verify(token.as_bytes(), &trust, &snapshot, at(0), headers, &mut None).unwrap();
    cache.keep(token.as_bytes(), Rc::new(verified));
    let mut knows = |now| cache.find(token.as_bytes(), &trust.load(), now).is_some();
    assert!(knows(at(DAY)) && !knows(at(DAY + 1)));
    trust.confirm(0, at(DAY));
    assert!(knows(at(DAY + 1)));
    trust.replace_fetched(0, key_set(&[P256.jwk("a")]), at(DAY));
    assert!(!knows(at(DAY + 1)));
}

#[test]
fn a_key_that_a_server_may_have_published_since_is_wished_for() {
    let trust = remote();
    let wish = |kid: &str| Some(Wish { issuer: 0, kid: kid.into() });
    // Its keys were never had.
    let unavailable = Some(Reason::KeysUnavailable);
    assert_eq!(verify(&token(Some("b")), &trust, at(0)), (unavailable, wish("b")));
    trust.replace_fetched(0, key_set(&[P256.jwk("a"), Signer::p256().jwk("c")]), at(0));
    let unknown = Some(Reason::UnknownKey);
    assert_eq!(verify(&token(Some("b")), &trust, at(0)), (unknown, wish("b")));
    assert_eq!(verify(&token(Some("a")), &trust, at(0)), (None, None));
    assert_eq!(verify(&token(None), &trust, at(0)), (unknown, None));
    for kid in ["", " ", "a b", "é", "a\n", &"k".repeat(128)] {
        assert_eq!(verify(&token(Some(kid)), &trust, at(0)), (unknown, None), "{kid:?}");
    }
    for kid in ["0f".repeat(32), "k".repeat(127)] {
        assert_eq!(verify(&token(Some(&kid)), &trust, at(0)).1, wish(&kid));
    }
}

#[test]
fn nothing_is_wished_of_a_file_or_of_a_signature_that_is_wrong() {
    let file = trust("keys.json");
    file.replace(0, key_set(&[P256.jwk("a")]));
    assert_eq!(verify(&token(Some("b")), &file, at(0)), (Some(Reason::UnknownKey), None));
    let server = remote();
    server.replace_fetched(0, key_set(&[Signer::p256().jwk("a")]), at(0));
    assert_eq!(verify(&token(Some("a")), &server, at(0)), (Some(Reason::SignatureInvalid), None));
}
