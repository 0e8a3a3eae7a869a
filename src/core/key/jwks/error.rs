//! Faults of a JWK set, of one of its keys, or of asking for a key.

use core::fmt;

use super::{MAX_BYTES, MAX_KEYS};
use crate::text::json::JsonError;

/// Why a JWK set cannot be used at all.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwksError {
    /// There is nothing but white space.
    Empty,
    /// It is not strict JSON.
    Json(JsonError),
    /// It is no object with an array `keys` (RFC 7517, section 5).
    NoKeysMember,
    /// None of its keys can be used, for these reasons.
    NoUsableKey(Vec<SkippedKey>),
    /// It has more than [`MAX_BYTES`] bytes.
    TooLarge,
    /// It has more than [`MAX_KEYS`] keys.
    TooManyKeys,
}

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty JWK set"),
            Self::Json(error) => error.fmt(f),
            Self::NoKeysMember => f.write_str("no JWK set: the array \"keys\" is missing"),
            Self::NoUsableKey(skipped) => {
                f.write_str("no usable key")?;
                for (position, warning) in warnings(skipped).enumerate() {
                    write!(f, "{} {warning}", if position == 0 { ":" } else { "," })?;
                }
                Ok(())
            }
            Self::TooLarge => write!(f, "JWK set of more than {MAX_BYTES} bytes"),
            Self::TooManyKeys => write!(f, "more than {MAX_KEYS} keys"),
        }
    }
}

impl core::error::Error for JwksError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            _ => None,
        }
    }
}

/// A key of a set that is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Place in the set, from 0.
    pub position: usize,
    /// The key's `kid`, as published: escape it before it is shown.
    pub kid: Option<Box<str>>,
    /// What is wrong with it.
    pub fault: KeyFault,
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kid {
            Some(kid) => write!(f, "key {kid:?}: {}", self.fault),
            None => write!(f, "key at index {}: {}", self.position, self.fault),
        }
    }
}

/// The warnings about unused keys: the first few one by one, the others as a count.
pub fn warnings(skipped: &[SkippedKey]) -> impl Iterator<Item = String> {
    let more = skipped.len().saturating_sub(MOST_WARNINGS);
    let more = (more > 0).then(|| format!("and {more} more keys are not used"));
    skipped.iter().take(MOST_WARNINGS).map(ToString::to_string).chain(more)
}

/// Keys that are listed one by one.
const MOST_WARNINGS: usize = 16;

/// Why a key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFault {
    /// Its `alg` does not fit its type or curve.
    AlgorithmMismatch,
    /// The issuer may sign with none of the algorithms that the key verifies.
    AlgorithmRefused,
    /// The RSA exponent has more bits than the 33 that are supported.
    ExponentTooLarge,
    /// The RSA exponent is 0, 1 or even.
    ExponentWeak,
    /// Another key has the same `kid` and verifies the same algorithm: a token could mean either.
    KidAmbiguous,
    /// This member is missing, or is not what RFC 7517, 7518 or 8037 says.
    Malformed(&'static str),
    /// The RSA modulus is even or has another small factor.
    ModulusFactored,
    /// The RSA modulus has this many bits, more than 8192.
    ModulusTooLarge(usize),
    /// The RSA modulus has this many bits, fewer than 2048.
    ModulusTooSmall(usize),
    /// The entry is no JSON object.
    NotAnObject,
    /// `key_ops` does not list `verify`.
    OperationsWithoutVerify,
    /// The point is not on the curve.
    PointInvalid,
    /// The Ed25519 point has a small order: signatures for it can be forged.
    PointWeak,
    /// A private member is published with it: the key is compromised.
    PrivateMaterial,
    /// The RSA modulus has the ROCA fingerprint (CVE-2017-15361): it can be factored.
    Roca,
    /// It is a symmetric key, which is no longer secret.
    Symmetric,
    /// Its `alg` is not supported.
    UnsupportedAlgorithm,
    /// Its `crv` is not supported.
    UnsupportedCurve,
    /// Its `kty` is not supported.
    UnsupportedType,
    /// It is one of a trust domain's authorities for certificates.
    UseOfCertificates,
    /// Its `use` is not `sig`.
    UseWithoutSignature,
}

impl KeyFault {
    /// Whether the operator should act: the issuer publishes a key that others can sign with, or
    /// two that cannot be told apart.
    ///
    /// The other faults are of keys for other purposes, which many issuers publish as well.
    #[must_use]
    pub const fn is_weakness(self) -> bool {
        matches!(
            self,
            Self::ExponentWeak
                | Self::KidAmbiguous
                | Self::ModulusFactored
                | Self::ModulusTooSmall(_)
                | Self::PointWeak
                | Self::PrivateMaterial
                | Self::Roca
                | Self::Symmetric
        )
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlgorithmMismatch => "\"alg\" does not fit the type or curve",
            Self::AlgorithmRefused => "the issuer does not use its algorithm",
            Self::ExponentTooLarge => "RSA exponent of more than 33 bits",
            Self::ExponentWeak => "RSA exponent is 0, 1 or even",
            Self::KidAmbiguous => "another key has the same kid and algorithm, neither is used",
            Self::Malformed(member) => return write!(f, "\"{member}\" is missing or malformed"),
            Self::ModulusFactored => "RSA modulus has a small factor",
            Self::ModulusTooLarge(bits) => {
                return write!(f, "RSA modulus of {bits} bits, more than 8192");
            }
            Self::ModulusTooSmall(bits) => {
                return write!(f, "RSA modulus of {bits} bits, fewer than 2048");
            }
            Self::NotAnObject => "not a JSON object",
            Self::OperationsWithoutVerify => "\"key_ops\" does not list \"verify\"",
            Self::PointInvalid => "point is not on the curve",
            Self::PointWeak => "point of small order, for which an attacker can sign",
            Self::PrivateMaterial => "published with its private part, so it is compromised",
            Self::Roca => "RSA modulus has the ROCA fingerprint (CVE-2017-15361)",
            Self::Symmetric => "symmetric key",
            Self::UnsupportedAlgorithm => "unsupported \"alg\"",
            Self::UnsupportedCurve => "unsupported \"crv\"",
            Self::UnsupportedType => "unsupported \"kty\"",
            Self::UseOfCertificates => "\"use\" is \"x509-svid\"",
            Self::UseWithoutSignature => "\"use\" is not \"sig\"",
        })
    }
}

impl core::error::Error for KeyFault {}

/// Why a set has no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLookupError {
    /// The issuer does not sign with the algorithm, or the named key does not verify it.
    AlgorithmRefused,
    /// No usable key has the name; or the token names none and not exactly one key fits.
    UnknownKey,
}

impl fmt::Display for KeyLookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlgorithmRefused => "algorithm refused",
            Self::UnknownKey => "unknown key",
        })
    }
}

impl core::error::Error for KeyLookupError {}
