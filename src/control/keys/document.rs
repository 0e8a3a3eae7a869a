//! The key set of one issuer, from a file or from its server.

use std::sync::Arc;

use mesh_core::issuer::trust::{Snapshot, Trust};
use mesh_core::key::jwks::{KeySet, SkippedKey, warnings};

use crate::document::{Document, Parsed, Rejected, Version};
use crate::thread::message::Level;

/// The key set of an issuer.
#[derive(Clone, Debug)]
pub struct KeyDocument {
    /// Where it is in force.
    pub trust: Arc<Trust>,
    /// The issuer's place there.
    pub issuer: usize,
}

impl Document for KeyDocument {
    type Contents = KeySet;

    fn name(&self) -> String {
        let name = self.trust.issuers().get(self.issuer).map_or("", |issuer| &issuer.name);
        format!("mesh_issuer \"{name}\"")
    }

    fn parse(&self, bytes: &[u8]) -> Result<Parsed<KeySet>, Rejected> {
        let issuer = self.trust.issuers().get(self.issuer);
        let issuer = issuer.ok_or_else(|| Rejected::because("it belongs to no issuer"))?;
        issuer.read_keys(bytes).map(parsed).map_err(Rejected::because)
    }

    fn put(&mut self, set: KeySet, version: &Version<'_>) -> Arc<Snapshot> {
        match version.confirmed {
            Some(at) => self.trust.replace_fetched(self.issuer, set, at),
            None => self.trust.replace(self.issuer, set),
        }
    }

    fn withdraw(&mut self) -> Arc<Snapshot> {
        self.trust.withdraw(self.issuer)
    }
}

/// What there is to say of a key set, and of what is left out of it.
pub(super) fn parsed((contents, skipped): (KeySet, Vec<SkippedKey>)) -> Parsed<KeySet> {
    let is_weak = skipped.iter().any(|key| key.fault.is_weakness());
    Parsed {
        count: format!("{} keys", contents.count()),
        warnings: warnings(&skipped).collect(),
        level: if is_weak { Level::Warn } else { Level::Notice },
        contents,
    }
}
