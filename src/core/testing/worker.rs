//! A worker, and the memory that it shares with no other.

use std::sync::Arc;

use super::{NOW, NoHost};
use crate::identity::Spare;
use crate::issuer::trust::Trust;
use crate::limit::{Bucket, Header, Table};
use crate::policy::{Policies, Views};
use crate::proof::{Memory, MemoryBucket, MemoryHeader, Proofs, Secrets, ShareBucket};
use crate::stage::authenticate::WorkerState;
use crate::stage::decide::RouteCache;
use crate::text::time::{Now, Tick, UnixTime};
use crate::token::introspection::Introspections;
use crate::token::{TokenCache, Wish};

/// The state of a worker between two requests.
#[derive(Debug)]
pub struct Worker {
    /// The issuers, with their keys.
    pub trust: Arc<Trust>,
    /// The tokens that were verified.
    pub cache: TokenCache,
    /// The opaque tokens that were asked about.
    pub introspections: Introspections,
    /// The zone for limits.
    pub zone: Zone,
    /// The policies.
    pub policies: Policies,
    /// What known identities may do under them.
    pub views: Views,
    /// The lines of requests that it has named.
    pub routes: RouteCache,
    /// The memory of an identity.
    pub spare: Spare,
    /// The memory of proofs.
    pub proofs: Proven,
    /// The clocks.
    pub now: Now,
    /// The wish of the last request.
    pub wish: Option<Wish>,
}

/// The memory of a zone for limits.
#[derive(Debug)]
pub struct Zone {
    header: Header,
    buckets: Vec<Bucket>,
}

impl Zone {
    /// Memory of so many buckets.
    pub fn of(buckets: usize) -> Self {
        let buckets = (0..buckets).map(|_| Bucket::default()).collect();
        Self { header: Header::default(), buckets }
    }

    /// The table in it.
    ///
    /// # Panics
    ///
    /// If there are fewer buckets than a table needs.
    pub fn table(&self) -> Table<'_> {
        Table::open(&self.header, &self.buckets, [1, 2], &NoHost).unwrap()
    }
}

/// The memory of what proofs were accepted.
#[derive(Debug)]
pub struct Proven {
    header: MemoryHeader,
    buckets: Vec<MemoryBucket>,
    shares: Vec<ShareBucket>,
}

impl Proven {
    /// Memory of so many buckets of proofs, and so many of what each key may use of them.
    pub fn of(buckets: usize, shares: usize) -> Self {
        Self {
            header: MemoryHeader::default(),
            buckets: (0..buckets).map(|_| MemoryBucket::default()).collect(),
            shares: (0..shares).map(|_| ShareBucket::default()).collect(),
        }
    }
}

impl Worker {
    /// A worker that has done nothing yet: its limits have 64 buckets, and its proofs have one.
    pub fn new(trust: Arc<Trust>) -> Self {
        Self {
            trust,
            cache: TokenCache::with_capacity(8),
            introspections: Introspections::default(),
            zone: Zone::of(64),
            policies: Policies::new(Vec::new(), Vec::new()),
            views: Views::default(),
            routes: RouteCache::default(),
            spare: Spare::default(),
            proofs: Proven::of(1, 0),
            now: Now { unix: UnixTime::from_secs(NOW), tick: Tick::from_millis(1_000_000) },
            wish: None,
        }
    }

    /// The outcome of a request, judged by this worker.
    ///
    /// # Panics
    ///
    /// If the memory that it was given is too small.
    pub fn work<T>(&mut self, work: impl FnOnce(&mut WorkerState<'_>) -> T) -> T {
        let secrets = Secrets { seed: [1, 2], nonces: [3; 4] };
        let Proven { header, buckets, shares } = &self.proofs;
        let memory = Memory::begin(header, buckets, shares, &secrets, 60, NOW - 1_000).unwrap();
        let open = || Some(memory);
        let mut state = WorkerState {
            proofs: Proofs::new(Some(&open)),
            trust: &self.trust,
            snapshot: &self.trust.load(),
            cache: &mut self.cache,
            introspections: &mut self.introspections,
            table: Some(self.zone.table()),
            policies: &self.policies.load(),
            views: &mut self.views,
            routes: &mut self.routes,
            spare: &mut self.spare,
            shows_resources: true,
            now: self.now,
            noted: None,
            wish: None,
        };
        let answer = work(&mut state);
        self.wish = state.wish;
        answer
    }
}
