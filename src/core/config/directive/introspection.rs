//! The client that asks about opaque tokens.

use super::{Line, algorithm, file, once, unknown};
use crate::config::{ConfigError, RawClient, RawIssuer};
use crate::issuer::SecretMethod;

pub(super) fn client(raw: &mut RawIssuer, line: &Line<'_>) -> Result<(), ConfigError> {
    let id = line.first();
    // RFC 6749 appendix A.1: visible characters.
    if id.is_empty() || !id.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(ConfigError::new("the client's id is not of visible characters"));
    }
    let (mut secret, mut key, mut named, mut method) = (None, None, None, None);
    for word in line.rest() {
        match word.split_once('=') {
            Some(("algorithm", value)) => once(&mut named, algorithm(value)?)?,
            Some(("key", value)) => once(&mut key, file(value)?)?,
            Some(("method", value)) => once(&mut method, secret_method(value)?)?,
            Some(("secret", value)) => once(&mut secret, file(value)?)?,
            _ => return Err(unknown(word, "secret=, method=, key= or algorithm=")),
        }
    }
    let client = RawClient { id: id.into(), secret, key, algorithm: named, method };
    once(&mut raw.introspection.client, client)
}

/// As RFC 7591 section 2 names the methods.
fn secret_method(word: &str) -> Result<SecretMethod, ConfigError> {
    match word {
        "client_secret_basic" => Ok(SecretMethod::Basic),
        "client_secret_post" => Ok(SecretMethod::Post),
        other => Err(unknown(other, "client_secret_basic or client_secret_post")),
    }
}
