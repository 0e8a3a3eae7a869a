//! The form of a proof (RFC 9449 section 4.2): a JWT that is signed by the key in its own header.

use serde_json::{Map, Value};

use crate::claims::Claims;
use crate::key::algorithm::Algorithm;
use crate::key::jwks::{VerifyingKey, thumbprint};
use crate::key::jws::{self, Parts};
use crate::refusal::Reason;
use crate::text::json::{Document, Item};
use crate::token::numeric_date;

/// A well-formed proof, not yet verified.
pub(super) struct Proof<'p> {
    signing_input: &'p [u8],
    signature: Vec<u8>,
    algorithm: Algorithm,
    jwk: Map<String, Value>,
    /// The thumbprint by which a token names the key.
    pub(super) thumbprint: [u8; 32],
    /// `htm`
    pub(super) method: Box<str>,
    /// `htu`
    pub(super) uri: Box<str>,
    /// `jti`
    pub(super) id: Box<str>,
    /// `iat`
    pub(super) issued_at: i64,
    /// `ath`
    pub(super) token_hash: Option<Box<str>>,
    /// `nonce`
    pub(super) nonce: Option<Box<str>>,
}

impl<'p> Proof<'p> {
    /// Takes a proof apart, without verifying it.
    pub(super) fn read(text: &'p [u8]) -> Result<Self, Reason> {
        if text.len() > MAX_BYTES {
            return Err(Reason::DpopMalformed);
        }
        let Parts { signing_input, header, payload, signature } =
            Parts::of(text, MAX_BYTES).map_err(|_| Reason::DpopMalformed)?;
        let decode = |part| jws::decode(part).map_err(|_| Reason::DpopMalformed);
        let header = decode(header)?;
        let header = jws::read_header(&header).map_err(|_| Reason::DpopMalformed)?;
        let member = |name| header.root().get(name);
        if member("typ").and_then(Item::as_str) != Some("dpop+jwt") {
            return Err(Reason::DpopMalformed);
        }
        let algorithm = member("alg").and_then(Item::as_str).ok_or(Reason::DpopMalformed)?;
        let algorithm = algorithm.parse().map_err(|_| Reason::DpopKey)?;
        let Some(Value::Object(jwk)) = member("jwk").map(Item::to_value) else {
            return Err(Reason::DpopMalformed);
        };
        // If it is no object, every claim is missing.
        let payload = decode(payload)?;
        let claims = Document::parse(&payload).map_err(|_| Reason::DpopMalformed)?;
        let claims = Claims::of(claims.root());
        let id = text_of(&claims, "jti")?.filter(|id| id.len() <= MAX_ID_BYTES);
        let issued_at = numeric_date(claims.issued_at, "iat").ok().flatten();
        Ok(Self {
            thumbprint: thumbprint(&jwk).ok_or(Reason::DpopKey)?,
            signing_input,
            signature: decode(signature)?,
            algorithm,
            jwk,
            method: text_of(&claims, "htm")?.ok_or(Reason::DpopMalformed)?,
            uri: text_of(&claims, "htu")?.ok_or(Reason::DpopMalformed)?,
            id: id.ok_or(Reason::DpopMalformed)?,
            issued_at: issued_at.ok_or(Reason::DpopMalformed)?,
            token_hash: text_of(&claims, "ath")?,
            nonce: text_of(&claims, "nonce")?,
        })
    }

    /// Verifies the signature by the key in the header, if that is one to sign with.
    pub(super) fn verify(&self) -> Result<(), Reason> {
        let key = VerifyingKey::of_jwk(&self.jwk, self.algorithm).map_err(|_| Reason::DpopKey)?;
        key.verify(self.signing_input, &self.signature).map_err(|_| Reason::DpopSignatureInvalid)
    }
}

/// A string that is not empty; of another type it is malformed.
fn text_of(claims: &Claims<'_>, name: &str) -> Result<Option<Box<str>>, Reason> {
    match claims.get(name).map(Item::as_str) {
        None => Ok(None),
        Some(Some(text)) if !text.is_empty() => Ok(Some(text.into())),
        Some(_) => Err(Reason::DpopMalformed),
    }
}

/// Bytes that a proof may have: with the largest RSA key it takes less than half of them.
const MAX_BYTES: usize = 8 * 1024;

/// Bytes that `jti` may have.
const MAX_ID_BYTES: usize = 512;
