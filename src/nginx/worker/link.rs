//! A worker's work on the documents: it puts other workers' documents in force, and publishes if it
//! leads.

use std::sync::Arc;

use mesh_control::{
    Document as _, KeyDocument, Level, Outbox, RemoteIssuer, Retired, Shared, Version,
};
use mesh_core::documents::{Documents, Failure, Found, Head, Lead};
use mesh_core::issuer::trust::Trust;
use mesh_core::text::time::UnixTime;

use crate::nginx::memory::state::State;
use crate::nginx::memory::writer::Writer;
use crate::nginx::ngx::role::worker_number;
use crate::nginx::state::settings::MainConf;

/// A worker's end of the shared documents; lives on its background thread.
#[derive(Clone)]
pub(crate) struct Link {
    trust: Arc<Trust>,
    documents: Documents<'static>,
    issuers: Vec<RemoteIssuer>,
    worker: usize,
    pid: u32,
    writer: Writer,
    lead: Option<Lead>,
    /// The generations of each issuer's document: the last that was looked at, and the one in force.
    adopted: Vec<(u64, u64)>,
    retired: Retired,
    state: Option<State>,
    /// When each issuer's document was last kept on disk, by its own time of confirmation.
    kept: Vec<Option<Head>>,
    /// Whether the disk failed already.
    is_mute: bool,
    outbox: Arc<Outbox>,
}

impl Link {
    /// Begins a worker: puts published documents in force, before the first request, and takes the
    /// lead if it is worker 0. `None` if there is no issuer.
    pub(crate) fn begin(main: &MainConf, outbox: &Arc<Outbox>) -> Option<Self> {
        let (zone, trust) = (main.shared?, main.trust.as_ref()?);
        let documents = zone.documents()?;
        let (worker, pid) = (worker_number(), std::process::id());
        documents.enter(worker, pid);
        let leads = worker == 0;
        let lead = zone.number().filter(|_| leads).and_then(|cycle| documents.take_lead(cycle));
        let issuers = trust.issuers().iter().enumerate();
        let mut link = Self {
            trust: Arc::clone(trust),
            issuers: issuers
                .filter_map(|(index, issuer)| RemoteIssuer::of(index, issuer))
                .collect(),
            adopted: vec![(0, 0); documents.len()],
            kept: vec![None; documents.len()],
            writer: Writer::new(&documents)?,
            documents,
            worker,
            pid,
            lead,
            retired: Retired::default(),
            state: zone.state().filter(|_| leads),
            is_mute: false,
            outbox: Arc::clone(outbox),
        };
        link.adopt();
        Some(link)
    }

    /// The issuers whose keys are fetched.
    pub(crate) fn issuers(&self) -> &[RemoteIssuer] {
        &self.issuers
    }

    /// Records the contents of a file before they are in force, for workers that begin while it is bad.
    pub(crate) fn record(&mut self, issuer: usize, bytes: &[u8]) {
        if !self.writer.record(issuer, bytes, UnixTime::from_secs(0)) {
            let fault = "keys of a file cannot be shared with other workers";
            self.outbox.announce(Level::Warn, fault);
        }
    }

    /// The last good version of an issuer's keys that any worker had in force.
    pub(crate) fn last(&self, issuer: usize) -> Option<Vec<u8>> {
        self.documents.read(issuer).map(|found| found.bytes)
    }

    /// Puts the newest document of an issuer in force, if it is not yet.
    fn adopt_one(&mut self, at: usize) -> Option<()> {
        let issuer = self.issuers.get(at)?;
        let index = issuer.index;
        let head = self.documents.head(index)?;
        let (seen, in_force) = self.adopted.get_mut(index)?;
        if head.generation == *in_force {
            self.trust.confirm(index, head.confirmed);
        }
        if head.generation == *seen {
            return Some(());
        }
        let found = self.documents.read(index)?;
        if found.generation <= *seen {
            // No worker can read the newest one, and the one before it is in force.
            return Some(());
        }
        *seen = found.generation;
        let mut keys = KeyDocument { trust: Arc::clone(&self.trust), issuer: index };
        match keys.adopt(&Version { bytes: &found.bytes, confirmed: Some(found.confirmed) }) {
            Ok((_, before)) => {
                *in_force = found.generation;
                self.retired.push(before);
                self.documents.adopted(self.worker, self.pid, index, found.generation);
            }
            // The publisher has parsed it before; the keys that are in force stay.
            Err(error) => {
                let fault = format!("keys that were shared of {}: {error}", keys.name());
                self.outbox.announce(Level::Error, &fault);
            }
        }
        Some(())
    }

    /// Keeps the published document on disk, unless the same was kept a moment ago.
    fn keep(&mut self, issuer: usize) {
        let (Some(state), Some(kept)) = (&self.state, self.kept.get_mut(issuer)) else { return };
        let Some(found) = self.documents.read(issuer) else { return };
        let Found { generation, confirmed, .. } = found;
        let is_kept = kept.is_some_and(|kept| {
            let later = confirmed.secs().saturating_sub(kept.confirmed.secs());
            kept.generation == generation && (0..KEEP_SECS).contains(&later)
        });
        if is_kept {
            return;
        }
        match state.save(issuer, &found) {
            Ok(()) => {
                *kept = Some(Head { generation, confirmed });
                self.is_mute = false;
            }
            Err(error) => {
                if !core::mem::replace(&mut self.is_mute, true) {
                    self.outbox.announce(Level::Warn, &error);
                }
            }
        }
    }
}

impl Shared for Link {
    fn is_leader(&mut self) -> bool {
        self.lead.is_some_and(|lead| self.documents.leads(lead))
    }

    fn confirmed(&mut self, issuer: usize) -> Option<UnixTime> {
        self.documents.head(issuer).map(|head| head.confirmed)
    }

    fn document(&mut self, issuer: usize) -> Option<Vec<u8>> {
        self.documents.read(issuer).map(|found| found.bytes)
    }

    fn publish(&mut self, issuer: usize, document: &[u8], at: UnixTime) -> bool {
        let (Some(lead), Some(lock)) = (self.lead, self.writer.lock()) else { return false };
        let published = self.documents.publish(issuer, document, at, lead, &lock);
        drop(lock);
        if published {
            self.keep(issuer);
        }
        published
    }

    fn confirm(&mut self, issuer: usize, at: UnixTime) -> bool {
        let (Some(lead), Some(lock)) = (self.lead, self.writer.lock()) else { return false };
        let confirmed = self.documents.confirm(issuer, at, lead, &lock);
        drop(lock);
        if confirmed {
            self.keep(issuer);
        }
        confirmed
    }

    fn fail(&mut self, issuer: usize, at: UnixTime, word: &'static str, why: &str) {
        if self.is_leader() {
            self.documents.fail(issuer, &Failure { at, word: word.into(), text: why.into() });
        }
    }

    fn wish(&mut self, issuer: usize) -> Option<Box<str>> {
        if self.is_leader() { self.documents.take_wish(issuer) } else { None }
    }

    fn adopt(&mut self) {
        for at in 0..self.issuers.len() {
            // If there is nothing new, there is nothing to do.
            let _ = self.adopt_one(at);
        }
        self.retired.sweep();
    }
}

/// Seconds by which the time on disk may lag.
const KEEP_SECS: i64 = 60;
