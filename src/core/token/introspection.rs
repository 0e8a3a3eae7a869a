//! Opaque tokens, which only their issuer can read: it is asked by RFC 7662.
//!
//! Nothing here asks: [`Introspections`] says what is known of a token, and who is to be asked for
//! one that is not. The shell parks such a request, the background thread asks, and [`read`] turns
//! the answer into the claims that a signed token has, so that every check after it is the same.

use crate::issuer::Issuer;
use crate::text::base64url;
use crate::text::json::{Document, Item};

mod answer;
mod cache;

pub use answer::{Answer, AnswerError, MAX_ANSWER, MEDIA_TYPE, SIGNED_MEDIA_TYPE, read};
pub use cache::{Asked, Introspections, Known};

/// Whether this issuer, which introspects, is to be asked about a token: only its issuer can read
/// it, or it names this issuer, which is asked about all of its tokens.
pub fn concerns(token: &[u8], issuer: &Issuer) -> bool {
    let Some(introspection) = &issuer.introspection else { return false };
    if is_opaque(token) {
        return true;
    }
    // The claims are unverified: they choose whom to ask, no more.
    (introspection.always || issuer.keys.is_none())
        && own_claims(token).is_some_and(|claims| {
            let claims = Document::parse(&claims);
            let url = claims.as_ref().ok().and_then(|claims| claims.root().get("iss"));
            url.and_then(Item::as_str) == Some(&*issuer.url)
        })
}

/// The claims of a token in the form of a signed JWT, by whatever algorithm: to be parsed.
pub(crate) fn own_claims(token: &[u8]) -> Option<Vec<u8>> {
    base64url::decode(signed_payload(token)?)
}

/// Whether a token has another form than a signed JWT: three parts of base64url, of which the first
/// is a JSON object.
pub fn is_opaque(token: &[u8]) -> bool {
    signed_payload(token).is_none()
}

/// The second of the three parts of what has the form of a signed JWT.
fn signed_payload(token: &[u8]) -> Option<&[u8]> {
    let mut parts = token.split(|byte| *byte == b'.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let is_part = |part: &[u8]| {
        let is_base64url = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        !part.is_empty() && part.iter().all(is_base64url)
    };
    // Load balancers write theirs with padding.
    let [header, payload, signature] = [header, payload, signature].map(|part| {
        let end =
            part.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last.saturating_add(1));
        part.get(..end).unwrap_or_default()
    });
    let is_object = |header: &[u8]| {
        let decoded = base64url::decode(header);
        decoded.is_some_and(|json| json.trim_ascii_start().first() == Some(&b'{'))
    };
    (is_part(payload) && is_part(signature) && is_object(header)).then_some(payload)
}

#[cfg(test)]
mod tests;
