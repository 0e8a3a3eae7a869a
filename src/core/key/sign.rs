//! Compact JWS (RFC 7515, section 7.1) by a private key; [`jws`](super::jws) reads and verifies it.

use core::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, Named};
use super::private::{KeyError, Pair, PrivateKey};

/// A private key, the algorithm that it signs with, and the header of what it signs.
///
/// ```
/// use mesh_core::key::private::{Bits, PrivateKey};
/// use mesh_core::key::{algorithm::Algorithm, jws::CompactJws, sign::Signer};
///
/// let key = PrivateKey::generate(Algorithm::Es256, Bits::B2048, Some("2026-08"))?;
/// let signer = Signer::new(key, Algorithm::Es256, serde_json::Map::new())?;
/// let token = signer.sign(&serde_json::json!({ "sub": "gateway" }))?;
/// assert!(CompactJws::parse(token.as_bytes()).is_ok());
/// # Ok::<(), mesh_core::key::private::KeyError>(())
/// ```
pub struct Signer {
    key: PrivateKey,
    algorithm: Algorithm,
    /// The header, in base64url.
    header: String,
}

impl Signer {
    /// A signer by `algorithm`, which `header` gets as its `alg`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unsuitable`] when the algorithm is not one of the key's type.
    pub fn new(
        key: PrivateKey,
        algorithm: impl Into<Named>,
        mut header: Map<String, Value>,
    ) -> Result<Self, KeyError> {
        let named = algorithm.into();
        key.require(named.algorithm())?;
        header.insert("alg".to_owned(), named.name().into());
        let header = encode(&Value::Object(header));
        Ok(Self { key, algorithm: named.algorithm(), header })
    }

    /// The token that holds `claims`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Signing`] when the cryptographic library refuses.
    pub fn sign(&self, claims: &Value) -> Result<String, KeyError> {
        let input = format!("{}.{}", self.header, encode(claims));
        let signature =
            signature(&self.key, self.algorithm, input.as_bytes()).ok_or(KeyError::Signing)?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("key", &self.key)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// The signature in the form of JWS: for ECDSA, `r` and `s` side by side (RFC 7518, section 3.4).
/// `None` if the algorithm is not one of an RSA key, or if the cryptographic library refuses.
pub(crate) fn signature(key: &PrivateKey, algorithm: Algorithm, input: &[u8]) -> Option<Vec<u8>> {
    let random = SystemRandom::new();
    Some(match key.pair() {
        Pair::Ec(pair) => pair.sign(&random, input).ok()?.as_ref().to_vec(),
        Pair::Ed25519(pair) => pair.sign(input).as_ref().to_vec(),
        Pair::Rsa(pair) => {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding(algorithm)?, &random, input, &mut signature).ok()?;
            signature
        }
    })
}

/// How an RSA key signs by an algorithm; `None` for those of other keys.
fn encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        Algorithm::Rs256 => &RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
