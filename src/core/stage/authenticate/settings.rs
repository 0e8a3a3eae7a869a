//! A location's settings for authentication.

use std::sync::Arc;

use crate::issuer::Accept;
use crate::limit::Quota;
use crate::peer::x509::NameRules;
use crate::proof;
use crate::request::Methods;
use crate::request::source::Source;

/// The settings that a request is authenticated by.
#[derive(Clone, Debug)]
pub struct Authentication {
    /// Equal for equal settings: an identity is remembered under it.
    pub id: usize,
    /// Which credentials are read.
    pub methods: Methods,
    /// Where a token is looked for.
    pub sources: Box<[Source]>,
    /// Which names of a certificate are an identity.
    pub names: NameRules,
    /// Which issuers are believed.
    pub accept: Box<[Accept]>,
    /// Which tokens need a proof of possession, and what it must say.
    pub dpop: proof::Settings,
    /// The one of them that is asked about opaque tokens; it follows from `accept`.
    pub introspector: Option<usize>,
    /// `mesh_failure_limit`.
    pub failure_limit: Option<Arc<Quota>>,
    /// Whether it refuses, or only notes (a dry run of the limits).
    pub failure_limit_enforced: bool,
}

impl Authentication {
    /// Whether both authenticate every request alike.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        // All fields: a setting that is added does not compile before it is compared.
        let Self {
            id: _,
            methods,
            sources,
            names,
            accept,
            dpop,
            // It follows from `accept`.
            introspector: _,
            failure_limit,
            failure_limit_enforced,
        } = self;
        *methods == other.methods
            && *sources == other.sources
            && *names == other.names
            && *accept == other.accept
            && *dpop == other.dpop
            && *failure_limit == other.failure_limit
            && *failure_limit_enforced == other.failure_limit_enforced
    }
}
