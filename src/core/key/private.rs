//! A private key: read from PEM or a JWK, or generated. [`sign`](super::sign) signs by it.

mod error;
mod jwk;
mod pem;
mod rsa;

use core::fmt;

use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, Named};
use super::jwks;
use super::kind::Kind;
use crate::text::json;

pub use error::KeyError;
pub use rsa::Bits;

/// A private key with what its JWK says about it.
///
/// ```
/// use mesh_core::key::private::PrivateKey;
///
/// // RFC 8037, appendix A.1.
/// let key = PrivateKey::read(br#"{"kty":"OKP","crv":"Ed25519",
///     "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#)?;
/// assert_eq!(key.algorithm().name(), "EdDSA");
/// assert_eq!(key.thumbprint()?, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
/// # Ok::<(), mesh_core::key::private::KeyError>(())
/// ```
pub struct PrivateKey {
    kind: Kind,
    pair: Pair,
    kid: Option<Box<str>>,
    named: Option<Named>,
}

/// The key itself.
pub(super) enum Pair {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl PrivateKey {
    /// Reads a private key: a JWK if the text begins with a brace, else PEM.
    ///
    /// # Errors
    ///
    /// [`KeyError`]; it quotes nothing of the key.
    pub fn read(text: &[u8]) -> Result<Self, KeyError> {
        let text = json::without_mark(text);
        if !text.trim_ascii_start().starts_with(b"{") {
            return Self::from_pem(text);
        }
        match json::parse(text).map_err(KeyError::Json)? {
            Value::Object(members) => Self::from_jwk(&members),
            _ => Err(KeyError::Unrecognized),
        }
    }

    /// Reads the first private key of a PEM file: PKCS#8, PKCS#1 or SEC1, not encrypted.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unrecognized`], [`KeyError::Encrypted`] or [`KeyError::Unsupported`].
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let (kind, pair) = pem::parse(text)?;
        Ok(Self { kind, pair, kid: None, named: None })
    }

    /// Reads the members of a private JWK (RFC 7517; RFC 7518, section 6; RFC 8037).
    ///
    /// # Errors
    ///
    /// When a member is missing or malformed, or the members do not belong together.
    pub fn from_jwk(members: &Map<String, Value>) -> Result<Self, KeyError> {
        let (kind, pair) = jwk::parse(members)?;
        let text = |name| members.get(name).map(|_| jwk::text(members, name)).transpose();
        let named = text("alg")?.map(str::parse).transpose().map_err(|_| KeyError::Member {
            name: "alg",
            problem: "not an algorithm that signs",
        })?;
        let kid = text("kid")?.map(Box::from);
        let key = Self { kind, pair, kid, named };
        named.map_or(Ok(()), |named| key.require(named.algorithm()))?;
        Ok(key)
    }

    /// Makes a new key for `algorithm`, whose `kid` is its thumbprint (RFC 7638) unless another is
    /// given. `bits` is for RSA alone: other keys have the length of their algorithm.
    ///
    /// # Errors
    ///
    /// [`KeyError::Generation`] if there is no randomness.
    pub fn generate(
        algorithm: impl Into<Named>,
        bits: Bits,
        kid: Option<&str>,
    ) -> Result<Self, KeyError> {
        let named = algorithm.into();
        let fits = |kind: &Kind| kind.algorithms().contains(named.algorithm());
        let kind = Kind::ALL.into_iter().find(fits).ok_or(KeyError::Generation)?;
        let pair = match (kind, ecdsa(kind)) {
            (Kind::Ed25519, _) => Ed25519KeyPair::generate().map(Pair::Ed25519),
            (_, Some(curve)) => EcdsaKeyPair::generate(curve).map(Pair::Ec),
            (_, None) => RsaKeyPair::generate(bits.size()).map(Pair::Rsa),
        };
        let pair = pair.map_err(|_| KeyError::Generation)?;
        let key = Self { kind, pair, kid: kid.map(Box::from), named: Some(named) };
        let kid = match kid {
            Some(kid) => kid.into(),
            None => key.thumbprint()?.into(),
        };
        Ok(Self { kid: Some(kid), ..key })
    }

    /// The `kid` of the JWK; `None` if it has none, as in PEM.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The `alg` of the JWK; `None` if it has none, as in PEM.
    #[must_use]
    pub const fn named(&self) -> Option<Named> {
        self.named
    }

    /// The algorithm that the JWK names, else the default for the key's type: RS256 for RSA.
    #[must_use]
    pub fn algorithm(&self) -> Named {
        self.named.unwrap_or_else(|| match self.kind {
            Kind::Ed25519 => Algorithm::EdDsa.into(),
            Kind::P256 => Algorithm::Es256.into(),
            Kind::P384 => Algorithm::Es384.into(),
            Kind::P521 => Algorithm::Es512.into(),
            Kind::Rsa => Algorithm::Rs256.into(),
            Kind::Secp256k1 => Algorithm::Es256k.into(),
        })
    }

    /// Passes if the key's type and curve sign by `algorithm`.
    pub(super) fn require(&self, algorithm: Algorithm) -> Result<(), KeyError> {
        if self.kind.algorithms().contains(algorithm) {
            return Ok(());
        }
        let kind = match self.kind {
            Kind::Ed25519 => "an Ed25519 key",
            Kind::P256 => "a P-256 key",
            Kind::P384 => "a P-384 key",
            Kind::P521 => "a P-521 key",
            Kind::Rsa => "an RSA key",
            Kind::Secp256k1 => "a secp256k1 key",
        };
        Err(KeyError::Unsuitable { algorithm, kind })
    }

    pub(super) const fn pair(&self) -> &Pair {
        &self.pair
    }

    /// The private JWK (RFC 7517): everything that [`PrivateKey::from_jwk`] asks for.
    ///
    /// # Errors
    ///
    /// [`KeyError::Encoding`] if the cryptographic library does not export the key.
    pub fn to_jwk(&self) -> Result<Map<String, Value>, KeyError> {
        let mut members = self.to_public_jwk()?;
        jwk::insert_private(&self.pair, &mut members)?;
        Ok(members)
    }

    /// The public JWK, as it belongs in a key set.
    ///
    /// # Errors
    ///
    /// As [`PrivateKey::to_jwk`].
    pub fn to_public_jwk(&self) -> Result<Map<String, Value>, KeyError> {
        let mut members = self.to_proof_jwk()?;
        members.insert("use".to_owned(), "sig".into());
        if let Some(kid) = self.kid() {
            members.insert("kid".to_owned(), kid.into());
        }
        if let Some(named) = self.named {
            members.insert("alg".to_owned(), named.name().into());
        }
        Ok(members)
    }

    /// The public JWK of a proof's header: the members that make the key, and no others.
    ///
    /// # Errors
    ///
    /// As [`PrivateKey::to_jwk`].
    pub fn to_proof_jwk(&self) -> Result<Map<String, Value>, KeyError> {
        jwk::public(self.kind, &self.pair)
    }

    /// The JWK thumbprint (RFC 7638) of the public key: SHA-256 in base64url.
    ///
    /// # Errors
    ///
    /// As [`PrivateKey::to_jwk`].
    pub fn thumbprint(&self) -> Result<String, KeyError> {
        let digest = jwks::thumbprint(&self.to_proof_jwk()?).ok_or(KeyError::Encoding)?;
        Ok(URL_SAFE_NO_PAD.encode(digest))
    }
}

impl fmt::Debug for PrivateKey {
    /// Shows nothing private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("kind", &self.kind)
            .field("kid", &self.kid)
            .field("named", &self.named)
            .finish_non_exhaustive()
    }
}

/// How the curve of a key signs; `None` for keys that ECDSA is not for.
fn ecdsa(kind: Kind) -> Option<&'static EcdsaSigningAlgorithm> {
    match kind {
        Kind::P256 => Some(&ECDSA_P256_SHA256_FIXED_SIGNING),
        Kind::P384 => Some(&ECDSA_P384_SHA384_FIXED_SIGNING),
        Kind::P521 => Some(&ECDSA_P521_SHA512_FIXED_SIGNING),
        Kind::Secp256k1 => Some(&ECDSA_P256K1_SHA256_FIXED_SIGNING),
        Kind::Ed25519 | Kind::Rsa => None,
    }
}

#[cfg(test)]
mod tests;
