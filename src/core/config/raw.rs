//! Settings as typed, and how Nginx's inheritance merges them.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use super::introspection::RawIntrospection;
use super::{ConfigError, DryRun, LogLevel, Need, Place, Subrequests};
use crate::claims::Requirement;
use crate::config::metadata::RawProtected;
use crate::issuer::Issuer;
use crate::key::algorithm::{AlgorithmSet, KeyAlgorithms};
use crate::limit::LimitKey;
use crate::limit::Quota;
use crate::peer::spiffe::TrustDomain;
use crate::peer::x509::NameRules;
use crate::proof::{Mode, Origin};
use crate::request::Methods;
use crate::request::source::Source;
use crate::request::upgrade::Upgrades;
use crate::text::endpoint::Endpoint;
use crate::text::json::Pointer;

/// The settings of `http`, as typed.
#[derive(Debug, Default)]
pub struct RawMain {
    /// `mesh_zone`: bytes.
    pub zone: Option<usize>,
    /// `mesh_state_path`: a directory, relative to the prefix.
    pub state_path: Option<PathBuf>,
    /// `mesh_dpop_zone`: bytes.
    pub dpop_zone: Option<usize>,
    /// The issuers that are complete.
    pub issuers: Vec<Issuer>,
    /// The `mesh_issuer` block that is being read.
    pub open: Option<RawIssuer>,
    /// `mesh_revocation`: a file, relative to the configuration's directory.
    pub revocation: Option<PathBuf>,
    /// `mesh_claim`: the variable's name without `$`, and the claim.
    pub claims: Vec<(Box<str>, Pointer)>,
    /// `mesh_body_memory`: bytes; [`BODY_MEMORY`](super::BODY_MEMORY) if none are given.
    pub body_memory: Option<usize>,
    /// Warnings for the operator about lines that are accepted.
    pub advice: Vec<ConfigError>,
}

/// A `mesh_issuer` block, as typed.
#[derive(Debug, Default)]
pub struct RawIssuer {
    /// The block's name.
    pub name: Box<str>,
    /// Where it begins.
    pub place: Place,
    /// `issuer`.
    pub url: Option<Box<str>>,
    /// `audience`.
    pub audiences: Option<Box<[Box<str>]>>,
    /// `audience_claim`.
    pub audience_claim: Option<Pointer>,
    /// `jwks`: a file, relative to the configuration's directory, or a server.
    pub jwks: Option<RawJwks>,
    /// `discovery`
    pub discovery: Option<Endpoint>,
    /// `alb_keys`
    pub alb_keys: Option<Endpoint>,
    /// `refresh`
    pub refresh: Option<Duration>,
    /// `min_refresh`
    pub min_refresh: Option<Duration>,
    /// `max_stale`
    pub max_stale: Option<Duration>,
    /// `trusted_certificate`: a file, relative to the configuration's directory.
    pub trusted_certificate: Option<PathBuf>,
    /// `jwks_bearer`: a file, relative to the configuration's directory.
    pub jwks_bearer: Option<PathBuf>,
    /// `algorithms`.
    pub algorithms: Option<AlgorithmSet>,
    /// `leeway`: seconds.
    pub leeway: Option<i64>,
    /// `max_lifetime`: seconds.
    pub max_lifetime: Option<i64>,
    /// `token_type`.
    pub token_type: Option<Box<str>>,
    /// `service_claim`.
    pub service_claim: Option<Box<[Pointer]>>,
    /// `service_arn`.
    pub service_arn: Option<bool>,
    /// `tenants`.
    pub tenants: Option<Vec<Box<str>>>,
    /// `alb`: the ARNs of the load balancers.
    pub alb: Option<Vec<Box<str>>>,
    /// `spiffe_trust_domain`.
    pub trust_domain: Option<TrustDomain>,
    /// `groups_claim`.
    pub groups_claim: Option<Pointer>,
    /// The lines about introspection.
    pub introspection: RawIntrospection,
}

/// The source that `jwks` names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RawJwks {
    /// A file.
    File(PathBuf),
    /// A server.
    Server(Endpoint),
}

impl RawMain {
    /// Ends the block that is being read.
    ///
    /// # Errors
    ///
    /// What is missing, or an issuer that is there already.
    pub fn close_issuer(&mut self) -> Result<(), ConfigError> {
        let Some(raw) = self.open.take() else { return Ok(()) };
        let missing = |what| {
            ConfigError::at(&raw.place, format!("mesh_issuer \"{}\" has no \"{what}\"", raw.name))
        };
        let (url, form) = raw.form()?;
        let introspection = raw.introspection()?;
        let needs_audience = introspection.as_ref().is_none_or(|it| it.needs_audience);
        let audiences = match &raw.audiences {
            None if needs_audience => return Err(missing("audience")),
            audiences => audiences.clone().unwrap_or_default(),
        };
        let issuer = Issuer {
            url,
            form,
            audiences,
            audience_claim: raw.audience_claim()?,
            keys: raw.key_source()?,
            introspection,
            name: raw.name,
            algorithms: raw.algorithms.map_or(KeyAlgorithms::OWN, Into::into),
            leeway: raw.leeway.unwrap_or(30),
            max_lifetime: raw.max_lifetime,
            token_type: raw.token_type,
            service_claim: match raw.service_claim {
                Some(claim) => claim,
                None => {
                    let claim = "/sub".parse();
                    Box::new([claim.map_err(|_| ConfigError::new("invalid default claim"))?])
                }
            },
            service_arn: raw.service_arn.unwrap_or(false),
            groups_claim: raw.groups_claim,
        };
        if issuer.audiences.iter().any(|it| **it == *"*") {
            let name = &issuer.name;
            let message =
                format!("mesh_issuer \"{name}\" has the audience \"*\", which matches only itself");
            self.advice.push(ConfigError::at(&raw.place, message));
        }
        for other in &self.issuers {
            if let Some(shared) = other.shares(&issuer) {
                let message = format!("{shared} already belongs to mesh_issuer \"{}\"", other.name);
                return Err(ConfigError::at(&raw.place, message));
            }
        }
        self.issuers.push(issuer);
        Ok(())
    }
}

/// The settings of a location, as typed; each field is inherited if it is `None`.
#[derive(Clone, Debug, Default)]
pub struct RawLocation {
    /// `mesh_authenticate`.
    pub authenticate: Option<RawAuthenticate>,
    /// `mesh_token_source`.
    pub token_sources: Option<Vec<Source>>,
    /// `mesh_certificate_name`.
    pub names: Option<NameRules>,
    /// `mesh_accept`; empty is `off`: every issuer with its own audiences.
    pub accept: Option<Vec<RawAccept>>,
    /// `mesh_dpop`.
    pub dpop: Option<RawDpop>,
    /// `mesh_dpop_origin`; the inner `None` is `off`.
    pub dpop_origin: Option<Option<Origin>>,
    /// `mesh_dpop_nonce`: seconds of a lifetime; the inner `None` is `off`.
    pub dpop_nonce: Option<Option<i64>>,
    /// `mesh_resource`; the inner `None` is `off`.
    pub resource: Option<Option<RawProtected>>,
    /// The place of `mesh_resource_metadata`; never inherited.
    pub resource_metadata: Option<Place>,
    /// `mesh_require_claim`; empty is `off`.
    pub requirements: Option<Vec<Arc<Requirement>>>,
    /// `mesh_limit`; empty is `off`.
    pub limits: Option<Vec<RawLimit>>,
    /// `mesh_failure_limit`; the inner `None` is `off`.
    pub failure_limit: Option<Option<Quota>>,
    /// `mesh_platform`; the inner `None` is `off`.
    pub platform: Option<Option<RawPlatform>>,
    /// `mesh_policy`; the inner `None` is `off`.
    pub policy: Option<Option<RawPolicy>>,
    /// Whether what is sent upstream is compared with what was named: the shell knows; never inherited.
    pub is_compared: bool,
    /// `mesh_body_inspect`: bytes.
    pub body_inspect: Option<u64>,
    /// `mesh_body_timeout`.
    pub body_timeout: Option<Duration>,
    /// `mesh_explain`.
    pub explain: Option<bool>,
    /// `mesh_forward_credential`.
    pub forward_credential: Option<bool>,
    /// `mesh_export`.
    pub export: Option<bool>,
    /// `mesh_upgrade`.
    pub upgrades: Option<Upgrades>,
    /// `mesh_dry_run`.
    pub dry_run: Option<DryRun>,
    /// `mesh_subrequests`.
    pub subrequests: Option<Subrequests>,
    /// `mesh_log_level`.
    pub log_level: Option<LogLevel>,
    /// `mesh_limit_status`.
    pub limit_status: Option<u16>,
    /// Whether `mesh_status` answers here; never inherited.
    pub status: Option<bool>,
    /// The lines that do nothing unless requests are authenticated; never inherited.
    pub needs: Vec<Need>,
    /// Warnings for the operator about lines that are accepted; never inherited.
    pub advice: Vec<ConfigError>,
}

/// A `mesh_authenticate` line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RawAuthenticate {
    /// The methods; `None` for `off`.
    pub methods: Option<Methods>,
    /// Its place in the configuration.
    pub place: Place,
}

/// A `mesh_platform` line.
#[derive(Clone, Debug)]
pub struct RawPlatform {
    /// The platform's word, or the file of its table, relative to the configuration's directory.
    pub table: RawTable,
    /// What of it is on.
    pub settings: Vec<Box<str>>,
    /// Its place in the configuration.
    pub place: Place,
}

/// The table of a `mesh_platform` line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RawTable {
    /// A file of the operator.
    File(PathBuf),
    /// One that ships.
    Shipped(Box<str>),
}

/// A `mesh_policy` line.
#[derive(Clone, Debug)]
pub struct RawPolicy {
    /// The file, relative to the configuration's directory.
    pub file: PathBuf,
    /// Its place in the configuration.
    pub place: Place,
}

/// A `mesh_dpop` line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RawDpop {
    /// Which tokens are taken.
    pub mode: Mode,
    /// `max_age=`: seconds.
    pub max_age: Option<i64>,
}

/// One `mesh_accept` line.
#[derive(Clone, Debug)]
pub struct RawAccept {
    /// The issuer's name.
    pub issuer: Box<str>,
    /// `audience=`.
    pub audiences: Vec<Box<str>>,
    /// Its place in the configuration.
    pub place: Place,
}

/// One `mesh_limit` line.
#[derive(Clone, Debug)]
pub struct RawLimit {
    /// The quota.
    pub quota: Quota,
    /// `key=`.
    pub key: RawLimitKey,
    /// Its place in the configuration.
    pub place: Place,
}

/// `key=` of a limit, as typed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RawLimitKey {
    /// A word of ours.
    Fixed(LimitKey),
    /// The name of a variable, without `$`.
    Variable(Box<str>),
}

impl RawLocation {
    /// Takes from `outer` what this level does not define. A list is inherited as a whole.
    pub fn inherit(&mut self, outer: &Self) {
        fn take<T: Clone>(inner: &mut Option<T>, outer: Option<&T>) {
            if inner.is_none() {
                *inner = outer.cloned();
            }
        }
        // All fields: a setting that is added does not compile before it is inherited, or not.
        let Self {
            authenticate,
            token_sources,
            names,
            accept,
            dpop,
            dpop_origin,
            dpop_nonce,
            resource,
            requirements,
            limits,
            failure_limit,
            platform,
            policy,
            body_inspect,
            body_timeout,
            explain,
            forward_credential,
            export,
            upgrades,
            dry_run,
            subrequests,
            log_level,
            limit_status,
            is_compared: _,
            resource_metadata: _,
            status: _,
            needs: _,
            advice: _,
        } = outer;
        take(&mut self.authenticate, authenticate.as_ref());
        take(&mut self.token_sources, token_sources.as_ref());
        take(&mut self.names, names.as_ref());
        take(&mut self.accept, accept.as_ref());
        take(&mut self.dpop, dpop.as_ref());
        take(&mut self.dpop_origin, dpop_origin.as_ref());
        take(&mut self.dpop_nonce, dpop_nonce.as_ref());
        take(&mut self.resource, resource.as_ref());
        take(&mut self.requirements, requirements.as_ref());
        take(&mut self.limits, limits.as_ref());
        take(&mut self.failure_limit, failure_limit.as_ref());
        take(&mut self.platform, platform.as_ref());
        take(&mut self.policy, policy.as_ref());
        take(&mut self.body_inspect, body_inspect.as_ref());
        take(&mut self.body_timeout, body_timeout.as_ref());
        take(&mut self.explain, explain.as_ref());
        take(&mut self.forward_credential, forward_credential.as_ref());
        take(&mut self.export, export.as_ref());
        take(&mut self.upgrades, upgrades.as_ref());
        take(&mut self.dry_run, dry_run.as_ref());
        take(&mut self.subrequests, subrequests.as_ref());
        take(&mut self.log_level, log_level.as_ref());
        take(&mut self.limit_status, limit_status.as_ref());
    }
}
