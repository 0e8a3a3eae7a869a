//! A token, verified: its signature and claims once, its validity on every request.

use core::fmt;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lru::LruCache;
use serde_json::Value;

use crate::encode::json_array;
use crate::issuer::{Accept, Issuer, KeySource};
use crate::json::{self, JsonError, Pointer};
use crate::jws::{CompactJws, JwsError};
use crate::refusal::Reason;
use crate::time::UnixTime;
use crate::trust::{Snapshot, Trust};

/// A token whose signature is valid under a key of its issuer, and what its claims say.
///
/// That is all it is: nothing here says that it is valid now, or here. [`VerifiedToken::check`]
/// does, on every request.
pub struct VerifiedToken {
    issuer: usize,
    keys_generation: u64,
    has_type: bool,
    expires: i64,
    not_before: Option<i64>,
    issued_at: Option<i64>,
    audiences: Box<[Box<str>]>,
    for_issuer: bool,
    confirmation: Confirmation,
    subject: Option<Box<str>>,
    service: Option<Box<str>>,
    groups: Option<Box<str>>,
    claims: Box<[Option<Claim>]>,
}

/// What `cnf` binds a token to (RFC 7800, RFC 8705 section 3.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Confirmation {
    /// There is no `cnf`: a plain bearer token.
    Absent,
    /// `x5t#S256`: the SHA-256 of the DER of the client's certificate.
    Certificate([u8; 32]),
    /// A method that is not understood, or more than one.
    Unsupported,
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
    fn read(value: &Value) -> Option<Self> {
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

/// A key that a token named and its issuer is not known to publish: it may have been published since.
///
/// Anybody may have written the token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wish {
    /// The issuer's index in [`Trust`]; its keys come from a server.
    pub issuer: usize,
    /// The `kid`: visible ASCII, and short.
    pub kid: Box<str>,
}

impl Wish {
    /// Bytes that a `kid` may have to be wished for: longer ones come with the next refresh.
    pub const MAX: usize = 63;

    fn of(issuer: usize, settings: &Issuer, kid: Option<&str>) -> Option<Self> {
        let kid = kid.filter(|kid| Self::is_modest(kid))?;
        let is_fetched = matches!(settings.keys, KeySource::Remote(_));
        is_fetched.then(|| Self { issuer, kid: kid.into() })
    }

    /// Whether a `kid` can be wished for.
    pub fn is_modest(kid: &str) -> bool {
        (1..=Self::MAX).contains(&kid.len()) && kid.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

/// Verifies the signature of `token` under the keys that count at `now` of the issuer that its `iss`
/// names, and reads its claims. Where the key is not there, `wish` says which.
///
/// # Errors
///
/// A [`Reason`] of status 401, or [`Reason::KeysUnavailable`].
pub fn verify(
    token: &[u8],
    trust: &Trust,
    snapshot: &Snapshot,
    now: UnixTime,
    wish: &mut Option<Wish>,
) -> Result<VerifiedToken, Reason> {
    let jws = CompactJws::parse(token)?;
    // The issuer has to be known before the signature can be checked; until `verify` below has
    // succeeded, this value chooses a key set and nothing else.
    let claims = json::parse(jws.unverified_payload())?;
    let url = claims.get("iss").and_then(Value::as_str).ok_or(Reason::IssuerRefused)?;
    let index = trust.find(url).ok_or(Reason::IssuerRefused)?;
    let issuer = trust.issuers().get(index).ok_or(Reason::IssuerRefused)?;
    let Some(keys) = snapshot.keys(index, now) else {
        *wish = Wish::of(index, issuer, jws.kid());
        return Err(Reason::KeysUnavailable);
    };
    jws.verify(keys.set()).inspect_err(|error| {
        if *error == JwsError::UnknownKey {
            *wish = Wish::of(index, issuer, jws.kid());
        }
    })?;
    VerifiedToken::read(&claims, jws.typ(), issuer, index, keys.generation(), trust.pointers())
}

impl VerifiedToken {
    fn read(
        claims: &Value,
        token_type: Option<&str>,
        issuer: &Issuer,
        index: usize,
        keys_generation: u64,
        pointers: &[Pointer],
    ) -> Result<Self, Reason> {
        if !claims.is_object() {
            return Err(Reason::TokenMalformed);
        }
        let expires = numeric_date(claims, "exp")?.ok_or(Reason::ExpiryMissing)?;
        let not_before = numeric_date(claims, "nbf")?;
        let issued_at = numeric_date(claims, "iat")?;
        let audiences = audiences(claims.get("aud"))?;
        let groups = issuer.groups_claim.as_ref().and_then(|claim| groups(claim.resolve(claims)?));
        Ok(Self {
            issuer: index,
            keys_generation,
            // The issuer's settings are as frozen as the token: compared once.
            has_type: issuer
                .token_type
                .as_deref()
                .is_none_or(|wanted| token_type.is_some_and(|is| same_type(is, wanted))),
            for_issuer: audiences.iter().any(|it| issuer.audiences.contains(it)),
            expires,
            not_before,
            issued_at,
            audiences,
            confirmation: confirmation(claims.get("cnf")),
            subject: text(claims.get("sub"))?,
            service: issuer.service_claim.resolve(claims).and_then(non_empty),
            groups: groups.map(|groups| json_array(&groups).into()),
            claims: pointers
                .iter()
                .map(|pointer| pointer.resolve(claims).and_then(Claim::read))
                .collect(),
        })
    }

    /// Whether the token is valid at `now`, for this location; the certificate that it may be
    /// bound to is the caller's to compare.
    ///
    /// # Errors
    ///
    /// A [`Reason`] of status 401.
    pub fn check(&self, accept: &[Accept], trust: &Trust, now: UnixTime) -> Result<(), Reason> {
        let accept =
            accept.iter().find(|it| it.issuer == self.issuer).ok_or(Reason::IssuerRefused)?;
        let issuer = trust.issuers().get(self.issuer).ok_or(Reason::IssuerRefused)?;
        let (now, leeway) = (now.secs(), issuer.leeway);
        // RFC 7519 section 4.1.4: on or after `exp` it is not accepted.
        if now >= self.expires.saturating_add(leeway) {
            return Err(Reason::TokenExpired);
        }
        if self.not_before.is_some_and(|not_before| now.saturating_add(leeway) < not_before) {
            return Err(Reason::TokenNotYetValid);
        }
        if let Some(most) = issuer.max_lifetime {
            let issued_at = self.issued_at.ok_or(Reason::LifetimeExceeded)?;
            if self.expires.saturating_sub(issued_at) > most
                || issued_at > now.saturating_add(leeway)
            {
                return Err(Reason::LifetimeExceeded);
            }
        }
        let is_for_us = match &accept.audiences {
            None => self.for_issuer,
            Some(ours) => self.audiences.iter().any(|audience| ours.contains(audience)),
        };
        if !is_for_us {
            return Err(Reason::AudienceRefused);
        }
        if !self.has_type {
            return Err(Reason::TypeRefused);
        }
        match (&self.service, self.confirmation) {
            (None, _) => Err(Reason::ServiceMissing),
            (_, Confirmation::Unsupported) => Err(Reason::BindingUnsupported),
            _ => Ok(()),
        }
    }

    /// The issuer's index in [`Trust`].
    pub const fn issuer(&self) -> usize {
        self.issuer
    }

    /// What `cnf` asks for.
    pub const fn confirmation(&self) -> Confirmation {
        self.confirmation
    }

    /// The service, as the issuer's `service_claim` names it.
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// `sub`, or the service for a token without one.
    pub fn principal(&self) -> Option<&str> {
        self.subject.as_deref().or(self.service.as_deref())
    }

    /// The groups as a JSON array in ASCII; none when the issuer's `groups_claim` is absent, so
    /// that *unknown* is not *empty*.
    pub fn groups(&self) -> Option<&str> {
        self.groups.as_deref()
    }

    /// The value of the claim with that index in [`Trust::pointers`].
    pub fn claim(&self, index: usize) -> Option<&Claim> {
        self.claims.get(index)?.as_ref()
    }
}

impl VerifiedToken {
    /// About the bytes of its claims: a list of one letter each takes ten times its JSON.
    fn weight(&self) -> usize {
        let texts = [&self.subject, &self.service, &self.groups].into_iter().flatten();
        let texts: usize = texts.map(|text| text.len()).sum();
        let claims: usize = self.claims.iter().flatten().map(Claim::weight).sum();
        texts.saturating_add(weight(&self.audiences)).saturating_add(claims)
    }
}

impl Claim {
    fn weight(&self) -> usize {
        match self {
            Self::List(items, text) => weight(items).saturating_add(text.len()),
            Self::Scalar(text) | Self::Text(text) => text.len(),
        }
    }
}

/// What texts take: each its bytes, its pointer and length, and about two words of the allocator.
fn weight(texts: &[Box<str>]) -> usize {
    texts.iter().map(|text| text.len().saturating_add(48)).sum()
}

/// Shows what is not secret: a token's claims are its owner's.
impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("issuer", &self.issuer)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// The signatures that a worker has verified, by the whole token.
///
/// The key is the token itself and not a digest of it: exact, and cheaper than SHA-256 at these
/// sizes. Only tokens with a valid signature come in, so nobody can fill it with garbage or aim
/// collisions. An entry counts only under the key set that verified it.
#[derive(Debug)]
pub struct TokenCache {
    tokens: LruCache<Box<[u8]>, Rc<VerifiedToken>>,
    capacity: usize,
    bytes: usize,
    most_bytes: usize,
}

impl TokenCache {
    /// A cache that keeps that many tokens, as long as they are of an ordinary size: 1.5 KB each,
    /// with their claims, on average.
    pub fn with_capacity(capacity: usize) -> Self {
        let most_bytes = capacity.saturating_mul(1536);
        Self { tokens: LruCache::unbounded(), capacity, bytes: 0, most_bytes }
    }

    /// The verified form of `token`, if its signature was verified under the keys of `snapshot`, and
    /// these count at `now`.
    pub fn find(
        &mut self,
        token: &[u8],
        snapshot: &Snapshot,
        now: UnixTime,
    ) -> Option<Rc<VerifiedToken>> {
        let known = self.tokens.get(token)?;
        let keys = snapshot.keys(known.issuer, now)?;
        (keys.generation() == known.keys_generation).then(|| Rc::clone(known))
    }

    /// Keeps a verified token; those that were used longest ago go when the cache is full.
    pub fn keep(&mut self, token: &[u8], verified: Rc<VerifiedToken>) {
        self.bytes = self.bytes.saturating_add(Self::weight(token, &verified));
        if let Some((token, before)) = self.tokens.push(token.into(), verified) {
            self.bytes = self.bytes.saturating_sub(Self::weight(&token, &before));
        }
        while self.tokens.len() > self.capacity || self.bytes > self.most_bytes {
            let Some((token, oldest)) = self.tokens.pop_lru() else { break };
            self.bytes = self.bytes.saturating_sub(Self::weight(&token, &oldest));
        }
    }

    /// About what a token takes: itself, its claims, and the structures around them.
    fn weight(token: &[u8], verified: &VerifiedToken) -> usize {
        token.len().saturating_add(verified.weight()).saturating_add(512)
    }

    /// How many tokens it holds.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
}

/// RFC 7519 `NumericDate`: a finite number, rounded towards refusal by truncation of fractions.
fn numeric_date(claims: &Value, name: &str) -> Result<Option<i64>, Reason> {
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

/// `aud`: a string or an array of strings (RFC 7519 section 4.1.3).
fn audiences(value: Option<&Value>) -> Result<Box<[Box<str>]>, Reason> {
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

fn confirmation(value: Option<&Value>) -> Confirmation {
    let Some(value) = value else { return Confirmation::Absent };
    let thumbprint = value
        .as_object()
        .filter(|methods| methods.len() == 1)
        .and_then(|methods| methods.get("x5t#S256")?.as_str())
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .and_then(|digest| <[u8; 32]>::try_from(digest).ok());
    thumbprint.map_or(Confirmation::Unsupported, Confirmation::Certificate)
}

fn text(value: Option<&Value>) -> Result<Option<Box<str>>, Reason> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.as_str().into())),
        Some(_) => Err(Reason::ClaimMalformed),
    }
}

fn non_empty(value: &Value) -> Option<Box<str>> {
    value.as_str().filter(|text| !text.is_empty()).map(Into::into)
}

/// An array of strings, or one string; anything else is unknown.
fn groups(value: &Value) -> Option<Box<[Box<str>]>> {
    match value {
        Value::String(one) => Some(Box::new([one.as_str().into()])),
        Value::Array(several) => several.iter().map(|one| one.as_str().map(Into::into)).collect(),
        _ => None,
    }
}

/// RFC 7515 section 4.1.9: media types fold case, and `application/` may be left out.
fn same_type(is: &str, wanted: &str) -> bool {
    let bare = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.strip_prefix("application/").map_or(name.clone(), str::to_owned)
    };
    is.eq_ignore_ascii_case(wanted) || bare(is) == bare(wanted)
}

impl From<JsonError> for Reason {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Duplicate { .. } => Self::TokenDuplicateMember,
            _ => Self::TokenMalformed,
        }
    }
}

impl From<JwsError> for Reason {
    fn from(error: JwsError) -> Self {
        match error {
            JwsError::AlgorithmRefused => Self::AlgorithmRefused,
            JwsError::Critical => Self::TokenCritical,
            JwsError::DuplicateMember => Self::TokenDuplicateMember,
            JwsError::SignatureInvalid => Self::SignatureInvalid,
            JwsError::TooLarge => Self::TokenTooLarge,
            JwsError::UnknownKey => Self::UnknownKey,
            _ => Self::TokenMalformed,
        }
    }
}
