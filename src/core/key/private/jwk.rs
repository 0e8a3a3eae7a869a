//! Private and public keys as JWKs (RFC 7518, section 6; RFC 8037, section 2).

use aws_lc_rs::encoding::{AsBigEndian as _, Curve25519SeedBin, EcPrivateKeyBin};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{KeyError, Kind, Pair, ecdsa, rsa};
use crate::key::kind::UNCOMPRESSED;
use crate::text::base64url;

/// Reads a private key from the members of a JWK.
pub(super) fn parse(members: &Map<String, Value>) -> Result<(Kind, Pair), KeyError> {
    let kty = text(members, "kty")?;
    let crv = match kty {
        "EC" | "OKP" => Some(text(members, "crv")?),
        _ => None,
    };
    let kind = Kind::named(kty, crv).ok_or(KeyError::Unsupported)?;
    let len = field_len(kind);
    let pair = match (kind, ecdsa(kind)) {
        (Kind::Ed25519, _) => {
            let seed = exactly(members, "d", len)?;
            let public = exactly(members, "x", len)?;
            Ed25519KeyPair::from_seed_and_public_key(&seed, &public).map(Pair::Ed25519)
        }
        (_, Some(curve)) => {
            let mut point = vec![UNCOMPRESSED];
            for name in ["x", "y"] {
                point.extend(exactly(members, name, len)?);
            }
            let scalar = exactly(members, "d", len)?;
            EcdsaKeyPair::from_private_key_and_public_key(curve, &scalar, &point).map(Pair::Ec)
        }
        (_, None) => {
            let mut integers = rsa::Integers::default();
            for (integer, name) in integers.iter_mut().zip(rsa::NAMES) {
                *integer = bytes(members, name)?;
            }
            rsa::pair(integers).map(Pair::Rsa)
        }
    };
    Ok((kind, pair.map_err(|_| KeyError::Inconsistent)?))
}

/// The members that make the key: the public ones, `kty` and `crv` among them.
pub(super) fn public(kind: Kind, pair: &Pair) -> Result<Map<String, Value>, KeyError> {
    let (kty, crv) = kind.names();
    let mut members = Map::new();
    members.insert("kty".to_owned(), kty.into());
    if let Some(crv) = crv {
        members.insert("crv".to_owned(), crv.into());
    }
    match pair {
        Pair::Ec(pair) => {
            let (x, y) = pair
                .public_key()
                .as_ref()
                .strip_prefix(&[UNCOMPRESSED])
                .and_then(|point| point.split_at_checked(field_len(kind)))
                .ok_or(KeyError::Encoding)?;
            insert(&mut members, "x", x);
            insert(&mut members, "y", y);
        }
        Pair::Ed25519(pair) => insert(&mut members, "x", pair.public_key().as_ref()),
        Pair::Rsa(pair) => {
            let integers = rsa::integers(pair)?;
            for (name, integer) in rsa::NAMES.into_iter().zip(&integers).take(rsa::PUBLIC) {
                insert(&mut members, name, integer);
            }
        }
    }
    Ok(members)
}

/// Adds the private members.
pub(super) fn insert_private(
    pair: &Pair,
    members: &mut Map<String, Value>,
) -> Result<(), KeyError> {
    match pair {
        Pair::Ec(pair) => {
            let scalar: EcPrivateKeyBin<'_> =
                pair.private_key().as_be_bytes().map_err(|_| KeyError::Encoding)?;
            insert(members, "d", scalar.as_ref());
        }
        Pair::Ed25519(pair) => {
            let seed = pair.seed().map_err(|_| KeyError::Encoding)?;
            let seed: Curve25519SeedBin<'_> = seed.as_be_bytes().map_err(|_| KeyError::Encoding)?;
            insert(members, "d", seed.as_ref());
        }
        Pair::Rsa(pair) => {
            let integers = rsa::integers(pair)?;
            for (name, integer) in rsa::NAMES.into_iter().zip(&integers).skip(rsa::PUBLIC) {
                insert(members, name, integer);
            }
        }
    }
    Ok(())
}

fn insert(members: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    members.insert(name.to_owned(), URL_SAFE_NO_PAD.encode(bytes).into());
}

/// A member that must be a string.
pub(super) fn text<'m>(
    members: &'m Map<String, Value>,
    name: &'static str,
) -> Result<&'m str, KeyError> {
    match members.get(name) {
        None => Err(KeyError::Member { name, problem: "missing" }),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(KeyError::Member { name, problem: "not a string" }),
    }
}

fn bytes(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    base64url::decode(text(members, name)?.as_bytes())
        .ok_or(KeyError::Member { name, problem: "not base64url without padding" })
}

fn exactly(
    members: &Map<String, Value>,
    name: &'static str,
    len: usize,
) -> Result<Vec<u8>, KeyError> {
    let found = bytes(members, name)?;
    if found.len() == len {
        Ok(found)
    } else {
        Err(KeyError::Member { name, problem: "not as long as the curve asks" })
    }
}

/// Bytes of a coordinate, and of the private scalar or seed (RFC 7518, section 6.2; RFC 8032, section
/// 5.1.5); RSA has neither.
const fn field_len(kind: Kind) -> usize {
    match kind {
        Kind::Ed25519 | Kind::P256 | Kind::Secp256k1 => 32,
        Kind::P384 => 48,
        Kind::P521 => 66,
        Kind::Rsa => 0,
    }
}
