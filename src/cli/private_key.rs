//! A private key: generated, or read from a file, and the tokens that it signs.
//!
//! Signing is `jsonwebtoken`'s where it has the algorithm, so that what this tool mints does not
//! share an error with what the module verifies.

mod jwk;
mod named;
mod pem;
mod rsa;

use core::fmt;

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING,
        ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm as Signing, EncodingKey};
use mesh_core::key::algorithm::Algorithm;
use serde_json::{Map, Value};

pub(crate) use self::{
    named::{ALGORITHMS, Named, parse_algorithm},
    rsa::Bits,
};

/// A private key with what its file says about it.
#[derive(Debug)]
pub(crate) struct PrivateKey {
    pair: Pair,
    /// The `kid` of the JWK; a PEM file has none.
    pub(crate) kid: Option<String>,
    /// The `alg` of the JWK; a PEM file has none.
    algorithm: Option<Named>,
}

impl PrivateKey {
    /// Makes a new key for `algorithm`, its `kid` being `kid` or else its RFC 7638 thumbprint.
    ///
    /// `bits` counts for RSA alone.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub(crate) fn generate(
        algorithm: impl Into<Named>,
        bits: Bits,
        kid: Option<String>,
    ) -> Result<Self, KeyError> {
        let named = algorithm.into();
        let pair = match named.algorithm {
            Algorithm::EdDsa => {
                Pair::Ed25519(Ed25519KeyPair::generate().map_err(|_| KeyError::Generation)?)
            }
            algorithm => match Curve::ALL.into_iter().find(|it| it.algorithm() == algorithm) {
                Some(curve) => Pair::Ec(curve, curve.generate()?),
                None => Pair::Rsa(rsa::Components::generate(bits)?),
            },
        };
        let mut key = Self { pair, kid, algorithm: Some(named) };
        if key.kid.is_none() {
            key.kid = Some(key.thumbprint()?);
        }
        Ok(key)
    }

    /// Reads the first private key of a PEM file: PKCS#8, PKCS#1 or SEC1, not encrypted.
    ///
    /// # Errors
    /// When there is none, or one of a type that cannot sign here.
    pub(crate) fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        Ok(Self { pair: pem::parse(text)?, kid: None, algorithm: None })
    }

    /// Reads the members of a private JWK (RFC 7517, RFC 7518 section 6, RFC 8037).
    ///
    /// # Errors
    /// When a member is missing or malformed, or the members do not belong together.
    pub(crate) fn from_jwk(members: &Map<String, Value>) -> Result<Self, KeyError> {
        let pair = jwk::parse(members)?;
        let text = |name| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(KeyError::Member { name, problem: "not a string" }),
        };
        let algorithm =
            text("alg")?.map(|name| parse_algorithm(&name)).transpose().map_err(|_| {
                KeyError::Member { name: "alg", problem: "not an algorithm that signs" }
            })?;
        let key = Self { pair, kid: text("kid")?, algorithm };
        algorithm.map_or(Ok(()), |named| key.require(named.algorithm))?;
        Ok(key)
    }

    /// The private JWK (RFC 7517), everything that [`PrivateKey::from_jwk`] asks for.
    ///
    /// # Errors
    /// When the cryptographic library does not give the key away.
    pub(crate) fn to_jwk(&self) -> Result<Map<String, Value>, KeyError> {
        let mut members = self.to_public_jwk()?;
        jwk::insert_private(&self.pair, &mut members)?;
        Ok(members)
    }

    /// The public JWK, as it belongs in a key set.
    ///
    /// # Errors
    /// As [`PrivateKey::to_jwk`].
    pub(crate) fn to_public_jwk(&self) -> Result<Map<String, Value>, KeyError> {
        let mut members = jwk::public(&self.pair)?;
        members.insert("use".to_owned(), "sig".into());
        if let Some(kid) = &self.kid {
            members.insert("kid".to_owned(), kid.as_str().into());
        }
        if let Some(Named { name, .. }) = self.algorithm {
            members.insert("alg".to_owned(), name.into());
        }
        Ok(members)
    }

    /// The public JWK of a proof's header: the members that make the key, and no others.
    ///
    /// # Errors
    /// As [`PrivateKey::to_jwk`].
    pub(crate) fn to_proof_jwk(&self) -> Result<Map<String, Value>, KeyError> {
        jwk::public(&self.pair)
    }

    /// The algorithm that the JWK names, else the first that the key's type has.
    pub(crate) fn algorithm(&self) -> Named {
        self.algorithm.unwrap_or_else(|| match &self.pair {
            Pair::Ec(curve, _) => curve.algorithm().into(),
            Pair::Ed25519(_) => Algorithm::EdDsa.into(),
            Pair::Rsa(_) => Algorithm::Rs256.into(),
        })
    }

    /// Makes a token of `claims` under `header`, which gets `alg`: any that the key's type has.
    ///
    /// # Errors
    /// When the algorithm is not one of the key's type.
    pub(crate) fn sign(
        &self,
        algorithm: impl Into<Named>,
        mut header: Map<String, Value>,
        claims: Map<String, Value>,
    ) -> Result<String, KeyError> {
        let Named { algorithm, name } = algorithm.into();
        header.insert("alg".to_owned(), name.into());
        let [header, claims] =
            [header, claims].map(|it| URL_SAFE_NO_PAD.encode(Value::Object(it).to_string()));
        let input = format!("{header}.{claims}");
        let signature = self.signature(algorithm, input.as_bytes())?;
        Ok(format!("{input}.{signature}"))
    }

    /// The signature in base64url.
    fn signature(&self, algorithm: Algorithm, input: &[u8]) -> Result<String, KeyError> {
        self.require(algorithm)?;
        let unspecified = |_| KeyError::Encoding;
        let Some(signing) = signing(algorithm) else {
            let Pair::Ec(_, pair) = &self.pair else { return Err(KeyError::Encoding) };
            let signature = pair.sign(&SystemRandom::new(), input).map_err(unspecified)?;
            return Ok(URL_SAFE_NO_PAD.encode(signature));
        };
        let key = match &self.pair {
            Pair::Ec(_, pair) => {
                EncodingKey::from_ec_der(pair.to_pkcs8v1().map_err(unspecified)?.as_ref())
            }
            Pair::Ed25519(pair) => {
                EncodingKey::from_ed_der(pair.to_pkcs8v1().map_err(unspecified)?.as_ref())
            }
            Pair::Rsa(components) => EncodingKey::from_rsa_der(components.pkcs1()),
        };
        jsonwebtoken::crypto::sign(input, &key, signing).map_err(KeyError::Signing)
    }

    /// The JWK thumbprint (RFC 7638) of the public key: SHA-256 in base64url.
    ///
    /// # Errors
    /// As [`PrivateKey::to_jwk`].
    pub(crate) fn thumbprint(&self) -> Result<String, KeyError> {
        // The members' names are in order because the map is sorted, as section 3.3 asks.
        let canonical = Value::Object(jwk::public(&self.pair)?).to_string();
        Ok(URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes())))
    }

    /// Passes when `algorithm` is one of the key's type and curve.
    fn require(&self, algorithm: Algorithm) -> Result<(), KeyError> {
        let fits = match &self.pair {
            Pair::Ec(curve, _) => algorithm == curve.algorithm(),
            Pair::Ed25519(_) => algorithm == Algorithm::EdDsa,
            Pair::Rsa(_) => signing(algorithm)
                .is_some_and(|it| jsonwebtoken::AlgorithmFamily::Rsa.algorithms().contains(&it)),
        };
        if fits { Ok(()) } else { Err(KeyError::Unsuitable { algorithm, kind: self.pair.kind() }) }
    }
}

/// The signing library's name of an algorithm; none for the two that it lacks.
fn signing(algorithm: Algorithm) -> Option<Signing> {
    algorithm.as_str().parse().ok()
}

/// Why a private key cannot be had or used.
#[derive(Debug)]
pub(crate) enum KeyError {
    /// The cryptographic library does not give the key away.
    Encoding,
    /// An encrypted PEM file: no pass phrase is asked for.
    Encrypted,
    /// No key could be generated.
    Generation,
    /// The parts are well formed and do not make one key.
    Inconsistent,
    /// A member of the JWK cannot be used.
    Member { name: &'static str, problem: &'static str },
    /// Neither a JWK nor a PEM file with a private key.
    Unrecognized,
    /// The signature could not be made.
    Signing(jsonwebtoken::errors::Error),
    /// The algorithm is not one of the key's type.
    Unsuitable { algorithm: Algorithm, kind: &'static str },
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
            Self::Member { name, problem } => write!(f, "member \"{name}\" is {problem}"),
            Self::Unrecognized => {
                f.write_str("no private key found: expected a private JWK or PEM")
            }
            Self::Signing(error) => write!(f, "the token could not be signed: {error}"),
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

/// The key itself, by its type.
#[derive(Debug)]
enum Pair {
    Ec(Curve, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(rsa::Components),
}

impl Pair {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Ec(Curve::P256, _) => "a P-256 key",
            Self::Ec(Curve::P384, _) => "a P-384 key",
            Self::Ec(Curve::P521, _) => "a P-521 key",
            Self::Ec(Curve::Secp256k1, _) => "a secp256k1 key",
            Self::Ed25519(_) => "an Ed25519 key",
            Self::Rsa(_) => "an RSA key",
        }
    }
}

/// The curves that JWS signs on (RFC 7518 section 3.4, RFC 8812 section 3.2).
#[derive(Clone, Copy, Debug)]
enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
}

impl Curve {
    const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::Secp256k1];

    /// The one algorithm of the curve.
    const fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::Es256,
            Self::P384 => Algorithm::Es384,
            Self::P521 => Algorithm::Es512,
            Self::Secp256k1 => Algorithm::Es256k,
        }
    }

    /// The `crv` member (RFC 7518 section 6.2.1.1).
    const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Secp256k1 => "secp256k1",
        }
    }

    /// Bytes of a coordinate and of the private scalar.
    const fn field_len(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn generate(self) -> Result<EcdsaKeyPair, KeyError> {
        EcdsaKeyPair::generate(self.signing()).map_err(|_| KeyError::Generation)
    }

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            Self::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
            Self::Secp256k1 => &ECDSA_P256K1_SHA256_FIXED_SIGNING,
        }
    }
}

#[cfg(test)]
mod tests;
