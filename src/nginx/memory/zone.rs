//! The common part of the shared memory zones.
//!
//! A zone is one block that takes all pages of Nginx's slab pool, so that nothing is allocated or
//! locked there afterwards: a worker that dies leaves nothing behind to be repaired.
//!
//! | when | what Nginx does (`ngx_init_cycle`) | the counters |
//! | --- | --- | --- |
//! | start, `nginx -t`, USR2 | maps anew | begin at zero |
//! | reload, same size | calls `init` with the old zone's `data` | go on |
//! | reload, other size | maps anew, unmaps the old zone in the master only | begin at zero |
//! | the same with `master_process off` | would unmap what running requests use | refused |
//! | a failed reload | unmaps the new zone | go on |
//! | `nginx -s` | returns before it maps anything | - |

use core::ffi::c_void;
use core::fmt;
use core::ptr::{self, NonNull};

use mesh_core::memory::MemoryError;
use nginx_sys::{
    NGX_ERROR, NGX_OK, NGX_PROCESS_SINGLE, ngx_conf_t, ngx_int_t, ngx_pagesize, ngx_process,
    ngx_shared_memory_add, ngx_shm_zone_t, ngx_slab_alloc, ngx_slab_pool_t, ngx_str_t, ngx_uint_t,
};

use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::list::Elements;
use crate::nginx::ngx::log::{Level, Log};

/// Asks Nginx for a zone, whose memory is there when the configuration takes effect.
///
/// # Safety
///
/// `cf` is the structure that Nginx passed to a directive or to `postconfiguration`, and `name` lives as
/// long as the cycle.
pub(super) unsafe fn declare<C: Contents>(
    cf: *mut ngx_conf_t,
    name: &str,
    size: usize,
) -> Result<NonNull<ngx_shm_zone_t>, ZoneError> {
    let least = page_size().saturating_mul(MIN_PAGES);
    if size < least {
        return Err(ZoneError::TooSmall { least });
    }
    let mut name = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
    // SAFETY: the caller vouches for `cf` and for the name. Nginx copies the string's structure and only
    // reads its bytes; the zone it returns lives in the cycle's pool.
    unsafe {
        let zone = ngx_shared_memory_add(cf, &raw mut name, size, tag());
        let zone = NonNull::new(zone).ok_or(ZoneError::Refused)?;
        (*zone.as_ptr()).init = Some(init::<C>);
        Ok(zone)
    }
}

/// What tells our zones from those of other modules: the address of the module's descriptor.
pub(super) const fn tag() -> *mut c_void {
    ptr::from_ref(crate::nginx::module()).cast_mut().cast()
}

/// The pool of a zone whose pages are all one block: the old cycle's, or a new one, which is zeroed.
///
/// # Safety
///
/// As Nginx calls `init`: the zone is mapped, and `old` is null or the `data` of a zone of the same
/// name, tag and size, which is mapped in the same place (`ngx_init_cycle`).
pub(super) unsafe fn take_over(
    zone: NonNull<ngx_shm_zone_t>,
    name: &str,
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
/// their zone, which it does if the size has changed.
fn refuse_to_resize_under_requests(
    zone: NonNull<ngx_shm_zone_t>,
    name: &str,
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
            .any(|old| {
                (*old).tag == (*zone).tag && bytes(&raw const (*old).shm.name) == name.as_bytes()
            });
        if resized { Err(ZoneError::Resized) } else { Ok(()) }
    }
}

/// The bytes in all pages of a pool, whether or not they are allocated (`ngx_slab_init`).
///
/// # Safety
///
/// `pool` begins a zone that `ngx_slab_init` has laid out.
pub(super) unsafe fn block_size(pool: *const ngx_slab_pool_t) -> usize {
    // SAFETY: the caller vouches for the pool; both pointers are in its array of pages.
    let pages = unsafe { (*pool).last.offset_from_unsigned((*pool).pages) };
    pages.saturating_mul(page_size())
}

fn page_size() -> usize {
    // SAFETY: set once in `main`, before a configuration is read (`ngx_os_init`).
    unsafe { ngx_pagesize }
}

/// The contents of a zone.
pub(super) trait Contents: Sized {
    /// Why there is no such zone, as the log says it.
    type Error: fmt::Display;

    /// The contents of a zone that Nginx initialises.
    ///
    /// # Safety
    ///
    /// The zone was declared with these contents.
    unsafe fn of(zone: NonNull<ngx_shm_zone_t>) -> Option<Self>;

    /// Takes the zone over from the old cycle, or begins it.
    ///
    /// # Safety
    ///
    /// As Nginx calls `init`: the zone is mapped, and `old` is null or the `data` of a zone of the
    /// same name, tag and size, which is mapped in the same place (`ngx_init_cycle`).
    unsafe fn begin(self, old: *mut c_void, log: Log<'_>) -> Result<(), Self::Error>;
}

/// Nginx's call when a configuration takes effect, before there are workers of it.
unsafe extern "C" fn init<C: Contents>(zone: *mut ngx_shm_zone_t, old: *mut c_void) -> ngx_int_t {
    let Some(zone) = NonNull::new(zone) else { return NGX_ERROR as ngx_int_t };
    // SAFETY: `ngx_init_cycle` points the zone's log to the new cycle's before it calls.
    let log = unsafe { Log::new((*zone.as_ptr()).shm.log) };
    guard(
        "zone initialisation",
        NGX_ERROR as ngx_int_t,
        || log,
        || {
            // SAFETY: these contents alone declare their zones with this function, and Nginx calls it
            // as `begin` requires.
            let begun = unsafe { C::of(zone).map(|contents| contents.begin(old, log)) };
            match begun {
                Some(Ok(())) => return NGX_OK as ngx_int_t,
                Some(Err(error)) => log.write(Level::Emerg, format_args!("{error}")),
                None => {}
            }
            NGX_ERROR as ngx_int_t
        },
    )
}

/// Why there is no zone of one block, and its name.
pub(super) struct InZone(pub(super) ZoneError, pub(super) &'static str);

impl fmt::Display for InZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in zone \"{}\"", self.0, self.1)
    }
}

/// Why there is no zone.
#[derive(Debug)]
pub(crate) enum ZoneError {
    /// The slab pool did not give all its pages at once.
    NoBlock,
    /// The system gave no random bytes.
    NoRandom,
    /// Nginx refused: there is another zone of that name, or no memory.
    Refused,
    /// The size changed in a single process.
    Resized,
    /// The memory is not what it should be.
    Memory(MemoryError),
    /// There is too little room for a slab pool.
    TooSmall { least: usize },
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBlock => f.write_str("no memory for the zone"),
            Self::NoRandom => f.write_str("no random bytes"),
            Self::Refused => f.write_str("cannot declare the shared memory"),
            Self::Resized => {
                f.write_str("size cannot change on reload with \"master_process off\"")
            }
            Self::Memory(error) => error.fmt(f),
            Self::TooSmall { least } => write!(f, "size must be at least {least} bytes"),
        }
    }
}

impl core::error::Error for ZoneError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Memory(error) => Some(error),
            _ => None,
        }
    }
}

/// As for `limit_req_zone`: below it the slab pool itself leaves next to nothing.
const MIN_PAGES: usize = 8;
