//! Keys made when the process starts, with their private halves: nothing secret is ever stored.

use std::fmt;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use mesh_core::testing::keys::{self, jwks};
use serde_json::Value;

/// A key pair, and the algorithms that it may be used with.
pub struct Signer {
    /// Its name in a key set, if it has one.
    pub kid: Option<&'static str>,
    /// The algorithms that fit its type, the usual one first.
    pub fits: &'static [Algorithm],
    pair: keys::Signer,
    /// The public half, as another implementation reads it.
    public: DecodingKey,
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
        match self.kid {
            Some(kid) => self.pair.jwk(kid),
            None => keys::with(&self.pair.jwk(""), "kid", Value::Null),
        }
    }

    /// A signature over `message`, as the third part of a token.
    pub fn sign(&self, message: &[u8], algorithm: Algorithm) -> String {
        let algorithm = format!("{algorithm:?}").parse().expect("both know it");
        self.pair.sign(message, algorithm)
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
    jwks(&keys)
}

/// A part of a token.
pub fn part(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token by `key`, with the header as it is given.
pub fn token(key: usize, header: &Value, claims: &Value) -> String {
    KEYS[key].pair.token_with(header, claims)
}

fn signer(kid: Option<&'static str>, pair: keys::Signer, fits: &'static [Algorithm]) -> Signer {
    let jwk = serde_json::from_value(pair.jwk("")).expect("a key");
    let public = DecodingKey::from_jwk(&jwk).expect("a key to verify with");
    Signer { kid, fits, pair, public }
}

fn p256(kid: Option<&'static str>) -> Signer {
    signer(kid, keys::Signer::p256(), &[Algorithm::ES256])
}

fn p384(kid: Option<&'static str>) -> Signer {
    signer(kid, keys::Signer::p384(), &[Algorithm::ES384])
}

fn ed25519(kid: Option<&'static str>) -> Signer {
    signer(kid, keys::Signer::ed25519(), &[Algorithm::EdDSA])
}

fn rsa(kid: Option<&'static str>) -> Signer {
    use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
    signer(kid, keys::Signer::rsa(), &[RS256, PS256, RS384, RS512, PS384, PS512])
}
