//! JWK sets (RFC 7517): the public keys of one issuer.
//!
//! A set is parsed once and is immutable from then on. A key that should not be trusted is skipped
//! and reported; a set that could be read in two ways, or is too large, is refused whole.

use serde_json::Value;

use crate::algorithm::{Algorithm, AlgorithmSet};
use crate::json;

mod ed25519;
mod error;
mod key;
mod pem;
mod rsa;
#[cfg(test)]
pub(crate) mod samples;
mod thumbprint;

pub use error::{JwksError, KeyFault, KeyLookupError, SkippedKey};
pub use key::{SignatureInvalid, VerifyingKey};
pub use pem::p256_jwk;
pub use thumbprint::thumbprint;

/// Bytes that a set may have.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Keys that a set may have, usable or not.
pub const MAX_KEYS: usize = 100;

/// Bytes that a `kid` may have, in a key and in a token.
pub const MAX_KID_BYTES: usize = 1024;

/// The keys of one issuer that verify tokens; there is at least one.
#[derive(Debug)]
pub struct KeySet {
    algorithms: AlgorithmSet,
    keys: Box<[Key]>,
}

impl KeySet {
    /// Parses a JWK set, for an issuer that signs with `algorithms`.
    ///
    /// A key with `alg` verifies that algorithm alone, and only if it is one of `algorithms`; a
    /// key without verifies those of `algorithms` that fit its type and curve. The keys that are
    /// not used come back beside the set, to be warned about.
    ///
    /// # Errors
    ///
    /// [`JwksError`] when the set as a whole cannot be used.
    pub fn parse(
        bytes: &[u8],
        algorithms: AlgorithmSet,
    ) -> Result<(Self, Vec<SkippedKey>), JwksError> {
        Self::parse_from(bytes, algorithms, Source::Issuer)
    }

    /// Parses the bundle of a SPIFFE trust domain: as [`KeySet::parse`], with keys whose `use` is
    /// `jwt-svid`. Those for `x509-svid` are not for tokens, which is no fault of theirs.
    ///
    /// # Errors
    ///
    /// Those of [`KeySet::parse`].
    pub fn parse_bundle(
        bytes: &[u8],
        algorithms: AlgorithmSet,
    ) -> Result<(Self, Vec<SkippedKey>), JwksError> {
        Self::parse_from(bytes, algorithms, Source::TrustDomain)
    }

    fn parse_from(
        bytes: &[u8],
        algorithms: AlgorithmSet,
        source: Source,
    ) -> Result<(Self, Vec<SkippedKey>), JwksError> {
        let mut keys = Vec::new();
        let mut skipped = Vec::new();
        for Member { position, kid, issuer, outcome, .. } in members(bytes, algorithms, source)? {
            match outcome {
                Ok(verifying) => keys.push(Key { kid, issuer, verifying }),
                Err(KeyFault::UseOfCertificates) => {}
                Err(fault) => skipped.push(SkippedKey { position, kid, fault }),
            }
        }
        if keys.is_empty() {
            return Err(JwksError::NoUsableKey(skipped));
        }
        Ok((Self { algorithms, keys: keys.into() }, skipped))
    }

    /// Says of each key in a set what it verifies, or why it would be skipped.
    ///
    /// # Errors
    ///
    /// Those of [`KeySet::parse`], except that a set without a usable key is reported like any.
    pub fn inspect(bytes: &[u8], algorithms: AlgorithmSet) -> Result<Vec<KeyReport>, JwksError> {
        let report = |Member { position, kid, kty, outcome, .. }| KeyReport {
            position,
            kid,
            kty,
            usable: outcome.map(|keys| keys.iter().map(VerifyingKey::algorithm).collect()),
        };
        Ok(members(bytes, algorithms, Source::Issuer)?.into_iter().map(report).collect())
    }

    /// Finds the key for a token that names `kid` and `algorithm`.
    ///
    /// A `kid` is matched exactly. Without one, the key is the only one that fits `algorithm`.
    ///
    /// # Errors
    ///
    /// [`KeyLookupError`]; where the algorithm is one the issuer never signs with, no refresh can
    /// help, so that comes before [`KeyLookupError::UnknownKey`].
    pub fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&VerifyingKey, KeyLookupError> {
        self.lookup(kid, algorithm).map(|(_, key)| key)
    }

    /// The name of the key that [`Self::find`] finds: that of the token, or the only one that fits.
    pub fn kid(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&str> {
        self.lookup(kid, algorithm).ok()?.0.kid.as_deref()
    }

    /// The issuer that the key which [`Self::find`] finds is for, where its JWK says so.
    pub fn issuer(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&str> {
        self.lookup(kid, algorithm).ok()?.0.issuer.as_deref()
    }

    fn lookup(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<(&Key, &VerifyingKey), KeyLookupError> {
        if !self.algorithms.contains(algorithm) {
            return Err(KeyLookupError::AlgorithmRefused);
        }
        match kid {
            Some(kid) => {
                let named = self.keys.iter().find(|key| key.kid.as_deref() == Some(kid));
                let key = named.ok_or(KeyLookupError::UnknownKey)?;
                key.verifying(algorithm)
                    .map(|verifying| (key, verifying))
                    .ok_or(KeyLookupError::AlgorithmRefused)
            }
            None => {
                let fits = |key| Some((key, Key::verifying(key, algorithm)?));
                let mut fitting = self.keys.iter().filter_map(fits);
                match (fitting.next(), fitting.next()) {
                    (Some(found), None) => Ok(found),
                    _ => Err(KeyLookupError::UnknownKey),
                }
            }
        }
    }

    /// The usable keys, in the order of the set: the `kid` as published, and the algorithms.
    pub fn keys(&self) -> impl Iterator<Item = (Option<&str>, AlgorithmSet)> {
        self.keys.iter().map(|key| {
            let algorithms = key.verifying.iter().map(VerifyingKey::algorithm).collect();
            (key.kid.as_deref(), algorithms)
        })
    }

    /// How many keys are usable: at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }
}

/// What [`KeySet::inspect`] says of one key.
#[derive(Debug)]
pub struct KeyReport {
    /// Place in the set, from 0.
    pub position: usize,
    /// The key's `kid`, as published: escape it before it is shown.
    pub kid: Option<Box<str>>,
    /// The key's `kty`, as published: escape it before it is shown.
    pub kty: Option<Box<str>>,
    /// The algorithms it verifies, or why it is skipped.
    pub usable: Result<AlgorithmSet, KeyFault>,
}

/// Who publishes a set, which decides what `use` may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source {
    Issuer,
    TrustDomain,
}

/// One usable JWK, ready for each algorithm that it may verify.
#[derive(Debug)]
struct Key {
    kid: Option<Box<str>>,
    /// `issuer`, as Entra ID says of each key.
    issuer: Option<Box<str>>,
    verifying: Box<[VerifyingKey]>,
}

impl Key {
    fn verifying(&self, algorithm: Algorithm) -> Option<&VerifyingKey> {
        self.verifying.iter().find(|key| key.algorithm() == algorithm)
    }
}

/// One entry of `keys`, read but not yet sorted into used and skipped.
struct Member {
    position: usize,
    kid: Option<Box<str>>,
    kty: Option<Box<str>>,
    issuer: Option<Box<str>>,
    outcome: Result<Box<[VerifyingKey]>, KeyFault>,
}

impl Member {
    fn read(position: usize, jwk: &Value, algorithms: AlgorithmSet, source: Source) -> Self {
        let Some(jwk) = jwk.as_object() else {
            let outcome = Err(KeyFault::NotAnObject);
            return Self { position, kid: None, kty: None, issuer: None, outcome };
        };
        let text = |name: &str| jwk.get(name).and_then(Value::as_str).map(Box::from);
        let kid: Option<Box<str>> = text("kid");
        let misnamed = jwk.contains_key("kid") && kid.is_none()
            || kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES);
        let issuer = text("issuer");
        let outcome = if misnamed {
            Err(KeyFault::Malformed("kid"))
        } else if jwk.contains_key("issuer") && issuer.is_none() {
            Err(KeyFault::Malformed("issuer"))
        } else {
            key::verifying_keys(jwk, algorithms, source)
        };
        Self { position, kid, kty: text("kty"), issuer, outcome }
    }
}

fn members(
    bytes: &[u8],
    algorithms: AlgorithmSet,
    source: Source,
) -> Result<Vec<Member>, JwksError> {
    if bytes.len() > MAX_BYTES {
        return Err(JwksError::TooLarge);
    }
    if bytes.trim_ascii().is_empty() {
        return Err(JwksError::Empty);
    }
    let document = json::parse(bytes).map_err(JwksError::Json)?;
    let keys = document.get("keys").and_then(Value::as_array).ok_or(JwksError::NoKeysMember)?;
    if keys.len() > MAX_KEYS {
        return Err(JwksError::TooManyKeys);
    }
    // Skipped keys count too: which of two keys a name means must not hang on what we support.
    let mut kids: Vec<&str> = keys.iter().filter_map(|jwk| jwk.get("kid")?.as_str()).collect();
    kids.sort_unstable();
    if let Some(twice) = kids.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        _ => None,
    }) {
        return Err(JwksError::DuplicateKid(twice.into()));
    }
    Ok(keys
        .iter()
        .enumerate()
        .map(|(position, jwk)| Member::read(position, jwk, algorithms, source))
        .collect())
}

#[cfg(test)]
mod tests;
