//! What the claims of a token say, each read as strictly as its specification has it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::json::Pointer;
use crate::refusal::Reason;

/// What `cnf` binds a token to (RFC 7800, RFC 8705 section 3.1, RFC 9449 section 6.1).
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

/// The value of a claim that the configuration names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Claim {
    /// A string.
    Text(Box<str>),
    /// An array or an object, with the strings and scalars of an array, and its JSON text.
    List(Box<[Box<str>]>, Box<str>),
    /// A number or a boolean, as JSON writes it.
    Scalar(Box<str>),
}

impl Claim {
    /// Reads a JSON value; `null` is no value.
    pub(super) fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::String(text) => Some(Self::Text(text.as_str().into())),
            Value::Bool(_) | Value::Number(_) => Some(Self::Scalar(value.to_string().into())),
            Value::Array(items) => Some(Self::List(
                items.iter().filter_map(scalar_text).collect(),
                value.to_string().into(),
            )),
            Value::Object(_) => Some(Self::List(Box::default(), value.to_string().into())),
        }
    }

    /// Whether it is that value, or an array that holds it.
    pub fn holds(&self, wanted: &str) -> bool {
        match self {
            Self::List(items, _) => items.iter().any(|item| **item == *wanted),
            Self::Scalar(text) | Self::Text(text) => **text == *wanted,
        }
    }

    /// As [`Self::holds`], where a string is a list of scopes with a space between.
    pub fn holds_scope(&self, wanted: &str) -> bool {
        match self {
            Self::Text(scopes) => scopes.split(' ').any(|scope| scope == wanted),
            Self::List(..) | Self::Scalar(_) => self.holds(wanted),
        }
    }

    /// As a variable shows it: a string as it is, anything else as JSON.
    pub fn text(&self) -> &str {
        match self {
            Self::List(_, text) | Self::Scalar(text) | Self::Text(text) => text,
        }
    }
}

fn scalar_text(value: &Value) -> Option<Box<str>> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string().into()),
        Value::Array(_) | Value::Null | Value::Object(_) => None,
    }
}

impl Claim {
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::List(items, text) => weight(items).saturating_add(text.len()),
            Self::Scalar(text) | Self::Text(text) => text.len(),
        }
    }
}

/// RFC 7519 `NumericDate`: a finite number, rounded towards refusal by truncation of fractions.
pub(crate) fn numeric_date(claims: &Value, name: &str) -> Result<Option<i64>, Reason> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    if let Some(secs) = value.as_i64() {
        return Ok(Some(secs));
    }
    let secs = value.as_f64().ok_or(Reason::ClaimMalformed)?;
    // 2^53: beyond it a double is not exact, and no date of anybody's.
    if !(-9.0e15..=9.0e15).contains(&secs) {
        return Err(Reason::ClaimMalformed);
    }
    // `nbf` must not come early, nor `exp` late: the floor of `exp` is early, the ceiling of the
    // others late.
    let whole = if name == "exp" { secs.floor() } else { secs.ceil() };
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53")]
    Ok(Some(whole as i64))
}

/// The value that says for whom a token is: `aud`, else the claim that its issuer writes instead.
pub(super) fn audience<'v>(claims: &'v Value, instead: Option<&Pointer>) -> Option<&'v Value> {
    claims.get("aud").or_else(|| known(instead?, claims))
}

/// `aud`: a string or an array of strings (RFC 7519 section 4.1.3).
pub(super) fn audiences(value: Option<&Value>) -> Result<Box<[Box<str>]>, Reason> {
    match value {
        None => Ok(Box::default()),
        Some(Value::String(one)) => Ok(Box::new([one.as_str().into()])),
        Some(Value::Array(several)) => several
            .iter()
            .map(|one| one.as_str().map(Into::into).ok_or(Reason::ClaimMalformed))
            .collect(),
        Some(_) => Err(Reason::ClaimMalformed),
    }
}

pub(super) fn confirmation(value: Option<&Value>) -> Confirmation {
    let Some(value) = value else { return Confirmation::Absent };
    let Some(methods) = value.as_object() else { return Confirmation::Unsupported };
    let digest = |name: &str| {
        let digest = URL_SAFE_NO_PAD.decode(methods.get(name)?.as_str()?).ok()?;
        <[u8; 32]>::try_from(digest).ok()
    };
    // All that is there must be understood.
    match (methods.len(), digest("x5t#S256"), digest("jkt")) {
        (1, Some(certificate), None) => Confirmation::Certificate(certificate),
        (1, None, Some(key)) => Confirmation::Key(key),
        (2, Some(certificate), Some(key)) => Confirmation::CertificateAndKey(certificate, key),
        _ => Confirmation::Unsupported,
    }
}

pub(super) fn text(value: Option<&Value>) -> Result<Option<Box<str>>, Reason> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.as_str().into())),
        Some(_) => Err(Reason::ClaimMalformed),
    }
}

/// What a token may be revoked by: a text, or a number as JSON writes it, for issuers that number
/// their tokens. What could not be told apart from another is refused.
pub(super) fn name(value: Option<&Value>) -> Result<Option<Box<str>>, Reason> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(_) | Value::Object(_)) => Err(Reason::ClaimMalformed),
        Some(one) => Ok(scalar_text(one)),
    }
}

/// The value that a pointer leads to; none where the token says that the claim is elsewhere, since
/// nobody knows then what it holds.
///
/// A claim that is listed in `_claim_names` is to be asked for somewhere else (OpenID Connect Core
/// 1.0 section 5.6.2). Entra ID says so of `groups` that are too many, or by `hasgroups`.
pub(super) fn known<'v>(pointer: &Pointer, claims: &'v Value) -> Option<&'v Value> {
    let name = pointer.root();
    let is_elsewhere = claims.get("_claim_names").is_some_and(|names| names.get(name).is_some())
        || name == "groups" && claims.get("hasgroups").is_some_and(|it| *it != Value::Bool(false));
    if is_elsewhere { None } else { pointer.resolve(claims) }
}

/// Refuses a list of claims elsewhere that is none: what it says is missing could not be told.
pub(super) fn check_distributed(claims: &Value) -> Result<(), Reason> {
    match claims.get("_claim_names") {
        None | Some(Value::Object(_)) => Ok(()),
        Some(_) => Err(Reason::ClaimMalformed),
    }
}

/// An array of strings, or one string; anything else is unknown.
pub(super) fn groups(value: &Value) -> Option<Box<[Box<str>]>> {
    match value {
        Value::String(one) => Some(Box::new([one.as_str().into()])),
        Value::Array(several) => several.iter().map(|one| one.as_str().map(Into::into)).collect(),
        _ => None,
    }
}

/// What texts take: each its bytes, its pointer and length, and about two words of the allocator.
pub(super) fn weight(texts: &[Box<str>]) -> usize {
    texts.iter().map(|text| text.len().saturating_add(48)).sum()
}
