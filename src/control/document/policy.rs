//! A policy.

use std::sync::Arc;

use mesh_core::policy::{Edition, Policies};

use super::{Document, Parsed, Rejected, Replaced, Version};
use crate::thread::message::Level;

/// The file of a `mesh_policy`.
#[derive(Clone, Debug)]
pub struct PolicyDocument {
    /// The policies of the configuration.
    pub policies: Arc<Policies>,
    /// Its place among them.
    pub policy: usize,
}

impl Document for PolicyDocument {
    type Contents = Edition;

    fn name(&self) -> String {
        "mesh_policy".to_owned()
    }

    fn parse(&self, bytes: &[u8]) -> Result<Parsed<Edition>, Rejected> {
        let (contents, warnings) = self.policies.read(bytes).map_err(Rejected::because)?;
        let count = format!("{} rules", contents.rules());
        let level = if warnings.is_empty() { Level::Notice } else { Level::Warn };
        let warnings = warnings.iter().map(ToString::to_string).collect();
        Ok(Parsed { contents, count, warnings, level })
    }

    fn put(&mut self, edition: Edition, _: &Version<'_>) -> Replaced {
        self.policies.replace(self.policy, Some(edition))
    }

    fn withdraw(&mut self) -> Replaced {
        self.policies.replace(self.policy, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_in_force_until_another_is_or_none_is_known() {
        let policies = Policies::new(Vec::new(), Vec::new());
        let (first, _) = policies.read(b"version: 1\n").unwrap();
        let policies = Arc::new(policies.with(vec![first]));
        let mut document = PolicyDocument { policies: Arc::clone(&policies), policy: 0 };
        let (adopted, _) = document.adopt(&Version::of_file(b"version: 1\nroles: {}\n")).unwrap();
        assert_eq!(adopted.summary, "0 rules of mesh_policy");
        assert_eq!(policies.load().get(0).unwrap().generation(), 1);

        let rejected = document.adopt(&Version::of_file(b"version: 1\nrules: 1\n")).unwrap_err();
        assert!(rejected.to_string().starts_with("2:1: "), "{rejected}");
        assert_eq!(policies.load().get(0).unwrap().generation(), 1);

        document.withdraw();
        assert!(policies.load().get(0).is_none());
    }
}
