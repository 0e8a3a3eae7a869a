//! Compact JWS (RFC 7515, section 7.1): the signed envelope of a token.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::json::{self, JsonError};
use crate::jwks::{FoundKey, KeyLookupError, KeyName, KeySet, MAX_KID_BYTES, SignatureInvalid};

/// A token that has the form of a signed one; nobody has believed it yet.
///
/// The header may say which key to look for, never how to verify or where to fetch: members that
/// carry or point to keys (`jku`, `jwk`, `x5u`, `x5c`) are not looked at, and the algorithm is
/// that of the key.
pub struct CompactJws<'t> {
    signing_input: &'t [u8],
    algorithm: Algorithm,
    kid: Option<Box<str>>,
    typ: Option<Box<str>>,
    others: Map<String, Value>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> CompactJws<'t> {
    /// Bytes that a token may have.
    pub const MAX: usize = 16 * 1024;

    /// Takes a token apart.
    ///
    /// The three parts must be there and be base64url without padding, white space or stray bits
    /// at the end (RFC 7515, section 2; RFC 4648, section 3.5), so that a token has one spelling.
    ///
    /// # Errors
    ///
    /// [`JwsError`]; never [`JwsError::SignatureInvalid`] or [`JwsError::UnknownKey`].
    pub fn parse(token: &'t [u8]) -> Result<Self, JwsError> {
        Self::parse_by(token, Self::MAX, decode)
    }

    /// As [`Self::parse`], for what is no token and may be larger.
    pub(crate) fn parse_up_to(token: &'t [u8], most: usize) -> Result<Self, JwsError> {
        Self::parse_by(token, most, decode)
    }

    /// As [`CompactJws::parse`], for a token whose parts may be padded, as AWS load balancers write
    /// them: it has several spellings, and only they may.
    ///
    /// # Errors
    ///
    /// Those of [`CompactJws::parse`].
    pub(crate) fn parse_padded(token: &'t [u8]) -> Result<Self, JwsError> {
        Self::parse_by(token, Self::MAX, decode_padded)
    }

    /// As [`Self::parse`], for what need not be a token: its payload may be empty as well.
    ///
    /// # Errors
    ///
    /// Those of [`Self::parse`].
    pub fn parse_any(signed: &'t [u8]) -> Result<Self, JwsError> {
        let decode = |part: &[u8]| if part.is_empty() { Ok(Vec::new()) } else { decode(part) };
        Self::parse_by(signed, Self::MAX, decode).and_then(|jws| {
            if jws.signature.is_empty() { Err(JwsError::Malformed) } else { Ok(jws) }
        })
    }

    fn parse_by(
        token: &'t [u8],
        most: usize,
        decode: fn(&[u8]) -> Result<Vec<u8>, JwsError>,
    ) -> Result<Self, JwsError> {
        let Parts { signing_input, header, payload, signature } = Parts::of(token, most, decode)?;
        let Header { algorithm, kid, typ, others } = Header::read(header)?;
        let (payload, signature) = (decode(payload)?, decode(signature)?);
        Ok(Self { signing_input, algorithm, kid, typ, others, payload, signature })
    }

    /// The algorithm that the token says it was signed with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key that the token says it was signed with.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The media type that the token says it has (RFC 7515, section 4.1.9), as it was written.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// Another member of the header: not `alg`, `kid` or `typ`. Of those that carry or point to keys
    /// nobody may ask; `x5t` and `x5t#S256` do neither, they name one.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.others.get(name)
    }

    /// The payload, which anybody may have written: good for choosing the issuer, no more.
    #[must_use]
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// Verifies the signature with the key of `keys` that the token names, and returns the
    /// payload.
    ///
    /// # Errors
    ///
    /// [`JwsError::AlgorithmRefused`], [`JwsError::UnknownKey`] or [`JwsError::SignatureInvalid`].
    pub fn verify(&self, keys: &KeySet) -> Result<&[u8], JwsError> {
        self.find_key(keys).map(|_| &*self.payload)
    }

    /// As [`Self::verify`], and returns the key that made the signature.
    pub(crate) fn find_key<'k>(&self, keys: &'k KeySet) -> Result<FoundKey<'k>, JwsError> {
        let found = keys.lookup(self.key_name(), self.algorithm)?;
        match found.verifying().verify(self.signing_input, &self.signature) {
            Ok(()) => Ok(found),
            // The only key that fits is not the one that the token names.
            Err(_) if !found.is_certain() => Err(JwsError::UnknownKey),
            Err(error) => Err(error.into()),
        }
    }

    /// What the token says of the key that it was signed with.
    #[must_use]
    pub fn key_name(&self) -> KeyName<'_> {
        if let Some(kid) = self.kid() {
            return KeyName { kid: Some(kid), ..KeyName::default() };
        }
        let text = |name| self.member(name).and_then(Value::as_str).filter(|it| !it.is_empty());
        KeyName { kid: None, x5t: text("x5t"), x5t_s256: text("x5t#S256") }
    }
}

impl fmt::Debug for CompactJws<'_> {
    /// Shows the header alone: the rest is a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompactJws")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .field("typ", &self.typ)
            .finish_non_exhaustive()
    }
}

/// The parts of a compact JWS, of which the header is read and asks for no extension.
pub(crate) struct Parts<'t> {
    pub(crate) signing_input: &'t [u8],
    pub(crate) header: Map<String, Value>,
    /// To be decoded.
    pub(crate) payload: &'t [u8],
    /// To be decoded.
    pub(crate) signature: &'t [u8],
}

impl<'t> Parts<'t> {
    /// Takes a token apart, and reads its header as `decode` does.
    pub(crate) fn of(
        token: &'t [u8],
        most: usize,
        decode: fn(&[u8]) -> Result<Vec<u8>, JwsError>,
    ) -> Result<Self, JwsError> {
        if token.len() > most {
            return Err(JwsError::TooLarge);
        }
        let (signing_input, signature) =
            cut(token, memchr::memrchr(b'.', token)).ok_or(JwsError::Malformed)?;
        let (header, payload) =
            cut(signing_input, memchr::memchr(b'.', signing_input)).ok_or(JwsError::Malformed)?;
        let header = match json::parse(&decode(header)?) {
            Ok(Value::Object(members)) => members,
            Err(JsonError::Duplicate { .. }) => return Err(JwsError::DuplicateMember),
            _ => return Err(JwsError::Malformed),
        };
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(JwsError::Critical);
        }
        Ok(Self { signing_input, header, payload, signature })
    }
}

/// Why a token is refused by its envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwsError {
    /// Its `alg` is unsigned, symmetric or unknown, or not one of the key or of the issuer.
    AlgorithmRefused,
    /// It has `crit` or `b64` (RFC 7797): extensions that nobody here understands.
    Critical,
    /// Its header has two members of one name.
    DuplicateMember,
    /// It is not three parts of strict base64url with a JSON object in front.
    Malformed,
    /// The key did not make the signature.
    SignatureInvalid,
    /// It has more than [`CompactJws::MAX`] bytes.
    TooLarge,
    /// No key of the issuer has its `kid` or `x5t`; or it has none and not exactly one key fits.
    UnknownKey,
}

impl fmt::Display for JwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlgorithmRefused => "algorithm refused",
            Self::Critical => "critical header extension",
            Self::DuplicateMember => "duplicate header member",
            Self::Malformed => "malformed token",
            Self::SignatureInvalid => "invalid signature",
            Self::TooLarge => "token too large",
            Self::UnknownKey => "unknown key",
        })
    }
}

impl core::error::Error for JwsError {}

impl From<KeyLookupError> for JwsError {
    fn from(error: KeyLookupError) -> Self {
        match error {
            KeyLookupError::AlgorithmRefused => Self::AlgorithmRefused,
            KeyLookupError::UnknownKey => Self::UnknownKey,
        }
    }
}

impl From<SignatureInvalid> for JwsError {
    fn from(_: SignatureInvalid) -> Self {
        Self::SignatureInvalid
    }
}

/// The members of a protected header that we look at.
struct Header {
    algorithm: Algorithm,
    kid: Option<Box<str>>,
    typ: Option<Box<str>>,
    others: Map<String, Value>,
}

impl Header {
    fn read(mut members: Map<String, Value>) -> Result<Self, JwsError> {
        let algorithm = take(&mut members, "alg")?.ok_or(JwsError::Malformed)?;
        let algorithm = algorithm.parse().map_err(|_| JwsError::AlgorithmRefused)?;
        let kid = take(&mut members, "kid")?;
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return Err(JwsError::Malformed);
        }
        let typ = take(&mut members, "typ")?;
        Ok(Self { algorithm, kid, typ, others: members })
    }
}

/// Takes a string out of the header; one of another type is no header.
fn take(members: &mut Map<String, Value>, name: &str) -> Result<Option<Box<str>>, JwsError> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.into())),
        Some(_) => Err(JwsError::Malformed),
    }
}

/// What is before and behind the byte `at`.
fn cut(bytes: &[u8], at: Option<usize>) -> Option<(&[u8], &[u8])> {
    let (before, [_, behind @ ..]) = bytes.split_at_checked(at?)? else { return None };
    Some((before, behind))
}

/// Decodes a part; one with a dot in it, as of a JWE, is no base64url.
pub(crate) fn decode(part: &[u8]) -> Result<Vec<u8>, JwsError> {
    if part.is_empty() {
        return Err(JwsError::Malformed);
    }
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Malformed)
}

/// As [`decode`], for a part that has the whole of its padding or none of it.
fn decode_padded(part: &[u8]) -> Result<Vec<u8>, JwsError> {
    if part.last() != Some(&b'=') {
        return decode(part);
    }
    URL_SAFE.decode(part).map_err(|_| JwsError::Malformed)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
