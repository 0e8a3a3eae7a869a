//! The limits that the workers share, in the shared memory zone "mesh".

use core::ffi::c_void;
use core::hash::BuildHasher;
use core::ptr::NonNull;
use core::slice;
use std::hash::RandomState;

use mesh_core::limit::{BUCKETS_OFFSET, Bucket, Header, Table};
use mesh_core::memory::MemoryError;
use nginx_sys::{ngx_conf_t, ngx_shm_zone_t, ngx_slab_pool_t};

use super::host::Process;
use super::zone::{Contents, InZone, ZoneError, block_size, declare, take_over};
use crate::nginx::ngx::log::Log;

/// The zone of one configuration, to be kept in its main structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitZone(NonNull<ngx_shm_zone_t>);

impl LimitZone {
    /// Asks Nginx for the zone; the memory is there when the configuration takes effect.
    ///
    /// # Errors
    ///
    /// [`ZoneError`]; Nginx has logged [`ZoneError::Refused`] already.
    ///
    /// # Safety
    ///
    /// `cf` is the structure that Nginx passed to a directive or to `postconfiguration`.
    pub(crate) unsafe fn add(cf: *mut ngx_conf_t, size: usize) -> Result<Self, ZoneError> {
        // SAFETY: the caller vouches for `cf`.
        unsafe { declare::<Self>(cf, NAME, size) }.map(Self)
    }

    /// The table, once the configuration has taken effect; `None` under `nginx -s`.
    ///
    /// It costs a few loads, so that no copy is kept that could outlive a zone.
    pub(crate) fn table(self) -> Option<Table<'static>> {
        // SAFETY: the zone lives as long as the configuration that holds it. If `data` is set,
        // `init` has opened the block, and what runs under this configuration may read it (the
        // zone outlives).
        unsafe {
            let zone = self.0.as_ptr();
            if (*zone).data.is_null() {
                return None;
            }
            // The memory has its own seed: this block is not new.
            open((*zone).shm.addr.cast(), [0; 2]).ok()
        }
    }
}

impl Contents for LimitZone {
    type Error = InZone;

    unsafe fn of(zone: NonNull<ngx_shm_zone_t>) -> Option<Self> {
        Some(Self(zone))
    }

    unsafe fn begin(self, old: *mut c_void, _: Log<'_>) -> Result<(), InZone> {
        // SAFETY: the caller vouches for the zone and for `old`.
        let begun = unsafe {
            take_over(self.0, NAME, old).and_then(|pool| {
                open(pool, random_seed()).map_err(ZoneError::Memory)?;
                (*self.0.as_ptr()).data = (*pool).start.cast();
                Ok(())
            })
        };
        begun.map_err(|error| InZone(error, NAME))
    }
}

/// The block of a zone as the table it holds, or zeroed memory as a new one.
///
/// # Safety
///
/// `pool` begins a zone whose pages are all in one block, which `take_over` has allocated and
/// zeroed, and which stays mapped as long as the table is used. Every process that has it mapped
/// treats it as a [`Header`] and [`Bucket`]s, which are atomics.
unsafe fn open(pool: *mut ngx_slab_pool_t, seed: [u64; 2]) -> Result<Table<'static>, MemoryError> {
    // SAFETY: the caller vouches for the block. It begins on a page, which is aligned enough, and
    // ends behind the last bucket; any bytes are valid atomics.
    unsafe {
        let block = (*pool).start;
        let count = Table::buckets_in(block_size(pool));
        let header = &*block.cast::<Header>();
        let buckets = slice::from_raw_parts(block.add(BUCKETS_OFFSET).cast::<Bucket>(), count);
        Table::open(header, buckets, seed, &Process)
    }
}

/// A random seed, so that clients cannot aim at a bucket. The standard library asks the system for the
/// keys of a hasher's state, and the hashes of two numbers reveal nothing of these keys.
fn random_seed() -> [u64; 2] {
    let state = RandomState::new();
    [state.hash_one(0_u64), state.hash_one(1_u64)]
}

const NAME: &str = "mesh";
