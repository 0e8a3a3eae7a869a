//! A private key that signs a client's assertions.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mesh_core::key::algorithm::Algorithm;
use mesh_core::text::json;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Map, Value};

use super::CredentialError;

/// A private key, and the algorithm that it signs with.
pub(super) struct Signer {
    pair: Pair,
    algorithm: Algorithm,
    /// The header of what it signs, in base64url.
    header: String,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    /// Reads a private key in PEM (PKCS#8, PKCS#1, SEC1) or a private JWK; `algorithm` is the one
    /// to sign with, if it is not that of the JWK or the first that the key is for.
    pub(super) fn read(
        contents: &[u8],
        algorithm: Option<Algorithm>,
    ) -> Result<Self, CredentialError> {
        let (pair, first, kid, named) = match json::parse(contents) {
            Ok(Value::Object(jwk)) => {
                let (pair, first) = of_jwk(&jwk).ok_or(CredentialError::Key)?;
                let named = match jwk.get("alg") {
                    None => None,
                    Some(alg) => {
                        let named = alg.as_str().and_then(|alg| alg.parse().ok());
                        Some(named.ok_or(CredentialError::Algorithm)?)
                    }
                };
                let kid = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
                (pair, first, kid, named)
            }
            _ => {
                let (pair, first) = of_pem(contents).ok_or(CredentialError::Key)?;
                (pair, first, None, None)
            }
        };
        // A key that says what it is for is for nothing else.
        if named.is_some_and(|named| algorithm.is_some_and(|wanted| wanted != named)) {
            return Err(CredentialError::Algorithm);
        }
        let algorithm = algorithm.or(named).unwrap_or(first);
        let fits = match pair {
            Pair::Ec(_) | Pair::Ed25519(_) => algorithm == first,
            Pair::Rsa(_) => encoding(algorithm).is_some(),
        };
        if !fits {
            return Err(CredentialError::Algorithm);
        }
        let mut header = Map::new();
        header.insert("alg".to_owned(), algorithm.to_string().into());
        header.insert("typ".to_owned(), "JWT".into());
        if let Some(kid) = kid {
            header.insert("kid".to_owned(), kid.into());
        }
        let header = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
        Ok(Self { pair, algorithm, header })
    }

    /// A compact JWS over the claims; none where the key does not sign.
    pub(super) fn sign(&self, claims: &Value) -> Option<String> {
        let input = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ec(pair) => pair.sign(&random, input.as_bytes()).ok()?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(input.as_bytes()).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let encoding = encoding(self.algorithm)?;
                pair.sign(encoding, &random, input.as_bytes(), &mut signature).ok()?;
                signature
            }
        };
        Some(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// How an RSA key signs by an algorithm; none for those of other keys.
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

/// The curves, with the algorithm that each is for and the bytes of a coordinate.
const CURVES: [(&str, &EcdsaSigningAlgorithm, Algorithm, usize); 2] = [
    ("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING, Algorithm::Es256, 32),
    ("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING, Algorithm::Es384, 48),
];

/// The first private key of a PEM file.
fn of_pem(contents: &[u8]) -> Option<(Pair, Algorithm)> {
    let ec = |parse: &dyn Fn(&'static EcdsaSigningAlgorithm) -> Option<EcdsaKeyPair>| {
        CURVES
            .iter()
            .find_map(|(_, signing, algorithm, _)| Some((Pair::Ec(parse(signing)?), *algorithm)))
    };
    match PrivateKeyDer::from_pem_slice(contents).ok()? {
        PrivateKeyDer::Pkcs1(der) => {
            Some((Pair::Rsa(RsaKeyPair::from_der(der.secret_pkcs1_der()).ok()?), Algorithm::Rs256))
        }
        PrivateKeyDer::Pkcs8(der) => {
            let der = der.secret_pkcs8_der();
            if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
                return Some((Pair::Rsa(pair), Algorithm::Rs256));
            }
            if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
                return Some((Pair::Ed25519(pair), Algorithm::EdDsa));
            }
            ec(&|signing| EcdsaKeyPair::from_pkcs8(signing, der).ok())
        }
        PrivateKeyDer::Sec1(der) => {
            ec(&|signing| EcdsaKeyPair::from_private_key_der(signing, der.secret_sec1_der()).ok())
        }
        _ => None,
    }
}

/// A private JWK (RFC 7518 section 6, RFC 8037).
fn of_jwk(jwk: &Map<String, Value>) -> Option<(Pair, Algorithm)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    match text("kty")? {
        "EC" => {
            let curve = text("crv")?;
            let (_, signing, algorithm, length) =
                CURVES.into_iter().find(|(name, ..)| *name == curve)?;
            let (x, y) = (bytes("x")?, bytes("y")?);
            if x.len() != length || y.len() != length {
                return None;
            }
            // SEC 1 section 2.3.3: both coordinates follow.
            let point = [&[4][..], &x, &y].concat();
            let pair = EcdsaKeyPair::from_private_key_and_public_key(signing, &bytes("d")?, &point);
            Some((Pair::Ec(pair.ok()?), algorithm))
        }
        "OKP" if text("crv")? == "Ed25519" => {
            let pair = Ed25519KeyPair::from_seed_and_public_key(&bytes("d")?, &bytes("x")?);
            Some((Pair::Ed25519(pair.ok()?), Algorithm::EdDsa))
        }
        "RSA" => {
            let components = KeyPairComponents {
                public_key: PublicKeyComponents { n: bytes("n")?, e: bytes("e")? },
                d: bytes("d")?,
                p: bytes("p")?,
                q: bytes("q")?,
                dP: bytes("dp")?,
                dQ: bytes("dq")?,
                qInv: bytes("qi")?,
            };
            let pair = RsaKeyPair::from_components(&components).ok()?;
            Some((Pair::Rsa(pair), Algorithm::Rs256))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
