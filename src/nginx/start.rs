//! The start of a process: its keys as they are now, and the thread that keeps them fresh. Only this
//! file knows both the phases and the thread.

use core::time::Duration;
use std::io::ErrorKind;
use std::sync::Arc;

use mesh_control::{
    Control, Document, FetchedKeys, FileStamp, Introspector, Job, Options, Outbox, PolicyDocument,
    ReadError, RevocationDocument, Version, Watched, WatchedFile, read_capped,
};

use crate::nginx::ngx::log::{Level, Log};
use crate::nginx::ngx::role::{is_worker, worker_number};
use crate::nginx::phase::parking;
use crate::nginx::state::document::FileOf;
use crate::nginx::state::settings::MainConf;
use crate::nginx::worker::keys::RecordedKeys;
use crate::nginx::worker::link::Link;
use crate::nginx::worker::thread::{self, Started};

/// Reads the files, and the documents that other workers have fetched; then watches them.
///
/// A worker that replaces a dead one has the master's keys, which are as old as the last reload: it
/// must not answer a request by them if there are newer ones.
pub(crate) fn watch(main: &MainConf) {
    let Some(trust) = &main.trust else { return };
    if !is_worker() {
        return;
    }
    // One report is enough: every worker sees the same files.
    let outbox = Outbox::new(worker_number() == 0);
    let link = Link::begin(main, &outbox);
    if main.shared.is_some() && link.is_none() {
        let fault = "the shared memory of keys cannot be read, nothing is fetched";
        Log::cycle().write(Level::Crit, format_args!("{fault}"));
    }
    let introspects = trust.issuers().iter().any(|issuer| issuer.introspection.is_some());
    if main.documents.is_empty() && link.is_none() && !introspects {
        return;
    }
    let mut files = main.documents.clone();
    for (of, file) in &mut files {
        match *of {
            FileOf::Keys(issuer) => {
                let keys = RecordedKeys::new(trust, issuer, link.as_ref());
                let last = || link.as_ref()?.last(issuer);
                prime(keys, file, last);
            }
            FileOf::Policy(policy) => {
                let Some(document) = policy_document(main, policy) else { continue };
                file.interval = Some(policy_interval(worker_number()));
                prime(document, file, || None);
            }
            FileOf::Revocations => {
                prime(RevocationDocument(Arc::clone(trust)), file, || None);
            }
        }
    }
    let trust = Arc::clone(trust);
    let introspector = if introspects { parking::open() } else { None }.map(|wake| Introspector {
        trust: Arc::clone(&trust),
        credentials: main.credentials.clone(),
        wake,
    });
    let policies: Vec<_> =
        (0..main.policy_files.len()).map(|policy| policy_document(main, policy)).collect();
    let messages = Arc::clone(&outbox);
    let spawn = move || {
        let options = Options { outbox: Arc::clone(&outbox), ..Options::default() };
        let mut jobs: Vec<Box<dyn Job>> = Vec::new();
        for (of, file) in files.iter().cloned() {
            jobs.push(match of {
                FileOf::Keys(issuer) => {
                    let document = RecordedKeys::new(&trust, issuer, link.as_ref());
                    Box::new(Watched { document, file })
                }
                FileOf::Policy(policy) => {
                    let Some(document) = policies.get(policy).cloned().flatten() else { continue };
                    Box::new(Watched { document, file })
                }
                FileOf::Revocations => {
                    Box::new(Watched { document: RevocationDocument(Arc::clone(&trust)), file })
                }
            });
        }
        if let Some(link) = link.as_ref().filter(|link| !link.issuers().is_empty()) {
            let (issuers, shared) = (link.issuers().to_vec(), Box::new(link.clone()));
            jobs.push(Box::new(FetchedKeys { issuers, shared }));
        }
        let desk = introspector.clone().map(|introspector| {
            let (desk, counter) = introspector.open();
            jobs.push(Box::new(counter));
            desk
        });
        Ok(Started { control: Control::start(jobs, options)?, desk })
    };
    thread::start(messages, spawn, parking::abandon);
}

/// The time between two looks at a policy: another one in each worker, so that they do not all read and
/// index a new version in the same moment.
///
/// An interval is at most the thread's own, a second: what is above it would be the same in all workers.
fn policy_interval(worker: usize) -> Duration {
    let shift = u64::try_from(worker.checked_rem(16).unwrap_or(0)).unwrap_or(0);
    Duration::from_millis(shift.saturating_mul(40).saturating_add(400))
}

/// A policy, for whoever puts its versions in force.
fn policy_document(main: &MainConf, policy: usize) -> Option<PolicyDocument> {
    let policies = Arc::clone(main.policies.as_ref()?);
    Some(PolicyDocument { policies, policy })
}

/// Reads a file that has changed since the configuration was read.
///
/// If it is bad, older workers hold keys that this one never saw, and may have given up the
/// configuration's keys since. It goes on with the keys that were in force last, which the workers
/// share. A revocation list is not shared: the worker answers 503 until the file is good again.
fn prime(
    mut document: impl Document,
    file: &mut WatchedFile,
    last: impl FnOnce() -> Option<Vec<u8>>,
) {
    let read = read_capped(&file.path, file.max_bytes);
    // Before the first request, nothing reads the old snapshot.
    let mut adopt = |bytes: &[u8]| document.adopt(&Version::of_file(bytes)).map(drop);
    let fault = match &read {
        Ok((_, stamp)) if file.primed == Some(*stamp) => return,
        Err(_) if is_as_it_was(file) => return,
        Ok((bytes, _)) => adopt(bytes).err().map(|fault| fault.to_string()),
        Err(fault) => Some(fault.to_string()),
    };
    match (fault, read) {
        (None, Ok((_, stamp))) => file.primed = Some(stamp),
        (fault, _) => {
            file.primed = None;
            let then = if last().is_some_and(|bytes| adopt(&bytes).is_ok()) {
                "goes on with the last good version"
            } else {
                drop(document.withdraw());
                "has no last good version"
            };
            Log::cycle().write(
                Level::Error,
                format_args!(
                    "\"{}\" is not usable at the start of a worker, which {then} of it: {}",
                    file.path.display(),
                    fault.unwrap_or_default()
                ),
            );
        }
    }
}

/// Whether a file that only the master may read is unchanged since the master read it. If workers
/// cannot even look, none of them has ever seen another version.
fn is_as_it_was(file: &WatchedFile) -> bool {
    match FileStamp::of(&file.path) {
        Ok(stamp) => file.primed == Some(stamp),
        Err(ReadError::Stat(error)) => error.kind() == ErrorKind::PermissionDenied,
        Err(_) => false,
    }
}
