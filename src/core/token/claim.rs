//! The claims of a token, each read as strictly as its specification has it.

use std::borrow::Cow;

use crate::claims::{Claims, Known};
use crate::refusal::{Detail, Reason, Refusal};
use crate::text::base64url;
use crate::text::json::{self, Item, Items, Pointer, View};

/// The binding of a token by `cnf` (RFC 7800, RFC 8705 section 3.1, RFC 9449 section 6.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Confirmation {
    /// There is no `cnf`: a plain bearer token.
    Absent,
    /// `x5t#S256`: the SHA-256 of the DER of the client's certificate.
    Certificate([u8; 32]),
    /// Both of them.
    CertificateAndKey([u8; 32], [u8; 32]),
    /// `jkt`: the JWK thumbprint of the client's key (RFC 9449 section 6.1).
    Key([u8; 32]),
    /// A method that is not understood, or none.
    Unsupported,
}

impl Confirmation {
    /// The certificate that the token is bound to.
    pub const fn certificate(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Certificate(certificate) | Self::CertificateAndKey(certificate, _) => {
                Some(certificate)
            }
            Self::Absent | Self::Key(_) | Self::Unsupported => None,
        }
    }

    /// The key that the token is bound to.
    pub const fn key(&self) -> Option<&[u8; 32]> {
        match self {
            Self::CertificateAndKey(_, key) | Self::Key(key) => Some(key),
            Self::Absent | Self::Certificate(_) | Self::Unsupported => None,
        }
    }
}

/// A claim as a variable shows it: a string unchanged, a number in its one spelling, anything else
/// as JSON.
pub(super) fn shown(pointer: &Pointer, claims: &Claims<'_>) -> Option<Box<str>> {
    let Known::Value(value) = claims.known(pointer) else { return None };
    Some(value.scalar().map_or_else(
        || {
            let mut json = String::new();
            value.write(&mut json);
            json.into()
        },
        Into::into,
    ))
}

fn malformed(claim: &'static str) -> Refusal {
    Reason::ClaimMalformed.about(Detail::Claim(claim))
}

/// RFC 7519 `NumericDate`: a finite number, rounded towards refusal by truncation of fractions.
pub(crate) fn numeric_date(
    value: Option<Item<'_>>,
    name: &'static str,
) -> Result<Option<i64>, Refusal> {
    let number = match value.map(Item::view) {
        None => return Ok(None),
        Some(View::Number(number)) => number,
        Some(_) => return Err(malformed(name)),
    };
    if let Some(secs) = json::whole(number) {
        return Ok(Some(secs));
    }
    let secs: f64 = number.parse().map_err(|_| malformed(name))?;
    // 2^53: beyond it a double is not exact, and no real date is.
    if !(-9.0e15..=9.0e15).contains(&secs) {
        return Err(malformed(name));
    }
    // `nbf` must not come early, nor `exp` late: the floor of `exp` is early, the ceiling of the
    // others late.
    let whole = if name == "exp" { secs.floor() } else { secs.ceil() };
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53")]
    Ok(Some(whole as i64))
}

/// The audience of a token: `aud`, else the claim that its issuer writes instead.
pub(super) fn audience<'c>(claims: &Claims<'c>, instead: Option<&Pointer>) -> Option<Item<'c>> {
    claims.audience.or_else(|| match claims.known(instead?) {
        Known::Absent | Known::Elsewhere => None,
        Known::Value(value) => Some(value),
    })
}

/// A string or an array of strings.
#[derive(Clone, Copy, Debug)]
pub(super) enum Strings<'c> {
    One(Option<&'c str>),
    Several(Items<'c>),
}

impl<'c> Strings<'c> {
    /// `None` if it is anything else.
    fn of(value: Item<'c>) -> Option<Self> {
        match value.view() {
            View::Text(one) => Some(Self::One(Some(one))),
            View::Array(mut several) => {
                let all = Self::Several(several);
                several.all(|one| one.as_str().is_some()).then_some(all)
            }
            _ => None,
        }
    }
}

impl<'c> Iterator for Strings<'c> {
    type Item = &'c str;

    fn next(&mut self) -> Option<&'c str> {
        match self {
            Self::One(one) => one.take(),
            Self::Several(several) => several.next()?.as_str(),
        }
    }
}

/// `aud`: a string or an array of strings (RFC 7519 section 4.1.3).
pub(super) fn audiences(value: Option<Item<'_>>) -> Result<Strings<'_>, Refusal> {
    let Some(value) = value else { return Ok(Strings::One(None)) };
    Strings::of(value).ok_or_else(|| malformed("aud"))
}

pub(super) fn confirmation(value: Option<Item<'_>>) -> Confirmation {
    let Some(methods) = value else { return Confirmation::Absent };
    let digest = |name: &str| {
        let digest = base64url::decode(methods.get(name)?.as_str()?.as_bytes())?;
        <[u8; 32]>::try_from(digest).ok()
    };
    // All that is there must be understood.
    match (methods.members().count(), digest("x5t#S256"), digest("jkt")) {
        (1, Some(certificate), None) => Confirmation::Certificate(certificate),
        (1, None, Some(key)) => Confirmation::Key(key),
        (2, Some(certificate), Some(key)) => Confirmation::CertificateAndKey(certificate, key),
        _ => Confirmation::Unsupported,
    }
}

/// `sub`: a string that is not empty.
pub(super) fn subject<'c>(claims: &Claims<'c>) -> Result<Option<&'c str>, Refusal> {
    match claims.subject.map(Item::as_str) {
        None => Ok(None),
        Some(Some(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(malformed("sub")),
    }
}

/// A name that a token may be revoked by: a text, or a number by its digits, for issuers that
/// number their tokens. A name that could not be told apart from another is refused.
pub(super) fn name<'c>(
    value: Option<Item<'c>>,
    name: &'static str,
) -> Result<Option<Cow<'c, str>>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    value.scalar().map(Some).ok_or_else(|| malformed(name))
}

/// Refuses a malformed list of claims elsewhere: it does not tell what is missing.
pub(super) fn check_distributed(claims: &Claims<'_>) -> Result<(), Refusal> {
    match claims.elsewhere {
        Some(names) if !names.is_object() => Err(malformed("_claim_names")),
        _ => Ok(()),
    }
}

/// An array of strings, or one string; anything else is unknown.
pub(super) fn groups<'c>(pointer: &Pointer, claims: &Claims<'c>) -> Option<Strings<'c>> {
    let Known::Value(value) = claims.known(pointer) else { return None };
    Strings::of(value)
}

/// The size of texts: each its bytes, pointer and length, and about two words of the allocator.
pub(super) fn weight<'t>(texts: impl Iterator<Item = &'t str>) -> usize {
    texts.map(|text| text.len().saturating_add(48)).sum()
}

/// Whether an answer is about an access token, as far as it says so: some issuers answer about
/// refresh tokens and ID tokens alike. `token_type` is of RFC 7662; other servers mark them by
/// `token_use` or `typ`.
pub(super) fn is_access_token(claims: &Claims<'_>) -> bool {
    let is_one_of = |name, words: &[&str]| match claims.get(name).map(Item::as_str) {
        None => true,
        Some(value) => {
            value.is_some_and(|value| words.iter().any(|word| value.eq_ignore_ascii_case(word)))
        }
    };
    let is_marked = ["ID", "Offline", "Refresh"]
        .iter()
        .any(|typ| claims.text("typ").is_some_and(|is| is == *typ));
    is_one_of("token_type", &["Bearer", "DPoP", "access_token"])
        && is_one_of("token_use", &["access", "access_token"])
        && !is_marked
}

/// RFC 7515 section 4.1.9: media types fold case, and `application/` may be left out.
pub(super) fn same_type(is: &str, wanted: &str) -> bool {
    let bare = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.strip_prefix("application/").map_or(name.clone(), str::to_owned)
    };
    is.eq_ignore_ascii_case(wanted) || bare(is) == bare(wanted)
}
