//! Key sets.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mesh_core::key::algorithm::{Algorithm, AlgorithmSet, KeyAlgorithms};
use mesh_core::key::jwks::{KeySet, MAX_BYTES, MAX_KEYS};
use mesh_core::key::jws::CompactJws;
use mesh_core::text::json::without_mark;
use serde_json::{Value, json};

use crate::keys::{self, BARE, EC, ED, KEYS, NEW, P384, RSA, token};
use crate::recipe;

static SETS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let extended = |key: usize, name: &str, value: Value| {
        let mut jwk = KEYS[key].jwk();
        jwk[name] = value;
        json!({ "keys": [jwk, KEYS[ED].jwk()] }).to_string().into_bytes()
    };
    vec![
        keys::set(&[EC, ED, RSA, BARE, P384]),
        keys::set(&[EC]),
        keys::set(&[RSA]),
        keys::set(&[ED, NEW]),
        keys::set(&[EC, EC]),
        extended(EC, "alg", json!("ES256")),
        extended(EC, "alg", json!("HS256")),
        extended(EC, "use", json!("enc")),
        extended(EC, "key_ops", json!(["verify"])),
        extended(EC, "d", json!("AQ")),
        extended(EC, "d", Value::Null),
        extended(EC, "oth", json!([])),
        extended(ED, "kid", KEYS[EC].jwk()["kid"].clone()),
        extended(RSA, "e", json!("AQ")),
        extended(RSA, "n", json!("wf8")),
        json!({ "keys": [{ "kty": "oct", "k": "AAAA", "kid": "k1" }] }).to_string().into(),
    ]
});

/// One token by each key, with the key's name and without.
static TOKENS: LazyLock<Vec<(usize, String)>> = LazyLock::new(|| {
    let claims = json!({ "sub": "orders" });
    let named = |key: usize| {
        let algorithm = format!("{:?}", KEYS[key].fits[0]);
        (key, token(key, &json!({ "alg": algorithm, "kid": KEYS[key].kid }), &claims))
    };
    let mut tokens: Vec<_> = [EC, ED, NEW, RSA, P384].map(named).to_vec();
    tokens.extend([EC, BARE].map(|key| (key, token(key, &json!({ "alg": "ES256" }), &claims))));
    tokens
});

/// A set holds the keys that are published in it and no others, each for algorithms of its type;
/// the rest is reported, and a token verifies only under its own key.
///
/// Returns whether the set can be used. The input is a set, or a [`recipe`] over some.
pub fn jwks(data: &[u8]) -> bool {
    let bytes = if recipe::is_recipe(data) { recipe::bake(&SETS, data) } else { data.to_owned() };
    let every = AlgorithmSet::from_iter(Algorithm::ALL);
    let own = check(&bytes, KeyAlgorithms::OWN);
    let usable = [AlgorithmSet::DEFAULT, every].map(|only| check(&bytes, only.into()));
    own || usable[0]
}

fn check(bytes: &[u8], algorithms: KeyAlgorithms) -> bool {
    let inspected = KeySet::inspect(bytes, algorithms);
    let parsed = KeySet::parse(bytes, algorithms);
    let Ok(reports) = inspected else {
        assert!(parsed.is_err(), "what cannot be inspected cannot be used");
        return false;
    };
    assert!(bytes.len() <= MAX_BYTES);
    let document: Value = serde_json::from_slice(without_mark(bytes)).expect("a set is JSON");
    let published = document["keys"].as_array().expect("a set has keys");
    assert!(published.len() <= MAX_KEYS);
    assert_eq!(reports.len(), published.len());
    let mut count = 0;
    let mut meant = HashMap::new();
    for (report, jwk) in reports.iter().zip(published) {
        let Ok(usable) = &report.usable else { continue };
        count += 1;
        assert!(!usable.is_empty());
        assert!(usable.iter().all(|algorithm| algorithms.allows(algorithm)));
        for algorithm in usable.iter().filter(|_| jwk["kid"].is_string()) {
            let key = ["n", "e", "x", "y"].map(|name| number(&jwk[name]));
            let first =
                meant.entry((jwk["kid"].as_str(), algorithm)).or_insert_with(|| key.clone());
            assert_eq!(*first, key, "a kid and an algorithm mean two keys");
        }
        assert_sound(jwk, *usable);
        assert_eq!(report.kid.as_deref(), jwk["kid"].as_str());
    }
    let Ok((set, skipped)) = parsed else {
        assert_eq!(count, 0, "a usable key makes a usable set");
        return false;
    };
    assert_eq!((set.count(), skipped.len()), (count, published.len() - count));
    for (key, token) in &*TOKENS {
        let jws = CompactJws::parse(token.as_bytes()).expect("a token of ours parses");
        if jws.verify(&set).is_ok() {
            let own = KEYS[*key].jwk();
            let publishes = |jwk: &Value| {
                jws.kid().is_none_or(|kid| jwk["kid"] == kid)
                    && ["n", "x", "y"].iter().all(|name| number(&own[name]) == number(&jwk[name]))
            };
            assert!(published.iter().any(publishes), "no such key in the set: {key}");
        }
    }
    true
}

/// A key that is used is public, asymmetric, meant for signatures and strong.
fn assert_sound(jwk: &Value, usable: AlgorithmSet) {
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth"] {
        assert!(is_nothing(&jwk[private]), "{private} is published");
    }
    assert!(is_nothing(&jwk["use"]) || jwk["use"] == "sig");
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"))
    };
    assert!(is_nothing(&jwk["key_ops"]) || verifies(&jwk["key_ops"]));
    let fitting: &[&str] = match (jwk["kty"].as_str(), jwk["crv"].as_str()) {
        (Some("RSA"), _) => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
        (Some("EC"), Some("P-256")) => &["ES256"],
        (Some("EC"), Some("P-384")) => &["ES384"],
        (Some("EC"), Some("P-521")) => &["ES512"],
        (Some("EC"), Some("secp256k1")) => &["ES256K"],
        (Some("OKP"), Some("Ed25519")) => &["EdDSA"],
        other => panic!("a key of the type {other:?} is used"),
    };
    for algorithm in usable.iter() {
        let name = algorithm.as_str();
        assert!(fitting.contains(&name), "{name} by {jwk}");
        let is_named = jwk["alg"] == name || name == "EdDSA" && jwk["alg"] == "Ed25519";
        assert!(is_nothing(&jwk["alg"]) || is_named);
    }
    if jwk["kty"] == "RSA" {
        let (n, e) = (number(&jwk["n"]), number(&jwk["e"]));
        let bits = n.len() * 8 - n[0].leading_zeros() as usize;
        assert!((2048..=8192).contains(&bits), "a modulus of {bits} bits");
        assert!(n[n.len() - 1] % 2 == 1);
        assert!(e != [1] && e[e.len() - 1] % 2 == 1, "the exponent {e:?}");
    }
}

/// Whether a member says nothing.
fn is_nothing(value: &Value) -> bool {
    *value == Value::Null || *value == json!("") || *value == json!([])
}

/// A number as base64url has it, without leading zeros; empty for what is none.
fn number(value: &Value) -> Vec<u8> {
    let bytes = URL_SAFE_NO_PAD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}
