//! Authentication: from credentials to an identity.

use std::rc::Rc;

use crate::identity::{Identity, Proven};
use crate::issuer::Question;
use crate::issuer::trust::Trust;
use crate::key::jws::CompactJws;
use crate::need::{Need, Stop};
use crate::proof::{self, Unused};
use crate::refusal::{Reason, Refusal};
use crate::request::{Credentials, Method, Peer, Scheme};
use crate::token::introspection::{self, Known};
use crate::token::{self, VerifiedToken};

mod failure;
mod settings;
mod worker;

pub use failure::Failure;
pub use settings::Authentication;
pub use worker::WorkerState;

/// Whether a proof of possession is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Possession {
    /// It is.
    Asked,
    /// It was shown, and is used up: the request has waited since.
    Shown,
}

/// Verifies what arrived, as the location asks: all that is presented must verify, and all that
/// is listed must be presented (one of them, for `any`).
///
/// # Errors
///
/// A [`Stop`]; the caller sees whether a refusal is a failure to be charged to the address.
pub fn authenticate(
    credentials: &Credentials<'_>,
    settings: &Authentication,
    possession: Possession,
    worker: &mut WorkerState<'_>,
) -> Result<Identity, Stop> {
    let known = credentials.bearer().and_then(|token| find(token, settings, worker));
    if known.is_none() {
        credentials.check()?;
    }
    if possession == Possession::Asked
        && known.is_none()
        && settings.methods.each().any(|method| is_presented(credentials, method))
    {
        // A token that was verified before cannot be part of a guessing attack, nor can a
        // certificate beside it: the clients behind one address do not pay for a neighbour's
        // failures.
        gate(credentials, settings, worker)?;
    }
    verify(credentials, known, settings, possession, worker)
}

/// Whether there is something to verify.
fn is_presented(credentials: &Credentials<'_>, method: Method) -> bool {
    match method {
        Method::Token => credentials.bearer().is_some(),
        Method::Certificate => credentials.peer().is_some(),
    }
}

/// A token that was verified before, by its signature or by its issuer.
fn find(
    token: &[u8],
    settings: &Authentication,
    worker: &mut WorkerState<'_>,
) -> Option<Rc<VerifiedToken>> {
    worker.cache.find(token, worker.snapshot, worker.now.unix).or_else(|| {
        match worker.introspections.find(settings.introspector?, token, worker.now.tick) {
            Known::Active(token) => Some(token),
            Known::Nothing | Known::Refused(_) => None,
        }
    })
}

/// The issuer's answer about a token that was not found by [`find`]; without an answer the issuer
/// is to be asked.
fn introspect(token: &[u8], issuer: usize, worker: &mut WorkerState<'_>) -> Stop {
    if token.len() > CompactJws::MAX {
        return Reason::TokenTooLarge.into();
    }
    match worker.introspections.find(issuer, token, worker.now.tick) {
        Known::Refused(reason) => reason.into(),
        // An active one is found before.
        Known::Active(_) | Known::Nothing => {
            let question = Question { issuer, token: token.into() };
            Stop::Waits(Need::Introspection(Box::new(question)))
        }
    }
}

/// The issuer that is to be asked about a token, if it cannot be verified here.
fn introspector(token: &[u8], settings: &Authentication, trust: &Trust) -> Option<usize> {
    let index = settings.introspector?;
    trust.issuers().get(index).filter(|issuer| introspection::concerns(token, issuer))?;
    Some(index)
}

/// Charges the address for a refused credential, if the location limits failures.
pub(crate) fn charge_failure(address: &[u8], settings: &Authentication, worker: &WorkerState<'_>) {
    if let Some(table) = worker.table
        && let Some(failure) = Failure::of(address, settings)
    {
        failure.charge(table, worker.now.tick);
    }
}

#[inline(never)]
fn gate(
    credentials: &Credentials<'_>,
    settings: &Authentication,
    worker: &mut WorkerState<'_>,
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
    possession: Possession,
    worker: &mut WorkerState<'_>,
) -> Result<Identity, Stop> {
    let methods = settings.methods;
    let (token, proof) = match (credentials.bearer(), credentials.scheme()) {
        (Some(bearer), Some(scheme)) => {
            let token = verify_token(bearer, known, credentials, settings, worker)?;
            let proof = match possession {
                Possession::Asked => {
                    prove(&token, (scheme, bearer), credentials, settings, worker)?
                }
                Possession::Shown => None,
            };
            (Some(token), proof)
        }
        _ => (None, None),
    };
    methods.demand(Method::Token, token.is_some())?;
    let peer = if methods.reads(Method::Certificate) { credentials.peer() } else { None };
    methods.demand(Method::Certificate, peer.is_some())?;
    let verify = |peer: &Peer| Proven::verify(peer, settings.id, &settings.names, worker.now.unix);
    let certificate = peer.map(verify).transpose()?;
    if token.is_none() && certificate.is_none() {
        return Err(Reason::CredentialMissing.into());
    }
    let source = credentials.source();
    Ok(Identity::new(token.map(|token| (token, source)), certificate, proof, worker.trust))
}

fn verify_token(
    bearer: &[u8],
    known: Option<Rc<VerifiedToken>>,
    credentials: &Credentials<'_>,
    settings: &Authentication,
    worker: &mut WorkerState<'_>,
) -> Result<Rc<VerifiedToken>, Stop> {
    let token = match known {
        Some(known) => known,
        None => verify_anew(bearer, settings, worker)?,
    };
    token.check(&settings.accept, worker.trust, worker.snapshot, worker.now.unix)?;
    if let Some(bound) = token.confirmation().certificate() {
        // The handshake proved possession of the key; whether the chain is trusted does not
        // matter to the binding (RFC 8705 section 3).
        let peer = credentials.peer().and_then(|peer| peer.certificate.as_ref().ok());
        if peer.is_none_or(|certificate| certificate.thumbprint() != bound) {
            return Err(Reason::BindingMismatch.into());
        }
    }
    Ok(token)
}

/// Verifies a token that is not known.
#[inline(never)]
fn verify_anew(
    bearer: &[u8],
    settings: &Authentication,
    worker: &mut WorkerState<'_>,
) -> Result<Rc<VerifiedToken>, Stop> {
    if let Some(issuer) = introspector(bearer, settings, worker.trust) {
        return Err(introspect(bearer, issuer, worker));
    }
    let (snapshot, now) = (worker.snapshot, worker.now.unix);
    let (headers, wish) = (worker.cache.headers(), &mut worker.wish);
    let verified = token::verify(bearer, worker.trust, snapshot, now, headers, wish)?;
    let verified = Rc::new(verified);
    worker.cache.keep(bearer, Rc::clone(&verified));
    Ok(verified)
}

/// The proof of possession that a token came with, if it is bound to a key.
fn prove(
    token: &VerifiedToken,
    (scheme, bearer): (Scheme, &[u8]),
    credentials: &Credentials<'_>,
    settings: &Authentication,
    worker: &mut WorkerState<'_>,
) -> Result<Option<Box<Unused>>, Reason> {
    let (proofs, now) = (&mut worker.proofs, worker.now.unix);
    let (confirmation, request) = (token.confirmation(), credentials.request());
    proof::check(confirmation, (scheme, bearer), request, &settings.dpop, proofs, now)
}
