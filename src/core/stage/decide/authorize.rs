//! The decision by a platform's table and a policy.

use std::rc::Rc;
use std::sync::Arc;

use super::{Entitled, Permit, Rule, subject};
use crate::body::{Extract, Type};
use crate::identity::Identity;
use crate::need::{Body, Entry, Need, Stop};
use crate::platform::kind::{ActionId, KindId};
use crate::platform::operation::Resource;
use crate::platform::table::{OperationId, Table};
use crate::platform::{Asked, Fields, Platform, Refused, Route};
use crate::policy::index::View;
use crate::policy::plain::{DEFAULT, Verdict};
use crate::policy::{self, Edition, Whose, ask, ask_one};
use crate::refusal::{Denied, Detail, Reason, Refusal};
use crate::request::{Credentials, Field, Length, Request};
use crate::stage::authenticate::{Authentication, WorkerState};

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

/// The operation of a request, for variables and messages.
#[derive(Clone, Debug)]
pub struct Named {
    /// The table that names it.
    pub table: Arc<Table>,
    /// The line of its row.
    pub line: u32,
    /// Whether it may ask for another protocol.
    pub is_upgrade: bool,
    /// Whether its path holds an escaped letter that divides paths: it must go upstream as it came.
    pub hides_a_letter: bool,
    /// The operation.
    operation: OperationId,
    /// The kind of what it names first.
    kind: KindId,
    /// What would be done.
    action: ActionId,
    /// The name of what it names first: the outer `None` before it is known or if nobody asks for it,
    /// the inner one for all.
    pub resource: Option<Option<Box<str>>>,
}

/// What came of reading a body.
#[derive(Debug)]
pub struct BodyRead {
    /// For which row it was read.
    pub entry: Entry,
    /// What was found, or why the request is refused.
    pub found: Result<Extract, Reason>,
}

/// The fields of a request as the naming asks for them.
pub(crate) struct FieldsOf<'r>(pub(crate) &'r dyn Request);

impl Fields for FieldsOf<'_> {
    fn field(&self, name: &str) -> Field<'_> {
        self.0.field(name)
    }
}

impl Authorization {
    /// The row that a request is.
    pub(crate) fn route<'p, 'r>(
        &'p self,
        request: &'r dyn Request,
        fields: &'r FieldsOf<'r>,
    ) -> Result<Route<'p, 'r>, Refused<'p>> {
        let upstream = request.upstream();
        let asked = Asked {
            method: core::str::from_utf8(upstream.method).unwrap_or_default(),
            path: self.within(upstream.path).ok_or(Refused::Unknown)?,
            query: upstream.query,
            is_decoded: upstream.is_decoded,
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
        Ok(route)
    }

    /// A path without the prefix; `None` if it does not begin with it.
    pub fn within<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let rest = path.strip_prefix(self.prefix.as_bytes())?;
        matches!(rest, [] | [b'/', ..]).then_some(if rest.is_empty() { b"/" } else { rest })
    }
}

/// What is known of a request on its way to a decision.
pub(crate) struct Asking<'l, 'r, 'a> {
    pub(crate) authorization: &'l Authorization,
    pub(crate) settings: &'l Authentication,
    pub(crate) request: &'r dyn Request,
    pub(crate) route: Result<Route<'l, 'r>, Refused<'l>>,
    /// What was read of its body.
    pub(crate) body: Option<&'a BodyRead>,
    /// Where its operation is noted.
    pub(crate) named: &'a mut Option<Box<Named>>,
}

/// Permits what the policy allows.
///
/// # Errors
///
/// A refusal of [`Kind::Policy`](crate::refusal::Kind::Policy), or the need of the request's body.
pub(crate) fn authorize(
    entitled: Entitled,
    asking: Asking<'_, '_, '_>,
    worker: &mut WorkerState<'_>,
) -> Result<Permit, Stop> {
    let Asking { authorization, settings, request, route, body, named } = asking;
    let route = route.map_err(Refusal::from)?;
    let now = worker.now.unix;
    let policies = worker.policies;
    let edition = policies.get(authorization.policy).ok_or(Reason::PolicyUnavailable)?;
    let identity = entitled.0;
    if let Some((kind, action)) = route.kind_and_action() {
        let (line, is_upgrade) = (route.line(), route.is_upgrade());
        let hides_a_letter = route.hides_a_letter();
        let operation = route.operation();
        let table = authorization.platform.shared_table();
        *named = Some(Box::new(Named {
            table,
            line,
            is_upgrade,
            hides_a_letter,
            operation,
            kind,
            action,
            resource: None,
        }));
    }
    let view = view(&identity, edition, (authorization, settings), request, worker);
    let found = if route.needs_body() {
        let mut kinds = route.uses().map(|(kind, _)| kind);
        if !kinds.any(|kind| view.knows(edition.index(), (authorization.place, kind))) {
            return Err(denied(DEFAULT.into(), Vec::new()).into());
        }
        read(&route, authorization, request, body)?
    } else {
        None
    };
    let operation = route.name(found).map_err(Refusal::from)?;
    if let (Some(named), Some(first)) = (&mut *named, operation.resources.iter().next()) {
        named.show(first, worker.shows_resources);
    }
    let place = authorization.place;
    let address = request.ip();
    let result = ask(&operation, place, |asked| {
        let decision = edition.index().decide(&view, address, asked, now);
        let noted = || decision.noted.iter().map(|name| Arc::from(*name));
        match decision.verdict {
            Verdict::Allowed(rule) => Ok((Rule::Binding(Arc::clone(rule)), noted().next())),
            verdict => Err(denied(verdict.rule().into(), noted().collect())),
        }
    });
    match result {
        Ok((rule, would_deny)) => Ok(Permit { identity, rule, would_deny }),
        Err(refusal) => {
            // The client is told what it may not do: the first that it may not do alone.
            let may = |asked: &policy::plain::Asked<'_>| {
                edition.index().decide(&view, address, asked, now).verdict.is_allowed()
            };
            let refused =
                operation.resources.iter().find(|it| !ask_one(&operation, it, place, may));
            if let (Some(named), Some(refused)) = (named, refused) {
                named.show(refused, true);
            }
            Err(refusal.into())
        }
    }
}

fn denied(rule: Arc<str>, would_allow: Vec<Arc<str>>) -> Refusal {
    Reason::PolicyDenied.about(Detail::Denied(Denied { rule, would_allow: would_allow.into() }))
}

impl Named {
    /// The operation, by the platform's own name.
    pub fn operation(&self) -> &str {
        self.table.operation_name(self.operation)
    }

    /// The kind of what it names first.
    pub fn kind(&self) -> &str {
        self.table.kinds().get(self.kind).map_or("", |kind| &kind.name)
    }

    /// What would be done.
    pub fn action(&self) -> &str {
        self.table.kinds().word(self.action)
    }

    /// Takes a resource; its name only if somebody asks for it.
    fn show(&mut self, resource: &Resource<'_>, is_named: bool) {
        self.kind = resource.kind;
        self.action = resource.action;
        if is_named {
            self.resource = Some(resource.name.as_deref().map(Into::into));
        }
    }
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
    })
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
