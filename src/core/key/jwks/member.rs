//! The entries of a set, read and sorted into those that are used and those that are not.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::key::{self, Source, Usable, VerifyingKey};
use super::{JwksError, KeyFault, MAX_BYTES, MAX_KEYS, MAX_KID_BYTES, Names};
use crate::key::algorithm::{Algorithm, KeyAlgorithms};
use crate::text::json;

/// One entry of `keys`.
pub(super) struct Member {
    pub(super) position: usize,
    pub(super) names: Names,
    pub(super) kty: Option<Box<str>>,
    pub(super) issuer: Option<Box<str>>,
    pub(super) outcome: Result<Usable, KeyFault>,
}

impl Member {
    fn read(position: usize, jwk: &Value, algorithms: KeyAlgorithms, source: Source) -> Self {
        let Some(jwk) = jwk.as_object() else {
            let outcome = Err(KeyFault::NotAnObject);
            return Self { position, names: Names::default(), kty: None, issuer: None, outcome };
        };
        let text = |name: &str| jwk.get(name).and_then(Value::as_str).map(Box::from);
        let names = Names { kid: text("kid"), x5t: text("x5t"), x5t_s256: text("x5t#S256") };
        let is_no_text =
            |name: &str| jwk.get(name).is_some_and(|it| !it.is_string() && !it.is_null());
        let is_long = names.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES);
        let outcome = if is_no_text("kid") || is_long {
            Err(KeyFault::Malformed("kid"))
        } else if is_no_text("issuer") {
            Err(KeyFault::Malformed("issuer"))
        } else {
            key::read(jwk, algorithms, source)
        };
        Self { position, names, kty: text("kty"), issuer: text("issuer"), outcome }
    }
}

/// Reads a set.
pub(super) fn members(
    bytes: &[u8],
    algorithms: KeyAlgorithms,
    source: Source,
) -> Result<Vec<Member>, JwksError> {
    if bytes.len() > MAX_BYTES {
        return Err(JwksError::TooLarge);
    }
    let bytes = json::without_mark(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err(JwksError::Empty);
    }
    let document = json::parse(bytes).map_err(JwksError::Json)?;
    let keys = document.get("keys").and_then(Value::as_array).ok_or(JwksError::NoKeysMember)?;
    if keys.len() > MAX_KEYS {
        return Err(JwksError::TooManyKeys);
    }
    let read = |(position, jwk)| Member::read(position, jwk, algorithms, source);
    let mut members: Vec<Member> = keys.iter().enumerate().map(read).collect();
    leave_out_compromised(&mut members, keys);
    leave_out_ambiguous(&mut members);
    Ok(members)
}

/// A key whose private part is published is compromised under all of its names.
fn leave_out_compromised(members: &mut [Member], keys: &[Value]) {
    let is_compromised =
        |member: &&Member| matches!(member.outcome, Err(KeyFault::PrivateMaterial));
    let compromised: HashSet<[u8; 32]> = (members.iter().filter(is_compromised))
        .filter_map(|member| keys.get(member.position)?.as_object())
        .filter_map(|jwk: &Map<String, Value>| key::identity(jwk))
        .collect();
    for member in members {
        if member.outcome.as_ref().is_ok_and(|usable| compromised.contains(&usable.thumbprint)) {
            member.outcome = Err(KeyFault::PrivateMaterial);
        }
    }
}

/// Leaves out all keys that share a `kid` and an algorithm: to take the first of them, or the last,
/// would be a guess. The same key twice is one.
fn leave_out_ambiguous(members: &mut [Member]) {
    let mut meant: HashMap<(&str, Algorithm), Option<&Member>> = HashMap::new();
    for member in &*members {
        let (Ok(usable), Some(kid)) = (&member.outcome, &member.names.kid) else { continue };
        for verifying in &usable.verifying {
            let meant = meant.entry((kid, verifying.algorithm())).or_insert(Some(member));
            *meant = meant.filter(|other| {
                let other_key = other.outcome.as_ref().map(|other| other.thumbprint);
                other_key == Ok(usable.thumbprint) && other.issuer == member.issuer
            });
        }
    }
    let is_ambiguous = |member: &Member| {
        let (Ok(usable), Some(kid)) = (&member.outcome, &member.names.kid) else { return false };
        let mut algorithms = usable.verifying.iter().map(VerifyingKey::algorithm);
        algorithms.any(|algorithm| matches!(meant.get(&(&**kid, algorithm)), Some(None)))
    };
    let ambiguous: Vec<bool> = members.iter().map(is_ambiguous).collect();
    for (member, is_ambiguous) in members.iter_mut().zip(ambiguous) {
        if is_ambiguous {
            member.outcome = Err(KeyFault::KidAmbiguous);
        }
    }
}
