//! The revocation list.

use std::sync::Arc;

use mesh_core::issuer::revocation::Revocations;
use mesh_core::issuer::trust::{Revoked, Trust};

use super::{Document, Parsed, Rejected, Replaced, Version};
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

    fn put(&mut self, list: Revocations, _: &Version<'_>) -> Replaced {
        self.0.revoke(Revoked::Listed(Arc::new(list)))
    }

    fn withdraw(&mut self) -> Replaced {
        self.0.revoke(Revoked::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::claims::Kept;

    use super::*;

    #[test]
    fn list_is_in_force_until_another_is_or_none_is_known() {
        let trust = Arc::new(Trust::new(Vec::new(), Kept::default(), Vec::new()));
        let mut document = RevocationDocument(Arc::clone(&trust));
        let bytes = br#"{"version": 1, "revoked": []}"#;
        let (adopted, _) = document.adopt(&Version::of_file(bytes)).unwrap();
        assert_eq!(adopted.summary, "0 entries of mesh_revocation");
        assert!(matches!(trust.load().revoked(), Revoked::Listed(_)));

        document.adopt(&Version::of_file(b"{}")).unwrap_err();
        assert!(matches!(trust.load().revoked(), Revoked::Listed(_)));

        document.withdraw();
        assert!(matches!(trust.load().revoked(), Revoked::Unknown));
    }
}
