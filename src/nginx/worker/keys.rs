//! Puts a worker's keys, and its list of what is revoked, in force: what the background thread reads counts
//! from the next request on.

use std::sync::Arc;

use mesh_control::{Adopted, Level as Grade, Publish, Refusal};
use mesh_core::issuer::revocation::Revocations;
use mesh_core::issuer::trust::{Revoked, Snapshot, Trust};
use mesh_core::key::jwks::warnings;

use crate::nginx::state::document::Document;
use crate::nginx::worker::link::Link;

/// Puts key sets in force, and drops the old ones where nobody waits for it.
pub(crate) struct Keys {
    trust: Arc<Trust>,
    documents: Vec<Document>,
    link: Option<Link>,
    retired: Vec<Arc<Snapshot>>,
}

impl Keys {
    pub(crate) fn new(trust: &Arc<Trust>, documents: &[Document], link: Option<Link>) -> Self {
        let (trust, documents) = (Arc::clone(trust), documents.to_vec());
        Self { trust, documents, link, retired: Vec::new() }
    }

    /// Puts the version in force that was it last in any worker, if that is known.
    pub(crate) fn revive(&mut self, document: usize) -> Option<Adopted> {
        let Some(Document::Keys(issuer)) = self.documents.get(document).copied() else {
            return None;
        };
        let bytes = self.link.as_ref()?.last(issuer)?;
        self.put(issuer, &bytes).ok()
    }

    pub(crate) fn withdraw(&mut self, document: usize) {
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
