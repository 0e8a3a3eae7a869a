//! A token, verified: its signature and claims once, its validity on every request.

use core::cell::{Cell, OnceCell};
use core::fmt;

use crate::claims::{Claims, Kept, Verdict, Verdicts};
use crate::issuer::revocation::Revocable;
use crate::issuer::trust::{Revoked, Snapshot, Trust};
use crate::issuer::{Accept, Issuer};
use crate::key::jws::{CompactJws, Headers, JwsError};
use crate::limit::Key;
use crate::refusal::{Detail, Reason, Refusal};
use crate::text::encode::json_array;
use crate::text::json::{Document, Item, JsonError, Pointer};
use crate::text::rendered::Rendered;
use crate::text::time::UnixTime;

mod again;
mod cache;
mod claim;
mod explain;
pub mod introspection;
mod mark;
mod names;
mod origin;
mod texts;
mod weight;
mod wish;

pub use cache::TokenCache;
pub use claim::Confirmation;
pub(crate) use claim::numeric_date;
use claim::{
    audience, audiences, check_distributed, confirmation, groups, is_access_token, same_type,
    shown, subject,
};
pub use explain::{explain, explain_signature};
pub use mark::Mark;
use names::Names;
use origin::{Envelope, Origin};
use texts::Texts;
pub use wish::Wish;

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
    /// If some location has audiences of its own.
    audiences: Box<[Box<str>]>,
    for_issuer: bool,
    /// It names no audience, and its issuer is one that may leave it out.
    for_anybody: bool,
    /// If it is bound to something: few are.
    confirmation: Option<Box<Confirmation>>,
    /// `sub`, the service and the groups.
    texts: Texts,
    /// The claims that variables show.
    shown: Box<[Option<Box<str>>]>,
    /// The verdict on its claims by each requirement of a location.
    verdicts: Verdicts,
    /// Kept if the configuration has a list of what is revoked.
    names: Option<Box<Names>>,
    /// The exported form of an identity that is this token alone, from its first export on.
    rendered: OnceCell<Rendered>,
    /// The buckets that it is charged to, by the limit's number: see [`Self::bucket`].
    buckets: [Cell<Option<(u32, Key)>>; 2],
    /// Whether its issuer was asked about it.
    is_introspected: bool,
    /// What the issuer answered, if policies may ask for its claims later.
    answer: Option<Box<[u8]>>,
    mark: Cell<Option<Mark>>,
}

/// Verifies the signature of `token` under the keys that are valid at `now` of the issuer that its
/// `iss` names, and reads its claims. If the key is not there, `wish` says which. `headers` holds
/// those of earlier tokens.
///
/// # Errors
///
/// A [`Refusal`] of status 401, or [`Reason::KeysUnavailable`].
pub fn verify(
    token: &[u8],
    trust: &Trust,
    snapshot: &Snapshot,
    now: UnixTime,
    headers: &mut Headers,
    wish: &mut Option<Wish>,
) -> Result<VerifiedToken, Refusal> {
    // The issuer has to be known before the signature can be checked; until `verify` below has
    // succeeded, what the token says chooses a key set and nothing else.
    let envelope = Envelope::open(token, trust, headers)?;
    let jws = &envelope.jws;
    let payload = Document::parse(jws.unverified_payload()).map_err(Reason::from)?;
    let header = jws.signed_by().map(Document::parse).transpose().map_err(Reason::from)?;
    let header = header.as_ref().map(Document::root);
    let origin = Origin::of(&envelope, header, Claims::of(payload.root()), trust)?;
    let Origin { claims, index } = &origin;
    let index = *index;
    let issuer = trust.issuers().get(index).ok_or(Reason::IssuerRefused)?;
    if issuer.keys.is_none() {
        // It is asked about its tokens by locations that accept it, and this one does not.
        return Err(Reason::IssuerRefused.into());
    }
    let Some(keys) = snapshot.keys(index, now) else {
        *wish = Wish::of(index, issuer, jws.key_name().text());
        return Err(Reason::KeysUnavailable.into());
    };
    let key = jws.find_key(keys.set()).map_err(|error| {
        if error == JwsError::UnknownKey {
            *wish = Wish::of(index, issuer, jws.key_name().text());
        }
        Reason::from(error)
    })?;
    headers.keep(jws);
    origin.check(jws, issuer, key.issuer())?;
    let (typ, generation) = (jws.typ(), keys.generation());
    let mut token =
        VerifiedToken::read(claims, typ, issuer, index, generation, snapshot.kept(), None)?;
    if !matches!(snapshot.revoked(), Revoked::Nothing) {
        token.names = Some(Box::new(Names::of(claims.id, claims.session, key.kids())?));
    }
    Ok(token)
}

impl VerifiedToken {
    fn read(
        claims: &Claims<'_>,
        token_type: Option<&str>,
        issuer: &Issuer,
        index: usize,
        keys_generation: u64,
        kept: &Kept,
        without_expiry: Option<i64>,
    ) -> Result<Self, Refusal> {
        if !claims.is_object() {
            return Err(Reason::TokenMalformed.into());
        }
        let expires = numeric_date(claims.expires, "exp")?.or(without_expiry);
        let expires = expires.ok_or(Reason::ExpiryMissing)?;
        let not_before = numeric_date(claims.not_before, "nbf")?;
        let issued_at = numeric_date(claims.issued_at, "iat")?;
        let mut audiences = audiences(audience(claims, issuer.audience_claim.as_ref()))?;
        check_distributed(claims)?;
        let subject = subject(claims)?;
        let service = issuer.service(claims);
        let groups = issuer.groups_claim.as_ref().and_then(|claim| groups(claim, claims));
        Ok(Self {
            issuer: index,
            keys_generation,
            // The issuer's settings are as frozen as the token: compared once.
            has_type: issuer
                .token_type
                .as_deref()
                .is_none_or(|wanted| token_type.is_some_and(|is| same_type(is, wanted))),
            audiences: if kept.audiences {
                audiences.map(Into::into).collect()
            } else {
                Box::default()
            },
            for_issuer: audiences.any(|one| issuer.audiences.iter().any(|it| **it == *one)),
            for_anybody: false,
            expires,
            not_before,
            issued_at,
            confirmation: bound(confirmation(claims.confirmation)),
            texts: Texts::of(subject, service.as_deref(), groups.map(json_array).as_deref()),
            shown: kept.shown.iter().map(|pointer| shown(pointer, claims)).collect(),
            verdicts: Verdicts::of(kept.required.iter().map(|required| required.judge(claims))),
            names: None,
            rendered: OnceCell::new(),
            buckets: Default::default(),
            is_introspected: false,
            answer: None,
            mark: Cell::new(None),
        })
    }

    /// Reads the answer of the issuer about a token that is active (RFC 7662 section 2.2): its claims,
    /// and the text that they are in.
    ///
    /// `exp`, `iss` and, if the issuer's settings say so, `aud` may be left out: the issuer was
    /// asked a moment ago, and will be again.
    pub(crate) fn introspected(
        (claims, answer): (&Claims<'_>, &[u8]),
        token: &[u8],
        issuer: &Issuer,
        index: usize,
        trust: &Trust,
    ) -> Result<Self, Refusal> {
        match claims.issuer.map(Item::as_str) {
            None => {}
            Some(Some(url)) if *url == *issuer.url => {}
            Some(_) => return Err(Reason::IssuerRefused.into()),
        }
        if !is_access_token(claims) {
            return Err(Reason::TypeRefused.into());
        }
        // The issuer has judged the token as a whole, so its header is used if it has one.
        let jws = CompactJws::parse(token).ok();
        let typ = jws.as_ref().and_then(CompactJws::typ);
        let snapshot = trust.load();
        let kept = snapshot.kept();
        let mut read = Self::read(claims, typ, issuer, index, 0, kept, Some(i64::MAX))?;
        read.has_type |= introspection::is_opaque(token);
        read.is_introspected = true;
        read.answer = kept.answers.then(|| answer.into());
        let needs_audience = issuer.introspection.as_ref().is_none_or(|it| it.needs_audience);
        read.for_anybody =
            !needs_audience && audience(claims, issuer.audience_claim.as_ref()).is_none();
        // What the issuer leaves out, a signed token may say itself.
        let own = introspection::own_claims(token).unwrap_or_default();
        let own = Document::parse(&own).ok();
        let own = own.as_ref().map(|own| Claims::of(own.root()));
        let own = own.as_ref();
        if claims.confirmation.is_none() {
            read.confirmation = bound(confirmation(own.and_then(|own| own.confirmation)));
        }
        if !matches!(snapshot.revoked(), Revoked::Nothing) {
            let id = claims.id.or(own.and_then(|own| own.id));
            let session = claims.session.or(own.and_then(|own| own.session));
            let key = jws.as_ref().and_then(CompactJws::kid);
            read.names = Some(Box::new(Names::of(id, session, key.into_iter())?));
        }
        Ok(read)
    }

    /// Whether the token is valid at `now`, for this location; the certificate and the key that it
    /// may be bound to are the caller's to compare.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] of status 401, or [`Reason::RevocationsUnavailable`].
    pub fn check(
        &self,
        accept: &[Accept],
        trust: &Trust,
        snapshot: &Snapshot,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let issuer = trust.issuers().get(self.issuer).ok_or(Reason::IssuerRefused)?;
        let accept = accept.iter().find(|it| it.issuer == self.issuer);
        let accept = accept.ok_or(Reason::IssuerRefused)?;
        let (now, leeway) = (now.secs(), issuer.leeway);
        // RFC 7519 section 4.1.4: on or after `exp` it is not accepted.
        if now >= self.expires.saturating_add(leeway) {
            return Err(Reason::TokenExpired.into());
        }
        if self.not_before.is_some_and(|not_before| now.saturating_add(leeway) < not_before) {
            return Err(Reason::TokenNotYetValid.into());
        }
        if let Some(most) = issuer.max_lifetime {
            let exceeded = || Reason::LifetimeExceeded.about(Detail::Claim("iat"));
            let issued_at = self.issued_at.ok_or_else(exceeded)?;
            if self.expires.saturating_sub(issued_at) > most
                || issued_at > now.saturating_add(leeway)
            {
                return Err(exceeded());
            }
        }
        let is_for_us = match &accept.audiences {
            None => self.for_issuer || self.for_anybody,
            Some(ours) => self.audiences.iter().any(|audience| ours.contains(audience)),
        };
        if !is_for_us {
            let ours = accept.audiences.as_deref().unwrap_or(&issuer.audiences);
            let ours = Detail::list("audience wanted", ours.iter().map(|audience| &**audience));
            return Err(Reason::AudienceRefused.about(ours));
        }
        if !self.has_type {
            let wanted = issuer.token_type.as_deref().unwrap_or_default();
            return Err(Reason::TypeRefused.about(Detail::named("type wanted", wanted)));
        }
        match (self.service(), self.confirmation()) {
            (None, _) => {
                let claims = issuer.service_claim.iter().map(Pointer::as_str);
                Err(Reason::ServiceMissing.about(Detail::list("service claim", claims)))
            }
            (_, Confirmation::Unsupported) => {
                Err(Reason::BindingUnsupported.about(Detail::Claim("cnf")))
            }
            // As long as the clocks may differ, a token is valid past its `exp`, and an entry
            // applies past its `until`.
            _ => Ok(self.check_revoked(snapshot, UnixTime::from_secs(now.saturating_sub(leeway)))?),
        }
    }

    fn check_revoked(&self, snapshot: &Snapshot, now: UnixTime) -> Result<(), Reason> {
        let list = match snapshot.revoked() {
            Revoked::Listed(list) => list,
            Revoked::Nothing => return Ok(()),
            Revoked::Unknown => return Err(Reason::RevocationsUnavailable),
        };
        // A token that was read without its names cannot be looked up.
        let names = self.names.as_deref().ok_or(Reason::RevocationsUnavailable)?;
        let token = Revocable {
            issuer: self.issuer,
            token: names.token(),
            subject: self.texts.subject(),
            session: names.session(),
            keys: names.keys(),
            issued_at: self.issued_at,
        };
        if list.cover(&token, now) { Err(Reason::TokenRevoked) } else { Ok(()) }
    }

    /// The issuer's index in [`Trust`].
    pub const fn issuer(&self) -> usize {
        self.issuer
    }

    /// What `cnf` asks for.
    pub fn confirmation(&self) -> Confirmation {
        self.confirmation.as_deref().copied().unwrap_or(Confirmation::Absent)
    }

    /// The service, as the issuer's `service_claim` names it.
    pub fn service(&self) -> Option<&str> {
        self.texts.service()
    }

    /// `sub`, or the service for a token without one.
    pub fn principal(&self) -> Option<&str> {
        self.texts.subject().or_else(|| self.service())
    }

    /// The groups as a JSON array in ASCII; `None` if the issuer's `groups_claim` is absent, so
    /// that *unknown* is not *empty*.
    pub fn groups(&self) -> Option<&str> {
        self.texts.groups()
    }

    /// The bucket that it is charged to by the limit with that number, hashed once: it follows from
    /// the token, the limit and the seed of the zone, all of the cycle that the token is kept in.
    pub(crate) fn bucket(&self, limit: usize, make: impl FnOnce() -> Key) -> Key {
        let (Ok(number), [even, odd]) = (u32::try_from(limit), &self.buckets) else {
            return make();
        };
        let kept = if number.is_multiple_of(2) { even } else { odd };
        match kept.get() {
            Some((known, key)) if known == number => key,
            _ => {
                let key = make();
                kept.set(Some((number, key)));
                key
            }
        }
    }

    /// The mark that was left on it last.
    pub fn mark(&self) -> Option<Mark> {
        self.mark.get()
    }

    /// Leaves a mark on it.
    pub fn set_mark(&self, mark: Mark) {
        self.mark.set(Some(mark));
    }

    /// The exported form of an identity that is this token alone.
    pub(crate) fn rendered(&self, make: impl FnOnce() -> Rendered) -> &Rendered {
        self.rendered.get_or_init(make)
    }

    /// The text of the claim with that index in [`Kept::shown`].
    pub fn claim(&self, index: usize) -> Option<&str> {
        self.shown.get(index)?.as_deref()
    }

    /// The verdict on its claims by the requirement with that index in [`Kept::required`].
    pub fn verdict(&self, index: usize) -> Verdict {
        self.verdicts.get(index)
    }
}

/// Keeps what a token is bound to, if it is.
fn bound(confirmation: Confirmation) -> Option<Box<Confirmation>> {
    (confirmation != Confirmation::Absent).then(|| Box::new(confirmation))
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
