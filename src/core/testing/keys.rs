//! Key pairs that sign tokens: made when they are asked for, so that no file holds a secret.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::changed;
use crate::key::algorithm::{Algorithm, AlgorithmSet};
use crate::key::jwks::{JwksError, KeySet, SkippedKey};

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
    pair: Pair,
    fits: &'static [Algorithm],
}

#[derive(Debug)]
enum Pair {
    Ecdsa(&'static str, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    /// A new key for RS256, and for the other five algorithms of RSA.
    pub fn rsa() -> Self {
        use Algorithm::{Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let pair = Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        Self { pair, fits: &[Rs256, Ps256, Rs384, Rs512, Ps384, Ps512] }
    }

    /// A new key for ES256.
    pub fn p256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { pair: Pair::Ecdsa("P-256", pair), fits: &[Algorithm::Es256] }
    }

    /// A new key for ES384.
    pub fn p384() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        Self { pair: Pair::Ecdsa("P-384", pair), fits: &[Algorithm::Es384] }
    }

    /// A new key for EdDSA.
    pub fn ed25519() -> Self {
        let pair = Pair::Ed25519(Ed25519KeyPair::generate().unwrap());
        Self { pair, fits: &[Algorithm::EdDsa] }
    }

    /// The public key, with `kid` and without `alg`.
    pub fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            Pair::Ecdsa(curve, pair) => {
                // An uncompressed point: 4, x, y.
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y), "kid": kid })
            }
            Pair::Ed25519(pair) => {
                let x = text(pair.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid })
            }
            Pair::Rsa(pair) => {
                let modulus = pair.public_key().modulus().big_endian_without_leading_zero();
                let exponent = pair.public_key().exponent().big_endian_without_leading_zero();
                json!({ "kty": "RSA", "n": text(modulus), "e": text(exponent), "kid": kid })
            }
        }
    }

    /// The signature over `input`, as the third part of a token.
    ///
    /// # Panics
    ///
    /// If the key is not for `algorithm`.
    pub fn sign(&self, input: &[u8], algorithm: Algorithm) -> String {
        assert!(self.fits.contains(&algorithm), "a key for {:?} and {algorithm}", self.fits);
        let random = SystemRandom::new();
        URL_SAFE_NO_PAD.encode(match &self.pair {
            Pair::Ecdsa(_, pair) => pair.sign(&random, input).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(input).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding(algorithm), &random, input, &mut signature).unwrap();
                signature
            }
        })
    }

    /// A token by the key's usual algorithm.
    pub fn token(&self, kid: Option<&str>, claims: &Value) -> String {
        self.token_by(self.fits[0], kid, claims)
    }

    /// A token by any algorithm that the key is for.
    pub fn token_by(&self, algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
        let header = json!({ "typ": "JWT", "alg": algorithm.as_str(), "kid": kid });
        self.token_with(&changed(&header, &json!({ "kid": kid })), claims)
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

fn encoding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        _ => &RSA_PKCS1_SHA256,
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
