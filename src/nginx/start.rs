//! What a process begins with: its keys as they are now, and the thread that keeps them fresh. It alone
//! knows the phases and the thread.

use std::io::ErrorKind;
use std::sync::Arc;

use mesh_control::{
    Control, FileStamp, Introspector, Options, Publish as _, ReadError, Shared, Tasks, WatchedFile,
    read_capped,
};

use crate::nginx::ngx::log::{Level, Log};
use crate::nginx::ngx::role::{is_worker, worker_number};
use crate::nginx::phase::parking;
use crate::nginx::state::settings::MainConf;
use crate::nginx::worker::keys::Keys;
use crate::nginx::worker::link::Link;
use crate::nginx::worker::thread;

/// Takes the files, and what other workers have fetched, as they are now; then watches them.
///
/// A worker that replaces a dead one has the keys of the master, which are those of the last
/// reload: it must not answer a request by them when there are newer ones.
pub(crate) fn watch(main: &MainConf) {
    let Some(trust) = &main.trust else { return };
    if !is_worker() {
        return;
    }
    let link = Link::begin(main);
    if main.shared.is_some() && link.is_none() {
        let fault = "the shared memory of keys cannot be read, nothing is fetched";
        Log::cycle().write(Level::Crit, format_args!("{fault}"));
    }
    let introspects = trust.issuers().iter().any(|issuer| issuer.introspection.is_some());
    if main.documents.is_empty() && link.is_none() && !introspects {
        return;
    }
    let (documents, mut files): (Vec<_>, Vec<_>) = main.documents.iter().cloned().unzip();
    let mut keys = Keys::new(trust, &documents, link.clone());
    for (document, file) in files.iter_mut().enumerate() {
        prime(&mut keys, document, file);
    }
    keys.retire();
    let trust = Arc::clone(trust);
    let introspector = if introspects { parking::open() } else { None }.map(|wake| Introspector {
        trust: Arc::clone(&trust),
        credentials: main.credentials.clone(),
        wake,
    });
    let spawn = move || {
        // One voice is enough: every worker sees the same files.
        let options = Options { report: worker_number() == 0, ..Options::default() };
        let asks = link.as_ref().filter(|link| !link.issuers().is_empty());
        let tasks = Tasks {
            files: files.clone(),
            issuers: asks.map_or_else(Vec::new, |link| link.issuers().to_vec()),
            shared: asks.cloned().map(|link| Box::new(link) as Box<dyn Shared>),
            introspector: introspector.clone(),
        };
        Control::start(tasks, Keys::new(&trust, &documents, link.clone()), options)
    };
    thread::start(spawn, parking::abandon);
}

/// Reads a file that has changed since the configuration was read.
///
/// If it is bad, the workers that were there before hold keys that this one never saw: those of
/// the configuration may have been given up since. It goes on with those that were in force last,
/// which the workers share; a list of what is revoked is not shared, so that it answers 503 until the
/// file is good again.
fn prime(keys: &mut Keys, document: usize, file: &mut WatchedFile) {
    let read = read_capped(&file.path, file.max_bytes);
    let fault = match &read {
        Ok((_, stamp)) if file.primed == Some(*stamp) => return,
        Err(_) if is_as_it_was(file) => return,
        Ok((bytes, _)) => keys.publish(document, bytes).err().map(|fault| fault.to_string()),
        Err(fault) => Some(fault.to_string()),
    };
    match (fault, read) {
        (None, Ok((_, stamp))) => file.primed = Some(stamp),
        (fault, _) => {
            file.primed = None;
            let then = if keys.revive(document).is_some() {
                "goes on with the last good version"
            } else {
                keys.withdraw(document);
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

/// Whether a file that only the master may read is still what the master has read. Where workers
/// cannot even look, none of them has ever seen another.
fn is_as_it_was(file: &WatchedFile) -> bool {
    match FileStamp::of(&file.path) {
        Ok(stamp) => file.primed == Some(stamp),
        Err(ReadError::Stat(error)) => error.kind() == ErrorKind::PermissionDenied,
        Err(_) => false,
    }
}
