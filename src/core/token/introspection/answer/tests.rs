use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::tests::issuer;
use super::*;
use crate::claims::Kept;
use crate::key::jwks::KeySet;
use crate::testing::NOW;
use crate::testing::keys::{Signer, key_set};
use crate::token::Confirmation;

fn plain() -> Trust {
    Trust::new(vec![issuer(&[])], Kept::default(), Vec::new())
}

fn read_plain(body: &[u8]) -> Result<Answer, AnswerError> {
    read(body, b"opaque", 0, &plain(), UnixTime::from_secs(NOW), &mut None)
}

#[test]
fn an_active_token_has_the_claims_of_its_answer() {
    let body = json!({ "active": true, "sub": "etl", "aud": ["other", "api"], "exp": NOW + 5,
        "iss": "https://idp.example", "token_type": "bearer", "scope": "a b" });
    let Ok(Answer::Active(token)) = read_plain(body.to_string().as_bytes()) else {
        panic!("not active")
    };
    assert_eq!((token.service(), token.principal()), (Some("etl"), Some("etl")));
    let accept = [crate::issuer::Accept { issuer: 0, audiences: None }];
    let trust = plain();
    token.check(&accept, &trust, &trust.load(), UnixTime::from_secs(NOW)).unwrap();
}

#[test]
fn a_binding_that_the_answer_leaves_out_is_that_of_the_token() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let key = URL_SAFE_NO_PAD.encode([7; 32]);
    let claims = json!({ "iss": "https://idp.example", "cnf": { "jkt": key } }).to_string();
    let mut answer = json!({ "active": true, "sub": "etl", "aud": "api" });
    let bound_to = |answer: &Value, token: &str| {
        let body = answer.to_string();
        let now = UnixTime::from_secs(NOW);
        match read(body.as_bytes(), token.as_bytes(), 0, &plain(), now, &mut None) {
            Ok(Answer::Active(token)) => token.confirmation(),
            other => panic!("{other:?}"),
        }
    };
    // Also of an algorithm that is not verified here.
    for header in [r#"{"alg":"ES256"}"#, r#"{"alg":"HS256"}"#] {
        let [header, claims] = [header, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        let token = format!("{header}.{claims}.c2ln");
        assert_eq!(bound_to(&answer, &token), Confirmation::Key([7; 32]));
    }
    assert_eq!(bound_to(&answer, "opaque"), Confirmation::Absent);
    let [header, claims] = ["{}", &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    answer["cnf"] = json!({ "jkt": URL_SAFE_NO_PAD.encode([8; 32]) });
    assert_eq!(bound_to(&answer, &format!("{header}.{claims}.c2ln")), Confirmation::Key([8; 32]));
}

#[test]
fn an_inactive_token_is_refused_whatever_else_is_said() {
    let body = json!({ "active": false, "sub": "etl", "aud": "api" }).to_string();
    let answer = read_plain(body.as_bytes());
    assert!(matches!(answer, Ok(Answer::Refused(Reason::TokenInactive))), "{answer:?}");
}

#[test]
fn what_is_no_answer_says_nothing_of_the_token() {
    for body in [
        "",
        "{}",
        "[]",
        "true",
        "<html>",
        r#"{"active":"true"}"#,
        r#"{"active":1}"#,
        r#"{"active":null}"#,
        r#"{"Active":true}"#,
        r#"{"active":false,"active":true}"#,
        r#"{"active":true,"act\u0069ve":true}"#,
        r#"{"active":true"#,
        r#"{"active":true} x"#,
    ] {
        assert!(read_plain(body.as_bytes()).is_err(), "{body}");
    }
    let large = format!("{{\"active\":true,\"a\":\"{}\"}}", "a".repeat(MAX_ANSWER));
    assert_eq!(read_plain(large.as_bytes()).unwrap_err(), AnswerError::TooLarge);
}

/// A new pair of keys, the public half as a set, and what signs by the other.
fn signer() -> (KeySet, impl Fn(&str, &Value) -> String) {
    let signer = Signer::p256();
    let set = key_set(&[signer.jwk("k")]);
    let sign = move |typ: &str, claims: &Value| {
        signer.token_with(&json!({ "alg": "ES256", "kid": "k", "typ": typ }), claims)
    };
    (set, sign)
}

fn envelope() -> Value {
    json!({ "iss": "https://idp.example", "aud": "gateway", "iat": NOW,
        "token_introspection": { "active": true, "sub": "etl", "aud": "api" } })
}

fn signed_trust(keys: Option<KeySet>) -> Trust {
    let signed = issuer(&[("introspection_signed", &["on"]), ("jwks", &["k.json"])]);
    Trust::new(vec![signed], Kept::default(), vec![keys])
}

fn read_signed(trust: &Trust, body: &str) -> Result<Answer, AnswerError> {
    read(body.as_bytes(), b"opaque", 0, trust, UnixTime::from_secs(NOW), &mut None)
}

#[test]
fn a_signed_answer_is_opened() {
    let (keys, sign) = signer();
    let trust = signed_trust(Some(keys));
    for typ in [
        "token-introspection+jwt",
        "application/token-introspection+jwt",
        "Token-Introspection+JWT",
    ] {
        let answer = read_signed(&trust, &sign(typ, &envelope()));
        assert!(matches!(&answer, Ok(Answer::Active(token)) if token.service() == Some("etl")));
    }
    let mut inactive = envelope();
    inactive["token_introspection"] = json!({ "active": false });
    inactive["aud"] = json!(["other", "gateway"]);
    let answer = read_signed(&trust, &sign("token-introspection+jwt", &inactive));
    assert!(matches!(answer, Ok(Answer::Refused(Reason::TokenInactive))), "{answer:?}");
}

#[test]
fn a_signed_answer_that_is_not_for_us_now_says_nothing() {
    let (keys, sign) = signer();
    let trust = signed_trust(Some(keys));
    for (name, value, error) in [
        ("iss", json!("https://other.example"), AnswerError::Issuer),
        ("iss", Value::Null, AnswerError::Issuer),
        ("aud", json!("api"), AnswerError::Audience),
        ("aud", json!([]), AnswerError::Audience),
        ("aud", Value::Null, AnswerError::Audience),
        ("iat", json!(NOW - 91), AnswerError::Age),
        ("iat", json!(NOW + 31), AnswerError::Age),
        ("iat", json!("now"), AnswerError::Age),
        ("token_introspection", json!(true), AnswerError::Active),
        ("token_introspection", json!({}), AnswerError::Active),
        ("token_introspection", json!({ "active": "yes" }), AnswerError::Active),
    ] {
        let mut claims = envelope();
        claims[name] = value.clone();
        let answer = read_signed(&trust, &sign("token-introspection+jwt", &claims));
        assert_eq!(answer.unwrap_err(), error, "{name} {value}");
    }
    // Neither an access token nor an ID token of the same issuer is an answer.
    let mut flat = envelope();
    flat["active"] = json!(true);
    for typ in ["JWT", "at+jwt", ""] {
        assert_eq!(read_signed(&trust, &sign(typ, &flat)).unwrap_err(), AnswerError::Type, "{typ}");
    }
}

#[test]
fn a_signed_answer_needs_the_signature_of_the_issuer() {
    let (keys, _) = signer();
    let (_, stranger) = signer();
    let typ = "token-introspection+jwt";
    let trust = signed_trust(Some(keys));
    assert_eq!(
        read_signed(&trust, &stranger(typ, &envelope())).unwrap_err(),
        AnswerError::Signature(JwsError::SignatureInvalid)
    );
    let plain = json!({ "active": true, "sub": "etl", "aud": "api" }).to_string();
    assert!(matches!(read_signed(&trust, &plain).unwrap_err(), AnswerError::Signature(_)));
    let keyless = signed_trust(None);
    assert_eq!(read_signed(&keyless, &stranger(typ, &envelope())).unwrap_err(), AnswerError::Keys);
}

#[test]
fn a_key_that_a_signed_answer_names_is_wished_for() {
    let (keys, _) = signer();
    for (name, keys, wished) in [("other", Some(keys), Some("other")), ("k", None, Some("k"))] {
        let signed = issuer(&[("introspection_signed", &["on"])]);
        let trust = Trust::new(vec![signed], Kept::default(), vec![keys]);
        let header = json!({ "alg": "ES256", "kid": name, "typ": "token-introspection+jwt" });
        let answer = Signer::p256().token_with(&header, &envelope());
        let mut wish = None;
        let now = UnixTime::from_secs(NOW);
        assert!(read(answer.as_bytes(), b"opaque", 0, &trust, now, &mut wish).is_err());
        assert_eq!(wish.map(|wish| wish.kid).as_deref(), wished);
    }
}

proptest! {
    #[test]
    fn any_answer_is_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = read_plain(&body);
    }

    #[test]
    fn only_true_is_active(value in "[ -~]{0,12}") {
        let body = format!("{{\"active\":{value},\"sub\":\"etl\",\"aud\":\"api\"}}");
        if let Ok(Answer::Active(_)) = read_plain(body.as_bytes()) {
            prop_assert!(value.trim().starts_with("true"));
        }
    }
}
