//! Compact JWS (RFC 7515, section 7.1): the signed envelope of a token.

use core::fmt;
use std::rc::Rc;

use crate::key::algorithm::Algorithm;
use crate::key::jwks::{
    FoundKey, KeyLookupError, KeyName, KeySet, MAX_KID_BYTES, SignatureInvalid,
};
use crate::text::base64url;
use crate::text::json::{Document, Item, JsonError};

/// A token in the form of a signed one; it is not verified yet.
///
/// The header may say which key to look for, never how to verify or where to fetch: members that
/// carry or point to keys (`jku`, `jwk`, `x5u`, `x5c`) are ignored, and the key decides the
/// algorithm.
pub struct CompactJws<'t> {
    parts: Parts<'t>,
    header: Rc<Header>,
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
        Self::parse_by(token, Self::MAX, decode, None)
    }

    /// As [`Self::parse`], with the headers that are known.
    pub(crate) fn parse_among(token: &'t [u8], known: &Headers) -> Result<Self, JwsError> {
        Self::parse_by(token, Self::MAX, decode, Some(known))
    }

    /// As [`Self::parse`], for a JWS that is not a token and may be larger.
    pub(crate) fn parse_up_to(token: &'t [u8], most: usize) -> Result<Self, JwsError> {
        Self::parse_by(token, most, decode, None)
    }

    /// As [`CompactJws::parse`], for a token of an AWS load balancer, whose parts may be padded.
    /// Such a token has several spellings, so this is for load balancers alone.
    ///
    /// # Errors
    ///
    /// As [`CompactJws::parse`].
    pub(crate) fn parse_padded(token: &'t [u8]) -> Result<Self, JwsError> {
        Self::parse_by(token, Self::MAX, decode_padded, None)
    }

    /// As [`Self::parse`], for a JWS that need not be a token: its payload may be empty as well.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn parse_any(signed: &'t [u8]) -> Result<Self, JwsError> {
        let decode = |part: &[u8]| if part.is_empty() { Ok(Vec::new()) } else { decode(part) };
        Self::parse_by(signed, Self::MAX, decode, None).and_then(|jws| {
            if jws.signature.is_empty() { Err(JwsError::Malformed) } else { Ok(jws) }
        })
    }

    fn parse_by(
        token: &'t [u8],
        most: usize,
        decode: fn(&[u8]) -> Result<Vec<u8>, JwsError>,
        known: Option<&Headers>,
    ) -> Result<Self, JwsError> {
        let parts = Parts::of(token, most)?;
        let header = match known.and_then(|known| known.find(parts.header)) {
            Some(header) => header,
            None => Rc::new(Header::read(decode(parts.header)?)?),
        };
        let (payload, signature) = (decode(parts.payload)?, decode(parts.signature)?);
        Ok(Self { parts, header, payload, signature })
    }

    /// The algorithm that the token says it was signed with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// The name of the key that the token says it was signed with.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The media type that the token says it has (RFC 7515, section 4.1.9), as it was written.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// The header as it was written, if it has a `signer`: for issuer forms with more in the
    /// header. Callers must not read the members that carry or point to keys.
    pub(crate) fn signed_by(&self) -> Option<&[u8]> {
        self.header.signed_by.as_deref()
    }

    /// The payload, unverified: use it to choose the issuer, and for nothing else.
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
        let found = keys.lookup(self.key_name(), self.algorithm())?;
        match found.verifying().verify(self.parts.signing_input, &self.signature) {
            Ok(()) => Ok(found),
            // The only key that fits is not the one that the token names.
            Err(_) if !found.is_certain() => Err(JwsError::UnknownKey),
            Err(error) => Err(error.into()),
        }
    }

    /// How the token names the key that it was signed with.
    #[must_use]
    pub fn key_name(&self) -> KeyName<'_> {
        if let Some(kid) = self.kid() {
            return KeyName { kid: Some(kid), ..KeyName::default() };
        }
        let [x5t, x5t_s256] = &self.header.thumbprints;
        KeyName { kid: None, x5t: x5t.as_deref(), x5t_s256: x5t_s256.as_deref() }
    }
}

impl fmt::Debug for CompactJws<'_> {
    /// Shows the header alone: the rest is a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompactJws")
            .field("algorithm", &self.header.algorithm)
            .field("kid", &self.header.kid)
            .field("typ", &self.header.typ)
            .finish_non_exhaustive()
    }
}

/// The parts of a compact JWS, each to be decoded.
pub(crate) struct Parts<'t> {
    pub(crate) signing_input: &'t [u8],
    pub(crate) header: &'t [u8],
    pub(crate) payload: &'t [u8],
    pub(crate) signature: &'t [u8],
}

impl<'t> Parts<'t> {
    /// Takes a token apart.
    pub(crate) fn of(token: &'t [u8], most: usize) -> Result<Self, JwsError> {
        if token.len() > most {
            return Err(JwsError::TooLarge);
        }
        let (signing_input, signature) =
            cut(token, memchr::memrchr(b'.', token)).ok_or(JwsError::Malformed)?;
        let (header, payload) =
            cut(signing_input, memchr::memchr(b'.', signing_input)).ok_or(JwsError::Malformed)?;
        Ok(Self { signing_input, header, payload, signature })
    }
}

/// Reads a header, which is an object and asks for no extension.
pub(crate) fn read_header(header: &[u8]) -> Result<Document<'_>, JwsError> {
    let header = Document::parse(header).map_err(|error| match error {
        JsonError::Duplicate { .. } => JwsError::DuplicateMember,
        _ => JwsError::Malformed,
    })?;
    if !header.root().is_object() {
        return Err(JwsError::Malformed);
    }
    if header.root().members().any(|(name, _)| matches!(name, "b64" | "crit")) {
        return Err(JwsError::Critical);
    }
    Ok(header)
}

/// Why a token is refused by its envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwsError {
    /// Its `alg` is unsigned, symmetric or unknown, or not one of the key or of the issuer.
    AlgorithmRefused,
    /// It has `crit` or `b64` (RFC 7797): extensions that are not supported.
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
#[derive(Debug)]
struct Header {
    algorithm: Algorithm,
    kid: Option<Box<str>>,
    typ: Option<Box<str>>,
    /// `x5t` and `x5t#S256`: each names a key if there is no `kid`.
    thumbprints: [Option<Box<str>>; 2],
    /// The whole, if it has a `signer`.
    signed_by: Option<Box<[u8]>>,
}

impl Header {
    fn read(bytes: Vec<u8>) -> Result<Self, JwsError> {
        let document = read_header(&bytes)?;
        let header = document.root();
        let algorithm = text(header, "alg")?.ok_or(JwsError::Malformed)?;
        let algorithm = algorithm.parse().map_err(|_| JwsError::AlgorithmRefused)?;
        let kid = text(header, "kid")?;
        if kid.is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return Err(JwsError::Malformed);
        }
        let (kid, typ) = (kid.map(Into::into), text(header, "typ")?.map(Into::into));
        let named = |name| header.get(name).and_then(Item::as_str).filter(|it| !it.is_empty());
        let thumbprints = ["x5t", "x5t#S256"].map(|name| named(name).map(Into::into));
        let has_signer = header.get("signer").is_some();
        drop(document);
        let signed_by = has_signer.then(|| bytes.into());
        Ok(Self { algorithm, kid, typ, thumbprints, signed_by })
    }
}

/// A string in the header; another type makes the header malformed.
fn text<'a>(header: Item<'a>, name: &str) -> Result<Option<&'a str>, JwsError> {
    match header.get(name) {
        None => Ok(None),
        Some(member) => member.as_str().map(Some).ok_or(JwsError::Malformed),
    }
}

/// The headers of tokens that were verified lately: nearly all tokens of an issuer have the same.
///
/// A header's meaning follows from its bytes alone, so tokens with the same bytes share it.
#[derive(Debug, Default)]
pub struct Headers {
    known: [Option<KnownHeader>; 4],
    /// Which of them is replaced next.
    next: usize,
}

/// A header as it is written, and what it says.
type KnownHeader = (Box<[u8]>, Rc<Header>);

impl Headers {
    fn find(&self, part: &[u8]) -> Option<Rc<Header>> {
        let found = self.known.iter().flatten().find(|(known, _)| **known == *part);
        found.map(|(_, header)| Rc::clone(header))
    }

    /// Keeps the header of a verified token: unverified tokens cannot displace others.
    pub(crate) fn keep(&mut self, jws: &CompactJws<'_>) {
        if self.known.iter().flatten().any(|(_, header)| Rc::ptr_eq(header, &jws.header)) {
            return;
        }
        let count = self.known.len();
        if let Some(place) = self.known.get_mut(self.next) {
            *place = Some((jws.parts.header.into(), Rc::clone(&jws.header)));
            self.next = self.next.saturating_add(1).checked_rem(count).unwrap_or(0);
        }
    }
}

/// The bytes before and behind the byte `at`.
fn cut(bytes: &[u8], at: Option<usize>) -> Option<(&[u8], &[u8])> {
    let (before, [_, behind @ ..]) = bytes.split_at_checked(at?)? else { return None };
    Some((before, behind))
}

/// Decodes a part; one with a dot in it, as of a JWE, is no base64url.
pub(crate) fn decode(part: &[u8]) -> Result<Vec<u8>, JwsError> {
    if part.is_empty() {
        return Err(JwsError::Malformed);
    }
    base64url::decode(part).ok_or(JwsError::Malformed)
}

/// As [`decode`], for a part that has the whole of its padding or none of it.
fn decode_padded(part: &[u8]) -> Result<Vec<u8>, JwsError> {
    if part.last() != Some(&b'=') {
        return decode(part);
    }
    base64url::decode_padded(part).ok_or(JwsError::Malformed)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
