//! The token that some servers want before they show their keys, as the API server of Kubernetes does.

use core::fmt;

use mesh_core::issuer::Remote;
use mesh_core::text::endpoint::Endpoint;

use crate::file::{ReadError, read_capped};

/// Bytes that the file of a token may have.
pub const MOST_BEARER: u64 = 64 * 1024;

/// The `Authorization` of a request for an issuer's keys to that URL; `None` if the issuer has no
/// token, or the URL is not of its own server. The file is read each time: it is small, and its token
/// soon expires.
///
/// # Errors
///
/// [`BearerError`]; it quotes nothing.
pub fn bearer_for(remote: &Remote, url: &Endpoint) -> Result<Option<Box<str>>, BearerError> {
    let Some(file) = remote.bearer_for(url) else { return Ok(None) };
    let (contents, _) = read_capped(file, MOST_BEARER).map_err(BearerError::Read)?;
    read_bearer(&contents).map(Some)
}

/// The `Authorization` from the contents of a file: a token, without one line end behind it.
///
/// # Errors
///
/// [`BearerError::Malformed`]
pub fn read_bearer(contents: &[u8]) -> Result<Box<str>, BearerError> {
    let token = contents.strip_suffix(b"\n").unwrap_or(contents);
    let token = token.strip_suffix(b"\r").unwrap_or(token);
    // RFC 6750 section 2.1.
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    match core::str::from_utf8(token) {
        Ok(text) if !text.is_empty() && token.iter().all(is_token) => {
            Ok(format!("Bearer {text}").into())
        }
        _ => Err(BearerError::Malformed),
    }
}

/// Why there is no token to send.
#[derive(Debug)]
#[non_exhaustive]
pub enum BearerError {
    /// The file does not hold one token alone.
    Malformed,
    /// The file cannot be read.
    Read(ReadError),
}

impl fmt::Display for BearerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("jwks_bearer: the file does not hold one token alone"),
            Self::Read(error) => write!(f, "jwks_bearer: {error}"),
        }
    }
}

impl core::error::Error for BearerError {}
