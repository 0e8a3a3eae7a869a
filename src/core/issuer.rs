//! A token issuer's settings, frozen with the configuration.

use core::time::Duration;
use std::path::PathBuf;

use crate::algorithm::AlgorithmSet;
use crate::endpoint::Endpoint;
use crate::json::Pointer;

/// A token issuer as `mesh_issuer` describes it.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The name in the configuration, what `mesh_accept` refers to.
    pub name: Box<str>,
    /// What `iss` must be, compared byte by byte (RFC 7519 section 4.1.1).
    pub url: Box<str>,
    /// What `aud` must hold one of, where `mesh_accept` names none.
    pub audiences: Box<[Box<str>]>,
    /// What a key without `alg` may be used for, and the most that one with `alg` may.
    pub algorithms: AlgorithmSet,
    /// Seconds by which clocks may differ.
    pub leeway: i64,
    /// The most seconds from `iat` to `exp`.
    pub max_lifetime: Option<i64>,
    /// What the header's `typ` must be (RFC 8725 section 3.11).
    pub token_type: Option<Box<str>>,
    /// The claim that names the service.
    pub service_claim: Pointer,
    /// The claim that lists the groups.
    pub groups_claim: Option<Pointer>,
    /// Where the JWK set comes from.
    pub keys: KeySource,
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeySource {
    /// A file, watched by every worker.
    File(PathBuf),
    /// A server, asked by one worker for all.
    Remote(Remote),
}

/// How keys are fetched from a server, and for how long they count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remote {
    /// What is asked first.
    pub entry: Entry,
    /// Time between two fetches.
    pub refresh: Duration,
    /// The least time between two fetches, whatever asks for them.
    pub min_refresh: Duration,
    /// How long the last good keys count when no fetch succeeds.
    pub max_stale: Duration,
    /// The file of the authorities that the server's certificate must come from; none means those
    /// of the system.
    pub trusted_certificate: Option<PathBuf>,
}

/// What is asked first for an issuer's keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry {
    /// The public keys of AWS load balancers: what a key is fetched from when a token names it, by
    /// its name behind this URL, which ends in a slash.
    AlbKeys(Endpoint),
    /// The discovery document (OpenID Connect Discovery 1.0 section 4), which must name the issuer
    /// exactly and says where the JWK set is.
    Discovery(Endpoint),
    /// The JWK set itself.
    Jwks(Endpoint),
}

impl Entry {
    /// What it is, in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::AlbKeys(_) => "alb_keys",
            Self::Discovery(_) => "discovery",
            Self::Jwks(_) => "jwks",
        }
    }

    /// The URL in the configuration, or the one that follows from it.
    pub const fn url(&self) -> &Endpoint {
        match self {
            Self::AlbKeys(url) | Self::Discovery(url) | Self::Jwks(url) => url,
        }
    }
}

/// An issuer that a location believes, and for which audiences.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accept {
    /// The issuer's index in [`crate::trust::Trust`].
    pub issuer: usize,
    /// The audiences instead of the issuer's own.
    pub audiences: Option<Box<[Box<str>]>>,
}
