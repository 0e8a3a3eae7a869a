//! Why an issuer's keys could not be fetched.

use core::fmt;

use mesh_core::key::jwks::JwksError;
use mesh_core::text::endpoint::EndpointError;
use mesh_core::text::json::JsonError;

use super::bearer::BearerError;
use crate::http::FetchError;

/// A fetch that brought no keys, and the URL that it asked.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) cause: Cause,
    /// The URL that was asked.
    pub(super) url: Box<str>,
}

impl Failure {
    pub(super) fn of(cause: impl Into<Cause>, url: impl fmt::Display) -> Self {
        Self { cause: cause.into(), url: url.to_string().into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} while fetching {}", self.cause, self.url)
    }
}

/// The cause of the failure.
#[derive(Debug)]
pub(super) enum Cause {
    /// There is no token to show to the server.
    Bearer(BearerError),
    /// The discovery document is bad.
    Discovery(DiscoveryFault),
    /// Nothing usable was answered.
    Fetch(FetchError),
    /// The server no longer has any key that is in force.
    Gone,
    /// The keys are bad.
    Keys(JwksError),
    /// The answer is no public key in PEM on the curve P-256.
    Pem,
    /// The keys are good, but could not be put into the shared memory.
    Publish,
}

impl Cause {
    /// One short word that never changes.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Bearer(_) => "bearer",
            Self::Discovery(DiscoveryFault::OtherIssuer) => "issuer",
            Self::Discovery(_) => "discovery",
            Self::Fetch(error) => error.word(),
            Self::Gone | Self::Keys(_) | Self::Pem => "keys",
            Self::Publish => "publish",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer(error) => error.fmt(f),
            Self::Discovery(fault) => fault.fmt(f),
            Self::Fetch(error) => error.fmt(f),
            Self::Gone => f.write_str("the server has none of the keys that are in force"),
            Self::Keys(error) => error.fmt(f),
            Self::Pem => f.write_str("no public key in PEM on the curve P-256"),
            Self::Publish => f.write_str("the keys could not be put into shared memory"),
        }
    }
}

impl From<BearerError> for Cause {
    fn from(error: BearerError) -> Self {
        Self::Bearer(error)
    }
}

impl From<DiscoveryFault> for Cause {
    fn from(fault: DiscoveryFault) -> Self {
        Self::Discovery(fault)
    }
}

impl From<FetchError> for Cause {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

impl From<JwksError> for Cause {
    fn from(error: JwksError) -> Self {
        Self::Keys(error)
    }
}

/// A fault of a discovery document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DiscoveryFault {
    /// `jwks_uri` is no URL that may be fetched from.
    Address(EndpointError),
    /// It is not strict JSON.
    Json(JsonError),
    /// It is no object with a text `jwks_uri`.
    NoAddress,
    /// It is no object with a text `issuer`.
    NoIssuer,
    /// It names another issuer.
    OtherIssuer,
    /// `jwks_uri` is plain HTTP though the document came over TLS.
    Plain,
}

impl fmt::Display for DiscoveryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => write!(f, "\"jwks_uri\" of the discovery document {error}"),
            Self::Json(error) => write!(f, "discovery document: {error}"),
            Self::NoAddress => f.write_str("the discovery document has no \"jwks_uri\""),
            Self::NoIssuer => f.write_str("the discovery document has no \"issuer\""),
            Self::OtherIssuer => f.write_str(
                "\"issuer\" of the discovery document is not the configured one, byte by \
                 byte",
            ),
            Self::Plain => f.write_str(
                "\"jwks_uri\" of the discovery document is plain http, while the document is not",
            ),
        }
    }
}

impl core::error::Error for DiscoveryFault {}
