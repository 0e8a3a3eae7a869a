//! JWK sets (RFC 7517): the public keys of one issuer.
//!
//! A set is parsed once and is immutable from then on. A key that should not be trusted, or that
//! cannot be told from another key, is skipped and reported; a set that could be read in two ways,
//! or is too large, is refused whole.

use crate::key::algorithm::{Algorithm, AlgorithmSet, KeyAlgorithms};

mod ed25519;
mod error;
mod index;
mod key;
mod member;
mod name;
mod pem;
mod rsa;
mod thumbprint;

pub use error::{JwksError, KeyFault, KeyLookupError, SkippedKey, warnings};
use key::Source;
pub use key::{SignatureInvalid, VerifyingKey};
pub use name::KeyName;
pub use pem::p256_jwk;
pub use thumbprint::thumbprint;

use index::Index;
use member::{Member, members};

/// Bytes that a set may have.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Keys that a set may have, usable or not.
pub const MAX_KEYS: usize = 1000;

/// Bytes that a `kid` may have, in a key and in a token.
pub const MAX_KID_BYTES: usize = 1024;

/// The keys of one issuer that verify tokens; there is at least one.
#[derive(Debug)]
pub struct KeySet {
    algorithms: KeyAlgorithms,
    keys: Box<[Key]>,
    index: Index,
}

impl KeySet {
    /// Parses a JWK set, for an issuer that signs with `algorithms`.
    ///
    /// A key with `alg` verifies that algorithm alone, if the issuer may use it; a key without
    /// `alg` verifies those of `algorithms` that fit its type and curve. Unused keys are returned
    /// beside the set, for warnings.
    ///
    /// # Errors
    ///
    /// [`JwksError`] when the set as a whole cannot be used.
    pub fn parse(
        bytes: &[u8],
        algorithms: impl Into<KeyAlgorithms>,
    ) -> Result<(Self, Vec<SkippedKey>), JwksError> {
        Self::parse_from(bytes, algorithms.into(), Source::Issuer)
    }

    /// Parses the bundle of a SPIFFE trust domain: as [`KeySet::parse`], with keys whose `use` is
    /// `jwt-svid`. Keys for `x509-svid` are not for tokens, which is no fault.
    ///
    /// # Errors
    ///
    /// As [`KeySet::parse`].
    pub fn parse_bundle(
        bytes: &[u8],
        algorithms: impl Into<KeyAlgorithms>,
    ) -> Result<(Self, Vec<SkippedKey>), JwksError> {
        Self::parse_from(bytes, algorithms.into(), Source::TrustDomain)
    }

    fn parse_from(
        bytes: &[u8],
        algorithms: KeyAlgorithms,
        source: Source,
    ) -> Result<(Self, Vec<SkippedKey>), JwksError> {
        let mut keys = Vec::new();
        let mut skipped = Vec::new();
        for Member { position, names, issuer, outcome, .. } in members(bytes, algorithms, source)? {
            match outcome {
                Ok(usable) => keys.push(Key {
                    names,
                    issuer,
                    verifying: usable.verifying,
                    thumbprint: usable.thumbprint,
                }),
                Err(KeyFault::UseOfCertificates) => {}
                Err(fault) => skipped.push(SkippedKey { position, kid: names.kid, fault }),
            }
        }
        if keys.is_empty() {
            return Err(JwksError::NoUsableKey(skipped));
        }
        let index = Index::of(&keys);
        Ok((Self { algorithms, keys: keys.into(), index }, skipped))
    }

    /// Tells of each key in a set what it verifies, or why it is skipped.
    ///
    /// # Errors
    ///
    /// As [`KeySet::parse`], but a set without a usable key is no error.
    pub fn inspect(
        bytes: &[u8],
        algorithms: impl Into<KeyAlgorithms>,
    ) -> Result<Vec<KeyReport>, JwksError> {
        let report = |Member { position, names, kty, outcome, .. }| KeyReport {
            position,
            kid: names.kid,
            kty,
            usable: outcome
                .map(|usable| usable.verifying.iter().map(VerifyingKey::algorithm).collect()),
        };
        Ok(members(bytes, algorithms.into(), Source::Issuer)?.into_iter().map(report).collect())
    }

    /// Finds the key for a token that names `kid` and `algorithm`, as [`Self::lookup`].
    ///
    /// # Errors
    ///
    /// As [`Self::lookup`].
    pub fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&VerifyingKey, KeyLookupError> {
        let name = KeyName { kid, ..KeyName::default() };
        self.lookup(name, algorithm).map(|found| found.verifying)
    }

    /// Finds the key for a token that names its key by `name` and is signed with `algorithm`.
    ///
    /// A `kid` is matched exactly. Without one, `x5t#S256` and `x5t` are compared with the members
    /// of these names and with `kid`. Without a known name, the only key that fits `algorithm` is
    /// taken, unless it publishes another name of that kind.
    ///
    /// # Errors
    ///
    /// [`KeyLookupError`]. An algorithm that the issuer never signs with is reported before
    /// [`KeyLookupError::UnknownKey`], since no refresh can help.
    pub fn lookup(
        &self,
        name: KeyName<'_>,
        algorithm: Algorithm,
    ) -> Result<FoundKey<'_>, KeyLookupError> {
        if !self.algorithms.allows(algorithm) {
            return Err(KeyLookupError::AlgorithmRefused);
        }
        let (position, is_certain) = self.index.find(&self.keys, name, algorithm)?;
        let key = self.keys.get(position).ok_or(KeyLookupError::UnknownKey)?;
        let verifying = key.verifying(algorithm).ok_or(KeyLookupError::AlgorithmRefused)?;
        Ok(FoundKey { set: self, key, verifying, is_certain })
    }

    /// Whether a key has that `kid`, `x5t` or `x5t#S256`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.index.has(&self.keys, name)
    }

    /// The usable keys, in the order of the set: the `kid` as published, and the algorithms.
    pub fn keys(&self) -> impl Iterator<Item = (Option<&str>, AlgorithmSet)> {
        self.keys.iter().map(|key| (key.names.kid.as_deref(), key.algorithms()))
    }

    /// How many keys are usable: at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }
}

/// The key of a set that a token means.
#[derive(Clone, Copy, Debug)]
pub struct FoundKey<'k> {
    set: &'k KeySet,
    key: &'k Key,
    verifying: &'k VerifyingKey,
    is_certain: bool,
}

impl<'k> FoundKey<'k> {
    /// The key that verifies the signature.
    #[must_use]
    pub const fn verifying(&self) -> &'k VerifyingKey {
        self.verifying
    }

    /// Whether it is certain: `false` if the token names its key by a name that no key of the set
    /// has.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        self.is_certain
    }

    /// The issuer that the key is for, if its JWK says so.
    #[must_use]
    pub fn issuer(&self) -> Option<&'k str> {
        self.key.issuer.as_deref()
    }

    /// Every `kid` that the set has for this key, whichever of them the token names.
    pub fn kids(&self) -> impl Iterator<Item = &'k str> {
        let (keys, thumbprint) = (&self.set.keys, &self.key.thumbprint);
        let twins = self.set.index.twins(keys, thumbprint);
        twins.filter_map(|position| keys.get(position)?.names.kid.as_deref())
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

/// One usable JWK, ready for each algorithm that it may verify.
#[derive(Debug)]
struct Key {
    names: Names,
    /// `issuer`, as Entra ID says of each key.
    issuer: Option<Box<str>>,
    verifying: Box<[VerifyingKey]>,
    thumbprint: [u8; 32],
}

impl Key {
    fn verifying(&self, algorithm: Algorithm) -> Option<&VerifyingKey> {
        self.verifying.iter().find(|key| key.algorithm() == algorithm)
    }

    fn algorithms(&self) -> AlgorithmSet {
        self.verifying.iter().map(VerifyingKey::algorithm).collect()
    }

    /// Whether both are one key, whatever they are called.
    fn is_twin_of(&self, other: &Self) -> bool {
        self.thumbprint == other.thumbprint && self.issuer == other.issuer
    }
}

/// The names of a JWK that a token may use.
#[derive(Debug, Default)]
struct Names {
    kid: Option<Box<str>>,
    x5t: Option<Box<str>>,
    x5t_s256: Option<Box<str>>,
}

#[cfg(test)]
mod tests;
