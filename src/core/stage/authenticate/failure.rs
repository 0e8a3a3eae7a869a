//! The charge for a refused credential on the address that it came from (`mesh_failure_limit`).

use std::sync::Arc;

use super::Authentication;
use crate::limit::{Charge, Limited, Part, Quota, Table};
use crate::text::time::Tick;

/// A refused credential, to be charged to the address that it came from.
#[derive(Clone, Debug)]
pub struct Failure {
    quota: Arc<Quota>,
    address: [u8; MOST],
    len: usize,
}

impl Failure {
    /// One from that address; `None` if failures are not limited.
    pub fn of(address: &[u8], settings: &Authentication) -> Option<Self> {
        let quota = Arc::clone(settings.failure_limit.as_ref()?);
        let mut kept = [0; MOST];
        kept.get_mut(..address.len())?.copy_from_slice(address);
        Some(Self { quota, address: kept, len: address.len() })
    }

    /// Charges it, also when it is past the limit already.
    pub fn charge(&self, table: Table<'_>, now: Tick) {
        let address = self.address.get(..self.len).unwrap_or_default();
        table.debit(&charges(&self.quota, address, table), now);
    }
}

/// Whether the address may fail once more.
pub(super) fn peek(
    quota: &Quota,
    address: &[u8],
    table: Table<'_>,
    now: Tick,
) -> Result<(), Limited> {
    table.peek_debit(&charges(quota, address, table), now)
}

/// The charge on an address, and the one on its network for when there is no room for the address:
/// an attacker with a network can fill the part with addresses, but still has one network.
fn charges<'q>(quota: &'q Quota, address: &[u8], table: Table<'_>) -> [Charge<'q>; 2] {
    let network = match address {
        [network @ .., _] if address.len() == 4 => network,
        [network @ .., _, _] if address.len() == MOST => network,
        all => all,
    };
    // An address has a bucket for each set of parameters: a strict limit in one location does not
    // shut an address out of another that is generous.
    let (interval, burst) = (quota.rate().interval().as_nanos(), quota.burst().to_le_bytes());
    let interval = interval.to_le_bytes();
    let address =
        Charge::new(quota, Part::Failures, table.key(quota, &[&interval, &burst, address]));
    let network = table.key(quota, &[&interval, &burst, b"network", network]);
    [address, address.shared(network)]
}

/// The most bytes of an address as limits see it: the /64 of an IPv6 address.
const MOST: usize = 8;
