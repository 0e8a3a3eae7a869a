//! Settings as typed, and how Nginx's inheritance merges them.

use std::path::PathBuf;

use super::{ConfigError, DryRun, LogLevel, Place};
use crate::admission::LimitKey;
use crate::algorithm::AlgorithmSet;
use crate::credential::Methods;
use crate::issuer::Issuer;
use crate::json::Pointer;
use crate::limit::Quota;
use crate::x509::NameKinds;

/// What `http` holds, as typed.
#[derive(Debug, Default)]
pub struct RawMain {
    /// `mesh_zone`: bytes.
    pub zone: Option<usize>,
    /// The issuers that are complete.
    pub issuers: Vec<Issuer>,
    /// The `mesh_issuer` block that is being read.
    pub open: Option<RawIssuer>,
    /// `mesh_claim`: the variable's name without `$`, and the claim.
    pub claims: Vec<(Box<str>, Pointer)>,
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
    /// `jwks`: the file, relative to the configuration's directory.
    pub jwks: Option<PathBuf>,
    /// `algorithms`.
    pub algorithms: Option<AlgorithmSet>,
    /// `leeway`: seconds.
    pub leeway: Option<i64>,
    /// `max_lifetime`: seconds.
    pub max_lifetime: Option<i64>,
    /// `token_type`.
    pub token_type: Option<Box<str>>,
    /// `service_claim`.
    pub service_claim: Option<Pointer>,
    /// `groups_claim`.
    pub groups_claim: Option<Pointer>,
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
        let issuer = Issuer {
            url: raw.url.clone().ok_or_else(|| missing("issuer"))?,
            audiences: raw.audiences.clone().ok_or_else(|| missing("audience"))?,
            jwks: raw.jwks.clone().ok_or_else(|| missing("jwks"))?,
            name: raw.name,
            algorithms: raw.algorithms.unwrap_or(AlgorithmSet::DEFAULT),
            leeway: raw.leeway.unwrap_or(30),
            max_lifetime: raw.max_lifetime,
            token_type: raw.token_type,
            service_claim: match raw.service_claim {
                Some(claim) => claim,
                None => "/sub".parse().map_err(|_| ConfigError::new("invalid default claim"))?,
            },
            groups_claim: raw.groups_claim,
        };
        if let Some(other) = self.issuers.iter().find(|other| other.url == issuer.url) {
            let (name, url) = (&other.name, &issuer.url);
            let message = format!("issuer \"{url}\" is already that of mesh_issuer \"{name}\"");
            return Err(ConfigError::at(&raw.place, message));
        }
        self.issuers.push(issuer);
        Ok(())
    }
}

/// What a location holds, as typed; each field is inherited when it is `None`.
#[derive(Clone, Debug, Default)]
pub struct RawLocation {
    /// `mesh_authenticate`.
    pub authenticate: Option<RawAuthenticate>,
    /// `mesh_certificate_name`.
    pub names: Option<NameKinds>,
    /// `mesh_accept`; empty is `off`: every issuer with its own audiences.
    pub accept: Option<Vec<RawAccept>>,
    /// `mesh_require_claim`; empty is `off`.
    pub requirements: Option<Vec<RawRequirement>>,
    /// `mesh_limit`; empty is `off`.
    pub limits: Option<Vec<RawLimit>>,
    /// `mesh_failure_limit`; the inner `None` is `off`.
    pub failure_limit: Option<Option<Quota>>,
    /// `mesh_forward_credential`.
    pub forward_credential: Option<bool>,
    /// `mesh_export`.
    pub export: Option<bool>,
    /// `mesh_dry_run`.
    pub dry_run: Option<DryRun>,
    /// `mesh_log_level`.
    pub log_level: Option<LogLevel>,
    /// `mesh_limit_status`.
    pub limit_status: Option<u16>,
}

/// A `mesh_authenticate` line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RawAuthenticate {
    /// The methods; none for `off`.
    pub methods: Option<Methods>,
    /// Where it stands.
    pub place: Place,
}

/// One `mesh_require_claim` line.
#[derive(Clone, Debug)]
pub struct RawRequirement {
    /// The claim.
    pub claim: Pointer,
    /// The values, of which it must hold one.
    pub values: Box<[Box<str>]>,
}

/// One `mesh_accept` line.
#[derive(Clone, Debug)]
pub struct RawAccept {
    /// The issuer's name.
    pub issuer: Box<str>,
    /// `audience=`.
    pub audiences: Vec<Box<str>>,
    /// Where it stands.
    pub place: Place,
}

/// One `mesh_limit` line.
#[derive(Clone, Debug)]
pub struct RawLimit {
    /// The quota.
    pub quota: Quota,
    /// `key=`.
    pub key: RawLimitKey,
    /// Where it stands.
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
        take(&mut self.authenticate, outer.authenticate.as_ref());
        take(&mut self.names, outer.names.as_ref());
        take(&mut self.accept, outer.accept.as_ref());
        take(&mut self.requirements, outer.requirements.as_ref());
        take(&mut self.limits, outer.limits.as_ref());
        take(&mut self.failure_limit, outer.failure_limit.as_ref());
        take(&mut self.forward_credential, outer.forward_credential.as_ref());
        take(&mut self.export, outer.export.as_ref());
        take(&mut self.dry_run, outer.dry_run.as_ref());
        take(&mut self.log_level, outer.log_level.as_ref());
        take(&mut self.limit_status, outer.limit_status.as_ref());
    }
}
