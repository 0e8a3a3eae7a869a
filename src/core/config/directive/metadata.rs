//! The directives of a protected resource's metadata.

use super::{Line, once, unknown};
use crate::config::metadata::{Identifier, RawProtected};
use crate::config::{ConfigError, RawLocation};

pub(super) fn resource(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    if line.words == ["off"] {
        return once(&mut raw.resource, None);
    }
    let word = line.first();
    let url =
        Identifier::parse(word).map_err(|error| ConfigError::new(format!("\"{word}\" {error}")))?;
    let (mut scopes, mut name, mut documentation) = (Vec::new(), None, None);
    for word in line.rest() {
        match word.split_once('=') {
            Some(("documentation", value)) => {
                let url = value
                    .parse()
                    .map_err(|error| ConfigError::new(format!("\"{value}\" {error}")))?;
                once(&mut documentation, url)?;
            }
            Some(("name", value)) if !value.is_empty() => once(&mut name, value.into())?,
            Some(("scope", value)) if is_scope(value) => scopes.push(value.into()),
            _ => return Err(unknown(word, "scope=, name= or documentation=")),
        }
    }
    let place = line.place.clone();
    once(&mut raw.resource, Some(RawProtected { url, scopes, name, documentation, place }))
}

pub(super) fn metadata(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    once(&mut raw.resource_metadata, line.place.clone())
}

/// RFC 6749 section 3.3.
fn is_scope(word: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
    !word.is_empty() && word.bytes().all(is_token)
}
