//! Keys made when the process starts, with their private halves: nothing secret is ever stored.

use std::fmt;
use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde_json::{Value, json};

/// A key pair, and the algorithms that it may be used with.
pub struct Signer {
    /// Its name in a key set, if it has one.
    pub kid: Option<&'static str>,
    /// The algorithms that fit its type, the usual one first.
    pub fits: &'static [Algorithm],
    private: EncodingKey,
    public: DecodingKey,
    jwk: Value,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The keys, by the names of their places.
pub static KEYS: LazyLock<[Signer; 9]> = LazyLock::new(|| {
    [
        p256(Some("k1")),
        ed25519(Some("k2")),
        p256(Some("k3")),
        p256(Some("k1")),
        rsa(Some("r1")),
        p256(None),
        p384(Some("p384")),
        p256(None),
        p256(Some("k1")),
    ]
});

/// P-256 `k1`, published by the first issuer.
pub const EC: usize = 0;
/// Ed25519 `k2`, published beside it.
pub const ED: usize = 1;
/// P-256 `k3`, which replaces `k1`.
pub const NEW: usize = 2;
/// P-256 that replaces `k1` under the same name.
pub const RENAMED: usize = 3;
/// RSA `r1`, published by the second issuer.
pub const RSA: usize = 4;
/// P-256 without a name, published by the third issuer.
pub const BARE: usize = 5;
/// P-384, published beside it.
pub const P384: usize = 6;
/// A second P-256 without a name.
pub const BARE_TWIN: usize = 7;
/// P-256 `k1` that nobody publishes.
pub const FORGER: usize = 8;

impl Signer {
    /// The public key as a set has it, without `alg`.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.jwk.clone();
        if let Some(kid) = self.kid {
            jwk["kid"] = json!(kid);
        }
        jwk
    }

    /// A signature over `message`, as the third part of a token.
    pub fn sign(&self, message: &[u8], algorithm: Algorithm) -> String {
        crypto::sign(message, &self.private, algorithm).expect("the algorithm fits the key")
    }

    /// Whether `signature`, the third part of a token, is one of this key over `message`.
    pub fn verifies(&self, message: &[u8], signature: &str, algorithm: Algorithm) -> bool {
        self.fits.contains(&algorithm)
            && crypto::verify(signature, message, &self.public, algorithm).unwrap_or(false)
    }
}

/// A key set with these keys, as an issuer publishes it.
pub fn set(keys: &[usize]) -> Vec<u8> {
    let keys: Vec<Value> = keys.iter().map(|key| KEYS[*key].jwk()).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

/// A part of a token.
pub fn part(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token by `key`, with the header as it is given.
pub fn token(key: usize, header: &Value, claims: &Value) -> String {
    let signer = &KEYS[key];
    let input = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
    let signature = signer.sign(input.as_bytes(), signer.fits[0]);
    format!("{input}.{signature}")
}

fn signer(kid: Option<&'static str>, private: EncodingKey, fits: &'static [Algorithm]) -> Signer {
    let jwk = Jwk::from_encoding_key(&private, fits[0]).expect("a public half");
    let public = DecodingKey::from_jwk(&jwk).expect("a key to verify with");
    let mut jwk = serde_json::to_value(jwk).expect("a key is JSON");
    jwk.as_object_mut().expect("a key is an object").remove("alg");
    Signer { kid, fits, private, public, jwk }
}

fn p256(kid: Option<&'static str>) -> Signer {
    ecdsa(kid, &ECDSA_P256_SHA256_FIXED_SIGNING, &[Algorithm::ES256])
}

fn p384(kid: Option<&'static str>) -> Signer {
    ecdsa(kid, &ECDSA_P384_SHA384_FIXED_SIGNING, &[Algorithm::ES384])
}

fn ecdsa(
    kid: Option<&'static str>,
    curve: &'static EcdsaSigningAlgorithm,
    fits: &'static [Algorithm],
) -> Signer {
    let der = EcdsaKeyPair::generate(curve).and_then(|pair| pair.to_pkcs8v1()).expect("a key");
    signer(kid, EncodingKey::from_ec_der(der.as_ref()), fits)
}

fn ed25519(kid: Option<&'static str>) -> Signer {
    let der = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).expect("a key");
    signer(kid, EncodingKey::from_ed_der(der.as_ref()), &[Algorithm::EdDSA])
}

fn rsa(kid: Option<&'static str>) -> Signer {
    use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let der: Pkcs8V1Der<'_> = pair.as_der().expect("a key is DER");
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let private = EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key is PEM");
    signer(kid, private, &[RS256, PS256, RS384, RS512, PS384, PS512])
}
