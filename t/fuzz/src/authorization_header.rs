//! The `Authorization` field.

use mesh_core::refusal::Reason;
use mesh_core::request::source::Source;
use mesh_core::request::{Credentials, Method, Methods};
use mesh_core::testing::Sent;

const SOURCES: [Source; 1] = [Source::Authorization];

/// A field holds one token, no token or a malformed one, as RFC 6750, section 2.1, read a second
/// time says; several fields are a conflict whatever they hold, and none is read where the
/// location does not ask for tokens.
///
/// Returns whether there is a token. Each line of the input is one field.
pub fn authorization_header(data: &[u8]) -> bool {
    let fields: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let request =
        fields.iter().fold(Sent::default(), |sent, field| sent.and("authorization", *field));
    let methods = |token| Methods::only(if token { Method::Token } else { Method::Certificate });
    let unread =
        Credentials::extract(&request, methods(false), &SOURCES).expect("no token is read");
    assert_eq!(unread.bearer(), None);

    let extracted = Credentials::extract(&request, methods(true), &SOURCES);
    let found = match &extracted {
        Ok(credentials) => Ok(credentials.bearer()),
        Err(refusal) => Err(refusal.reason()),
    };
    let expected = match fields.as_slice() {
        [field] => read(field).map(|found| found.map(|(_, token)| token)),
        _ => Err(Reason::CredentialConflict),
    };
    assert_eq!(found, expected, "{fields:?}");
    let Ok(Some(token)) = found else { return false };
    assert!(fields[0].ends_with(token) || fields[0].trim_ascii_end().ends_with(token));
    true
}

/// What RFC 6750, section 2.1, RFC 9449, section 7.1, and RFC 9110, section 11.2, say of one field:
/// whether its token was sent as `DPoP`, and the token.
pub(crate) fn read(field: &[u8]) -> Result<Option<(bool, &[u8])>, Reason> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | 0x0c | b'\r');
    let Some(first) = field.iter().position(|byte| !is_space(byte)) else { return Ok(None) };
    let last = field.iter().rposition(|byte| !is_space(byte)).expect("there is a first");
    let field = &field[first..=last];
    // What ends a scheme is anything that no name may hold.
    let separators = b"\"(),/:;<=>?@[\\]{}";
    let ends = |byte: &u8| !(0x21..0x7f).contains(byte) || separators.contains(byte);
    let (scheme, rest) = field.split_at(field.iter().position(ends).unwrap_or(field.len()));
    let is_dpop = scheme.eq_ignore_ascii_case(b"dpop");
    if !is_dpop && !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    if !rest.is_empty() && rest[0] != b' ' {
        return Err(Reason::TokenMalformed);
    }
    let token = &rest[rest.iter().take_while(|byte| is_space(byte)).count()..];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    if token.is_empty() || token.iter().any(|byte| !alphabet.contains(byte)) {
        return Err(Reason::TokenMalformed);
    }
    Ok(Some((is_dpop, token)))
}
