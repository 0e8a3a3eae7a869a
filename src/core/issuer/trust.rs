//! The issuers, and the keys of all of them at one generation.

use core::ops::Deref;
use core::sync::atomic::AtomicI64;
use core::sync::atomic::Ordering::Relaxed;
use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache, Guard};

use crate::claims::Kept;
use crate::issuer::revocation::Revocations;
use crate::issuer::{Form, Issuer, KeySource};
use crate::key::jwks::KeySet;
use crate::peer::spiffe::TrustDomain;
use crate::text::time::UnixTime;

/// The issuers that a configuration trusts. The settings are frozen; the keys are replaced as a
/// whole.
#[derive(Debug)]
pub struct Trust {
    issuers: Box<[Issuer]>,
    /// By every `iss` that is believed, but those that load balancers pass on.
    urls: HashMap<Box<str>, usize>,
    trust_domains: HashMap<TrustDomain, usize>,
    load_balancers: Box<[usize]>,
    snapshot: ArcSwap<Snapshot>,
}

/// How one worker reads the snapshots of a trust: it keeps the one that it read last, and checks on
/// each request whether that is still in force.
///
/// It may be the last reader of an old snapshot, but its last owner is the thread that replaced it.
#[derive(Debug)]
pub struct Reader(Cache<Published, Arc<Snapshot>>);

impl Reader {
    /// A reader of this trust.
    pub fn new(trust: Arc<Trust>) -> Self {
        Self(Cache::new(Published(trust)))
    }

    /// The keys as they are now, without waiting.
    pub fn load(&mut self) -> &Snapshot {
        self.0.load()
    }
}

/// Where a trust publishes its snapshots.
#[derive(Debug)]
struct Published(Arc<Trust>);

impl Deref for Published {
    type Target = ArcSwap<Snapshot>;

    fn deref(&self) -> &ArcSwap<Snapshot> {
        &self.0.snapshot
    }
}

/// The key sets of all issuers, what is revoked, and what is kept of claims, at one generation; immutable.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    keys: Box<[Option<Arc<IssuerKeys>>]>,
    revoked: Revoked,
    kept: Arc<Kept>,
}

/// What a snapshot knows of revoked tokens.
#[derive(Clone, Debug)]
pub enum Revoked {
    /// The list.
    Listed(Arc<Revocations>),
    /// The configuration names no list: nothing is.
    Nothing,
    /// There is a list, but its last good version is unknown.
    Unknown,
}

/// The key set of one issuer.
#[derive(Debug)]
pub struct IssuerKeys {
    generation: u64,
    set: KeySet,
    lease: Option<Lease>,
}

/// How long keys from a server are valid without its confirmation.
///
/// The time is kept beside the set, which all snapshots share: a confirmation of the same keys
/// makes no new generation, and forgets no verified token.
#[derive(Debug)]
struct Lease {
    /// Seconds since the epoch.
    confirmed: AtomicI64,
    max_stale: i64,
}

impl Lease {
    /// Whether the last word is recent enough. One from the future, by a clock that has been put
    /// back, is valid for as long as one from the past.
    fn holds(&self, now: UnixTime) -> bool {
        let age = now.secs().saturating_sub(self.confirmed.load(Relaxed));
        age.unsigned_abs() <= self.max_stale.unsigned_abs()
    }
}

impl Trust {
    /// The trust of a configuration: its issuers, what it wants to know of their tokens, and the key
    /// sets that were read with it, in the order of the issuers.
    pub fn new(issuers: Vec<Issuer>, kept: Kept, keys: Vec<Option<KeySet>>) -> Self {
        let mut keys = keys.into_iter();
        let keys = issuers
            .iter()
            .map(|_| keys.next().flatten().map(|set| IssuerKeys::of(set, 0, None)))
            .collect();
        let (mut urls, mut trust_domains) = (HashMap::new(), HashMap::new());
        let mut load_balancers = Vec::new();
        for (index, issuer) in issuers.iter().enumerate() {
            match &issuer.form {
                Form::LoadBalancer(_) => load_balancers.push(index),
                Form::Plain | Form::Spiffe(_) | Form::Tenants(_) => {
                    urls.extend(issuer.urls().into_iter().map(|url| (url, index)));
                }
            }
            if let Form::Spiffe(domain) = &issuer.form {
                trust_domains.insert(domain.clone(), index);
            }
        }
        Self {
            urls,
            trust_domains,
            load_balancers: load_balancers.into(),
            issuers: issuers.into(),
            snapshot: ArcSwap::from_pointee(Snapshot {
                generation: 0,
                keys,
                revoked: Revoked::Nothing,
                kept: Arc::new(kept),
            }),
        }
    }

    /// The same trust, with a list of what is revoked: from now on there always is one, or it is
    /// unknown.
    #[must_use]
    pub fn with_revocations(self, list: Revocations) -> Self {
        drop(self.revoke(Revoked::Listed(Arc::new(list))));
        self
    }

    /// The issuers, in the order of the configuration.
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// The index of the issuer whose `iss` that is.
    pub fn find(&self, url: &str) -> Option<usize> {
        self.urls.get(url).copied()
    }

    /// The index of the issuer of a trust domain's JWT-SVIDs.
    pub fn find_trust_domain(&self, name: &str) -> Option<usize> {
        self.trust_domains.get(name).copied()
    }

    /// The issuers that are load balancers, with their indices.
    pub fn load_balancers(&self) -> impl Iterator<Item = (usize, &Issuer)> {
        self.load_balancers.iter().filter_map(|index| Some((*index, self.issuers.get(*index)?)))
    }

    /// The index of the issuer with that name in the configuration.
    pub fn find_named(&self, name: &str) -> Option<usize> {
        self.issuers.iter().position(|issuer| *issuer.name == *name)
    }

    /// The keys as they are now, without waiting.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Publishes a new key set of one issuer and returns the snapshot that it replaces, which the
    /// caller drops where that may take time. Called by one thread at a time.
    pub fn replace(&self, issuer: usize, set: KeySet) -> Arc<Snapshot> {
        self.put(issuer, Some(set), None)
    }

    /// As [`Trust::replace`], by keys from a server, which last said at `confirmed` that they are
    /// its keys. They are valid until its `max_stale` after that, or after what [`Trust::confirm`]
    /// says later.
    pub fn replace_fetched(
        &self,
        issuer: usize,
        set: KeySet,
        confirmed: UnixTime,
    ) -> Arc<Snapshot> {
        let lease = self.issuers.get(issuer).and_then(|issuer| match &issuer.keys {
            KeySource::File(_) | KeySource::None => None,
            KeySource::Remote(remote) => Some(Lease {
                confirmed: AtomicI64::new(confirmed.secs()),
                max_stale: i64::try_from(remote.max_stale.as_secs()).unwrap_or(i64::MAX),
            }),
        });
        self.put(issuer, Some(set), lease)
    }

    /// Says that the keys of an issuer were still its keys at `at`.
    pub fn confirm(&self, issuer: usize, at: UnixTime) {
        let snapshot = self.load();
        let keys = snapshot.keys.get(issuer).and_then(Option::as_ref);
        if let Some(lease) = keys.and_then(|keys| keys.lease.as_ref()) {
            lease.confirmed.store(at.secs(), Relaxed);
        }
    }

    /// Removes the keys of an issuer: it is unknown whether they still are its keys.
    pub fn withdraw(&self, issuer: usize) -> Arc<Snapshot> {
        self.put(issuer, None, None)
    }

    /// Publishes what is revoked, as [`Self::replace`] does a key set.
    pub fn revoke(&self, revoked: Revoked) -> Arc<Snapshot> {
        let current = self.snapshot.load_full();
        let (generation, keys) = (current.generation.saturating_add(1), current.keys.clone());
        let kept = Arc::clone(&current.kept);
        self.snapshot.swap(Arc::new(Snapshot { generation, keys, revoked, kept }))
    }

    fn put(&self, issuer: usize, set: Option<KeySet>, lease: Option<Lease>) -> Arc<Snapshot> {
        let current = self.snapshot.load_full();
        let generation = current.generation.saturating_add(1);
        let mut keys = current.keys.clone();
        if let Some(slot) = keys.get_mut(issuer) {
            *slot = set.map(|set| IssuerKeys::of(set, generation, lease));
        }
        let (revoked, kept) = (current.revoked.clone(), Arc::clone(&current.kept));
        self.snapshot.swap(Arc::new(Snapshot { generation, keys, revoked, kept }))
    }
}

impl Snapshot {
    /// Counts the replacements since the configuration was read.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The keys that are valid at `now` of the issuer with that index; `None` if there never were
    /// any, or if its server has not confirmed them for too long.
    pub fn keys(&self, issuer: usize, now: UnixTime) -> Option<&IssuerKeys> {
        self.last_keys(issuer).filter(|keys| keys.count_at(now))
    }

    /// The keys of the issuer with that index, whether or not they are still valid: to be shown,
    /// not to verify by.
    pub fn last_keys(&self, issuer: usize) -> Option<&IssuerKeys> {
        self.keys.get(issuer)?.as_deref()
    }

    /// What a token that is verified under it keeps of its claims.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// What is revoked.
    pub const fn revoked(&self) -> &Revoked {
        &self.revoked
    }
}

impl IssuerKeys {
    fn of(set: KeySet, generation: u64, lease: Option<Lease>) -> Arc<Self> {
        Arc::new(Self { generation, set, lease })
    }

    /// Whether they may verify a token at `now`.
    pub fn count_at(&self, now: UnixTime) -> bool {
        self.lease.as_ref().is_none_or(|lease| lease.holds(now))
    }

    /// When their server last said that they are its keys; `None` for those of a file.
    pub fn confirmed(&self) -> Option<UnixTime> {
        let lease = self.lease.as_ref()?;
        Some(UnixTime::from_secs(lease.confirmed.load(Relaxed)))
    }

    /// The snapshot's generation in which this set came.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The set.
    pub const fn set(&self) -> &KeySet {
        &self.set
    }
}

#[cfg(test)]
mod tests;
