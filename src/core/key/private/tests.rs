use aws_lc_rs::encoding::{AsDer as _, EcPrivateKeyRfc5915Der, Pkcs8V1Der};
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::key::algorithm::ED25519;

fn members(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn generate(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::generate(algorithm, Bits::B2048, None).unwrap()
}

/// One algorithm for each type and curve.
const EACH_KIND: [Algorithm; 6] = [
    Algorithm::EdDsa,
    Algorithm::Es256,
    Algorithm::Es256k,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Rs256,
];

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let body = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes()
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
fn private_jwk_reads_back() {
    for named in EACH_KIND.map(Named::from).into_iter().chain([ED25519.parse().unwrap()]) {
        let made = PrivateKey::generate(named, Bits::B2048, None).unwrap();
        let jwk = made.to_jwk().unwrap();
        assert_eq!(jwk["alg"], named.name());
        let text = Value::Object(jwk.clone()).to_string();
        let mark = ["\u{feff}", "\n ", ""];
        for key in mark.map(|mark| PrivateKey::read(format!("{mark}{text}").as_bytes()).unwrap()) {
            assert_eq!((key.algorithm(), key.kid()), (named, made.kid()));
            assert_eq!(key.to_jwk().unwrap(), jwk);
            assert_eq!(key.kid(), Some(&*made.thumbprint().unwrap()));
        }
    }
}

#[test]
fn every_form_of_pem_is_read() {
    for algorithm in EACH_KIND {
        let key = generate(algorithm);
        let (pkcs8, older): (Vec<u8>, _) = match &key.pair {
            Pair::Ec(pair) => {
                let sec1: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
                let older = pem("EC PRIVATE KEY", sec1.as_ref());
                (pair.to_pkcs8v1().unwrap().as_ref().into(), Some(older))
            }
            Pair::Ed25519(pair) => (pair.to_pkcs8v1().unwrap().as_ref().into(), None),
            Pair::Rsa(pair) => {
                let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
                let info = pkcs8.as_ref();
                // The key begins at byte 26, if its length has two.
                (info.into(), Some(pem("RSA PRIVATE KEY", &info[26..])))
            }
        };
        for text in [Some(pem("PRIVATE KEY", &pkcs8)), older].into_iter().flatten() {
            let read = PrivateKey::read(&text).unwrap();
            assert_eq!(read.kind, key.kind);
            assert_eq!((read.kid(), read.named()), (None, None));
            assert_eq!(read.to_proof_jwk().unwrap(), key.to_proof_jwk().unwrap());
        }
    }
}

#[test]
fn what_is_no_private_key_is_refused() {
    for (text, expected) in [
        (b"garbage".to_vec(), KeyError::Unrecognized),
        (b"".to_vec(), KeyError::Unrecognized),
        (b"[]".to_vec(), KeyError::Unrecognized),
        (b"{}".to_vec(), KeyError::Member { name: "kty", problem: "missing" }),
        (br#"{"kty":"oct","k":"AAAA"}"#.to_vec(), KeyError::Unsupported),
        (br#"{"kty":"OKP","crv":"X25519","d":"AA","x":"AA"}"#.to_vec(), KeyError::Unsupported),
        (pem("CERTIFICATE", &[0; 4]), KeyError::Unrecognized),
        (pem("PUBLIC KEY", &[0; 4]), KeyError::Unrecognized),
        (pem("PRIVATE KEY", &[0; 4]), KeyError::Unsupported),
        (pem("EC PRIVATE KEY", &[0; 4]), KeyError::Unsupported),
        (pem("RSA PRIVATE KEY", &[0; 4]), KeyError::Unsupported),
        (pem("ENCRYPTED PRIVATE KEY", &[0; 4]), KeyError::Encrypted),
    ] {
        assert_eq!(PrivateKey::read(&text).unwrap_err(), expected, "{text:?}");
    }
    assert!(matches!(PrivateKey::read(b"{\"kty\":"), Err(KeyError::Json(_))));
}

#[test]
fn nothing_private_is_in_public_keys_or_shown() {
    for algorithm in EACH_KIND {
        let key = generate(algorithm);
        let private = key.to_jwk().unwrap();
        for public in [key.to_public_jwk().unwrap(), key.to_proof_jwk().unwrap()] {
            for name in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(!public.contains_key(name), "{algorithm} {name}");
            }
        }
        assert!(!format!("{key:?}").contains(private["d"].as_str().unwrap()));
    }
}

#[test]
fn members_that_do_not_belong_together_are_refused() {
    for algorithm in EACH_KIND {
        let [one, other] = [(); 2].map(|()| generate(algorithm).to_jwk().unwrap());
        for member in ["d", if algorithm == Algorithm::Rs256 { "n" } else { "x" }] {
            let mut mixed = one.clone();
            mixed.insert(member.to_owned(), other[member].clone());
            let error = PrivateKey::from_jwk(&mixed).unwrap_err();
            assert_eq!(error, KeyError::Inconsistent, "{algorithm} {member}");
        }
    }
}

#[test]
fn member_at_fault_is_named() {
    for (member, value, expected) in [
        ("kty", Value::Null, "member \"kty\" is not a string"),
        ("crv", Value::Null, "member \"crv\" is not a string"),
        ("d", "nWGx".into(), "member \"d\" is not as long as the curve asks"),
        ("x", "11q=".into(), "member \"x\" is not base64url without padding"),
        ("alg", "HS256".into(), "member \"alg\" is not an algorithm that signs"),
        ("alg", 7.into(), "member \"alg\" is not a string"),
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
