use core::slice;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::key::algorithm::AlgorithmSet;
use crate::testing::keys::{ED25519, P256, P384, RSA, Signer, jwks, key_set, parse, with};

mod form;

fn verify(token: &str, keys: &KeySet) -> Result<(), JwsError> {
    CompactJws::parse(token.as_bytes())?.verify(keys).map(drop)
}

fn encode(part: &str) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

/// A token with this header and somebody's signature.
fn forged(header: &str) -> String {
    format!("{}.{}.{}", encode(header), encode(r#"{"sub":"a"}"#), encode("signature"))
}

fn parse_error(token: &str) -> JwsError {
    CompactJws::parse(token.as_bytes()).unwrap_err()
}

/// The parts of a token by `signer`.
fn parts(signer: &Signer) -> [String; 3] {
    let token = signer.token(Some("a"), &json!({"sub": "orders"}));
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

fn signers() -> [&'static Signer; 4] {
    [&RSA, &P256, &P384, &ED25519]
}

// What is signed as another implementation reads it.

#[test]
fn tokens_of_every_algorithm_verify() {
    use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let keys = key_set(&[RSA.jwk("r"), P256.jwk("e"), P384.jwk("f"), ED25519.jwk("d")]);
    let claims = json!({"sub": "orders", "aud": ["a", "b"]});
    for (signer, algorithms, kid) in [
        (&*RSA, &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512][..], "r"),
        (&P256, &[Es256], "e"),
        (&P384, &[Es384], "f"),
        (&ED25519, &[EdDsa], "d"),
    ] {
        let jwk = serde_json::from_value(signer.jwk(kid)).unwrap();
        let other = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        for (algorithm, kid) in algorithms.iter().flat_map(|it| [(it, Some(kid)), (it, None)]) {
            let token = signer.token_by(*algorithm, kid, &claims);
            let jws = CompactJws::parse(token.as_bytes()).unwrap();
            assert_eq!(jws.algorithm(), *algorithm);
            assert_eq!((jws.kid(), jws.typ()), (kid, Some("JWT")));
            let payload = jws.verify(&keys).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(payload).unwrap(), claims);

            let (input, signature) = token.rsplit_once('.').unwrap();
            let named = algorithm.as_str().parse().unwrap();
            let told = jsonwebtoken::crypto::verify(signature, input.as_bytes(), &other, named);
            assert!(told.unwrap(), "{algorithm}");
        }
    }
}

#[test]
fn token_by_a_key_of_another_set_is_refused() {
    let strangers = [Signer::rsa(), Signer::ed25519()];
    let claims = json!({"sub": "a"});
    for (own, stranger) in [&RSA, &ED25519].into_iter().zip(&strangers) {
        let keys = key_set(&[own.jwk("a")]);
        for kid in [Some("a"), None] {
            let token = stranger.token(kid, &claims);
            assert_eq!(verify(&token, &keys), Err(JwsError::SignatureInvalid));
            assert_eq!(verify(&token, &key_set(&[stranger.jwk("a")])), Ok(()));
        }
        assert_eq!(verify(&stranger.token(Some("b"), &claims), &keys), Err(JwsError::UnknownKey));
    }
}

#[test]
fn signature_of_one_token_is_none_of_another() {
    for signer in signers() {
        let keys = key_set(&[signer.jwk("a")]);
        let [header, payload, signature] = parts(signer);
        let other = encode(r#"{"sub":"admin"}"#);
        assert_eq!(verify(&format!("{header}.{payload}.{signature}"), &keys), Ok(()));
        assert_eq!(
            verify(&format!("{header}.{other}.{signature}"), &keys),
            Err(JwsError::SignatureInvalid)
        );
    }
}

// Forgeries.

#[test]
fn every_single_bit_flip_is_refused() {
    for signer in signers() {
        let keys = key_set(&[signer.jwk("a")]);
        let token = parts(signer).join(".").into_bytes();
        assert!(CompactJws::parse(&token).unwrap().verify(&keys).is_ok());
        for place in 0..token.len() {
            for bit in 0..8 {
                let mut flipped = token.clone();
                flipped[place] ^= 1 << bit;
                let verified = CompactJws::parse(&flipped).is_ok_and(|t| t.verify(&keys).is_ok());
                assert!(!verified, "bit {bit} of byte {place}");
            }
        }
    }
}

#[test]
fn unsigned_token_is_refused() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = format!(r#"{{"alg":"{alg}"}}"#);
        assert_eq!(parse_error(&forged(&header)), JwsError::AlgorithmRefused, "{alg}");
        let bare = format!("{}.{}.", encode(&header), encode("{}"));
        assert!(CompactJws::parse(bare.as_bytes()).is_err(), "{alg}");
    }
}

#[test]
fn hmac_with_a_public_key_is_refused() {
    let jwk = RSA.jwk("a");
    let keys = key_set(slice::from_ref(&jwk));
    let secrets = [
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap(),
        serde_json::to_vec(&jwk).unwrap(),
    ];
    for secret in secrets {
        use jsonwebtoken::Algorithm::{HS256, HS384, HS512};
        for alg in [HS256, HS384, HS512] {
            let key = jsonwebtoken::EncodingKey::from_secret(&secret);
            let header =
                jsonwebtoken::Header { kid: Some("a".into()), ..jsonwebtoken::Header::new(alg) };
            let token = jsonwebtoken::encode(&header, &json!({}), &key).unwrap();
            assert_eq!(verify(&token, &keys), Err(JwsError::AlgorithmRefused));
        }
    }
}

#[test]
fn rsa_key_verifies_pss_only_where_the_issuer_or_key_says_so() {
    let token = RSA.token_by(Algorithm::Ps256, Some("a"), &json!({}));
    let default = parse(&[RSA.jwk("a")]).unwrap().0;
    assert_eq!(verify(&token, &default), Err(JwsError::AlgorithmRefused));
    let pinned = key_set(&[with(&RSA.jwk("a"), "alg", json!("RS256"))]);
    assert_eq!(verify(&token, &pinned), Err(JwsError::AlgorithmRefused));
    let listed = AlgorithmSet::from_iter([Algorithm::Ps256]);
    let (pss, _) = KeySet::parse(&jwks(&[RSA.jwk("a")]), listed).unwrap();
    assert_eq!(verify(&token, &pss), Ok(()));
    let pkcs1 = RSA.token_by(Algorithm::Rs256, Some("a"), &json!({}));
    assert_eq!(verify(&pkcs1, &pss), Err(JwsError::AlgorithmRefused));
}

#[test]
fn header_that_claims_another_algorithm_of_the_same_key_is_refused() {
    let keys = key_set(&[RSA.jwk("a")]);
    let [_, payload, signature] = parts(&RSA);
    for alg in ["PS256", "RS384", "RS512"] {
        let header = encode(&format!(r#"{{"alg":"{alg}","kid":"a"}}"#));
        let token = format!("{header}.{payload}.{signature}");
        assert_eq!(verify(&token, &keys), Err(JwsError::SignatureInvalid), "{alg}");
    }
}

#[test]
fn key_of_another_curve_is_never_tried() {
    let keys = key_set(&[P384.jwk("a")]);
    let token = P256.token(Some("a"), &json!({}));
    assert_eq!(verify(&token, &keys), Err(JwsError::AlgorithmRefused));
    assert_eq!(verify(&P256.token(None, &json!({})), &keys), Err(JwsError::UnknownKey));
}

#[test]
fn ecdsa_signature_of_zeros_of_the_order_or_in_der_is_refused() {
    // The order of P-256 (FIPS 186-4, D.1.2.3).
    let order = [
        0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC,
        0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ];
    let zero = [0; 32];
    let mut one = [0; 32];
    one[31] = 1;
    let der_of_zeros = [0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00];
    let keys = key_set(&[P256.jwk("a")]);
    let [header, payload, _] = parts(&P256);
    let mut forgeries: Vec<Vec<u8>> = vec![der_of_zeros.to_vec(), vec![0; 1], vec![0; 96]];
    for r in [zero, one, order, [0xFF; 32]] {
        for s in [zero, one, order, [0xFF; 32]] {
            forgeries.push([r, s].concat());
        }
    }
    for forgery in forgeries {
        let token = format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(&forgery));
        assert_eq!(verify(&token, &keys), Err(JwsError::SignatureInvalid), "{forgery:?}");
    }
}

#[test]
fn signature_with_bytes_added_or_removed_is_refused() {
    for signer in signers() {
        let keys = key_set(&[signer.jwk("a")]);
        let [header, payload, signature] = parts(signer);
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        for other in [
            [&signature[..], &[0]].concat(),
            [&[0], &signature[..]].concat(),
            signature[1..].to_vec(),
            signature[..signature.len() - 1].to_vec(),
        ] {
            let token = format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(&other));
            assert_eq!(verify(&token, &keys), Err(JwsError::SignatureInvalid));
        }
    }
}

#[test]
fn keys_that_a_token_brings_along_are_ignored() {
    let stranger = Signer::ed25519();
    let jwk = stranger.jwk("a");
    let header = json!({
        "alg": "EdDSA",
        "jku": "https://evil.example/keys",
        "jwk": jwk,
        "x5u": "https://evil.example/cert",
        "x5c": ["AA"],
        "kid": "a",
    });
    let token = stranger.token_with(&header, &json!({}));
    assert_eq!(verify(&token, &key_set(&[ED25519.jwk("a")])), Err(JwsError::SignatureInvalid));
    let own = ED25519.token_with(&header, &json!({}));
    assert_eq!(verify(&own, &key_set(&[ED25519.jwk("a")])), Ok(()));
}

// Form.

#[test]
fn debug_output_has_no_credential_in_it() {
    let [header, payload, signature] = parts(&ED25519);
    let token = format!("{header}.{payload}.{signature}");
    let shown = format!("{:?}", CompactJws::parse(token.as_bytes()).unwrap());
    assert_eq!(shown, r#"CompactJws { algorithm: EdDsa, kid: Some("a"), typ: Some("JWT"), .. }"#);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(token in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = CompactJws::parse(&token);
    }

    #[test]
    fn arbitrary_parts_are_never_verified(
        header in "\\{\"alg\":\"(RS256|ES256|EdDSA)\"(,\"kid\":\"a\")?\\}",
        payload in prop::collection::vec(any::<u8>(), 1..64),
        signature in prop::collection::vec(any::<u8>(), 1..300),
    ) {
        let token = format!(
            "{}.{}.{}",
            encode(&header),
            URL_SAFE_NO_PAD.encode(payload),
            URL_SAFE_NO_PAD.encode(signature),
        );
        for signer in signers() {
            prop_assert!(verify(&token, &key_set(&[signer.jwk("a")])).is_err());
        }
    }

    #[test]
    fn what_another_implementation_signs_verifies(sub in any::<String>(), kid in "[^\0]{0,40}") {
        let keys = key_set(&[ED25519.jwk(&kid)]);
        let token = ED25519.token(Some(&kid), &json!({ "sub": sub }));
        let jws = CompactJws::parse(token.as_bytes()).unwrap();
        prop_assert_eq!(jws.kid(), Some(&*kid));
        let claims: Value = serde_json::from_slice(jws.verify(&keys).unwrap()).unwrap();
        prop_assert_eq!(&claims["sub"], &json!(sub));
    }
}
