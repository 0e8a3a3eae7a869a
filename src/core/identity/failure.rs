//! What a refused credential costs the address that it came from (`mesh_failure_limit`).

use std::sync::Arc;

use super::Authentication;
use crate::limit::{Charge, Key, Quota, Table};
use crate::time::Tick;

/// A refused credential, to be charged to the address that it came from.
#[derive(Clone, Debug)]
pub struct Failure {
    quota: Arc<Quota>,
    key: Key,
}

impl Failure {
    /// One from that address; none where failures are not limited.
    pub fn of(address: &[u8], settings: &Authentication, table: Table<'_>) -> Option<Self> {
        let quota = settings.failure_limit.as_ref()?;
        Some(Self { quota: Arc::clone(quota), key: failure_key(quota, address, table) })
    }

    /// Charges it, also when it is past the limit already.
    pub fn charge(&self, table: Table<'_>, now: Tick) {
        let _ = table.debit(&Charge::new(&self.quota, self.key), now);
    }
}

/// An address has a bucket for each set of parameters: a strict limit in one location does not
/// shut an address out of another that is generous.
pub(super) fn failure_key(quota: &Quota, address: &[u8], table: Table<'_>) -> Key {
    let interval = quota.rate().interval().as_nanos().to_le_bytes();
    table.key(quota, &[&interval, &quota.burst().to_le_bytes(), address])
}
