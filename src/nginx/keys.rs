//! How a worker's keys, and its list of what is revoked, stay fresh: the background thread reads a
//! file that changed, and it counts from the next request on.

use std::io::ErrorKind;
use std::sync::Arc;

use mesh_control::{
    Adopted, Control, FileStamp, Introspector, Level as Grade, Options, Publish, ReadError,
    Refusal, Shared, Tasks, WatchedFile, read_capped,
};
use mesh_core::issuer::revocation::Revocations;
use mesh_core::issuer::trust::{Revoked, Snapshot, Trust};
use mesh_core::key::jwks::warnings;

use super::documents::Link;
use super::log::{Level, Log};
use super::settings::MainConf;
use super::{parking, process};

/// What a watched file is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Document {
    /// The key set of the issuer with that index in [`Trust`].
    Keys(usize),
    /// The list of what is revoked.
    Revocations,
}

/// Takes the files, and what other workers have fetched, as they are now; then watches them.
///
/// A worker that replaces a dead one has the keys of the master, which are those of the last
/// reload: it must not answer a request by them when there are newer ones.
pub(crate) fn watch(main: &MainConf) {
    let Some(trust) = &main.trust else { return };
    if !process::is_worker() {
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
    process::start(move || {
        // One voice is enough: every worker sees the same files.
        let options = Options { report: process::worker_number() == 0, ..Options::default() };
        let asks = link.as_ref().filter(|link| !link.issuers().is_empty());
        let tasks = Tasks {
            files: files.clone(),
            issuers: asks.map_or_else(Vec::new, |link| link.issuers().to_vec()),
            shared: asks.cloned().map(|link| Box::new(link) as Box<dyn Shared>),
            introspector: introspector.clone(),
        };
        Control::start(tasks, Keys::new(&trust, &documents, link.clone()), options)
    });
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

/// Puts key sets in force, and drops the old ones where nobody waits for it.
struct Keys {
    trust: Arc<Trust>,
    documents: Vec<Document>,
    link: Option<Link>,
    retired: Vec<Arc<Snapshot>>,
}

impl Keys {
    fn new(trust: &Arc<Trust>, documents: &[Document], link: Option<Link>) -> Self {
        let (trust, documents) = (Arc::clone(trust), documents.to_vec());
        Self { trust, documents, link, retired: Vec::new() }
    }

    /// Puts the version in force that was it last in any worker, if that is known.
    fn revive(&mut self, document: usize) -> Option<Adopted> {
        let Some(Document::Keys(issuer)) = self.documents.get(document).copied() else {
            return None;
        };
        let bytes = self.link.as_ref()?.last(issuer)?;
        self.put(issuer, &bytes).ok()
    }

    fn withdraw(&mut self, document: usize) {
        match self.documents.get(document) {
            Some(Document::Keys(issuer)) => self.retired.push(self.trust.withdraw(*issuer)),
            Some(Document::Revocations) => {
                self.retired.push(self.trust.revoke(Revoked::Unknown));
            }
            None => {}
        }
    }

    fn put(&mut self, index: usize, bytes: &[u8]) -> Result<Adopted, Refusal> {
        let issuer = self
            .trust
            .issuers()
            .get(index)
            .ok_or_else(|| Refusal::Bad("it belongs to no issuer".to_owned()))?;
        let (set, skipped) =
            issuer.read_keys(bytes).map_err(|error| Refusal::Bad(error.to_string()))?;
        let mut summary = format!("{} keys of mesh_issuer \"{}\"", set.count(), issuer.name);
        for warning in warnings(&skipped) {
            summary.push_str(&format!(", {warning}"));
        }
        let is_weak = skipped.iter().any(|key| key.fault.is_weakness());
        let level = if is_weak { Grade::Warn } else { Grade::Notice };
        // Before it is in force here: whoever replaces this worker must not have an older one.
        if let Some(link) = &mut self.link {
            link.record(index, bytes);
        }
        self.retired.push(self.trust.replace(index, set));
        Ok(Adopted { summary, level })
    }

    fn put_revocations(&mut self, bytes: &[u8]) -> Result<Adopted, Refusal> {
        let list = Revocations::parse(bytes, |name| self.trust.find_named(name))
            .map_err(|error| Refusal::Bad(error.to_string()))?;
        let summary = format!("{} entries of mesh_revocation", list.count());
        self.retired.push(self.trust.revoke(Revoked::Listed(Arc::new(list))));
        Ok(summary.into())
    }
}

impl Publish for Keys {
    fn publish(&mut self, document: usize, bytes: &[u8]) -> Result<Adopted, Refusal> {
        match self.documents.get(document) {
            Some(Document::Keys(issuer)) => self.put(*issuer, bytes),
            Some(Document::Revocations) => self.put_revocations(bytes),
            None => Err(Refusal::Bad("nobody asked for it".to_owned())),
        }
    }

    fn retire(&mut self) {
        // A request that reads a snapshot holds it; it is never the last to do so.
        self.retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
    }
}
