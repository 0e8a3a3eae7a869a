//! The key set of an issuer that has it in a file: the workers share its last good version.

use std::sync::Arc;

use mesh_control::{Document, KeyDocument, Parsed, Rejected, Replaced, Version};
use mesh_core::issuer::trust::Trust;
use mesh_core::key::jwks::KeySet;

use crate::nginx::worker::link::Link;

/// A key set that is recorded for other workers before it is in force here.
pub(crate) struct RecordedKeys {
    keys: KeyDocument,
    link: Option<Link>,
}

impl RecordedKeys {
    pub(crate) fn new(trust: &Arc<Trust>, issuer: usize, link: Option<&Link>) -> Self {
        Self { keys: KeyDocument { trust: Arc::clone(trust), issuer }, link: link.cloned() }
    }
}

impl Document for RecordedKeys {
    type Contents = KeySet;

    fn name(&self) -> String {
        self.keys.name()
    }

    fn parse(&self, bytes: &[u8]) -> Result<Parsed<KeySet>, Rejected> {
        self.keys.parse(bytes)
    }

    fn put(&mut self, set: KeySet, version: &Version<'_>) -> Replaced {
        // First: a worker that replaces this one must not have an older version.
        if let Some(link) = &mut self.link {
            link.record(self.keys.issuer, version.bytes);
        }
        self.keys.put(set, version)
    }

    fn withdraw(&mut self) -> Replaced {
        self.keys.withdraw()
    }
}
