//! Private and public keys as JWKs (RFC 7518 section 6, RFC 8037 section 2).

use aws_lc_rs::{
    encoding::{AsBigEndian, Curve25519SeedBin, EcPrivateKeyBin},
    signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{Curve, KeyError, Pair, rsa};

/// Reads a private key from the members of a JWK.
pub(super) fn parse(members: &Map<String, Value>) -> Result<Pair, KeyError> {
    match text(members, "kty")? {
        "RSA" => {
            let mut integers = <[Vec<u8>; rsa::NAMES.len()]>::default();
            for (integer, name) in integers.iter_mut().zip(rsa::NAMES) {
                *integer = bytes(members, name)?;
            }
            rsa::Components::from_integers(integers).map(Pair::Rsa)
        }
        "EC" => {
            let name = text(members, "crv")?;
            let curve = Curve::ALL
                .into_iter()
                .find(|curve| curve.name() == name)
                .ok_or(KeyError::Unsupported)?;
            let mut point = vec![UNCOMPRESSED];
            for name in ["x", "y"] {
                point.extend(exactly(members, name, curve.field_len())?);
            }
            let scalar = exactly(members, "d", curve.field_len())?;
            EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), &scalar, &point)
                .map(|pair| Pair::Ec(curve, pair))
                .map_err(|_| KeyError::Inconsistent)
        }
        "OKP" if text(members, "crv")? == ED25519 => {
            let seed = exactly(members, "d", ED25519_LEN)?;
            let public = exactly(members, "x", ED25519_LEN)?;
            Ed25519KeyPair::from_seed_and_public_key(&seed, &public)
                .map(Pair::Ed25519)
                .map_err(|_| KeyError::Inconsistent)
        }
        _ => Err(KeyError::Unsupported),
    }
}

/// The members that make the key: the public ones, `kty` and `crv` among them.
pub(super) fn public(pair: &Pair) -> Result<Map<String, Value>, KeyError> {
    let mut members = Map::new();
    match pair {
        Pair::Ec(curve, pair) => {
            let (x, y) = pair
                .public_key()
                .as_ref()
                .strip_prefix(&[UNCOMPRESSED])
                .and_then(|point| point.split_at_checked(curve.field_len()))
                .ok_or(KeyError::Encoding)?;
            members.insert("kty".to_owned(), "EC".into());
            members.insert("crv".to_owned(), curve.name().into());
            insert(&mut members, "x", x);
            insert(&mut members, "y", y);
        }
        Pair::Ed25519(pair) => {
            members.insert("kty".to_owned(), "OKP".into());
            members.insert("crv".to_owned(), ED25519.into());
            insert(&mut members, "x", pair.public_key().as_ref());
        }
        Pair::Rsa(components) => {
            members.insert("kty".to_owned(), "RSA".into());
            for (name, integer) in components.named().take(rsa::PUBLIC) {
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
        Pair::Ec(_, pair) => {
            let scalar: EcPrivateKeyBin<'_> =
                pair.private_key().as_be_bytes().map_err(|_| KeyError::Encoding)?;
            insert(members, "d", scalar.as_ref());
        }
        Pair::Ed25519(pair) => {
            let seed = pair.seed().map_err(|_| KeyError::Encoding)?;
            let seed: Curve25519SeedBin<'_> = seed.as_be_bytes().map_err(|_| KeyError::Encoding)?;
            insert(members, "d", seed.as_ref());
        }
        Pair::Rsa(components) => {
            for (name, integer) in components.named().skip(rsa::PUBLIC) {
                insert(members, name, integer);
            }
        }
    }
    Ok(())
}

fn insert(members: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    members.insert(name.to_owned(), URL_SAFE_NO_PAD.encode(bytes).into());
}

fn text<'m>(members: &'m Map<String, Value>, name: &'static str) -> Result<&'m str, KeyError> {
    match members.get(name) {
        None => Err(KeyError::Member { name, problem: "missing" }),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(KeyError::Member { name, problem: "not a string" }),
    }
}

fn bytes(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    URL_SAFE_NO_PAD
        .decode(text(members, name)?)
        .map_err(|_| KeyError::Member { name, problem: "not base64url without padding" })
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

/// The first byte of a point that is written with both coordinates (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

const ED25519: &str = "Ed25519";

/// Bytes of the seed, and of the public key (RFC 8032 section 5.1.5).
const ED25519_LEN: usize = 32;
