//! A public key in PEM, as a JWK.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// The JWK of a public key on the curve P-256 that is written in PEM (RFC 5480, uncompressed), for
/// ES256 alone; `None` if it is anything else. The point is compared with the curve when the JWK is
/// used.
#[must_use]
pub fn p256_jwk(kid: &str, pem: &[u8]) -> Option<Value> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?;
    let point = der.as_ref().strip_prefix(P256)?;
    if point.len() != 64 {
        return None;
    }
    let (x, y) = point.split_at_checked(32)?;
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    Some(json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
        "kid": kid, "x": text(x), "y": text(y),
    }))
}

/// The bytes before the coordinates: `id-ecPublicKey`, `secp256r1`, and an uncompressed point.
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PublicKeyData as _};

    use super::*;
    use crate::key::algorithm::AlgorithmSet;
    use crate::key::jwks::KeySet;

    #[test]
    fn key_in_pem_is_usable_for_es256() {
        let key = KeyPair::generate().unwrap();
        let jwk = p256_jwk("a", key.public_key_pem().as_bytes()).unwrap();
        let set = json!({ "keys": [jwk] }).to_string();
        let (set, skipped) = KeySet::parse(set.as_bytes(), AlgorithmSet::DEFAULT).unwrap();
        assert_eq!((set.count(), skipped.len()), (1, 0));
        let (kid, algorithms) = set.keys().next().unwrap();
        assert_eq!(kid, Some("a"));
        assert_eq!(algorithms, "ES256".parse().into_iter().collect());
    }

    #[test]
    fn anything_else_is_no_key() {
        let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap().public_key_pem();
        let private = KeyPair::generate().unwrap().serialize_pem();
        let der = KeyPair::generate().unwrap().subject_public_key_info();
        for pem in [&b""[..], b"<html>", &der, other.as_bytes(), private.as_bytes()] {
            assert!(p256_jwk("a", pem).is_none());
        }
        let longer =
            KeyPair::generate().unwrap().public_key_pem().replace("=\n-----END", "AAAA=\n-----END");
        assert!(p256_jwk("a", longer.as_bytes()).is_none());
    }
}
