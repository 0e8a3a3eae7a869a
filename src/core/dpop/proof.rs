//! The form of a proof (RFC 9449 section 4.2): a JWT that is signed by the key in its own header.

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::json;
use crate::jwks::{VerifyingKey, thumbprint};
use crate::jws::{self, Parts};
use crate::refusal::Reason;
use crate::token::numeric_date;

/// A proof that has the form of one; nobody has believed it yet.
pub(super) struct Proof<'p> {
    signing_input: &'p [u8],
    signature: Vec<u8>,
    algorithm: Algorithm,
    jwk: Map<String, Value>,
    /// By what a token names the key.
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
    /// Takes a proof apart, and believes nothing of it.
    pub(super) fn read(text: &'p [u8]) -> Result<Self, Reason> {
        if text.len() > MAX_BYTES {
            return Err(Reason::DpopMalformed);
        }
        let Parts { signing_input, mut header, payload, signature } =
            Parts::of(text, MAX_BYTES, jws::decode).map_err(|_| Reason::DpopMalformed)?;
        if header.get("typ").and_then(Value::as_str) != Some("dpop+jwt") {
            return Err(Reason::DpopMalformed);
        }
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or(Reason::DpopMalformed)?;
        let algorithm = algorithm.parse().map_err(|_| Reason::DpopKey)?;
        let Some(Value::Object(jwk)) = header.remove("jwk") else {
            return Err(Reason::DpopMalformed);
        };
        // Of what is no object, every claim is missing.
        let decode = |part| jws::decode(part).map_err(|_| Reason::DpopMalformed);
        let claims = json::parse(&decode(payload)?).map_err(|_| Reason::DpopMalformed)?;
        let id = text_of(&claims, "jti")?.filter(|id| id.len() <= MAX_ID_BYTES);
        Ok(Self {
            thumbprint: thumbprint(&jwk).ok_or(Reason::DpopKey)?,
            signing_input,
            signature: decode(signature)?,
            algorithm,
            jwk,
            method: text_of(&claims, "htm")?.ok_or(Reason::DpopMalformed)?,
            uri: text_of(&claims, "htu")?.ok_or(Reason::DpopMalformed)?,
            id: id.ok_or(Reason::DpopMalformed)?,
            issued_at: numeric_date(&claims, "iat").ok().flatten().ok_or(Reason::DpopMalformed)?,
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
fn text_of(claims: &Value, name: &str) -> Result<Option<Box<str>>, Reason> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.as_str().into())),
        Some(_) => Err(Reason::DpopMalformed),
    }
}

/// Bytes that a proof may have: with the largest RSA key it takes less than half of them.
const MAX_BYTES: usize = 8 * 1024;

/// Bytes that `jti` may have.
const MAX_ID_BYTES: usize = 512;
