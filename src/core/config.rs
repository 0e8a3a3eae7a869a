//! Settings: as typed (`Raw…`), merged as Nginx merges, resolved into what requests use.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

use crate::answer::challenge::Offer;
use crate::claims::{Kept, Requirement};
use crate::config::metadata::ProtectedResources;
use crate::issuer::{Accept, Issuer};
use crate::limit::Quota;
use crate::limit::{Limit, LimitKey};
use crate::proof;
use crate::request::source::Source;
use crate::request::{Method, Methods};
use crate::stage::authenticate::Authentication;
use crate::stage::decide::{Authorization, Required};
use crate::text::json::Pointer;

pub mod directive;
mod form;
mod introspection;
mod keys;
mod levels;
pub mod metadata;
pub mod place;
mod platforms;
mod raw;

pub use introspection::{RawClient, RawIntrospection};
pub use levels::{Block, Levels, Need, Setting};
pub use place::{ConfigError, Place};
pub use platforms::Platforms;
pub use raw::{
    RawAccept, RawAuthenticate, RawDpop, RawIssuer, RawJwks, RawLimit, RawLimitKey, RawLocation,
    RawMain, RawPlatform, RawPolicy, RawTable,
};

/// The refusals that a dry run covers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DryRun {
    /// Every refusal.
    All,
    /// `mesh_limit` and `mesh_failure_limit`.
    Limit,
    /// Nothing.
    #[default]
    Off,
    /// What the platform's table and the policy refuse.
    Policy,
}

/// At which of Nginx's levels refusals are logged.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogLevel {
    /// `error`.
    #[default]
    Error,
    /// `info`.
    Info,
    /// `notice`.
    Notice,
    /// `warn`.
    Warn,
}

/// How a subrequest is treated, for which Nginx leaves the access phase out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Subrequests {
    /// It is judged unless its main request was admitted under the same settings.
    #[default]
    Judge,
    /// It passes.
    Pass,
}

/// The frozen settings of a location that authenticates.
#[derive(Clone, Debug)]
pub struct Location {
    /// Equal for equal settings: an admission under one location holds for all of them.
    pub id: usize,
    /// How a request is authenticated.
    pub authentication: Authentication,
    /// The claims that must hold.
    pub requirements: Box<[Required]>,
    /// The limits that are charged.
    pub limits: Box<[Limit]>,
    /// What is asked beside the identity; `None` if there is no `mesh_platform`.
    pub authorization: Option<Authorization>,
    /// `mesh_body_timeout`: how long the body of a request may take that is inspected.
    pub body_timeout: Duration,
    /// `mesh_explain`: whether clients are told the reason's word.
    pub explain: bool,
    /// Whether the verified token goes upstream.
    pub forward_credential: bool,
    /// Whether the identity goes upstream.
    pub export: bool,
    /// What is noted instead of refused.
    pub dry_run: DryRun,
    /// How subrequests are treated.
    pub subrequests: Subrequests,
    /// At which level refusals are logged.
    pub log_level: LogLevel,
    /// The status of a refusal by a limit.
    pub limit_status: u16,
    /// The URL of the metadata of the location's resource.
    pub resource_metadata: Option<Arc<str>>,
}

impl Location {
    /// What a refused client is offered.
    pub fn offer(&self) -> Offer<'_> {
        Offer {
            dpop: self.authentication.dpop.mode,
            resource_metadata: self.resource_metadata.as_deref(),
        }
    }

    /// Whether both treat every request alike.
    fn is_same(&self, other: &Self) -> bool {
        // All fields: a setting that is added does not compile before it is compared.
        let Self {
            id: _,
            authentication,
            requirements,
            limits,
            authorization,
            body_timeout,
            explain,
            forward_credential,
            export,
            dry_run,
            subrequests,
            log_level,
            limit_status,
            resource_metadata,
        } = self;
        authentication.id == other.authentication.id
            && *requirements == other.requirements
            && *limits == other.limits
            && is_same(authorization.as_ref(), other.authorization.as_ref())
            && *body_timeout == other.body_timeout
            && *explain == other.explain
            && *forward_credential == other.forward_credential
            && *export == other.export
            && *dry_run == other.dry_run
            && *subrequests == other.subrequests
            && *log_level == other.log_level
            && *limit_status == other.limit_status
            && *resource_metadata == other.resource_metadata
    }
}

/// Whether two locations ask the same beside the identity.
fn is_same(one: Option<&Authorization>, other: Option<&Authorization>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_same(other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Resolves the locations of one configuration: finds issuers by name, numbers claims, quotas and
/// settings.
#[derive(Debug, Default)]
pub struct Resolver {
    issuers: Vec<Box<str>>,
    /// The issuers that are asked about opaque tokens.
    introspecting: Vec<usize>,
    /// The claims that variables show.
    shown: Box<[Pointer]>,
    required: Vec<Arc<Requirement>>,
    quotas: HashMap<Box<str>, (usize, Arc<Quota>, RawLimitKey, Place)>,
    settings: Vec<Authentication>,
    locations: Vec<Location>,
    resources: ProtectedResources,
    platforms: Platforms,
}

impl Resolver {
    /// A resolver for the issuers and claims of `main`.
    pub fn new(main: &RawMain) -> Self {
        Self {
            issuers: main.issuers.iter().map(|issuer| issuer.name.clone()).collect(),
            introspecting: (main.issuers.iter().enumerate())
                .filter_map(|(index, issuer)| issuer.introspection.as_ref().map(|_| index))
                .collect(),
            shown: main.claims.iter().map(|(_, pointer)| pointer.clone()).collect(),
            ..Self::default()
        }
    }

    /// The claims that tokens keep, once every location is resolved.
    pub fn into_kept(self) -> Kept {
        let mut accepts = self.settings.iter().flat_map(|settings| &settings.accept);
        let audiences = accepts.any(|accept| accept.audiences.is_some());
        let answers = !self.platforms.policies().is_empty();
        Kept { shown: self.shown, required: self.required.into(), audiences, answers }
    }

    /// The places that tokens are read from, each once.
    pub fn sources(&self) -> Vec<Source> {
        let mut sources: Vec<Source> = Vec::new();
        for source in self
            .settings
            .iter()
            .filter(|it| it.methods.reads(Method::Token))
            .flat_map(|it| &it.sources)
        {
            if !sources.contains(source) {
                sources.push(source.clone());
            }
        }
        sources
    }

    /// The platforms and the policies of all locations.
    pub const fn platforms(&mut self) -> &mut Platforms {
        &mut self.platforms
    }

    /// Whether any location has a limit, so a zone is needed.
    pub fn has_limits(&self) -> bool {
        !self.quotas.is_empty() || self.settings.iter().any(|it| it.failure_limit.is_some())
    }

    /// The most seconds that any location accepts a proof after it was made; `None` if no location
    /// accepts any.
    pub fn proof_age(&self) -> Option<i64> {
        let proofs = self.settings.iter().filter(|it| it.dpop.mode != proof::Mode::Off);
        proofs.map(|it| it.dpop.max_age).max()
    }

    /// The number of the resource whose metadata a merged location serves, if it does.
    ///
    /// # Errors
    ///
    /// When it does not say which.
    pub fn served(&mut self, raw: &RawLocation) -> Result<Option<usize>, ConfigError> {
        let Some(place) = &raw.resource_metadata else { return Ok(None) };
        match &raw.resource {
            Some(Some(resource)) => self.resources.index(resource).map(Some),
            Some(None) | None => {
                Err(ConfigError::at(place, "mesh_resource_metadata needs a mesh_resource"))
            }
        }
    }

    /// The metadata document of a resource, once every location is resolved.
    pub fn document(&self, resource: usize, issuers: &[Issuer]) -> Option<String> {
        self.resources.document(resource, issuers)
    }

    /// Resolves a merged location; `None` if `mesh_authenticate` is `off`. `variable` gives the
    /// index of an Nginx variable.
    ///
    /// # Errors
    ///
    /// An undefined issuer, no issuer at all, or a limit that is defined otherwise elsewhere.
    pub fn resolve(
        &mut self,
        raw: &RawLocation,
        variable: &mut dyn FnMut(&str) -> Option<usize>,
    ) -> Result<Option<Location>, ConfigError> {
        let Some(RawAuthenticate { methods: Some(methods), place }) = &raw.authenticate else {
            return Ok(None);
        };
        let dry_run = raw.dry_run.unwrap_or_default();
        let requirements = raw.requirements.iter().flatten();
        let requirements = requirements.map(|required| self.required(required)).collect();
        let limits = raw
            .limits
            .iter()
            .flatten()
            .map(|limit| self.limit(limit, variable))
            .collect::<Result<_, _>>()?;
        let authentication = self.authentication(raw, *methods, place, dry_run)?;
        let resource_metadata = match &raw.resource {
            Some(Some(resource)) if methods.reads(Method::Token) => {
                Some(self.resources.protect(resource, &authentication)?)
            }
            _ => None,
        };
        let mut location = Location {
            id: self.locations.len(),
            authentication,
            requirements,
            limits,
            authorization: self.platforms.resolve(raw)?,
            body_timeout: raw.body_timeout.unwrap_or(BODY_TIMEOUT),
            explain: raw.explain.unwrap_or(false),
            forward_credential: raw.forward_credential.unwrap_or(false),
            export: raw.export.unwrap_or(true),
            dry_run,
            subrequests: raw.subrequests.unwrap_or_default(),
            log_level: raw.log_level.unwrap_or_default(),
            limit_status: raw.limit_status.unwrap_or(429),
            resource_metadata,
        };
        match self.locations.iter().find(|known| known.is_same(&location)) {
            Some(known) => location.id = known.id,
            None => self.locations.push(location.clone()),
        }
        Ok(Some(location))
    }

    fn authentication(
        &mut self,
        raw: &RawLocation,
        methods: Methods,
        place: &Place,
        dry_run: DryRun,
    ) -> Result<Authentication, ConfigError> {
        let accept =
            if methods.reads(Method::Token) { self.accept(raw, place)? } else { Box::default() };
        let mut wanted = Authentication {
            id: self.settings.len(),
            methods,
            sources: raw
                .token_sources
                .as_deref()
                .map_or_else(|| Box::from([Source::Authorization]), Into::into),
            names: raw.names.clone().unwrap_or_default(),
            introspector: self.introspector(raw, &accept, place)?,
            accept,
            dpop: proofs(raw, methods),
            failure_limit: raw.failure_limit.clone().flatten().map(Arc::new),
            failure_limit_enforced: dry_run == DryRun::Off,
        };
        if let Some(known) = self.settings.iter().find(|known| known.is_same(&wanted)) {
            wanted.id = known.id;
        } else {
            self.settings.push(wanted.clone());
        }
        Ok(wanted)
    }

    fn accept(&self, raw: &RawLocation, place: &Place) -> Result<Box<[Accept]>, ConfigError> {
        if self.issuers.is_empty() {
            let message = "mesh_authenticate needs a mesh_issuer to read tokens";
            return Err(ConfigError::at(place, message));
        }
        let named = raw.accept.as_deref().unwrap_or_default();
        if named.is_empty() {
            let every = 0..self.issuers.len();
            return Ok(every.map(|issuer| Accept { issuer, audiences: None }).collect());
        }
        named.iter().map(|accept| self.accepted(accept)).collect()
    }

    fn accepted(&self, accept: &RawAccept) -> Result<Accept, ConfigError> {
        let name = &accept.issuer;
        let issuer = self.issuers.iter().position(|it| it == name).ok_or_else(|| {
            let known = self.issuers.join(", ");
            let message = format!("mesh_accept: no mesh_issuer \"{name}\" (there is: {known})");
            ConfigError::at(&accept.place, message)
        })?;
        let audiences =
            (!accept.audiences.is_empty()).then(|| accept.audiences.clone().into_boxed_slice());
        Ok(Accept { issuer, audiences })
    }

    /// The one accepted issuer that is asked about opaque tokens, which do not name their issuer.
    fn introspector(
        &self,
        raw: &RawLocation,
        accept: &[Accept],
        place: &Place,
    ) -> Result<Option<usize>, ConfigError> {
        let mut asked = accept.iter().filter(|it| self.introspecting.contains(&it.issuer));
        let (first, second) = (asked.next(), asked.next());
        if let (Some(first), Some(second)) = (first, second) {
            let name = |it: &Accept| self.issuers.get(it.issuer).map_or("", |name| name);
            let line = raw.accept.iter().flatten().next_back();
            let message = format!(
                "mesh_issuer \"{}\" and \"{}\" both introspect, and an opaque token does not say \
                 whose it is: name one of them by mesh_accept",
                name(first),
                name(second)
            );
            return Err(ConfigError::at(line.map_or(place, |line| &line.place), message));
        }
        Ok(first.map(|it| it.issuer))
    }

    fn limit(
        &mut self,
        raw: &RawLimit,
        variable: &mut dyn FnMut(&str) -> Option<usize>,
    ) -> Result<Limit, ConfigError> {
        let (name, next) = (raw.quota.name(), self.quotas.len());
        let (index, quota, key, place) = self.quotas.entry(name.into()).or_insert_with(|| {
            (next, Arc::new(raw.quota.clone()), raw.key.clone(), raw.place.clone())
        });
        if **quota != raw.quota || *key != raw.key {
            let message =
                format!("mesh_limit \"{name}\" has other parameters than the one in {place}");
            return Err(ConfigError::at(&raw.place, message));
        }
        let key = match &raw.key {
            RawLimitKey::Fixed(key) => *key,
            RawLimitKey::Variable(name) => LimitKey::Variable(variable(name).ok_or_else(|| {
                ConfigError::at(&raw.place, format!("mesh_limit: no variable \"${name}\""))
            })?),
        };
        Ok(Limit { quota: Arc::clone(quota), index: *index, key })
    }

    fn required(&mut self, requirement: &Arc<Requirement>) -> Required {
        let known = self.required.iter().position(|known| known == requirement);
        let index = known.unwrap_or_else(|| {
            self.required.push(Arc::clone(requirement));
            self.required.len().saturating_sub(1)
        });
        Required { index, requirement: Arc::clone(requirement) }
    }
}

/// `mesh_body_memory` if none is given.
pub const BODY_MEMORY: usize = 16 << 20;

/// `mesh_body_timeout` if none is given.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How a location judges proofs; without a token there is no proof to judge.
fn proofs(raw: &RawLocation, methods: Methods) -> proof::Settings {
    if !methods.reads(Method::Token) {
        return proof::Settings { mode: proof::Mode::Off, ..proof::Settings::default() };
    }
    let line = raw.dpop.unwrap_or(RawDpop { mode: proof::Mode::default(), max_age: None });
    proof::Settings {
        mode: line.mode,
        max_age: line.max_age.unwrap_or(proof::Settings::MAX_AGE),
        origin: raw.dpop_origin.clone().flatten(),
        nonce: raw.dpop_nonce.flatten(),
    }
}
