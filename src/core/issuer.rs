//! A token issuer's settings, frozen with the configuration.

use std::path::PathBuf;

use crate::algorithm::AlgorithmSet;
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
    /// The file of the JWK set.
    pub jwks: PathBuf,
}

/// An issuer that a location believes, and for which audiences.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accept {
    /// The issuer's index in [`crate::trust::Trust`].
    pub issuer: usize,
    /// The audiences instead of the issuer's own.
    pub audiences: Option<Box<[Box<str>]>>,
}
