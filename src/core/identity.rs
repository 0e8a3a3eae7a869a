//! The verified identity of a request.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use crate::claims::Verdict;
use crate::issuer::Form;
use crate::issuer::trust::Trust;
use crate::peer::spiffe::{SpiffeId, TrustDomain};
use crate::peer::x509::Facts;
use crate::proof::Unused;
use crate::request::source::Source;
use crate::text::rendered::Rendered;
use crate::token::VerifiedToken;

mod certificate;
pub mod export;
mod spare;
mod variable;

pub(crate) use certificate::{Proven, explain as explain_certificate};
pub use spare::Spare;
pub use variable::{Attribute, Shown, VARIABLES, Variable};

/// A verified identity. [`authenticate`](crate::stage::authenticate::authenticate) makes the only ones
/// there are.
#[derive(Debug)]
pub struct Identity {
    token: Option<Rc<VerifiedToken>>,
    /// The place of the token, among the sources of the location.
    source: usize,
    certificate: Option<Proven>,
    /// The proof that the token came with, if it is bound to a key.
    proof: Option<Box<Unused>>,
    trust: Arc<Trust>,
}

impl Identity {
    /// An identity from verified parts: a token and its place, or a certificate, or both.
    pub(crate) fn new(
        token: Option<(Rc<VerifiedToken>, usize)>,
        certificate: Option<Proven>,
        proof: Option<Box<Unused>>,
        trust: &Arc<Trust>,
    ) -> Self {
        let (token, source) = token.map_or((None, 0), |(token, source)| (Some(token), source));
        Self { token, source, certificate, proof, trust: Arc::clone(trust) }
    }

    /// The value of an attribute, safe in a header field or a log line.
    pub fn attribute(&self, attribute: Attribute) -> Option<Cow<'_, str>> {
        attribute.of(self)
    }

    /// The exported fields: written once for a token, and once for the certificate of a connection.
    pub(crate) fn rendered(&self) -> Cow<'_, Rendered> {
        match (&self.token, &self.certificate) {
            (Some(token), None) => Cow::Borrowed(token.rendered(|| export::render(self))),
            (None, Some(certificate)) => certificate
                .rendered(|| export::render(self))
                .map_or_else(|| Cow::Owned(export::render(self)), Cow::Borrowed),
            _ => Cow::Owned(export::render(self)),
        }
    }

    /// The text of the claim with that index in [`Kept::shown`](crate::claims::Kept::shown).
    pub fn claim(&self, index: usize) -> Option<&str> {
        self.token.as_ref()?.claim(index)
    }

    /// The verdict on its claims by the requirement with that index in
    /// [`Kept::required`](crate::claims::Kept::required).
    pub fn verdict(&self, index: usize) -> Verdict {
        self.token.as_ref().map_or(Verdict::Absent, |token| token.verdict(index))
    }

    /// The token, if one is among what proved it.
    pub(crate) fn token(&self) -> Option<&VerifiedToken> {
        self.token.as_deref()
    }

    /// The groups as a JSON array; `None` if its token does not list them, or if there is none.
    pub(crate) fn groups(&self) -> Option<&str> {
        self.token.as_ref()?.groups()
    }

    /// Which certificate it has, if any: its SHA-256, and the number of the settings that chose its name.
    pub(crate) fn certificate_key(&self) -> Option<([u8; 32], usize)> {
        self.certificate.as_ref().map(Proven::key)
    }

    /// The proof that it rests on, which holds once it is used up.
    pub(crate) fn proof(&self) -> Option<&Unused> {
        self.proof.as_deref()
    }

    /// Whether a token is among what proved it.
    pub const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// The place of that token, among the sources that it was looked for in.
    pub fn source<'s>(&self, sources: &'s [Source]) -> Option<&'s Source> {
        sources.get(self.source).filter(|_| self.has_token())
    }

    /// The workload's stable name, as its issuer or its certificate gives it.
    pub fn service(&self) -> &str {
        self.token.as_ref().and_then(|token| token.service()).unwrap_or_else(|| self.name())
    }

    /// The verified name: the token's, else the certificate's.
    pub fn principal(&self) -> &str {
        self.token.as_ref().and_then(|token| token.principal()).unwrap_or_else(|| self.name())
    }

    /// What kind of authority a name is unique under, and which, for the keys of limits: an issuer
    /// may have the name of a trust domain, and a DNS name may equal a common name.
    pub fn authority(&self) -> (&'static [u8], &str) {
        match (self.issuer(), self.trust_domain()) {
            (Some(issuer), _) => (b"issuer", issuer),
            (None, Some(domain)) => (b"trust domain", domain),
            (None, None) => (self.kind().as_bytes(), ""),
        }
    }

    /// The kind of the principal: `token`, or the kind of the certificate's name.
    fn kind(&self) -> &'static str {
        match (&self.token, &self.certificate) {
            (None, Some(certificate)) => certificate.kind(),
            _ => "token",
        }
    }

    const fn method(&self) -> &'static str {
        match (&self.token, &self.certificate) {
            (Some(_), Some(_)) => "token certificate",
            (Some(_), None) => "token",
            (None, _) => "certificate",
        }
    }

    /// The name of the token's issuer in the configuration.
    pub fn issuer(&self) -> Option<&str> {
        let issuer = self.token.as_ref()?.issuer();
        self.trust.issuers().get(issuer).map(|issuer| &*issuer.name)
    }

    fn account(&self) -> Option<&str> {
        let issuer = self.trust.issuers().get(self.token.as_ref()?.issuer())?;
        let (account, _) = self.service().split_once('/').filter(|_| issuer.service_arn)?;
        Some(account)
    }

    /// The SPIFFE ID of the certificate, else of a JWT-SVID.
    pub fn spiffe_id(&self) -> Option<&str> {
        let own = self.certificate.as_ref().and_then(Proven::spiffe_id).map(SpiffeId::as_str);
        own.or_else(|| self.token_spiffe_id().map(|(id, _)| id))
    }

    fn trust_domain(&self) -> Option<&str> {
        let own = self.certificate.as_ref().and_then(Proven::spiffe_id);
        own.map(SpiffeId::trust_domain)
            .or_else(|| self.token_spiffe_id().map(|(_, domain)| domain.as_str()))
    }

    /// The principal of a JWT-SVID, with its trust domain.
    fn token_spiffe_id(&self) -> Option<(&str, &TrustDomain)> {
        let token = self.token.as_ref()?;
        let Form::Spiffe(domain) = &self.trust.issuers().get(token.issuer())?.form else {
            return None;
        };
        let id = token.principal()?;
        SpiffeId::parse(id).is_ok_and(|id| domain.contains(&id)).then_some((id, domain))
    }

    fn facts(&self) -> Option<&Facts> {
        self.certificate.as_ref().map(Proven::facts)
    }

    fn name(&self) -> &str {
        self.certificate.as_ref().map_or("", Proven::text)
    }
}
