//! Snapshots that are no longer in force.

use std::sync::Arc;

use mesh_core::issuer::trust::Snapshot;

/// Snapshots that requests may still read: kept until none does, so that no request is the one to drop
/// them, which may take time.
#[derive(Clone, Debug, Default)]
pub struct Retired(Vec<Arc<Snapshot>>);

impl Retired {
    /// Keeps one more.
    pub fn push(&mut self, snapshot: Arc<Snapshot>) {
        self.0.push(snapshot);
    }

    /// Drops those that no request reads.
    pub fn sweep(&mut self) {
        // A request that reads a snapshot holds it; it is never the last to do so.
        self.0.retain(|snapshot| Arc::strong_count(snapshot) > 1);
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::claims::Kept;
    use mesh_core::issuer::trust::{Revoked, Trust};

    use super::*;

    #[test]
    fn snapshot_is_kept_as_long_as_something_reads_it() {
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
