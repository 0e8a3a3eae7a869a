//! Private keys in PEM: PKCS#8, and the older PKCS#1 (RSA) and SEC1 (EC).

use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use super::{KeyError, Kind, Pair, ecdsa};

/// Reads the first private key of a PEM file.
pub(super) fn parse(text: &[u8]) -> Result<(Kind, Pair), KeyError> {
    let key = PrivateKeyDer::from_pem_slice(text).map_err(|_| {
        let encrypted = text.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED);
        if encrypted { KeyError::Encrypted } else { KeyError::Unrecognized }
    })?;
    let pair = match key {
        PrivateKeyDer::Pkcs1(der) => rsa(RsaKeyPair::from_der(der.secret_pkcs1_der()).ok()),
        PrivateKeyDer::Pkcs8(der) => pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Sec1(der) => {
            ec(|curve| EcdsaKeyPair::from_private_key_der(curve, der.secret_sec1_der()).ok())
        }
        _ => None,
    };
    pair.ok_or(KeyError::Unsupported)
}

/// Tries every type of key, for each parser takes its own type alone.
fn pkcs8(der: &[u8]) -> Option<(Kind, Pair)> {
    let ed25519 = || Some((Kind::Ed25519, Pair::Ed25519(Ed25519KeyPair::from_pkcs8(der).ok()?)));
    rsa(RsaKeyPair::from_pkcs8(der).ok())
        .or_else(ed25519)
        .or_else(|| ec(|curve| EcdsaKeyPair::from_pkcs8(curve, der).ok()))
}

fn rsa(pair: Option<RsaKeyPair>) -> Option<(Kind, Pair)> {
    pair.map(|pair| (Kind::Rsa, Pair::Rsa(pair)))
}

fn ec(
    parse: impl Fn(&'static EcdsaSigningAlgorithm) -> Option<EcdsaKeyPair>,
) -> Option<(Kind, Pair)> {
    Kind::ALL.into_iter().find_map(|kind| Some((kind, Pair::Ec(parse(ecdsa(kind)?)?))))
}

const ENCRYPTED: &[u8] = b"ENCRYPTED";
