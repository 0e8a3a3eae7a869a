//! The decision by a platform's table and a policy.

use core::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use super::named::Named;
use super::route_cache::{FieldsOf, Known, Line, RouteCache};
use super::{Entitled, Permit, Rule, subject};
use crate::body::{Extract, Type};
use crate::identity::Identity;
use crate::issuer::trust::Trust;
use crate::need::{Body, Entry, Need, Stop};
use crate::platform::operation::Resources;
use crate::platform::{Asked, Platform, Refused, Route};
use crate::policy::index::{Index, Shared, View};
use crate::policy::plain::{DEFAULT, Decision, Verdict};
use crate::policy::{self, Edition, Whose, ask, ask_one};
use crate::refusal::{Denied, Detail, Reason, Refusal};
use crate::request::{Credentials, Field, Length, Request, Upstream};
use crate::stage::authenticate::{Authentication, WorkerState};
use crate::text::time::UnixTime;

/// What a location asks of a request beside its identity: `mesh_platform` and `mesh_policy`.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// The platform.
    pub platform: Platform,
    /// The place of its table among the tables of the policies.
    pub place: usize,
    /// The place of the policy among those of the configuration.
    pub policy: usize,
    /// `mesh_body_inspect`: the bytes of a body that are read for names.
    pub inspect: u64,
    /// Whether what is sent upstream is compared with what was named.
    pub is_compared: bool,
    /// What the paths of the platform begin with here, without a final slash; empty for nothing.
    pub prefix: Box<str>,
}

impl Authorization {
    /// Whether both decide alike.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let Self { platform, place, policy, inspect, is_compared, prefix } = self;
        platform.is_same(&other.platform)
            && *place == other.place
            && *policy == other.policy
            && *inspect == other.inspect
            && *is_compared == other.is_compared
            && *prefix == other.prefix
    }
}

/// What came of reading a body.
#[derive(Debug)]
pub struct BodyRead {
    /// For which row it was read.
    pub entry: Entry,
    /// What was found, or why the request is refused.
    pub found: Result<Extract, Reason>,
}

/// What a request asks for, as far as its line says.
#[derive(Debug)]
pub(crate) enum Routed<'p, 'r> {
    /// The worker has named such a line before.
    Known(Rc<Known>),
    /// It is a row of the table, and is not named yet.
    New(Box<Route<'p, 'r>>),
}

impl Routed<'_, '_> {
    /// Whether it is answered before anybody is authenticated.
    pub(crate) fn is_probe(&self) -> bool {
        match self {
            // No probe is decided about.
            Self::Known(_) => false,
            Self::New(route) => route.is_probe(),
        }
    }
}

impl Authorization {
    /// The operation of a request in a location. `is_read` says that a body of it was read.
    pub(crate) fn route<'p, 'r>(
        &'p self,
        location: usize,
        fields: &'r FieldsOf<'r>,
        is_read: bool,
        routes: &RouteCache,
    ) -> Result<Routed<'p, 'r>, Refused<'p>> {
        let upstream = fields.request().upstream();
        let line = Line::of(location, &upstream, is_read);
        if let Some(known) = line.and_then(|line| routes.find(&line, fields.request())) {
            return Ok(Routed::Known(Rc::clone(known)));
        }
        self.route_anew(&upstream, fields)
    }

    /// The row that a request is.
    #[inline(never)]
    fn route_anew<'p, 'r>(
        &'p self,
        upstream: &Upstream<'r>,
        fields: &'r FieldsOf<'r>,
    ) -> Result<Routed<'p, 'r>, Refused<'p>> {
        let (path, query) = upstream.uri.split();
        let asked = Asked {
            method: core::str::from_utf8(upstream.method).unwrap_or_default(),
            path: self.within(path).ok_or(Refused::Unknown)?,
            query,
            is_decoded: upstream.uri.is_decoded(),
            fields,
        };
        let route = self.platform.route(&asked)?;
        // What takes the prefix away sends the path decoded.
        let is_decoded = route.hides_a_letter() && !(self.prefix.is_empty() && self.is_compared);
        if is_decoded || (route.hides_a_space() && !self.is_compared) {
            return Err(Refused::Ambiguous(
                "a segment of the path holds a letter that divides paths, where it may be decoded",
            ));
        }
        Ok(Routed::New(Box::new(route)))
    }

    /// A path without the prefix; `None` if it does not begin with it.
    pub fn within<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let rest = path.strip_prefix(self.prefix.as_bytes())?;
        matches!(rest, [] | [b'/', ..]).then_some(if rest.is_empty() { b"/" } else { rest })
    }
}

/// What is known of a request on its way to a decision.
pub(crate) struct Asking<'l, 'r, 'a> {
    /// The number of the location's settings.
    pub(crate) location: usize,
    pub(crate) authorization: &'l Authorization,
    pub(crate) settings: &'l Authentication,
    pub(crate) fields: &'r FieldsOf<'r>,
    /// What was read of its body.
    pub(crate) body: Option<&'a BodyRead>,
    /// Where its operation is noted.
    pub(crate) named: &'a mut Option<Rc<Named>>,
}

/// Permits what the policy allows of a line that the worker has named before.
///
/// # Errors
///
/// A refusal of [`Kind::Policy`](crate::refusal::Kind::Policy).
pub(crate) fn authorize_known(
    entitled: Entitled,
    known: &Known,
    asking: Asking<'_, '_, '_>,
    worker: &mut WorkerState<'_>,
) -> Result<Permit, Refusal> {
    let Asking { authorization, settings, fields, named, .. } = asking;
    let policies = worker.policies;
    let edition = policies.get(authorization.policy).ok_or(Reason::PolicyUnavailable)?;
    let Entitled(identity) = entitled;
    let request = fields.request();
    let (address, now) = (request.ip(), worker.now.unix);
    *named = Some(Rc::clone(&known.named));
    let view = view(&identity, edition, (authorization, settings), request, worker);
    let asker = Asker { index: edition.index(), view: &view, address, now };
    asker.permit(identity, known.asked, &known.resources, named)
}

/// Permits what the policy allows.
///
/// # Errors
///
/// A refusal of [`Kind::Policy`](crate::refusal::Kind::Policy), or the need of the request's body.
#[inline(never)]
pub(crate) fn authorize(
    entitled: Entitled,
    route: &Route<'_, '_>,
    asking: Asking<'_, '_, '_>,
    worker: &mut WorkerState<'_>,
) -> Result<Permit, Stop> {
    let Asking { location, authorization, settings, fields, body, named } = asking;
    let policies = worker.policies;
    let edition = policies.get(authorization.policy).ok_or(Reason::PolicyUnavailable)?;
    let Entitled(identity) = entitled;
    let (request, place) = (fields.request(), authorization.place);
    let (address, now) = (request.ip(), worker.now.unix);
    *named = Named::of(route, authorization.platform.shared_table()).map(Rc::new);
    let view = view(&identity, edition, (authorization, settings), request, worker);
    let asker = Asker { index: edition.index(), view: &view, address, now };
    let upstream = request.upstream();
    let found = if route.needs_body() {
        let mut kinds = route.uses().map(|(kind, _)| kind);
        // Nobody has a body read in vain.
        if upstream.length != Length::None
            && !kinds.any(|kind| view.knows(edition.index(), (place, kind)))
        {
            return Err(denied(DEFAULT.into(), Vec::new()).into());
        }
        read(route, authorization, request, body)?
    } else {
        None
    };
    let operation = route.name(found).map_err(Refusal::from)?;
    if let (Some(named), Some(first)) = (&mut *named, operation.resources.iter().next()) {
        Rc::make_mut(named).show(first, worker.shows_resources);
    }
    let asked = policy::asked(&operation, place);
    let (count, reads_body) = (operation.resources.len(), route.needs_body());
    let line = Line::of(location, &upstream, body.is_some());
    match (line.filter(|line| line.may_be_kept(count, reads_body)), &*named) {
        (Some(line), Some(its)) => {
            let resources = operation.resources.into_owned();
            let known = Rc::new(Known { named: Rc::clone(its), asked, resources });
            worker.routes.keep(&line, fields, reads_body, &known);
            Ok(asker.permit(identity, asked, &known.resources, named)?)
        }
        _ => Ok(asker.permit(identity, asked, &operation.resources, named)?),
    }
}

/// Who asks a policy, and when.
struct Asker<'a> {
    index: &'a Index,
    view: &'a View,
    address: Option<IpAddr>,
    now: UnixTime,
}

impl Asker<'_> {
    /// Permits what is asked for with all that it names, or notes in `named` what of it is refused.
    #[inline(always)]
    fn permit(
        &self,
        identity: Rc<Identity>,
        asked: policy::plain::Asked<'_>,
        resources: &Resources<'_>,
        named: &mut Option<Rc<Named>>,
    ) -> Result<Permit, Refusal> {
        let Self { index, view, address, now } = *self;
        let only = resources.only();
        let verdict =
            only.and_then(|only| ask_one(asked, only, |it| index.verdict(view, address, it, now)));
        match verdict {
            Some(Verdict::Allowed(rule)) => {
                let rule = Rule::Binding(Arc::clone(rule));
                Ok(Permit { identity, rule, would_deny: None })
            }
            verdict => self.permit_otherwise(verdict, identity, (asked, resources), named),
        }
    }

    /// As [`Self::permit`], of what no verdict allows at once.
    #[inline(never)]
    fn permit_otherwise(
        &self,
        verdict: Option<Verdict<'_>>,
        identity: Rc<Identity>,
        (asked, resources): (policy::plain::Asked<'_>, &Resources<'_>),
        named: &mut Option<Rc<Named>>,
    ) -> Result<Permit, Refusal> {
        let result = match verdict {
            Some(verdict) => Err(denied(verdict.rule().into(), Vec::new())),
            None => ask(asked, resources, |asked| {
                let decision = self.decide(asked);
                let noted = || decision.noted.iter().map(|name| Arc::from(*name));
                match decision.verdict {
                    Verdict::Allowed(rule) => Ok((Rule::Binding(Arc::clone(rule)), noted().next())),
                    verdict => Err(denied(verdict.rule().into(), noted().collect())),
                }
            }),
        };
        match result {
            Ok((rule, would_deny)) => Ok(Permit { identity, rule, would_deny }),
            Err(refusal) => {
                // The client is told what it may not do: the first that it may not do alone.
                let may =
                    |asked: &policy::plain::Asked<'_>| self.decide(asked).verdict.is_allowed();
                let refused = resources.iter().find(|it| !ask_one(asked, it, may));
                if let (Some(named), Some(refused)) = (named, refused) {
                    Rc::make_mut(named).show(refused, true);
                }
                Err(refusal)
            }
        }
    }

    fn decide(&self, asked: &policy::plain::Asked<'_>) -> Decision<'_> {
        self.index.decide(self.view, self.address, asked, self.now)
    }
}

fn denied(rule: Arc<str>, would_allow: Vec<Arc<str>>) -> Refusal {
    Reason::PolicyDenied.about(Detail::Denied(Denied { rule, would_allow: would_allow.into() }))
}

/// What was found in the body of a request; `None` if it has none.
fn read<'a>(
    route: &Route<'_, '_>,
    authorization: &Authorization,
    request: &dyn Request,
    body: Option<&'a BodyRead>,
) -> Result<Option<&'a Extract>, Stop> {
    let entry = Entry { table: authorization.place, line: route.line() };
    if let Some(read) = body.filter(|read| read.entry == entry) {
        return read.found.as_ref().map(Some).map_err(|reason| (*reason).into());
    }
    let length = request.upstream().length;
    match length {
        Length::None => return Ok(None),
        Length::Known(length) if length > authorization.inspect => {
            return Err(Reason::BodyTooLarge.into());
        }
        Length::Known(_) | Length::Unknown => {}
    }
    let kind = match (length, request.field("content-type")) {
        // It may prove to be empty.
        (Length::Unknown, Field::Absent) => Type::Absent,
        _ => route.body_type().map_err(Reason::from)?,
    };
    let most = authorization.inspect;
    Err(Stop::Waits(Need::Body(Box::new(Body { kind, most, entry }))))
}

/// The view of an identity, made if the worker does not keep it.
#[inline(always)]
fn view(
    identity: &Identity,
    edition: &Edition,
    (authorization, settings): (&Authorization, &Authentication),
    request: &dyn Request,
    worker: &mut WorkerState<'_>,
) -> Rc<View> {
    let whose = Whose { token: identity.token(), certificate: identity.certificate_key() };
    let trust = worker.trust;
    worker.views.view(whose, authorization.policy, edition, |shared| {
        make_view(identity, edition, (settings, trust), request, shared)
    })
}

#[inline(never)]
fn make_view(
    identity: &Identity,
    edition: &Edition,
    (settings, trust): (&Authentication, &Trust),
    request: &dyn Request,
    shared: &mut Shared,
) -> Rc<View> {
    let mut make = |claims: Option<&crate::claims::Claims<'_>>| {
        subject::of(identity, claims, |subject| shared.view(edition.index(), subject))
    };
    let token = identity.token().filter(|_| edition.has_claims());
    let bearer = || {
        let found = Credentials::find(request, settings.methods, &settings.sources).ok()?;
        found.bearer()
    };
    match (token, token.and_then(|_| bearer())) {
        (Some(token), Some(bearer)) => token.with_claims(bearer, trust, make),
        _ => make(None),
    }
}

impl From<Refused<'_>> for Refusal {
    fn from(refused: Refused<'_>) -> Self {
        let reason = refused.reason();
        match refused.detail() {
            Some(detail) => reason.about(Detail::More(detail.into())),
            None => reason.into(),
        }
    }
}
