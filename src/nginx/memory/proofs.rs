//! The memory of accepted proofs: the shared memory zone "mesh_dpop".

use core::cell::Cell;
use core::ffi::c_void;
use core::ptr::NonNull;
use core::slice;

use aws_lc_rs::rand;
use mesh_core::proof::{Memory, MemoryBucket, MemoryHeader, Secrets, ShareBucket};
use nginx_sys::{ngx_conf_t, ngx_shm_zone_t, ngx_slab_pool_t};

use super::zone::{Contents, InZone, ZoneError, block_size, declare, take_over};
use crate::nginx::ngx::log::Log;
use crate::nginx::ngx::pool::in_pool;

/// The zone of one configuration, to be kept in its main structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProofZone(NonNull<ngx_shm_zone_t>);

/// The target of the zone's `data`.
struct Data {
    /// The most seconds that a proof is valid under this configuration.
    max_age: i64,
    /// Whether the memory is there.
    is_open: Cell<bool>,
}

impl ProofZone {
    /// As [`LimitZone::add`](super::limits::LimitZone::add), for proofs that are valid for `max_age`
    /// seconds at most.
    ///
    /// # Errors
    ///
    /// [`ZoneError`]; Nginx has logged [`ZoneError::Refused`] already.
    ///
    /// # Safety
    ///
    /// As there.
    pub(crate) unsafe fn add(
        cf: *mut ngx_conf_t,
        size: usize,
        max_age: i64,
    ) -> Result<Self, ZoneError> {
        // SAFETY: the caller vouches for `cf`, whose pool is the cycle's, which the zone is in too.
        unsafe {
            let zone = declare::<Self>(cf, NAME, size)?;
            let data = in_pool((*cf).pool, Data { max_age, is_open: Cell::new(false) });
            if data.is_null() {
                return Err(ZoneError::NoBlock);
            }
            (*zone.as_ptr()).data = data.cast();
            Ok(Self(zone))
        }
    }

    /// The memory, once the configuration has taken effect; `None` under `nginx -s`.
    pub(crate) fn memory(self) -> Option<Memory<'static>> {
        // SAFETY: zone and data live as long as the configuration that holds them. If the memory is
        // open, what runs under this configuration may read it (the zone outlives).
        unsafe {
            let zone = self.0.as_ptr();
            if !(*(*zone).data.cast::<Data>()).is_open.get() {
                return None;
            }
            let (header, buckets, shares) = block((*zone).shm.addr.cast());
            Memory::open(header, buckets, shares).ok()
        }
    }

    /// As [`Contents::begin`].
    unsafe fn open(self, old: *mut c_void) -> Result<(), ZoneError> {
        // SAFETY: the caller vouches for the zone and for `old`; `add` has set `data`. Nginx keeps
        // the time up to date.
        unsafe {
            let zone = self.0.as_ptr();
            let (header, buckets, shares) = block(take_over(self.0, NAME, old)?);
            let data = &*(*zone).data.cast::<Data>();
            let now = (*nginx_sys::ngx_cached_time).sec;
            Memory::begin(header, buckets, shares, &secrets()?, data.max_age, now)
                .map_err(ZoneError::Memory)?;
            data.is_open.set(true);
        }
        Ok(())
    }
}

impl Contents for ProofZone {
    type Error = InZone;

    unsafe fn of(zone: NonNull<ngx_shm_zone_t>) -> Option<Self> {
        Some(Self(zone))
    }

    unsafe fn begin(self, old: *mut c_void, _: Log<'_>) -> Result<(), InZone> {
        // SAFETY: the caller's contract.
        unsafe { self.open(old) }.map_err(|error| InZone(error, NAME))
    }
}

/// The block of a zone as the memory that it holds.
///
/// # Safety
///
/// `pool` begins a zone whose pages are all in one block, which `take_over` has allocated and
/// zeroed, and which stays mapped as long as the memory is used. Every process that has it mapped
/// treats it as a header and buckets, which are atomics.
unsafe fn block(pool: *mut ngx_slab_pool_t) -> Block {
    // SAFETY: the caller vouches for the block. It begins on a page, which is aligned enough, and
    // ends behind the last bucket; any bytes are valid atomics.
    unsafe {
        let block = (*pool).start;
        let (proofs, shares) = Memory::buckets_in(block_size(pool));
        let buckets = block.add(Memory::BUCKETS_OFFSET).cast::<MemoryBucket>();
        let behind = buckets.add(proofs).cast::<ShareBucket>();
        (
            &*block.cast::<MemoryHeader>(),
            slice::from_raw_parts(buckets, proofs),
            slice::from_raw_parts(behind, shares),
        )
    }
}

type Block = (&'static MemoryHeader, &'static [MemoryBucket], &'static [ShareBucket]);

/// Secrets from the system's generator; nonces are made with them.
fn secrets() -> Result<Secrets, ZoneError> {
    let mut words = [[0_u8; 8]; 6];
    rand::fill(words.as_flattened_mut()).map_err(|_| ZoneError::NoRandom)?;
    let [first, second, nonces @ ..] = words.map(u64::from_le_bytes);
    Ok(Secrets { seed: [first, second], nonces })
}

const NAME: &str = "mesh_dpop";
