//! What the issuer says of a token (RFC 7662 section 2.2, RFC 9701 section 5).

use core::fmt;

use crate::claims::Claims;
use crate::issuer::Issuer;
use crate::issuer::trust::Trust;
use crate::key::jws::{CompactJws, JwsError};
use crate::refusal::Reason;
use crate::text::json::{self, Document, Item, JsonError, View};
use crate::text::time::UnixTime;
use crate::token::{VerifiedToken, Wish};

/// Bytes that an answer may have.
pub const MAX_ANSWER: usize = 64 * 1024;

/// The media type of a plain answer.
pub const MEDIA_TYPE: &str = "application/json";

/// The media type of a signed answer (RFC 9701 section 5).
pub const SIGNED_MEDIA_TYPE: &str = "application/token-introspection+jwt";

/// What is known of a token once its issuer has answered.
#[derive(Debug)]
pub enum Answer {
    /// It is active; whether it is valid now, and here, is checked on every request.
    Active(Box<VerifiedToken>),
    /// It is not, or the answer gives no identity.
    Refused(Reason),
}

/// Reads the answer of an issuer about `token`. If a signed one names a key that is not there,
/// `wish` says which.
///
/// # Errors
///
/// [`AnswerError`], which is the issuer's fault and not the token's: the token stays unknown.
pub fn read(
    body: &[u8],
    token: &[u8],
    issuer: usize,
    trust: &Trust,
    now: UnixTime,
    wish: &mut Option<Wish>,
) -> Result<Answer, AnswerError> {
    if body.len() > MAX_ANSWER {
        return Err(AnswerError::TooLarge);
    }
    let Some(asked) = trust.issuers().get(issuer) else { return Err(AnswerError::Issuer) };
    let Some(introspection) = &asked.introspection else { return Err(AnswerError::Issuer) };
    let (jws, document, text);
    let answer = if introspection.signed {
        let snapshot = trust.load();
        jws = CompactJws::parse_up_to(body.trim_ascii(), MAX_ANSWER)?;
        let keys = snapshot.keys(issuer, now).ok_or(AnswerError::Keys);
        let keys = keys.inspect_err(|_| *wish = Wish::of(issuer, asked, jws.key_name().text()))?;
        let payload = jws.verify(keys.set()).inspect_err(|error| {
            if *error == JwsError::UnknownKey {
                *wish = Wish::of(issuer, asked, jws.key_name().text());
            }
        })?;
        text = payload;
        document = Document::parse(payload).map_err(AnswerError::Json)?;
        open(&jws, document.root(), asked, &introspection.client.id, now)?
    } else {
        text = body;
        document = Document::parse(json::without_mark(body)).map_err(AnswerError::Json)?;
        document.root()
    };
    match answer.get("active").map(Item::view) {
        Some(View::Bool(true)) => {}
        Some(View::Bool(false)) => return Ok(Answer::Refused(Reason::TokenInactive)),
        _ => return Err(AnswerError::Active),
    }
    let claims = Claims::of(answer);
    Ok(VerifiedToken::introspected((&claims, text), token, asked, issuer, trust).map_or_else(
        |refusal| Answer::Refused(refusal.reason()),
        |token| Answer::Active(Box::new(token)),
    ))
}

/// Takes the answer out of its envelope, which is for this client and new.
fn open<'a>(
    jws: &CompactJws<'_>,
    envelope: Item<'a>,
    issuer: &Issuer,
    client: &str,
    now: UnixTime,
) -> Result<Item<'a>, AnswerError> {
    // RFC 9701 section 8.1: no other JWT of the issuer may pass for an answer.
    let is_answer = |typ: &str| {
        let bare = SIGNED_MEDIA_TYPE.trim_start_matches("application/");
        typ.eq_ignore_ascii_case(SIGNED_MEDIA_TYPE) || typ.eq_ignore_ascii_case(bare)
    };
    if !jws.typ().is_some_and(is_answer) {
        return Err(AnswerError::Type);
    }
    if envelope.get("iss").and_then(Item::as_str) != Some(&*issuer.url) {
        return Err(AnswerError::Issuer);
    }
    let is_for_us = match envelope.get("aud").map(Item::view) {
        Some(View::Text(one)) => *one == *client,
        Some(View::Array(mut several)) => several.any(|one| one.as_str() == Some(client)),
        _ => false,
    };
    if !is_for_us {
        return Err(AnswerError::Audience);
    }
    let issued = match envelope.get("iat").map(Item::view) {
        Some(View::Number(issued)) => issued.parse::<f64>().map_err(|_| AnswerError::Age)?,
        _ => return Err(AnswerError::Age),
    };
    // Nothing ties an answer to the question, but that it is new.
    #[expect(clippy::cast_precision_loss, reason = "a date of anybody's is exact in a double")]
    let (now, leeway) = (now.secs() as f64, issuer.leeway as f64);
    if !(-(leeway + MAX_AGE)..=leeway).contains(&(issued - now)) {
        return Err(AnswerError::Age);
    }
    envelope.get("token_introspection").filter(|it| it.is_object()).ok_or(AnswerError::Active)
}

/// Seconds that a signed answer may be on its way.
const MAX_AGE: f64 = 60.0;

/// Why an answer is unusable; it never quotes the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AnswerError {
    /// `active` is no boolean.
    Active,
    /// A signed answer without `iat`, or an old one, or one of the future.
    Age,
    /// A signed answer to another client.
    Audience,
    /// A signed answer of another issuer.
    Issuer,
    /// It is not JSON as it is read here.
    Json(JsonError),
    /// The issuer's keys are not there to verify a signed answer.
    Keys,
    /// A signed answer that is not well-formed, or whose signature is not valid.
    Signature(JwsError),
    /// It has more than [`MAX_ANSWER`] bytes.
    TooLarge,
    /// A signed JWT that is no answer.
    Type,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active => f.write_str("the answer has no boolean \"active\""),
            Self::Age => {
                f.write_str("the iat of the signed answer is missing, too old or in the future")
            }
            Self::Audience => f.write_str("the signed answer is for another client"),
            Self::Issuer => f.write_str("the signed answer is from another issuer"),
            Self::Json(error) => write!(f, "the answer is not usable: {error}"),
            Self::Keys => f.write_str("no keys to verify the signed answer by"),
            Self::Signature(error) => write!(f, "the signed answer is not usable: {error}"),
            Self::TooLarge => write!(f, "the answer is larger than {MAX_ANSWER} bytes"),
            Self::Type => write!(f, "the answer's type is not {SIGNED_MEDIA_TYPE}"),
        }
    }
}

impl core::error::Error for AnswerError {}

impl From<JwsError> for AnswerError {
    fn from(error: JwsError) -> Self {
        Self::Signature(error)
    }
}

#[cfg(test)]
mod tests;
