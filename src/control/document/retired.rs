//! What is no longer in force.

use std::sync::Arc;

use super::Replaced;

/// What requests may still read: kept until none does, so that no request is the one to drop it, which
/// may take time.
#[derive(Clone, Debug, Default)]
pub struct Retired(Vec<Replaced>);

impl Retired {
    /// Keeps one more.
    pub fn push(&mut self, replaced: Replaced) {
        self.0.push(replaced);
    }

    /// Drops those that no request reads.
    pub fn sweep(&mut self) {
        // A request that reads it holds it, and is never the last to do so.
        self.0.retain(|replaced| Arc::strong_count(replaced) > 1);
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::claims::Kept;
    use mesh_core::issuer::trust::{Revoked, Trust};

    use super::*;

    #[test]
    fn what_was_in_force_is_kept_as_long_as_something_reads_it() {
        let trust = Trust::new(Vec::new(), Kept::default(), Vec::new());
        let mut retired = Retired::default();
        let read = trust.load();
        retired.push(trust.revoke(Revoked::Unknown));
        retired.push(trust.revoke(Revoked::Unknown));
        retired.sweep();
        assert_eq!(retired.0.len(), 1);
        drop(read);
        retired.sweep();
        assert!(retired.0.is_empty());
    }
}
