//! The policies that are in force: each a version of its document, replaced as a whole.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache, Guard};
use aws_lc_rs::digest::{SHA256, digest};

use super::document::{Fault, MAX_BYTES, read};
use super::index::Index;
use crate::platform::table::Table;
use crate::text::hex::hex;

/// A version of a policy's document, with its index.
#[derive(Debug)]
pub struct Edition {
    digest: Box<str>,
    index: Index,
    /// Counts the replacements of all policies; of those that the configuration was read with, zero.
    generation: u64,
    /// Whether a condition of a rule is about claims.
    has_claims: bool,
}

impl Edition {
    /// Reads a document, and makes its index. Also returns what may be wrong with it all the same.
    ///
    /// # Errors
    ///
    /// [`EditionError`]
    fn read(bytes: &[u8], policies: &Policies) -> Result<(Self, Vec<Fault>), EditionError> {
        let text = core::str::from_utf8(bytes).map_err(|_| EditionError::Text)?;
        let mut read = read(text, &policies.tables).map_err(EditionError::Faults)?;
        let issuers: Vec<&str> = policies.issuers.iter().map(|name| &**name).collect();
        read.warn_of_issuers(&issuers);
        let policy = read.policy;
        let conditions = policy.bindings.iter().map(|it| &it.conditions);
        let mut conditions = conditions.chain(policy.denials.iter().map(|it| &it.conditions));
        let has_claims = conditions.any(|it| !it.claims.is_empty());
        let index = Index::new(policy);
        let digest = hex(digest(&SHA256, bytes).as_ref()).into();
        Ok((Self { digest, index, generation: 0, has_claims }, read.warnings))
    }

    /// The SHA-256 of the document, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Counts the replacements of all policies of the configuration.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// How many bindings and denials it has.
    pub fn rules(&self) -> usize {
        let policy = self.index.policy();
        let counts = [policy.bindings.len(), policy.denials.len()];
        counts.into_iter().fold(0, usize::saturating_add)
    }

    /// The policy, as requests ask it.
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// Whether a condition of a rule is about claims.
    pub const fn has_claims(&self) -> bool {
        self.has_claims
    }
}

/// Why a document is no policy.
#[derive(Clone, Debug)]
pub enum EditionError {
    /// It is not UTF-8.
    Text,
    /// What is wrong with it, by its places; at least one.
    Faults(Vec<Fault>),
}

/// The first fault, and how many there are.
impl core::fmt::Display for EditionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Text => f.write_str("it is not UTF-8"),
            Self::Faults(faults) => {
                let Some((first, more)) = faults.split_first() else {
                    return f.write_str("it is no policy");
                };
                write!(f, "{first}")?;
                match more.len() {
                    0 => Ok(()),
                    more => write!(f, " (and {more} more: see meshctl policy check)"),
                }
            }
        }
    }
}

impl core::error::Error for EditionError {}

/// The policies of a configuration, in its order.
#[derive(Debug)]
pub struct Policies {
    tables: Vec<Arc<Table>>,
    /// The names of the issuers of the configuration.
    issuers: Vec<Box<str>>,
    current: Arc<ArcSwap<Editions>>,
}

/// The versions of all policies that are in force at one moment; immutable.
#[derive(Clone, Debug, Default)]
pub struct Editions {
    generation: u64,
    all: Box<[Option<Arc<Edition>>]>,
}

/// How one worker reads the policies: it keeps what it read last, and checks on each request whether
/// that is still in force.
#[derive(Debug)]
pub struct Reader(Cache<Arc<ArcSwap<Editions>>, Arc<Editions>>);

impl Reader {
    /// The policies as they are now, without waiting.
    pub fn load(&mut self) -> &Editions {
        self.0.load()
    }
}

impl Editions {
    /// The version in force of a policy, by its place; `None` if it is unknown which one that is.
    pub fn get(&self, policy: usize) -> Option<&Arc<Edition>> {
        self.all.get(policy)?.as_ref()
    }
}

impl Policies {
    /// The largest document, in bytes.
    pub const MAX_BYTES: usize = MAX_BYTES;

    /// No policy yet. The words of policies are of these tables, and name these issuers.
    pub fn new(tables: Vec<Arc<Table>>, issuers: Vec<Box<str>>) -> Self {
        Self { tables, issuers, current: Arc::default() }
    }

    /// The same with the policies that the configuration was read with.
    #[must_use]
    pub fn with(self, first: Vec<Edition>) -> Self {
        let all = first.into_iter().map(|edition| Some(Arc::new(edition))).collect();
        self.current.store(Arc::new(Editions { generation: 0, all }));
        self
    }

    /// Reads a version of a policy.
    ///
    /// # Errors
    ///
    /// [`EditionError`]
    pub fn read(&self, bytes: &[u8]) -> Result<(Edition, Vec<Fault>), EditionError> {
        Edition::read(bytes, self)
    }

    /// The policies as they are now.
    pub fn load(&self) -> Guard<Arc<Editions>> {
        self.current.load()
    }

    /// A reader of them.
    pub fn reader(&self) -> Reader {
        Reader(Cache::new(Arc::clone(&self.current)))
    }

    /// Puts a version of a policy in force; `None` if it is unknown which one is. Returns what was in
    /// force, which the caller drops where that may take time. Called by one thread at a time.
    ///
    /// A version of the same bytes changes nothing.
    pub fn replace(&self, policy: usize, edition: Option<Edition>) -> Arc<Editions> {
        let current = self.current.load_full();
        if let (Some(now), Some(next)) = (current.get(policy), &edition)
            && now.digest == next.digest
        {
            return current;
        }
        let mut next = Editions::clone(&current);
        next.generation = next.generation.saturating_add(1);
        if let Some(slot) = next.all.get_mut(policy) {
            let generation = next.generation;
            *slot = edition.map(|edition| Arc::new(Edition { generation, ..edition }));
        }
        self.current.swap(Arc::new(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::shipped::shipped;

    fn policies(first: &str) -> Policies {
        let policies = Policies::new(vec![shipped("kafka_rest").unwrap()], Vec::new());
        let (edition, warnings) = policies.read(first.as_bytes()).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        policies.with(vec![edition])
    }

    const EMPTY: &str = "version: 1\n";

    #[test]
    fn a_reader_sees_the_version_that_is_in_force() {
        let policies = policies(EMPTY);
        let mut reader = policies.reader();
        let first = reader.load().get(0).map(|it| it.digest().to_owned()).unwrap();
        assert_eq!(first.len(), 64);

        let (next, _) = policies.read(b"version: 1\nroles: {}\n").unwrap();
        let before = policies.replace(0, Some(next));
        assert_eq!(before.get(0).unwrap().digest(), first);
        let now = reader.load().get(0).unwrap();
        assert_eq!(now.generation(), 1);
        assert_ne!(now.digest(), first);

        let (same, _) = policies.read(b"version: 1\nroles: {}\n").unwrap();
        policies.replace(0, Some(same));
        assert_eq!(reader.load().get(0).unwrap().generation(), 1);

        policies.replace(0, None);
        assert!(reader.load().get(0).is_none());
        assert!(reader.load().get(1).is_none());
    }

    #[test]
    fn a_bad_version_says_where_and_is_not_in_force() {
        let policies = policies(EMPTY);
        let error = policies.read(b"version: 1\nrules: {}\nbinding: []\n").unwrap_err().to_string();
        assert!(error.starts_with("2:1: "), "{error}");
        assert!(error.ends_with("(and 1 more: see meshctl policy check)"), "{error}");
        assert_eq!(policies.read(b"\xff").unwrap_err().to_string(), "it is not UTF-8");
        assert_eq!(policies.load().get(0).unwrap().generation(), 0);
    }

    #[test]
    fn a_version_knows_whether_claims_matter() {
        let text = "version: 1\nservices: {s: [{spiffe: 'spiffe://a/b'}]}\n\
                    roles: {r: [{kafka: {topics: ['*'], actions: [produce]}}]}\n\
                    bindings: [{name: b, role: r, services: [s], claims: {/amr: [mfa]}}]\n";
        assert!(policies(text).load().get(0).unwrap().has_claims());
        assert!(!policies(EMPTY).load().get(0).unwrap().has_claims());
    }
}
