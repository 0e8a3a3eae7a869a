//! What a worker has at hand while it judges a request.

use std::sync::Arc;

use crate::identity::Spare;
use crate::issuer::trust::{Snapshot, Trust};
use crate::limit::Table;
use crate::policy::{Editions, Views};
use crate::proof::Proofs;
use crate::refusal::Refusal;
use crate::stage::decide::RouteCache;
use crate::text::time::Now;
use crate::token::introspection::Introspections;
use crate::token::{TokenCache, Wish};

/// What a worker has at hand while it authenticates and decides.
#[derive(Debug)]
pub struct WorkerState<'w> {
    /// The issuers.
    pub trust: &'w Arc<Trust>,
    /// Their keys as they are for this request.
    pub snapshot: &'w Snapshot,
    /// The signatures that are verified already.
    pub cache: &'w mut TokenCache,
    /// The opaque tokens that their issuers have answered about.
    pub introspections: &'w mut Introspections,
    /// The limits; `None` if the configuration has no zone.
    pub table: Option<Table<'w>>,
    /// The proofs of possession that were accepted.
    pub proofs: Proofs<'w>,
    /// The policies as they are for this request.
    pub policies: &'w Editions,
    /// What known identities may do under them.
    pub views: &'w mut Views,
    /// The lines of requests that are named already.
    pub routes: &'w mut RouteCache,
    /// The memory of an identity.
    pub spare: &'w mut Spare,
    /// Whether the configuration names `$mesh_resource`.
    pub shows_resources: bool,
    /// The time of this request.
    pub now: Now,
    /// The refusal that a dry run of the limits let pass.
    pub noted: Option<Refusal>,
    /// A key that was not there, to be asked for.
    pub wish: Option<Wish>,
}
