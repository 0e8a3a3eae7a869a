use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::KeyPair as _;
use base64::engine::general_purpose::STANDARD;
use mesh_core::key::algorithm::AlgorithmSet;
use mesh_core::key::jwks::KeySet;
use mesh_core::key::jws::CompactJws;
use serde_json::json;

use super::*;

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let body = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes()
}

/// The signature over some claims is valid under the public key.
fn signs(signer: &Signer, public: &Value, algorithm: Algorithm) {
    let set = json!({ "keys": [public] }).to_string();
    let all: AlgorithmSet = Algorithm::ALL.into_iter().collect();
    let (keys, _) = KeySet::parse(set.as_bytes(), all).unwrap();
    let token = signer.sign(&json!({ "sub": "gateway" })).unwrap();
    let jws = CompactJws::parse(token.as_bytes()).unwrap();
    assert_eq!((jws.algorithm(), jws.typ()), (algorithm, Some("JWT")));
    assert_eq!(jws.verify(&keys), Ok(&br#"{"sub":"gateway"}"#[..]));
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn an_ec_key_signs_by_its_curve_in_every_form() {
    for (name, signing, algorithm, length) in CURVES {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let point = pair.public_key().as_ref();
        let (x, y) = (text(&point[1..=length]), text(&point[length + 1..]));
        let public = json!({ "kty": "EC", "crv": name, "x": x, "y": y, "kid": "k" });
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        let signer = Signer::read(&pem("PRIVATE KEY", pkcs8.as_ref()), None).unwrap();
        signs(&signer, &public, algorithm);

        let scalar: aws_lc_rs::encoding::EcPrivateKeyBin<'_> =
            aws_lc_rs::encoding::AsBigEndian::as_be_bytes(&pair.private_key()).unwrap();
        let mut private = public.clone();
        private["d"] = text(scalar.as_ref()).into();
        let signer = Signer::read(private.to_string().as_bytes(), Some(algorithm)).unwrap();
        signs(&signer, &public, algorithm);
        for wrong in [Algorithm::Rs256, Algorithm::EdDsa] {
            let refused = Signer::read(private.to_string().as_bytes(), Some(wrong));
            assert_eq!(refused.err(), Some(CredentialError::Algorithm));
        }
        private["alg"] = "RS256".into();
        let refused = Signer::read(private.to_string().as_bytes(), None);
        assert_eq!(refused.err(), Some(CredentialError::Algorithm));
        // A point that is not that of the key.
        private["alg"] = algorithm.to_string().into();
        private["x"] = y.into();
        let refused = Signer::read(private.to_string().as_bytes(), None);
        assert_eq!(refused.err(), Some(CredentialError::Key));
    }
}

#[test]
fn an_rsa_key_signs_by_each_of_its_algorithms() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    // RFC 8017 appendix A.1.1: a sequence of two integers, of 257 and 3 bytes.
    let public = pair.public_key().as_ref();
    let public = json!({ "kty": "RSA", "n": text(&public[9..265]), "e": text(&public[267..270]) });
    let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let key = pem("PRIVATE KEY", pkcs8.as_ref());
    signs(&Signer::read(&key, None).unwrap(), &public, Algorithm::Rs256);
    for algorithm in [Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256, Algorithm::Ps512] {
        signs(&Signer::read(&key, Some(algorithm)).unwrap(), &public, algorithm);
    }
    assert_eq!(Signer::read(&key, Some(Algorithm::Es256)).err(), Some(CredentialError::Algorithm));
}

#[test]
fn an_ed25519_key_signs() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let public = json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) });
    let pkcs8 = pair.to_pkcs8v1().unwrap();
    let signer = Signer::read(&pem("PRIVATE KEY", pkcs8.as_ref()), None).unwrap();
    signs(&signer, &public, Algorithm::EdDsa);
}

#[test]
fn what_is_no_private_key_is_refused() {
    for contents in [
        &b""[..],
        b"secret",
        b"{}",
        b"[]",
        br#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
        br#"{"kty":"oct","k":"AAAA"}"#,
        br#"{"kty":"OKP","crv":"X25519","d":"AA","x":"AA"}"#,
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        assert_eq!(Signer::read(contents, None).err(), Some(CredentialError::Key), "{contents:?}");
    }
}
