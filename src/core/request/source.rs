//! Where in a request a token is: `Authorization`, another field, a cookie, or the protocols of a
//! WebSocket handshake.
//!
//! Ambiguity is refused here already: two fields of one name, a cookie twice.

use crate::refusal::Reason;
use crate::request::{Field, Request, Scheme};
use crate::text::reserved::{folds_to, folds_to_prefix, is_reserved};

/// The most places that one location may look in.
pub const MAX_SOURCES: usize = 8;

/// A place where a token may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// `Authorization: Bearer` (RFC 6750 section 2.1) or `DPoP` (RFC 9449 section 7.1); another
    /// scheme is no token.
    Authorization,
    /// The cookie of that name, exact in case (RFC 6265 section 5.3).
    Cookie(Box<str>),
    /// The field of that name, in lower case: the token alone, or behind `Bearer`. Names that fold to
    /// one (`X_Token`, `X-Token`) are one field, as they are to many a platform.
    Header(Box<str>),
    /// `Authorization`, behind a scheme of that name, in lower case, in place of `Bearer`: some platforms
    /// have their own, as dbt Cloud has `Token`.
    Scheme(Box<str>),
    /// Behind the protocol `bearer` in `Sec-WebSocket-Protocol` (RFC 6455 section 11.3.4), the only field
    /// of a handshake that a browser lets a page write to.
    WebSocket,
}

impl Source {
    /// Whether both are one place.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Header(name), Self::Header(other)) => {
                folds_to(name.as_bytes(), other.as_bytes())
            }
            _ => self == other,
        }
    }

    /// Whether a variable of Nginx's with that name, in lower case and without `$`, shows what is
    /// removed with a token from this place. It may match more names than Nginx does.
    pub fn is_shown_by(&self, variable: &str) -> bool {
        let field = variable.strip_prefix("http_");
        match self {
            Self::Authorization | Self::Scheme(_) => {
                field.is_some_and(|it| it == "authorization" || it == "dpop")
            }
            Self::Cookie(name) => {
                field == Some("cookie")
                    || variable
                        .strip_prefix("cookie_")
                        .is_some_and(|it| it.eq_ignore_ascii_case(name))
            }
            Self::Header(name) => field.is_some_and(|it| folds_to(it.as_bytes(), name.as_bytes())),
            Self::WebSocket => {
                field.is_some_and(|it| folds_to(it.as_bytes(), WEBSOCKET_PROTOCOL.as_bytes()))
            }
        }
    }

    /// The token in this place, and how it was sent.
    ///
    /// # Errors
    ///
    /// [`Reason::CredentialConflict`] if there may be two, [`Reason::TokenMalformed`] if something
    /// else is in place of one.
    pub fn read<'r>(&self, request: &'r dyn Request) -> Result<Option<(Scheme, &'r [u8])>, Reason> {
        let Some((scheme, text)) = self.find(request)? else { return Ok(None) };
        Ok(Some((scheme, token68(text)?)))
    }

    /// As [`Self::read`], before the text is checked to be one token68.
    ///
    /// # Errors
    ///
    /// As there, but for that.
    #[inline(always)]
    pub(crate) fn find<'r>(
        &self,
        request: &'r dyn Request,
    ) -> Result<Option<(Scheme, &'r [u8])>, Reason> {
        // Nearly all come so.
        if matches!(self, Self::Authorization)
            && let Field::One(value) = request.authorization()
        {
            return behind_scheme(value);
        }
        self.find_anywhere(request)
    }

    #[inline(never)]
    fn find_anywhere<'r>(
        &self,
        request: &'r dyn Request,
    ) -> Result<Option<(Scheme, &'r [u8])>, Reason> {
        let field = match self {
            Self::Authorization | Self::Scheme(_) => request.authorization(),
            Self::Cookie(_) => request.field("cookie"),
            Self::Header(name) => request.field(name),
            Self::WebSocket => request.field(WEBSOCKET_PROTOCOL),
        };
        let value = match field {
            Field::Absent => return Ok(None),
            Field::One(value) => value,
            // This holds for cookies too, whatever their names: RFC 6265 section 5.4 allows one
            // field.
            Field::Several => return Err(Reason::CredentialConflict),
        };
        match self {
            Self::Authorization => behind_scheme(value),
            Self::Cookie(name) => Ok(cookie(value, name)?.map(|value| (Scheme::Bearer, value))),
            Self::Header(_) => {
                let value = value.trim_ascii();
                // A proof belongs to `Authorization`.
                let bearer = behind_scheme(value)?.filter(|(scheme, _)| *scheme == Scheme::Bearer);
                Ok(Some(bearer.unwrap_or((Scheme::Bearer, value))))
            }
            Self::Scheme(name) => {
                let rest = behind_named_scheme(value, name)?;
                Ok(rest.map(|token| (Scheme::Bearer, token)))
            }
            Self::WebSocket => Ok(behind_bearer(value)?.map(|token| (Scheme::Bearer, token))),
        }
    }
}

/// The token of an `Authorization` value; another scheme is no token.
#[cfg(test)]
fn token(value: &[u8]) -> Result<Option<(Scheme, &[u8])>, Reason> {
    let Some((scheme, text)) = behind_scheme(value)? else { return Ok(None) };
    Ok(Some((scheme, token68(text)?)))
}

/// What follows the scheme of an `Authorization` value; another scheme is no token.
#[inline(always)]
fn behind_scheme(value: &[u8]) -> Result<Option<(Scheme, &[u8])>, Reason> {
    let Some((scheme, rest)) = Scheme::of(value) else { return Ok(None) };
    // After a tab or a comma, a lenient reader upstream would see a token that we did not.
    if rest.first().is_some_and(|byte| *byte != b' ') {
        return Err(Reason::TokenMalformed);
    }
    Ok(Some((scheme, rest.trim_ascii_start())))
}

/// What follows a scheme of that name; another scheme is no token.
fn behind_named_scheme<'f>(value: &'f [u8], name: &str) -> Result<Option<&'f [u8]>, Reason> {
    let value = value.trim_ascii();
    let Some((scheme, rest)) = value.split_at_checked(name.len()) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case(name.as_bytes()) {
        return Ok(None);
    }
    match rest {
        [] => Err(Reason::TokenMalformed),
        [b' ', ..] => Ok(Some(rest.trim_ascii_start())),
        // As `Bearer`: after a tab or a comma, another reader would see a token.
        [byte, ..] if byte.is_ascii_whitespace() || *byte == b',' => Err(Reason::TokenMalformed),
        // A longer name.
        _ => Ok(None),
    }
}

/// A text that is one token68 (RFC 9110 section 11.2), as every token is.
pub(crate) fn token68(text: &[u8]) -> Result<&[u8], Reason> {
    // In bytes, and without a way out at the first: so the compiler takes 16 at a time.
    let others = text.iter().fold(0, |any, byte| any | u8::from(!is_token68(*byte)));
    if text.is_empty() || others != 0 {
        return Err(Reason::TokenMalformed);
    }
    Ok(text)
}

/// A byte of a token68; a comma or a space would mean a second credential.
const fn is_token68(byte: u8) -> bool {
    // `+`, `-`, `.`, `/` and the digits are neighbours, but for the comma among them.
    byte.is_ascii_alphabetic()
        | (matches!(byte, b'+'..=b'9') & (byte != b','))
        | matches!(byte, b'=')
        | matches!(byte, b'_')
        | matches!(byte, b'~')
}

/// The cookies of a field, each its name and its value, as RFC 6265 section 5.2 has a user agent read
/// what a server sets: split at every semicolon, then at the first `=`, white space around dropped.
/// Quotes are letters like others. Around a name goes all that is not visible ASCII: platforms differ
/// in what is white space to them, and one cookie must not have two names.
fn cookies(field: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
    field.split(|byte| *byte == b';').map(|pair| {
        let pair = pair.trim_ascii();
        let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = pair.split_at_checked(end).unwrap_or((pair, &[]));
        (pair, trim_name(name), value.strip_prefix(b"=").unwrap_or_default().trim_ascii())
    })
}

fn trim_name(name: &[u8]) -> &[u8] {
    let visible = |byte: &u8| byte.is_ascii_graphic();
    let (Some(first), Some(last)) = (name.iter().position(visible), name.iter().rposition(visible))
    else {
        return &[];
    };
    name.get(first..=last).unwrap_or_default()
}

/// How Nginx finds `$cookie_NAME` (`ngx_http_parse_multi_header_lines`): the first pair, behind a
/// semicolon or a comma and spaces, whose name is equal but for the case of letters. What it shows must
/// be the token that is verified, since keys of caches are made of it.
fn first_of_nginx<'f>(field: &'f [u8], name: &str) -> Option<&'f [u8]> {
    let mut rest = field;
    loop {
        if let Some((found, behind)) = rest.split_at_checked(name.len())
            && found.eq_ignore_ascii_case(name.as_bytes())
            && let Some(value) = behind_spaces(behind).strip_prefix(b"=")
        {
            return value.split(|byte| *byte == b';').next().map(<[u8]>::trim_ascii);
        }
        let end = rest.iter().position(|byte| matches!(byte, b';' | b','))?;
        rest = behind_spaces(rest.get(end.saturating_add(1)..)?);
    }
}

fn behind_spaces(text: &[u8]) -> &[u8] {
    let begin = text.iter().position(|byte| *byte != b' ').unwrap_or(text.len());
    text.get(begin..).unwrap_or_default()
}

/// The value of the only cookie of that name; Nginx must find the same one.
fn cookie<'f>(field: &'f [u8], name: &str) -> Result<Option<&'f [u8]>, Reason> {
    let mut named = cookies(field).filter(|(_, it, _)| *it == name.as_bytes());
    match (named.next(), named.next()) {
        (None, _) => Ok(None),
        // An empty one is no token, wherever Nginx looks.
        (Some((.., value)), None)
            if value.is_empty() || first_of_nginx(field, name) == Some(value) =>
        {
            Ok(Some(value))
        }
        (Some(_), _) => Err(Reason::CredentialConflict),
    }
}

/// The value of a `Cookie` field without the cookies of that name; `None` if nothing is left.
pub fn without_cookie(field: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut rest = Vec::with_capacity(field.len());
    for (pair, it, _) in cookies(field) {
        if it == name.as_bytes() || pair.is_empty() {
            continue;
        }
        if !rest.is_empty() {
            rest.extend_from_slice(b"; ");
        }
        rest.extend_from_slice(pair);
    }
    (!rest.is_empty()).then_some(rest)
}

/// The field that names the protocols of a WebSocket handshake, in lower case.
pub const WEBSOCKET_PROTOCOL: &str = "sec-websocket-protocol";

/// The protocol before a token. A server may choose it, and it means nothing.
pub const WEBSOCKET_BEARER: &str = "bearer";

/// The protocols of a field, which is a list of RFC 9110 section 5.6.1: an empty element is none.
fn protocols(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|it| !it.is_empty())
}

/// Whether a protocol is `bearer`, or what a careless reader would take for it.
fn is_bearer(protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(WEBSOCKET_BEARER.as_bytes())
}

/// The protocol behind the only `bearer`.
fn behind_bearer(field: &[u8]) -> Result<Option<&[u8]>, Reason> {
    let mut rest = protocols(field).skip_while(|it| !is_bearer(it));
    let Some(bearer) = rest.next() else { return Ok(None) };
    let Some(token) = rest.next() else { return Err(Reason::TokenMalformed) };
    // A protocol that is named again would be left in the field when the token is taken out.
    let names_again = |it: &[u8]| it == token || is_bearer(it);
    let before = protocols(field).take_while(|it| !is_bearer(it)).any(|it| it == token);
    if is_bearer(token) || before || rest.any(names_again) {
        return Err(Reason::CredentialConflict);
    }
    // Protocols are told apart by case (RFC 6455 section 4.1), and the client must be named its own.
    if bearer != WEBSOCKET_BEARER.as_bytes() {
        return Err(Reason::TokenMalformed);
    }
    Ok(Some(token))
}

/// The protocols of a field without `bearer` and the token behind it; `None` if nothing is left.
pub fn without_bearer(field: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Vec::with_capacity(field.len());
    let mut protocols = protocols(field);
    while let Some(protocol) = protocols.next() {
        if is_bearer(protocol) {
            protocols.next();
            continue;
        }
        if !rest.is_empty() {
            rest.extend_from_slice(b", ");
        }
        rest.extend_from_slice(protocol);
    }
    (!rest.is_empty()).then_some(rest)
}

/// Whether a name can be of a field or of a cookie: a token of RFC 9110 section 5.6.2.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether a field of that name, in lower case, may be read as a token and removed: not if Nginx or
/// HTTP give it another meaning, nor if only the module may write it.
pub(crate) fn may_be_source(name: &str) -> bool {
    let name = name.as_bytes();
    let is_other = |other: &&str| folds_to(name, other.as_bytes());
    !is_reserved(name) && !OTHERS.iter().any(is_other) && !folds_to_prefix(name, b"if-")
}

/// The fields that Nginx keeps a pointer to (`ngx_http_headers_in_t`), and `Proxy-Authorization`.
const OTHERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "connection",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "depth",
    "destination",
    "dpop",
    "expect",
    "host",
    "keep-alive",
    "overwrite",
    "proxy-authorization",
    "range",
    "referer",
    "sec-websocket-protocol",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-real-ip",
];

#[cfg(test)]
mod tests;
