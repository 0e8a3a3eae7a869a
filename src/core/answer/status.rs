//! The content of `mesh_status`: each issuer's keys, their age and their last fault, what each
//! worker has in force, how full the memory of the limits is, and which policies are in force.

use std::path::PathBuf;

use serde::Serialize;

use crate::documents::Documents;
use crate::issuer::trust::{IssuerKeys, Revoked, Snapshot, Trust};
use crate::issuer::{Issuer, KeySource};
use crate::key::algorithm::{Algorithm, AlgorithmSet};
use crate::limit::{Part, Table};
use crate::policy::Editions;
use crate::text::time::{Now, UnixTime};

/// The state that is shown, seen by one worker.
#[derive(Debug)]
pub struct Status<'s> {
    /// The issuers.
    pub trust: &'s Trust,
    /// The keys that this worker has in force.
    pub snapshot: &'s Snapshot,
    /// The documents that all workers share, in the order of the issuers; `None` if no worker
    /// shares any.
    pub documents: Option<&'s Documents<'s>>,
    /// How many workers there are.
    pub workers: usize,
    /// The number and the pid of this worker.
    pub this: (usize, u32),
    /// The limits; `None` if the configuration has no zone.
    pub table: Option<Table<'s>>,
    /// The files of the policies.
    pub policy_files: &'s [PathBuf],
    /// The versions of them that this worker has in force.
    pub policies: &'s Editions,
    /// How often dry runs of policies let a request pass in this worker that would be refused, and how often
    /// a request was refused that would pass.
    pub diverged: (u64, u64),
    /// The time.
    pub now: Now,
}

#[derive(Serialize)]
struct Page<'s> {
    worker: usize,
    pid: u32,
    issuers: Vec<IssuerLine<'s>>,
    revocations: Option<RevocationLine>,
    workers: Vec<WorkerLine<'s>>,
    zone: Option<ZoneLine>,
    policies: Vec<PolicyLine<'s>>,
    /// `None` if there is no policy.
    policy_dry_runs: Option<DryRunLine>,
}

/// A policy that this worker has in force.
#[derive(Serialize)]
struct PolicyLine<'s> {
    file: String,
    /// Whether the last good version is known.
    known: bool,
    /// The SHA-256 of the file's contents.
    digest: Option<&'s str>,
    /// Counts the replacements of policies since the configuration was read.
    generation: Option<u64>,
    rules: Option<usize>,
}

/// What dry runs of policies would have decided otherwise in this worker.
#[derive(Serialize)]
struct DryRunLine {
    would_refuse: u64,
    would_allow: u64,
}

/// The parts of `mesh_zone`.
#[derive(Serialize)]
struct ZoneLine {
    identities: PartLine,
    chosen: PartLine,
    failures: PartLine,
}

#[derive(Serialize)]
struct PartLine {
    slots: usize,
    /// About how many of them are taken now.
    in_debt: usize,
    /// Charges that found no slot since the zone began.
    full: u64,
}

/// The list of revocations that this worker has in force.
#[derive(Serialize)]
struct RevocationLine {
    /// Whether the last good one is known.
    known: bool,
    entries: Option<usize>,
}

#[derive(Serialize)]
struct IssuerLine<'s> {
    name: &'s str,
    issuer: &'s str,
    source: SourceLine,
    keys: Vec<KeyLine<'s>>,
    /// The generation of the published document; for a file, of the keys in this worker.
    generation: Option<u64>,
    /// Seconds since the server confirmed the document.
    age: Option<i64>,
    stale: bool,
    last_error: Option<ErrorLine>,
}

#[derive(Serialize)]
struct SourceLine {
    kind: &'static str,
    at: String,
}

#[derive(Serialize)]
struct KeyLine<'s> {
    kid: Option<&'s str>,
    algorithms: Vec<&'static str>,
}

#[derive(Serialize)]
struct ErrorLine {
    word: Box<str>,
    text: Box<str>,
    seconds_ago: i64,
}

#[derive(Serialize)]
struct WorkerLine<'s> {
    worker: usize,
    pid: u32,
    generations: Vec<GenerationLine<'s>>,
}

#[derive(Serialize)]
struct GenerationLine<'s> {
    name: &'s str,
    generation: Option<u64>,
}

impl Status<'_> {
    /// All of it as JSON, in one line.
    ///
    /// # Errors
    ///
    /// What `serde_json` says: nothing here can make it fail.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let (worker, pid) = self.this;
        let issuers = self.trust.issuers().iter().enumerate();
        let issuers = issuers.map(|(index, issuer)| self.issuer(index, issuer)).collect();
        let workers = (0..self.workers).filter_map(|number| self.worker(number)).collect();
        let mut json = serde_json::to_string(&Page {
            worker,
            pid,
            issuers,
            revocations: self.revocations(),
            workers,
            zone: self.table.map(|table| self.zone(table)),
            policies: self.policies(),
            policy_dry_runs: self.dry_runs(),
        })?;
        json.push('\n');
        Ok(json)
    }

    fn zone(&self, table: Table<'_>) -> ZoneLine {
        let line = |part| PartLine {
            slots: table.slots(part),
            in_debt: table.in_debt(part, self.now.tick),
            full: table.full(part),
        };
        let [identities, chosen, failures] = Part::ALL.map(line);
        ZoneLine { identities, chosen, failures }
    }

    fn policies(&self) -> Vec<PolicyLine<'_>> {
        let line = |(policy, file): (usize, &PathBuf)| {
            let edition = self.policies.get(policy);
            PolicyLine {
                file: file.to_string_lossy().into_owned(),
                known: edition.is_some(),
                digest: edition.map(|edition| edition.digest()),
                generation: edition.map(|edition| edition.generation()),
                rules: edition.map(|edition| edition.rules()),
            }
        };
        self.policy_files.iter().enumerate().map(line).collect()
    }

    fn dry_runs(&self) -> Option<DryRunLine> {
        let (would_refuse, would_allow) = self.diverged;
        (!self.policy_files.is_empty()).then_some(DryRunLine { would_refuse, would_allow })
    }

    fn revocations(&self) -> Option<RevocationLine> {
        match self.snapshot.revoked() {
            Revoked::Listed(list) => {
                Some(RevocationLine { known: true, entries: Some(list.count()) })
            }
            Revoked::Nothing => None,
            Revoked::Unknown => Some(RevocationLine { known: false, entries: None }),
        }
    }

    fn issuer<'a>(&'a self, index: usize, issuer: &'a Issuer) -> IssuerLine<'a> {
        let keys = self.snapshot.last_keys(index);
        let documents = self.documents.filter(|_| is_fetched(issuer));
        let head = documents.and_then(|documents| documents.head(index));
        let since = |at: UnixTime| self.now.unix.secs().saturating_sub(at.secs()).max(0);
        let generation = match &issuer.keys {
            KeySource::File(_) | KeySource::None => keys.map(IssuerKeys::generation),
            KeySource::Remote(_) => head.map(|head| head.generation),
        };
        let failure = documents.and_then(|documents| documents.failure(index));
        IssuerLine {
            name: &issuer.name,
            issuer: &issuer.url,
            source: source(issuer),
            keys: keys.map_or_else(Vec::new, |keys| {
                let line = |(kid, algorithms): (_, AlgorithmSet)| KeyLine {
                    kid,
                    algorithms: algorithms.iter().map(Algorithm::as_str).collect(),
                };
                keys.set().keys().map(line).collect()
            }),
            generation,
            age: head.map(|head| since(head.confirmed)),
            stale: keys.is_some_and(|keys| !keys.count_at(self.now.unix)),
            last_error: failure.map(|failure| ErrorLine {
                seconds_ago: since(failure.at),
                word: failure.word,
                text: failure.text,
            }),
        }
    }

    fn worker(&self, number: usize) -> Option<WorkerLine<'_>> {
        let (pid, generations) = self.documents?.worker(number)?;
        let issuers = self.trust.issuers().iter().zip(generations);
        let generations = issuers.filter(|(issuer, _)| is_fetched(issuer));
        let generations = generations.map(|(issuer, generation)| GenerationLine {
            name: &issuer.name,
            generation: (generation != 0).then_some(generation),
        });
        Some(WorkerLine { worker: number, pid, generations: generations.collect() })
    }
}

const fn is_fetched(issuer: &Issuer) -> bool {
    matches!(issuer.keys, KeySource::Remote(_))
}

fn source(issuer: &Issuer) -> SourceLine {
    match &issuer.keys {
        KeySource::File(path) => {
            SourceLine { kind: "file", at: path.to_string_lossy().into_owned() }
        }
        // It has no keys, and is asked about each token.
        KeySource::None => SourceLine {
            kind: "introspection",
            at: (issuer.introspection.as_ref())
                .map_or_else(String::new, |introspection| introspection.endpoint.to_string()),
        },
        KeySource::Remote(remote) => {
            SourceLine { kind: remote.entry.kind(), at: remote.entry.url().to_string() }
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
