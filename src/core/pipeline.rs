//! The whole module on one screen: what Nginx, the tool, the benches and the fuzzers call.

use std::rc::Rc;

use crate::config::{DryRun, Location};
use crate::identity::{self, Identity};
use crate::issuer::trust::Trust;
use crate::need::{Need, Stop};
use crate::proof;
use crate::refusal::{Kind, Reason, Refusal};
use crate::request::{Credentials, Request};
use crate::stage::admit::{self, Admission, Charged};
use crate::stage::authenticate::{
    Authentication, Possession, WorkerState, authenticate, charge_failure,
};
use crate::stage::decide::{self, Asking, BodyRead, FieldsOf, Named, Routed};
use crate::text::time::UnixTime;
use crate::token;

/// The outcome of a request.
#[derive(Debug)]
pub enum Outcome {
    /// It goes on.
    Admitted(Admission),
    /// It is refused.
    Refused(Refusal),
    /// It can be judged once the need is met.
    Waits(Need),
}

impl Outcome {
    /// The result for a caller that does not wait, and what it could wait for.
    pub fn without_waiting(self) -> (Result<Admission, Refusal>, Option<Need>) {
        match self {
            Self::Admitted(admission) => (Ok(admission), None),
            Self::Refused(refusal) => (Err(refusal), None),
            Self::Waits(need) => (Err(need.unmet().into()), Some(need)),
        }
    }

    /// As [`Self::without_waiting`], for a request that never waits for a body: in a dry run it passes.
    pub fn never_waiting(
        self,
        location: &Location,
        memo: &Memo,
    ) -> (Result<Admission, Refusal>, Option<Need>) {
        match self {
            Self::Waits(need @ Need::Body(_)) if location.dry_run.covers(need.unmet()) => {
                let identity = memo.identity(&location.authentication);
                (Ok(Admission::in_dry_run(identity, need.unmet().into())), None)
            }
            outcome => outcome.without_waiting(),
        }
    }
}

/// Takes one request from bytes to an outcome.
///
/// The first stage that refuses gives the [`Refusal`]; in a dry run, the refusals that it covers
/// are noted in the admission instead.
#[inline(always)]
pub fn evaluate(
    request: &dyn Request,
    location: &Location,
    memo: &mut Memo,
    worker: &mut WorkerState<'_>,
) -> Outcome {
    memo.set_judged(true);
    memo.named = None;
    match line(request, location, memo, worker) {
        Ok(admission) => Outcome::Admitted(admission),
        Err(Stop::Refused(refusal)) if location.dry_run.covers(refusal.reason()) => {
            let identity = memo.identity(&location.authentication);
            Outcome::Admitted(Admission::in_dry_run(identity, refusal))
        }
        Err(Stop::Refused(refusal)) => Outcome::Refused(refusal),
        // A request that is not decided yet is not refused, so a dry run cannot let it pass.
        Err(Stop::Waits(need)) => Outcome::Waits(need),
    }
}

fn line(
    request: &dyn Request,
    location: &Location,
    memo: &mut Memo,
    worker: &mut WorkerState<'_>,
) -> Result<Admission, Stop> {
    let settings = &location.authentication;
    let (limits, now) = (&location.limits, worker.now.tick);
    let fields = FieldsOf::new(request);
    let authorization = location.authorization.as_ref();
    let is_read = memo.body.is_some();
    let asked =
        authorization.map(|it| (it, it.route(location.id, &fields, is_read, worker.routes)));
    if let Some((_, Ok(routed))) = &asked
        && routed.is_probe()
    {
        return Ok(admit::probe(limits, &mut memo.charged, request, worker.table, now)?);
    }
    let identity = recognise(request, settings, memo, worker)?;
    if location.dry_run == DryRun::All {
        // It lets the identity through, whatever is decided.
        use_up(&identity, request, settings, memo, worker)?;
    }
    let entitled = decide::require(identity, &location.requirements)?;
    if entitled.identity().proof().is_some() {
        if let Some(table) = worker.table
            && !location.dry_run.covers(Reason::Limited)
        {
            // A client that is told to come again may do so with the same proof.
            admit::peek(&entitled, limits, &memo.charged, request, table, now)?;
        }
        use_up(entitled.identity(), request, settings, memo, worker)?;
    }
    let paid = admit::limit(&entitled, limits, &mut memo.charged, request, worker.table, now)?;
    let permit = match asked {
        None => entitled.without_policy(),
        Some((authorization, routed)) => {
            let (location, fields) = (location.id, &fields);
            let (body, named) = (memo.body.as_deref(), &mut memo.named);
            let asking = Asking { location, authorization, settings, fields, body, named };
            match routed.map_err(Refusal::from)? {
                Routed::Known(known) => decide::authorize_known(entitled, &known, asking, worker)?,
                Routed::New(route) => decide::authorize(entitled, &route, asking, worker)?,
            }
        }
    };
    let admission = admit::admit(permit, &paid);
    // Notes from before a redirect apply only if this is a dry run again.
    let noted = memo.noted.as_ref().filter(|_| location.dry_run != DryRun::Off);
    Ok(admission.noting(noted))
}

/// The first half of the line, for the variables that are asked for before the access phase.
///
/// # Errors
///
/// The [`Refusal`] of the credential or of the authentication, which is remembered as the identity is; or
/// what it waits for.
///
/// Asked for before the request is judged, an identity uses its proof up.
pub fn identify(
    request: &dyn Request,
    settings: &Authentication,
    memo: &mut Memo,
    worker: &mut WorkerState<'_>,
) -> Result<Rc<Identity>, Stop> {
    let identity = recognise(request, settings, memo, worker)?;
    if !memo.is_judged {
        use_up(&identity, request, settings, memo, worker)?;
    }
    Ok(identity)
}

/// The identity, whose proof may not be used up.
#[inline(always)]
fn recognise(
    request: &dyn Request,
    settings: &Authentication,
    memo: &mut Memo,
    worker: &mut WorkerState<'_>,
) -> Result<Rc<Identity>, Stop> {
    let possession = match memo.find(settings) {
        None => Possession::Asked,
        // Whatever was known before the request waited may have expired, or been revoked.
        Some(Known { found: Ok(identity), is_old: true, is_shown, .. }) => {
            match is_shown | identity.proof().is_none() {
                true => Possession::Shown,
                false => Possession::Asked,
            }
        }
        Some(known) => return known.found.clone().map_err(Stop::Refused),
    };
    let found = Credentials::find(request, settings.methods, &settings.sources)
        .map_err(Stop::Refused)
        .and_then(|credentials| authenticate(&credentials, settings, possession, worker));
    worker.proofs.tell(&mut memo.proof);
    let found = match found {
        Ok(identity) => Ok(worker.spare.share(identity)),
        Err(Stop::Refused(refusal)) => {
            fail(&refusal, request, settings, memo, worker);
            Err(refusal)
        }
        Err(Stop::Waits(need)) => return Err(Stop::Waits(need)),
    };
    if memo.noted.is_none() {
        memo.noted = worker.noted.take();
    }
    memo.keep(settings.id, found.clone());
    found.map_err(Stop::Refused)
}

/// More about the refusal of a request's certificate or token than its word, for the log: see
/// [`token::explain`].
pub fn explain(
    request: &dyn Request,
    settings: &Authentication,
    refusal: &Refusal,
    trust: &Trust,
    now: UnixTime,
) -> Option<String> {
    let credentials = Credentials::find(request, settings.methods, &settings.sources).ok()?;
    identity::explain_certificate(credentials.peer(), refusal.reason(), &settings.names, now)
        .or_else(|| {
            token::explain(credentials.bearer()?, refusal.reason(), &settings.accept, trust, now)
        })
}

/// Uses up the proof that an identity rests on; if that fails, there is no identity.
#[inline(never)]
fn use_up(
    identity: &Identity,
    request: &dyn Request,
    settings: &Authentication,
    memo: &mut Memo,
    worker: &WorkerState<'_>,
) -> Result<(), Refusal> {
    let used = identity
        .proof()
        .map_or(Ok(()), |proof| proof.use_up(&worker.proofs, &mut memo.proof, worker.now));
    let result = used.map_err(Refusal::from);
    if let Err(refusal) = &result {
        fail(refusal, request, settings, memo, worker);
    }
    memo.note_use(settings.id, &result);
    result
}

/// Charges the address for a refused credential, once a request.
#[cold]
fn fail(
    refusal: &Refusal,
    request: &dyn Request,
    settings: &Authentication,
    memo: &mut Memo,
    worker: &WorkerState<'_>,
) {
    if refusal.is_failure() && memo.owes() {
        charge_failure(request.address(), settings, worker);
    }
}

/// The proofs and payments of one request, kept over internal redirects.
///
/// An identity is found again under the same authentication settings only: a redirect under the
/// same settings verifies once, under others anew. The decision is always made anew.
#[derive(Debug, Default)]
pub struct Memo {
    /// Of the first settings: most requests see no others.
    first: Option<Known>,
    others: Vec<Known>,
    charged: Charged,
    /// Whether the address has been charged for a refused credential of this request.
    has_failed: bool,
    /// Whether the request is being judged, or has been: a variable then only shows the identity.
    is_judged: bool,
    noted: Option<Refusal>,
    proof: proof::Known,
    /// What was read of the request's body.
    body: Option<Box<BodyRead>>,
    /// Apart, since most requests have none.
    named: Option<Rc<Named>>,
}

/// Who a request is from under some settings, or why it is refused.
#[derive(Debug)]
struct Known {
    /// The number of the settings.
    id: usize,
    found: Result<Rc<Identity>, Refusal>,
    /// Whether the request has waited for its body since.
    is_old: bool,
    /// Whether the proof that it rests on, if any, is used up.
    is_shown: bool,
}

impl Memo {
    /// The nonce that the client should use from now on (`DPoP-Nonce`, RFC 9449 section 8.2).
    pub fn nonce(&self) -> Option<&str> {
        self.proof.nonce()
    }

    /// Takes what was found in the body of the request, which it has waited for.
    pub fn set_body(&mut self, body: BodyRead) {
        self.body = Some(Box::new(body));
        self.each_known().for_each(|known| known.is_old = true);
    }

    /// What was asked for by the request that was evaluated last, as far as it is known: a main request
    /// and its subrequests have one memo.
    pub const fn take_named(&mut self) -> Option<Rc<Named>> {
        self.named.take()
    }

    /// Notes that the address owes for a credential of this request, whoever charges it; `false` if
    /// it is noted already.
    pub fn owes(&mut self) -> bool {
        !core::mem::replace(&mut self.has_failed, true)
    }

    /// Tells whether the request is being judged where it is, or has been. Called before variables
    /// are read for that.
    pub const fn set_judged(&mut self, is_judged: bool) {
        self.is_judged = is_judged;
    }

    fn find(&self, settings: &Authentication) -> Option<&Known> {
        self.first.iter().chain(&self.others).find(|known| known.id == settings.id)
    }

    fn each_known(&mut self) -> impl Iterator<Item = &mut Known> {
        self.first.iter_mut().chain(&mut self.others)
    }

    fn keep(&mut self, id: usize, found: Result<Rc<Identity>, Refusal>) {
        let new = |is_shown| Known { id, found, is_old: false, is_shown };
        if self.first.is_none() {
            self.first = Some(new(false));
            return;
        }
        if let Some(known) = self.each_known().find(|known| known.id == id) {
            *known = new(known.is_shown);
            return;
        }
        self.others.push(new(false));
    }

    /// Notes that a proof is used up, or replaces an identity that turned out to be none.
    fn note_use(&mut self, id: usize, result: &Result<(), Refusal>) {
        for known in self.each_known().filter(|known| known.id == id) {
            match result {
                Ok(()) => known.is_shown = true,
                Err(refusal) => known.found = Err(refusal.clone()),
            }
        }
    }

    fn identity(&self, settings: &Authentication) -> Option<Rc<Identity>> {
        self.find(settings)?.found.as_ref().ok().cloned()
    }
}

impl DryRun {
    /// Whether a refusal for that reason is only noted.
    pub const fn covers(self, reason: Reason) -> bool {
        match self {
            Self::All => true,
            Self::Limit => matches!(reason.kind(), Kind::Limit),
            Self::Policy => matches!(reason.kind(), Kind::Policy),
            Self::Off => false,
        }
    }
}

#[cfg(test)]
mod tests;
