//! The issuers, and the keys of all of them at one generation.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::issuer::Issuer;
use crate::json::Pointer;
use crate::jwks::KeySet;

/// Whom a configuration believes. The settings are frozen; the keys are replaced as a whole.
#[derive(Debug)]
pub struct Trust {
    issuers: Box<[Issuer]>,
    pointers: Box<[Pointer]>,
    snapshot: ArcSwap<Snapshot>,
}

/// The key sets of all issuers at one generation; immutable.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    keys: Box<[Option<Arc<IssuerKeys>>]>,
}

/// The key set of one issuer.
#[derive(Debug)]
pub struct IssuerKeys {
    generation: u64,
    set: KeySet,
}

impl Trust {
    /// The trust of a configuration: its issuers, the claims that it names by pointer, and the
    /// key sets that were read with it, in the order of the issuers.
    pub fn new(issuers: Vec<Issuer>, pointers: Vec<Pointer>, keys: Vec<Option<KeySet>>) -> Self {
        let mut keys = keys.into_iter();
        let keys = issuers
            .iter()
            .map(|_| keys.next().flatten().map(|set| Arc::new(IssuerKeys { generation: 0, set })))
            .collect();
        Self {
            issuers: issuers.into(),
            pointers: pointers.into(),
            snapshot: ArcSwap::from_pointee(Snapshot { generation: 0, keys }),
        }
    }

    /// The issuers, in the order of the configuration.
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// The claims that the configuration names; a verified token keeps the value of each.
    pub fn pointers(&self) -> &[Pointer] {
        &self.pointers
    }

    /// The index of the issuer whose `iss` that is.
    pub fn find(&self, url: &str) -> Option<usize> {
        self.issuers.iter().position(|issuer| *issuer.url == *url)
    }

    /// The keys as they are now, without waiting.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Publishes a new key set of one issuer and returns the snapshot that it replaces, which the
    /// caller drops where that may take time. Called by one thread at a time.
    pub fn replace(&self, issuer: usize, set: KeySet) -> Arc<Snapshot> {
        self.put(issuer, Some(set))
    }

    /// Takes the keys of an issuer away: nobody knows whether they still are its keys.
    pub fn withdraw(&self, issuer: usize) -> Arc<Snapshot> {
        self.put(issuer, None)
    }

    fn put(&self, issuer: usize, set: Option<KeySet>) -> Arc<Snapshot> {
        let current = self.snapshot.load_full();
        let generation = current.generation.saturating_add(1);
        let mut keys = current.keys.clone();
        if let Some(slot) = keys.get_mut(issuer) {
            *slot = set.map(|set| Arc::new(IssuerKeys { generation, set }));
        }
        self.snapshot.swap(Arc::new(Snapshot { generation, keys }))
    }
}

impl Snapshot {
    /// Counts the replacements since the configuration was read.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The keys of the issuer with that index; none if they were never had.
    pub fn keys(&self, issuer: usize) -> Option<&IssuerKeys> {
        self.keys.get(issuer)?.as_deref()
    }
}

impl IssuerKeys {
    /// The snapshot's generation in which this set came.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The set.
    pub const fn set(&self) -> &KeySet {
        &self.set
    }
}
