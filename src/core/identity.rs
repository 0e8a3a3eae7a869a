//! Who a request comes from, once it is proven.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use crate::claims::Verdict;
use crate::issuer::Question;
use crate::issuer::trust::{Snapshot, Trust};
use crate::issuer::{Accept, Form};
use crate::key::jws::CompactJws;
use crate::limit::{Quota, Table};
use crate::need::{Need, Stop};
use crate::peer::spiffe::{SpiffeId, TrustDomain};
use crate::peer::x509::{Facts, NameRules};
use crate::proof::{self, Proofs, Unused};
use crate::refusal::{Reason, Refusal};
use crate::request::source::Source;
use crate::request::{Credentials, Methods, Scheme};
use crate::text::rendered::Rendered;
use crate::text::time::Now;
use crate::token::introspection::{self, Introspections, Known};
use crate::token::{self, TokenCache, VerifiedToken, Wish};

mod certificate;
pub mod export;
mod failure;
mod variable;

use certificate::Proven;
pub(crate) use certificate::explain as explain_certificate;
pub use failure::Failure;
pub use variable::{Attribute, Shown, VARIABLES, Variable};

/// A verified identity. [`authenticate`] makes the only ones there are.
#[derive(Debug)]
pub struct Identity {
    token: Option<Rc<VerifiedToken>>,
    /// Where the token stood, among [`Authentication::sources`].
    source: usize,
    certificate: Option<Proven>,
    /// The proof that the token came with, if it is bound to a key.
    proof: Option<Box<Unused>>,
    trust: Arc<Trust>,
}

/// What a worker has at hand while it authenticates.
#[derive(Debug)]
pub struct Worker<'w> {
    /// The issuers.
    pub trust: &'w Arc<Trust>,
    /// Their keys as they are for this request.
    pub snapshot: &'w Snapshot,
    /// The signatures that are verified already.
    pub cache: &'w mut TokenCache,
    /// The opaque tokens that their issuers have spoken of.
    pub introspections: &'w mut Introspections,
    /// The limits; `None` if the configuration has no zone.
    pub table: Option<Table<'w>>,
    /// The proofs of possession that were accepted.
    pub proofs: Proofs<'w>,
    /// The time of this request.
    pub now: Now,
    /// What a dry run of the limits let pass.
    pub noted: Option<Refusal>,
    /// A key that was not there, to be asked for.
    pub wish: Option<Wish>,
}

/// The settings that a request is authenticated by.
#[derive(Clone, Debug)]
pub struct Authentication {
    /// Equal for equal settings: what an identity is remembered under.
    pub id: usize,
    /// Which credentials are read.
    pub methods: Methods,
    /// Where a token is looked for.
    pub sources: Box<[Source]>,
    /// Which names of a certificate are an identity.
    pub names: NameRules,
    /// Which issuers are believed.
    pub accept: Box<[Accept]>,
    /// Which tokens need a proof of possession, and what it must say.
    pub dpop: proof::Settings,
    /// The one of them that is asked about opaque tokens; it follows from `accept`.
    pub introspector: Option<usize>,
    /// `mesh_failure_limit`.
    pub failure_limit: Option<Arc<Quota>>,
    /// Whether it refuses, or only notes (a dry run of the limits).
    pub failure_limit_enforced: bool,
}

impl Authentication {
    /// Whether both authenticate every request alike.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        // All that there is: a setting that is added does not compile before it is compared.
        let Self {
            id: _,
            methods,
            sources,
            names,
            accept,
            dpop,
            // It follows from `accept`.
            introspector: _,
            failure_limit,
            failure_limit_enforced,
        } = self;
        *methods == other.methods
            && *sources == other.sources
            && *names == other.names
            && *accept == other.accept
            && *dpop == other.dpop
            && *failure_limit == other.failure_limit
            && *failure_limit_enforced == other.failure_limit_enforced
    }
}

/// Verifies what arrived, as the location asks: all that is presented must verify, and all that
/// is listed must be presented (one of them, for `any`).
///
/// # Errors
///
/// A [`Stop`]; whether a refusal is a failure to be charged to the address is the caller's to see.
pub fn authenticate(
    credentials: &Credentials<'_>,
    settings: &Authentication,
    worker: &mut Worker<'_>,
) -> Result<Identity, Stop> {
    let known = credentials.bearer().and_then(|token| find(token, settings, worker));
    if known.is_none() {
        credentials.check()?;
    }
    if known.is_none() && credentials.is_any(settings.methods) {
        // A token that was verified before cannot be part of a guessing attack, nor can a
        // certificate beside it: the clients behind one address do not pay for a neighbour's
        // failures.
        gate(credentials, settings, worker)?;
    }
    verify(credentials, known, settings, worker)
}

/// A token that was verified before, by its signature or by its issuer.
fn find(
    token: &[u8],
    settings: &Authentication,
    worker: &mut Worker<'_>,
) -> Option<Rc<VerifiedToken>> {
    worker.cache.find(token, worker.snapshot, worker.now.unix).or_else(|| {
        match worker.introspections.find(settings.introspector?, token, worker.now.tick) {
            Known::Active(token) => Some(token),
            Known::Nothing | Known::Refused(_) => None,
        }
    })
}

/// What its issuer has said of a token that was not found by [`find`]; without a word of it the
/// issuer is to be asked.
fn introspect(token: &[u8], issuer: usize, worker: &mut Worker<'_>) -> Stop {
    if token.len() > CompactJws::MAX {
        return Reason::TokenTooLarge.into();
    }
    match worker.introspections.find(issuer, token, worker.now.tick) {
        Known::Refused(reason) => reason.into(),
        // An active one is found before.
        Known::Active(_) | Known::Nothing => {
            Stop::Waits(Need::Introspection(Question { issuer, token: token.into() }))
        }
    }
}

/// The issuer that is to be asked about a token, if it cannot be verified here.
fn introspector(token: &[u8], settings: &Authentication, trust: &Trust) -> Option<usize> {
    let index = settings.introspector?;
    trust.issuers().get(index).filter(|issuer| introspection::concerns(token, issuer))?;
    Some(index)
}

/// Charges the address for a refused credential, where the location limits failures.
pub(crate) fn charge_failure(address: &[u8], settings: &Authentication, worker: &Worker<'_>) {
    if let Some(table) = worker.table
        && let Some(failure) = Failure::of(address, settings)
    {
        failure.charge(table, worker.now.tick);
    }
}

fn gate(
    credentials: &Credentials<'_>,
    settings: &Authentication,
    worker: &mut Worker<'_>,
) -> Result<(), Refusal> {
    let (Some(quota), Some(table)) = (&settings.failure_limit, worker.table) else {
        return Ok(());
    };
    let address = credentials.address();
    let Err(limited) = failure::peek(quota, address, table, worker.now.tick) else {
        return Ok(());
    };
    let refusal = Refusal::by_limit(Reason::FailureLimited, quota, limited);
    if settings.failure_limit_enforced {
        return Err(refusal);
    }
    worker.noted = Some(refusal);
    Ok(())
}

fn verify(
    credentials: &Credentials<'_>,
    known: Option<Rc<VerifiedToken>>,
    settings: &Authentication,
    worker: &mut Worker<'_>,
) -> Result<Identity, Stop> {
    let methods = settings.methods;
    let (token, proof) = match (credentials.bearer(), credentials.scheme()) {
        (Some(token), Some(scheme)) => {
            let (token, proof) =
                verify_token((scheme, token), known, credentials, settings, worker)?;
            (Some(token), proof)
        }
        _ if methods.token && !methods.any => return Err(Reason::CredentialMissing.into()),
        _ => (None, None),
    };
    let peer = if methods.certificate { credentials.peer() } else { None };
    let certificate = match peer {
        None if methods.certificate && !methods.any => {
            return Err(Reason::CertificateMissing.into());
        }
        None => None,
        Some(peer) => Some(Proven::verify(peer, settings, worker)?),
    };
    if token.is_none() && certificate.is_none() {
        return Err(Reason::CredentialMissing.into());
    }
    let source = credentials.source();
    Ok(Identity { token, source, certificate, proof, trust: Arc::clone(worker.trust) })
}

fn verify_token(
    (scheme, bearer): (Scheme, &[u8]),
    known: Option<Rc<VerifiedToken>>,
    credentials: &Credentials<'_>,
    settings: &Authentication,
    worker: &mut Worker<'_>,
) -> Result<(Rc<VerifiedToken>, Option<Box<Unused>>), Stop> {
    let token = match known {
        Some(known) => known,
        None => {
            if let Some(issuer) = introspector(bearer, settings, worker.trust) {
                return Err(introspect(bearer, issuer, worker));
            }
            let (snapshot, now) = (worker.snapshot, worker.now.unix);
            let (headers, wish) = (worker.cache.headers(), &mut worker.wish);
            let verified = token::verify(bearer, worker.trust, snapshot, now, headers, wish)?;
            let verified = Rc::new(verified);
            worker.cache.keep(bearer, Rc::clone(&verified));
            verified
        }
    };
    token.check(&settings.accept, worker.trust, worker.snapshot, worker.now.unix)?;
    let confirmation = token.confirmation();
    if let Some(bound) = confirmation.certificate() {
        // The handshake proved possession of the key; whether the chain is trusted does not
        // matter to the binding (RFC 8705 section 3).
        let peer = credentials.peer().and_then(|peer| peer.certificate.as_ref().ok());
        if peer.is_none_or(|certificate| certificate.thumbprint() != bound) {
            return Err(Reason::BindingMismatch.into());
        }
    }
    let (proofs, now) = (&mut worker.proofs, worker.now.unix);
    let request = credentials.request();
    let proof = proof::check(confirmation, (scheme, bearer), request, &settings.dpop, proofs, now)?;
    Ok((token, proof))
}

impl Identity {
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

    /// What its claims are to the requirement with that index in
    /// [`Kept::required`](crate::claims::Kept::required).
    pub fn verdict(&self, index: usize) -> Verdict {
        self.token.as_ref().map_or(Verdict::Absent, |token| token.verdict(index))
    }

    /// The token that is among what proved it.
    pub(crate) fn token(&self) -> Option<&VerifiedToken> {
        self.token.as_deref()
    }

    /// The proof that it rests on, which counts once it is used up.
    pub(crate) fn proof(&self) -> Option<&Unused> {
        self.proof.as_deref()
    }

    /// Whether a token is among what proved it.
    pub const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Where that token stood, under the settings that it was verified by.
    pub fn source<'s>(&self, settings: &'s Authentication) -> Option<&'s Source> {
        settings.sources.get(self.source).filter(|_| self.has_token())
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
    /// may be called like a trust domain, and a DNS name like a common name.
    pub fn authority(&self) -> (&'static [u8], &str) {
        match (self.issuer(), self.trust_domain()) {
            (Some(issuer), _) => (b"issuer", issuer),
            (None, Some(domain)) => (b"trust domain", domain),
            (None, None) => (self.kind().as_bytes(), ""),
        }
    }

    /// What the principal is: a name of a token, or of this kind of a certificate.
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

    fn issuer(&self) -> Option<&str> {
        let issuer = self.token.as_ref()?.issuer();
        self.trust.issuers().get(issuer).map(|issuer| &*issuer.name)
    }

    fn account(&self) -> Option<&str> {
        let issuer = self.trust.issuers().get(self.token.as_ref()?.issuer())?;
        let (account, _) = self.service().split_once('/').filter(|_| issuer.service_arn)?;
        Some(account)
    }

    fn spiffe_id(&self) -> Option<&str> {
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
