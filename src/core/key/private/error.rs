//! Why a private key cannot be had or used.

use core::fmt;

use crate::key::algorithm::Algorithm;
use crate::text::json::JsonError;

/// Why a private key cannot be had or used; it quotes nothing of the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyError {
    /// The cryptographic library does not export the key.
    Encoding,
    /// An encrypted PEM file: no pass phrase is asked for.
    Encrypted,
    /// No key could be generated.
    Generation,
    /// The parts are well formed but do not make one key.
    Inconsistent,
    /// The text begins as a JWK does, and is not JSON.
    Json(JsonError),
    /// A member of the JWK cannot be used.
    Member {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The signature could not be made.
    Signing,
    /// Neither a JWK nor a PEM file with a private key.
    Unrecognized,
    /// The algorithm is not one of the key's type.
    Unsuitable {
        /// The one that was asked for.
        algorithm: Algorithm,
        /// The key's type, with its article.
        kind: &'static str,
    },
    /// A key whose type or curve no algorithm here uses.
    Unsupported,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding => f.write_str("the key cannot be encoded"),
            Self::Encrypted => f.write_str(
                "the private key is encrypted; decrypt it first with openssl pkcs8 -in FILE",
            ),
            Self::Generation => f.write_str("no key could be generated"),
            Self::Inconsistent => f.write_str("the parts of the key do not belong together"),
            Self::Json(error) => error.fmt(f),
            Self::Member { name, problem } => write!(f, "member \"{name}\" is {problem}"),
            Self::Signing => f.write_str("the token could not be signed"),
            Self::Unrecognized => {
                f.write_str("no private key found: expected a private JWK or PEM")
            }
            Self::Unsuitable { algorithm, kind } => {
                write!(f, "algorithm {algorithm} does not fit {kind}")
            }
            Self::Unsupported => f.write_str(
                "the key is not RSA of 2048 to 8192 bits, P-256, P-384, P-521, secp256k1 or Ed25519",
            ),
        }
    }
}

impl core::error::Error for KeyError {}
