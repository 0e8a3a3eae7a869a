use jsonwebtoken::{DecodingKey, Validation};
use mesh_core::{key::algorithm::AlgorithmSet, key::jwks::KeySet, key::jws::CompactJws};
use serde_json::json;

use super::*;

fn members(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// RFC 8037 appendix A.1.
fn rfc_8037() -> Map<String, Value> {
    members(json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }))
}

#[test]
fn public_jwk_verifies_what_the_private_jwk_signs() {
    for name in ALGORITHMS {
        let algorithm = parse_algorithm(name).unwrap();
        let made = PrivateKey::generate(algorithm, Bits::B2048, None).unwrap();
        let key = PrivateKey::from_jwk(&made.to_jwk().unwrap()).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.kid, made.kid);

        let claims = members(json!({ "exp": 4_000_000_000_u64 }));
        let token = key.sign(algorithm, Map::new(), claims).unwrap();
        let jwk = Value::Object(made.to_public_jwk().unwrap());
        assert_eq!(jwk["alg"], name);
        let set = json!({ "keys": [jwk] }).to_string();
        let all = AlgorithmSet::from_iter(Algorithm::ALL);
        let (keys, _) = KeySet::parse(set.as_bytes(), all).unwrap();
        CompactJws::parse(token.as_bytes()).unwrap().verify(&keys).unwrap();
        // jsonwebtoken knows the name EdDSA alone.
        if let Some(signing) = signing(algorithm.algorithm).filter(|_| name != "Ed25519") {
            let public = DecodingKey::from_jwk(&serde_json::from_value(jwk).unwrap()).unwrap();
            jsonwebtoken::decode::<Value>(&token, &public, &Validation::new(signing)).unwrap();
        }
    }
}

#[test]
fn public_jwk_holds_nothing_private() {
    for name in ["RS256", "ES256", "ES512", "ES256K", "EdDSA"] {
        let algorithm = parse_algorithm(name).unwrap();
        let key = PrivateKey::generate(algorithm, Bits::B2048, None).unwrap();
        let public = key.to_public_jwk().unwrap();
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(!public.contains_key(private), "{name} {private}");
        }
        assert!(!format!("{key:?}").contains(key.to_jwk().unwrap()["d"].as_str().unwrap()));
    }
}

#[test]
fn kid_is_the_thumbprint_of_the_rfc() {
    let key = PrivateKey::from_jwk(&rfc_8037()).unwrap();
    assert_eq!(key.thumbprint().unwrap(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn members_that_do_not_belong_together_are_refused() {
    for (algorithm, member) in [
        (Algorithm::Rs256, "d"),
        (Algorithm::Rs256, "n"),
        (Algorithm::Es256, "d"),
        (Algorithm::Es256, "x"),
        (Algorithm::Es256k, "d"),
        (Algorithm::Es512, "x"),
        (Algorithm::EdDsa, "d"),
    ] {
        let [one, other] = [(); 2].map(|()| {
            PrivateKey::generate(algorithm, Bits::B2048, None).unwrap().to_jwk().unwrap()
        });
        let mut mixed = one;
        mixed.insert(member.to_owned(), other[member].clone());
        let error = PrivateKey::from_jwk(&mixed).unwrap_err();
        assert!(matches!(error, KeyError::Inconsistent), "{algorithm:?} {member}: {error}");
    }
}

#[test]
fn member_at_fault_is_named() {
    for (member, value, expected) in [
        ("kty", Value::Null, "member \"kty\" is not a string"),
        ("d", "nWGx".into(), "member \"d\" is not as long as the curve asks"),
        ("x", "11q=".into(), "member \"x\" is not base64url without padding"),
        ("alg", "HS256".into(), "member \"alg\" is not an algorithm that signs"),
        ("alg", "ES256".into(), "algorithm ES256 does not fit an Ed25519 key"),
        ("kid", 7.into(), "member \"kid\" is not a string"),
    ] {
        let mut changed = rfc_8037();
        changed.insert(member.to_owned(), value);
        assert_eq!(PrivateKey::from_jwk(&changed).unwrap_err().to_string(), expected);
    }
    let mut public = rfc_8037();
    public.remove("d");
    let error = PrivateKey::from_jwk(&public).unwrap_err();
    assert_eq!(error.to_string(), "member \"d\" is missing");
}

#[test]
fn key_signs_with_the_algorithms_of_its_type_alone() {
    let key = PrivateKey::from_jwk(&rfc_8037()).unwrap();
    for name in ALGORITHMS.into_iter().filter(|name| !name.starts_with("Ed")) {
        let algorithm = parse_algorithm(name).unwrap();
        assert!(key.sign(algorithm, Map::new(), Map::new()).is_err(), "{name}");
    }
}

#[test]
fn symmetric_algorithms_and_none_are_no_algorithms() {
    for name in ["HS256", "HS384", "HS512", "none", "rs256", ""] {
        assert!(parse_algorithm(name).is_err(), "{name}");
    }
}
