//! Key pairs that sign tokens: made when they are asked for, so that no file holds a secret.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::changed;
use crate::key::algorithm::{Algorithm, AlgorithmSet};
use crate::key::jwks::{JwksError, KeySet, SkippedKey};
use crate::key::private::{Bits, PrivateKey};
use crate::key::sign::signature;

/// A key for RS256, and for the other five algorithms of RSA.
pub static RSA: LazyLock<Signer> = LazyLock::new(Signer::rsa);

/// A key for ES256.
pub static P256: LazyLock<Signer> = LazyLock::new(Signer::p256);

/// A key for ES384.
pub static P384: LazyLock<Signer> = LazyLock::new(Signer::p384);

/// A key for EdDSA.
pub static ED25519: LazyLock<Signer> = LazyLock::new(Signer::ed25519);

/// A key pair.
#[derive(Debug)]
pub struct Signer {
    key: PrivateKey,
    fits: &'static [Algorithm],
}

impl Signer {
    /// A new key for RS256, and for the other five algorithms of RSA.
    pub fn rsa() -> Self {
        use Algorithm::{Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        Self::new(&[Rs256, Ps256, Rs384, Rs512, Ps384, Ps512])
    }

    /// A new key for ES256.
    pub fn p256() -> Self {
        Self::new(&[Algorithm::Es256])
    }

    /// A new key for ES384.
    pub fn p384() -> Self {
        Self::new(&[Algorithm::Es384])
    }

    /// A new key for EdDSA.
    pub fn ed25519() -> Self {
        Self::new(&[Algorithm::EdDsa])
    }

    fn new(fits: &'static [Algorithm]) -> Self {
        Self { key: PrivateKey::generate(fits[0], Bits::B2048, None).unwrap(), fits }
    }

    /// The public key, with `kid` and without `alg`.
    pub fn jwk(&self, kid: &str) -> Value {
        with(&Value::Object(self.key.to_proof_jwk().unwrap()), "kid", kid)
    }

    /// The signature over `input`, as the third part of a token.
    ///
    /// # Panics
    ///
    /// If the key is not for `algorithm`.
    pub fn sign(&self, input: &[u8], algorithm: Algorithm) -> String {
        assert!(self.fits.contains(&algorithm), "a key for {:?} and {algorithm}", self.fits);
        URL_SAFE_NO_PAD.encode(signature(&self.key, algorithm, input).unwrap())
    }

    /// A token by the key's usual algorithm.
    pub fn token(&self, kid: Option<&str>, claims: &Value) -> String {
        self.token_by(self.fits[0], kid, claims)
    }

    /// A token by any algorithm that the key is for.
    pub fn token_by(&self, algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
        let usual = json!({ "typ": "JWT", "alg": algorithm.as_str() });
        self.token_with(&changed(&usual, &json!({ "kid": kid })), claims)
    }

    /// A token with any header; if the key is not for its `alg`, by the key's usual algorithm.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let named = header["alg"].as_str().and_then(|alg| alg.parse().ok());
        let algorithm = named.filter(|it| self.fits.contains(it)).unwrap_or(self.fits[0]);
        let input = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = self.sign(input.as_bytes(), algorithm);
        format!("{input}.{signature}")
    }
}

/// A copy of an object in which `name` is `value`, or is absent if that is null.
pub fn with(object: &Value, name: &str, value: impl Into<Value>) -> Value {
    changed(object, &json!({ name: value.into() }))
}

/// The bytes of a set with these keys.
pub fn jwks(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// Parses a set with these keys, for an issuer with the default algorithms.
///
/// # Errors
///
/// As [`KeySet::parse`].
pub fn parse(keys: &[Value]) -> Result<(KeySet, Vec<SkippedKey>), JwksError> {
    KeySet::parse(&jwks(keys), AlgorithmSet::DEFAULT)
}

/// Parses a set with these keys, all of which must be usable with any algorithm.
pub fn key_set(keys: &[Value]) -> KeySet {
    let every = AlgorithmSet::from_iter(Algorithm::ALL);
    let (set, skipped) = KeySet::parse(&jwks(keys), every).unwrap();
    assert_eq!(skipped, []);
    set
}
