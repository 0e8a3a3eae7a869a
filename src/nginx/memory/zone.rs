//! Where the limits live between the workers, the shared memory zone "mesh"; and what it has in
//! common with that of the proofs.
//!
//! A zone is one block that takes all pages of Nginx's slab pool, so that nothing is allocated or
//! locked there afterwards: a worker that dies leaves nothing behind to be repaired.
//!
//! | when | what Nginx does (`ngx_init_cycle`) | what becomes of the counters |
//! | --- | --- | --- |
//! | start, `nginx -t`, USR2 | maps anew | begin at zero |
//! | reload, same size | calls `init` with the old zone's `data` | go on |
//! | reload, other size | maps anew, unmaps the old zone in the master only | begin at zero |
//! | the same with `master_process off` | would unmap what running requests use | refused |
//! | a failed reload | unmaps the new zone | go on |
//! | `nginx -s` | returns before it maps anything | - |

use core::ffi::c_void;
use core::fmt;
use core::hash::BuildHasher;
use core::ptr::{self, NonNull};
use core::slice;
use std::hash::RandomState;

use mesh_core::limit::{BUCKETS_OFFSET, Bucket, Header, Table, TableError};
use mesh_core::proof::MemoryError;
use nginx_sys::{
    NGX_ERROR, NGX_OK, NGX_PROCESS_SINGLE, ngx_conf_t, ngx_int_t, ngx_pagesize, ngx_process,
    ngx_shared_memory_add, ngx_shm_zone_t, ngx_slab_alloc, ngx_slab_pool_t, ngx_str_t, ngx_uint_t,
};

use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::list::Elements;
use crate::nginx::ngx::log::{Level, Log};

mod host;
mod proofs;

use host::Process;
pub(crate) use proofs::ProofZone;

/// The zone of one configuration, to be kept in its main structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zone(NonNull<ngx_shm_zone_t>);

impl Zone {
    /// Asks Nginx for the zone; the memory is there when the configuration takes effect.
    ///
    /// `tag` is the address of the module's descriptor.
    ///
    /// # Errors
    ///
    /// [`ZoneError`]; of [`ZoneError::Refused`] Nginx has told the log.
    ///
    /// # Safety
    ///
    /// `cf` is the structure that Nginx passed to a directive or to `postconfiguration`.
    pub(crate) unsafe fn add(
        cf: *mut ngx_conf_t,
        size: usize,
        tag: *mut c_void,
    ) -> Result<Self, ZoneError> {
        // SAFETY: the caller vouches for `cf`.
        unsafe { declare(cf, NAME, size, tag, init) }.map(Self)
    }

    /// The table, once the configuration has taken effect; none under `nginx -s`.
    ///
    /// It costs a few loads, so that no copy is kept that could outlive a zone.
    pub(crate) fn table(self) -> Option<Table<'static>> {
        // SAFETY: the zone lives as long as the configuration that holds it. Where `data` is set,
        // `init` has opened the block, and what runs under this configuration may read it (the
        // zone outlives).
        unsafe {
            let zone = self.0.as_ptr();
            if (*zone).data.is_null() {
                return None;
            }
            // The seed is that of the memory: this block is not new.
            open((*zone).shm.addr.cast(), [0; 2]).ok()
        }
    }

    /// Takes the zone over from the old cycle, or begins it.
    ///
    /// # Safety
    ///
    /// As Nginx calls `init`: the zone is mapped, and `old` is null or the `data` of a zone of the
    /// same name, tag and size, which is mapped in the same place (`ngx_init_cycle`).
    unsafe fn begin(self, old: *mut c_void) -> Result<(), ZoneError> {
        // SAFETY: the caller vouches for the zone and for `old`.
        unsafe {
            let pool = take_over(self.0, NAME, old)?;
            open(pool, random_seed()).map_err(ZoneError::Table)?;
            (*self.0.as_ptr()).data = (*pool).start.cast();
        }
        Ok(())
    }
}

/// Asks Nginx for a zone, whose memory is there when the configuration takes effect.
///
/// # Safety
///
/// `cf` is the structure that Nginx passed to a directive or to `postconfiguration`.
unsafe fn declare(
    cf: *mut ngx_conf_t,
    name: &'static [u8],
    size: usize,
    tag: *mut c_void,
    init: Init,
) -> Result<NonNull<ngx_shm_zone_t>, ZoneError> {
    let least = page_size().saturating_mul(MIN_PAGES);
    if size < least {
        return Err(ZoneError::TooSmall { least });
    }
    let mut name = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
    // SAFETY: the caller vouches for `cf`. Nginx copies the string's structure and only reads its
    // bytes, which are static; the zone it returns lives in the cycle's pool.
    unsafe {
        let zone = ngx_shared_memory_add(cf, &raw mut name, size, tag);
        let zone = NonNull::new(zone).ok_or(ZoneError::Refused)?;
        (*zone.as_ptr()).init = Some(init);
        Ok(zone)
    }
}

/// The pool of a zone all of whose pages are one block: that of the old cycle, or a new one, which
/// is zeroed.
///
/// # Safety
///
/// As Nginx calls `init`: the zone is mapped, and `old` is null or the `data` of a zone of the same
/// name, tag and size, which is mapped in the same place (`ngx_init_cycle`).
unsafe fn take_over(
    zone: NonNull<ngx_shm_zone_t>,
    name: &[u8],
    old: *mut c_void,
) -> Result<*mut ngx_slab_pool_t, ZoneError> {
    // SAFETY: the caller vouches for the zone. In a mapping that is new, `ngx_init_zone_pool`
    // has laid out the slab pool, and the block that it returns is ours alone: as long as all
    // pages, and zeroed before it is read.
    unsafe {
        let pool = (*zone.as_ptr()).shm.addr.cast::<ngx_slab_pool_t>();
        if old.is_null() {
            refuse_to_resize_under_requests(zone, name)?;
            if (*zone.as_ptr()).shm.exists == 0 {
                let size = block_size(pool);
                let block = ngx_slab_alloc(pool, size).cast::<u8>();
                if block.is_null() || !ptr::eq(block, (*pool).start) {
                    return Err(ZoneError::NoBlock);
                }
                // The mapping is zeroed, unless Nginx was built to fill it with junk.
                block.write_bytes(0, size);
            }
        }
        Ok(pool)
    }
}

/// In a single process, requests of the old configuration go on after `ngx_init_cycle` has unmapped
/// their zone, which it does when the size has changed.
fn refuse_to_resize_under_requests(
    zone: NonNull<ngx_shm_zone_t>,
    name: &[u8],
) -> Result<(), ZoneError> {
    // SAFETY: `ngx_cycle` is the old cycle as long as `ngx_init_cycle` runs, or the empty one of
    // `main`, whose list has no elements. Its zones and ours are alive (single thread).
    unsafe {
        if ngx_process != NGX_PROCESS_SINGLE as ngx_uint_t {
            return Ok(());
        }
        let zone = zone.as_ptr();
        let resized = Elements::of(&raw const (*nginx_sys::ngx_cycle).shared_memory)
            .map(<*mut c_void>::cast::<ngx_shm_zone_t>)
            .any(|old| (*old).tag == (*zone).tag && bytes(&raw const (*old).shm.name) == name);
        if resized { Err(ZoneError::Resized) } else { Ok(()) }
    }
}

type Init = unsafe extern "C" fn(*mut ngx_shm_zone_t, *mut c_void) -> ngx_int_t;

/// The block of a zone as the table it holds, or zeroed memory as a new one.
///
/// # Safety
///
/// `pool` begins a zone whose pages are all in one block, which [`Zone::begin`] has allocated and
/// zeroed, and which stays mapped as long as the table is used. All who have it mapped treat it as
/// a [`Header`] and [`Bucket`]s, which are atomics.
unsafe fn open(pool: *mut ngx_slab_pool_t, seed: [u64; 2]) -> Result<Table<'static>, TableError> {
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

/// The bytes in all pages of a pool, whether or not they are allocated (`ngx_slab_init`).
///
/// # Safety
///
/// `pool` begins a zone that `ngx_slab_init` has laid out.
unsafe fn block_size(pool: *const ngx_slab_pool_t) -> usize {
    // SAFETY: the caller vouches for the pool; both pointers lie in its array of pages.
    let pages = unsafe { (*pool).last.offset_from_unsigned((*pool).pages) };
    pages.saturating_mul(page_size())
}

fn page_size() -> usize {
    // SAFETY: set once in `main`, before a configuration is read (`ngx_os_init`).
    unsafe { ngx_pagesize }
}

/// So that clients cannot aim at a bucket. The standard library asks the system for the keys of a
/// hasher's state, and what it makes of two numbers tells nothing of them.
fn random_seed() -> [u64; 2] {
    let state = RandomState::new();
    [state.hash_one(0_u64), state.hash_one(1_u64)]
}

/// Nginx's call when a configuration takes effect, before there are workers of it.
unsafe extern "C" fn init(zone: *mut ngx_shm_zone_t, old: *mut c_void) -> ngx_int_t {
    let Some(zone) = NonNull::new(zone) else { return NGX_ERROR as ngx_int_t };
    // SAFETY: `ngx_init_cycle` points the zone's log to the new cycle's before it calls.
    let log = unsafe { Log::new((*zone.as_ptr()).shm.log) };
    guard(
        "zone initialisation",
        NGX_ERROR as ngx_int_t,
        || log,
        || {
            // SAFETY: Nginx calls as `begin` asks.
            match unsafe { Zone(zone).begin(old) } {
                Ok(()) => NGX_OK as ngx_int_t,
                Err(error) => {
                    log.write(Level::Emerg, format_args!("{error} in zone \"mesh\""));
                    NGX_ERROR as ngx_int_t
                }
            }
        },
    )
}

/// Why there is no zone.
#[derive(Debug)]
pub(crate) enum ZoneError {
    /// The slab pool did not give all its pages at once.
    NoBlock,
    /// The system gave no random bytes.
    NoRandom,
    /// The memory holds no proofs.
    Proofs(MemoryError),
    /// Nginx refused: there is another zone of that name, or no memory.
    Refused,
    /// The size changed in a single process.
    Resized,
    /// The memory holds something else.
    Table(TableError),
    /// There is too little room for a slab pool.
    TooSmall { least: usize },
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBlock => f.write_str("no memory for the zone"),
            Self::NoRandom => f.write_str("no random bytes"),
            Self::Proofs(error) => error.fmt(f),
            Self::Refused => f.write_str("cannot declare the shared memory"),
            Self::Resized => {
                f.write_str("size cannot change on reload with \"master_process off\"")
            }
            Self::Table(error) => error.fmt(f),
            Self::TooSmall { least } => write!(f, "size must be at least {least} bytes"),
        }
    }
}

impl core::error::Error for ZoneError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Proofs(error) => Some(error),
            Self::Table(error) => Some(error),
            _ => None,
        }
    }
}

const NAME: &[u8] = b"mesh";

/// As for `limit_req_zone`: below it the slab pool itself leaves next to nothing.
const MIN_PAGES: usize = 8;
