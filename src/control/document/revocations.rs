//! The list of what is revoked.

use std::sync::Arc;

use mesh_core::issuer::revocation::Revocations;
use mesh_core::issuer::trust::{Revoked, Snapshot, Trust};

use super::{Document, Parsed, Rejected, Version};
use crate::thread::message::Level;

/// The list of `mesh_revocation`.
#[derive(Clone, Debug)]
pub struct RevocationDocument(pub Arc<Trust>);

impl Document for RevocationDocument {
    type Contents = Revocations;

    fn name(&self) -> String {
        "mesh_revocation".to_owned()
    }

    fn parse(&self, bytes: &[u8]) -> Result<Parsed<Revocations>, Rejected> {
        let list = Revocations::parse(bytes, |name| self.0.find_named(name));
        let contents = list.map_err(Rejected::because)?;
        let count = format!("{} entries", contents.count());
        Ok(Parsed { contents, count, warnings: Vec::new(), level: Level::Notice })
    }

    fn put(&mut self, list: Revocations, _: &Version<'_>) -> Arc<Snapshot> {
        self.0.revoke(Revoked::Listed(Arc::new(list)))
    }

    fn withdraw(&mut self) -> Arc<Snapshot> {
        self.0.revoke(Revoked::Unknown)
    }
}
