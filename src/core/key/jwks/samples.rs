//! Keys and tokens for tests, made by an independent implementation of JOSE.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm as Alg, EncodingKey, Header};
use serde_json::{Value, json};

use super::{JwksError, KeySet, SkippedKey};
use crate::key::algorithm::{Algorithm, AlgorithmSet};

/// A private key that signs, and its public JWK.
pub(crate) struct Signer {
    key: EncodingKey,
    algorithm: Alg,
}

/// A key for RS256, and for the other five algorithms of RSA.
pub(crate) static RSA: LazyLock<Signer> = LazyLock::new(Signer::rsa);

/// A key for ES256.
pub(crate) static P256: LazyLock<Signer> = LazyLock::new(Signer::p256);

/// A key for ES384.
pub(crate) static P384: LazyLock<Signer> =
    LazyLock::new(|| Signer::ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, Alg::ES384));

/// A key for EdDSA.
pub(crate) static ED25519: LazyLock<Signer> = LazyLock::new(Signer::ed25519);

impl Signer {
    pub(crate) fn rsa() -> Self {
        let der: Pkcs8V1Der<'_> = RsaKeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        Self { key: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(), algorithm: Alg::RS256 }
    }

    pub(crate) fn p256() -> Self {
        Self::ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, Alg::ES256)
    }

    pub(crate) fn ed25519() -> Self {
        let der = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        Self { key: EncodingKey::from_ed_der(der.as_ref()), algorithm: Alg::EdDSA }
    }

    fn ecdsa(curve: &'static EcdsaSigningAlgorithm, algorithm: Alg) -> Self {
        let der = EcdsaKeyPair::generate(curve).unwrap().to_pkcs8v1().unwrap();
        Self { key: EncodingKey::from_ec_der(der.as_ref()), algorithm }
    }

    /// The public key, with `kid` and without `alg`.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        with(&with(&serde_json::to_value(jwk).unwrap(), "alg", Value::Null), "kid", json!(kid))
    }

    /// A token by this key with its first algorithm.
    pub(crate) fn token(&self, kid: Option<&str>, claims: &Value) -> String {
        self.token_by(self.algorithm, kid, claims)
    }

    /// A token by this key with any algorithm of its family.
    pub(crate) fn token_by(&self, algorithm: Alg, kid: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
        self.token_with(&header, claims)
    }

    /// A token by this key with any header.
    pub(crate) fn token_with(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.key).unwrap()
    }
}

/// A copy of `jwk` in which `name` is `value`, or is absent if that is null.
pub(crate) fn with(jwk: &Value, name: &str, value: Value) -> Value {
    let mut jwk = jwk.clone();
    let members = jwk.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    jwk
}

/// The bytes of a set with these keys.
pub(crate) fn jwks(keys: &[Value]) -> Vec<u8> {
    serde_json::to_vec(&json!({ "keys": keys })).unwrap()
}

/// Parses a set with these keys, for an issuer with the default algorithms.
pub(crate) fn parse(keys: &[Value]) -> Result<(KeySet, Vec<SkippedKey>), JwksError> {
    KeySet::parse(&jwks(keys), AlgorithmSet::DEFAULT)
}

/// Parses a set with these keys, all of which must be usable with any algorithm.
pub(crate) fn key_set(keys: &[Value]) -> KeySet {
    let (set, skipped) =
        KeySet::parse(&jwks(keys), AlgorithmSet::from_iter(Algorithm::ALL)).unwrap();
    assert_eq!(skipped, []);
    set
}
