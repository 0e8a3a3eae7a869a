//! The documents that the workers share, in a shared memory zone of their own.
//!
//! The zone's name holds a digest of the sources, so that Nginx reuses the memory only for the same
//! sources. With other sources, a document begins with the old cycle's of the same source, or with
//! the last copy on disk.
//!
//! | when | what Nginx does (`ngx_init_cycle`) | the documents |
//! | --- | --- | --- |
//! | start, `nginx -t`, USR2 | maps anew | from the disk |
//! | reload, same issuers | calls `init` with the old zone's `data` | go on, for old and new workers |
//! | reload, other issuers | maps anew; the old workers keep the old zone | copied by the master |
//! | a failed reload | unmaps the new zone | go on |
//! | `nginx -s` | returns before it maps anything | - |
//!
//! Only the pages that hold something are ever touched: an issuer takes 8 MiB of addresses, and as much
//! memory as its documents need.

use core::cell::{Cell, RefCell};
use core::ffi::c_void;
use core::fmt;
use core::ptr::{self, NonNull};
use core::slice;
use std::path::PathBuf;

use mesh_core::documents::{
    Documents, DocumentsError, Header, Layout, Slot, Source, Word, ZONE, zone_name,
};
use mesh_core::issuer::{Issuer, KeySource};
use mesh_core::text::time::UnixTime;
use nginx_sys::{
    ngx_conf_t, ngx_core_conf_t, ngx_cycle_t, ngx_pagesize, ngx_shm_zone_t, ngx_slab_alloc,
    ngx_slab_pool_t,
};

use crate::nginx::memory::state::State;
use crate::nginx::memory::writer::Writer;
use crate::nginx::memory::zone::{Contents, declare, tag};
use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::list::Elements;
use crate::nginx::ngx::log::{Level, Log};
use crate::nginx::ngx::pool::in_pool;

/// The zone of one configuration, to be kept in its main structure.
#[derive(Clone, Copy)]
pub(crate) struct DocumentsZone(NonNull<Plan>);

/// The plan of a configuration's zone; the value of the zone's `data`.
struct Plan {
    name: String,
    issuers: Vec<(Box<str>, Source)>,
    /// Which of them are asked over the network.
    fetched: Vec<bool>,
    /// The contents of the others' files when the configuration was read.
    files: RefCell<Vec<(usize, Vec<u8>)>>,
    state: Option<PathBuf>,
    /// Where it is read; its core settings say whether there is a master.
    cycle: *mut ngx_cycle_t,
    zone: Cell<*mut ngx_shm_zone_t>,
    /// The number of the configuration in this memory, once it has taken effect.
    number: Cell<Option<u32>>,
}

impl DocumentsZone {
    /// Asks Nginx for the zone, if there are issuers; the memory is there when the configuration
    /// takes effect. `files` are the key sets that were read with it.
    ///
    /// # Errors
    ///
    /// [`ZoneError`]; Nginx has logged [`ZoneError::Refused`] already.
    ///
    /// # Safety
    ///
    /// `cf` is the structure that Nginx passed to `postconfiguration`.
    pub(crate) unsafe fn add(
        cf: *mut ngx_conf_t,
        issuers: &[Issuer],
        files: Vec<(usize, Vec<u8>)>,
        state: Option<PathBuf>,
    ) -> Result<Option<Self>, ZoneError> {
        if issuers.is_empty() {
            return Ok(None);
        }
        let is_fetched = |issuer: &Issuer| matches!(issuer.keys, KeySource::Remote(_));
        let fetched = issuers.iter().map(is_fetched).collect();
        let issuers: Vec<_> =
            issuers.iter().map(|issuer| (issuer.name.clone(), Source::of(issuer))).collect();
        let sources: Vec<_> = issuers.iter().map(|(_, source)| *source).collect();
        let size = zone_size(Layout::of(issuers.len()).bytes);
        // SAFETY: the caller vouches for `cf`. The plan, and the name in it, live as long as the
        // cycle; the zone that Nginx returns lives in the cycle's pool.
        unsafe {
            let plan = Plan {
                name: zone_name(&sources),
                issuers,
                fetched,
                files: RefCell::new(files),
                state,
                cycle: (*cf).cycle,
                zone: Cell::new(ptr::null_mut()),
                number: Cell::new(None),
            };
            let plan = NonNull::new(in_pool((*cf).pool, plan)).ok_or(ZoneError::Refused)?;
            let zone = declare::<Self>(cf, &plan.as_ref().name, size);
            let zone = zone.map_err(|_| ZoneError::Refused)?;
            (*zone.as_ptr()).data = plan.as_ptr().cast();
            plan.as_ref().zone.set(zone.as_ptr());
            Ok(Some(Self(plan)))
        }
    }

    /// The documents, once the configuration has taken effect; `None` under `nginx -s`, or if there is
    /// no master.
    pub(crate) fn documents(self) -> Option<Documents<'static>> {
        let plan = self.plan();
        plan.number.get()?;
        // SAFETY: `begin` has opened this memory, and what runs under this configuration may read
        // it (the zone outlives).
        unsafe { open((*plan.zone.get()).shm.addr.cast()) }
    }

    /// The number of the configuration in its memory.
    pub(crate) fn number(self) -> Option<u32> {
        self.plan().number.get()
    }

    /// Where the documents are kept for the next start.
    pub(crate) fn state(self) -> Option<State> {
        let plan = self.plan();
        Some(State::new(plan.state.clone()?, plan.issuers.clone()))
    }

    fn plan(&self) -> &Plan {
        // SAFETY: the plan lives in the pool of the cycle whose configuration holds this, and
        // nothing refers to it mutably.
        unsafe { self.0.as_ref() }
    }
}

impl Contents for DocumentsZone {
    type Error = ZoneError;

    unsafe fn of(zone: NonNull<ngx_shm_zone_t>) -> Option<Self> {
        // SAFETY: `add` has put the plan there.
        NonNull::new(unsafe { (*zone.as_ptr()).data.cast::<Plan>() }).map(Self)
    }

    unsafe fn begin(self, old: *mut c_void, log: Log<'_>) -> Result<(), ZoneError> {
        let plan = self.plan();
        // SAFETY: the caller vouches for the zone and its mapping. The core module has completed its
        // settings of the cycle (`ngx_core_module_init_conf`) before any zone is initialised.
        let (has_master, pool) = unsafe {
            let core = *(*plan.cycle).conf_ctx.add(nginx_sys::ngx_core_module.index);
            let pool = (*plan.zone.get()).shm.addr.cast::<ngx_slab_pool_t>();
            ((*core.cast::<ngx_core_conf_t>()).master != 0, pool)
        };
        if !has_master {
            // A single process shares nothing, and its mapping may go away under its requests.
            let asks = plan.fetched.iter().any(|is_fetched| *is_fetched);
            return if asks { Err(ZoneError::NoMaster) } else { Ok(()) };
        }
        let documents = if old.is_null() {
            // SAFETY: the mapping is new, and Nginx has laid out its slab pool.
            let documents = unsafe { begin(pool, plan) }?;
            plan.seed(&documents, log);
            documents
        } else {
            // SAFETY: the zone of the old cycle was begun here.
            unsafe { open(pool) }.ok_or(ZoneError::Documents(DocumentsError::Foreign))?
        };
        if !documents.are_of(&plan.sources()) {
            return Err(ZoneError::Documents(DocumentsError::Foreign));
        }
        plan.record_files(&documents, log);
        plan.number.set(Some(documents.begin_cycle()));
        Ok(())
    }
}

impl Plan {
    fn sources(&self) -> Vec<Source> {
        self.issuers.iter().map(|(_, source)| *source).collect()
    }

    /// Fills new memory from the old cycle, or from the disk.
    fn seed(&self, documents: &Documents<'_>, log: Log<'_>) {
        let before = old_documents();
        let state = self.state.clone().map(|path| State::new(path, self.issuers.clone()));
        for (index, (name, source)) in self.issuers.iter().enumerate() {
            let known = before.iter().find_map(|old| old.read(old.find(source)?));
            let is_fetched = self.fetched.get(index).is_some_and(|is_fetched| *is_fetched);
            let kept = || match state.as_ref().filter(|_| is_fetched)?.load(index) {
                Ok(found) => found,
                Err(error) => {
                    let place = format_args!("kept keys of mesh_issuer \"{name}\"");
                    log.write(Level::Warn, format_args!("{place} are ignored: {error}"));
                    None
                }
            };
            if let Some(found) = known.or_else(kept) {
                documents.seed(index, &found);
            }
        }
    }
}

impl Plan {
    /// Records the files' contents, for a worker that begins while one of them is bad. Each reload
    /// records them again: new workers begin with what the master has read.
    fn record_files(&self, documents: &Documents<'static>, log: Log<'_>) {
        let mut writer = Writer::new(documents);
        for (index, bytes) in self.files.take() {
            let mut record =
                |writer: &mut Writer| writer.record(index, &bytes, UnixTime::from_secs(0));
            if !writer.as_mut().is_some_and(&mut record) {
                log.write(Level::Warn, format_args!("keys of a file cannot be shared"));
            }
        }
    }
}

/// The documents of the running cycle; empty at a start.
fn old_documents() -> Vec<Documents<'static>> {
    // SAFETY: `ngx_cycle` is the old cycle as long as `ngx_init_cycle` runs, or the empty one of
    // `main`, whose list has no elements. Its zones are mapped until that function ends, and zones
    // with our tag and such a name were begun here.
    unsafe {
        Elements::of(&raw const (*nginx_sys::ngx_cycle).shared_memory)
            .map(<*mut c_void>::cast::<ngx_shm_zone_t>)
            .filter(|&zone| {
                (*zone).tag == tag()
                    && bytes(&raw const (*zone).shm.name).starts_with(ZONE.as_bytes())
                    && !(*zone).shm.addr.is_null()
            })
            .filter_map(|zone| open((*zone).shm.addr.cast()))
            .collect()
    }
}

/// Lays out the documents in an unused slab pool.
///
/// # Safety
///
/// `pool` begins a new zone of [`zone_size`] bytes for this plan, and stays mapped as long as the
/// documents are used.
unsafe fn begin(pool: *mut ngx_slab_pool_t, plan: &Plan) -> Result<Documents<'static>, ZoneError> {
    let sources = plan.sources();
    let layout = Layout::of(sources.len());
    // SAFETY: the caller vouches for the pool. The block is ours alone, on a page, and as long as
    // `layout` says. The mapping is zeroed, unless Nginx was built to fill it with junk: what is
    // read before it is written is zeroed, and the rest is not touched. `data` is for the owner of
    // the zone (`ngx_slab_pool_t`).
    unsafe {
        let block = ngx_slab_alloc(pool, layout.bytes).cast::<u8>();
        if block.is_null() {
            return Err(ZoneError::NoBlock);
        }
        let used = layout.words.saturating_add(layout.zeroed.saturating_mul(size_of::<Word>()));
        block.write_bytes(0, used);
        (*pool).data = block.cast();
        let (header, slots, words) = parts(block, sources.len());
        Documents::begin(header, slots, words, &sources).map_err(ZoneError::Documents)
    }
}

/// The documents in a slab pool; `None` if it has none.
///
/// # Safety
///
/// `pool` begins a zone that [`begin`] has laid out, or failed to, and that stays mapped as long as
/// the documents are used. Every process that has it mapped treats it as [`begin`] does.
unsafe fn open(pool: *mut ngx_slab_pool_t) -> Option<Documents<'static>> {
    // SAFETY: the caller vouches for the pool; `data` is null or the block that `begin` allocated,
    // which is as long as its own header says.
    unsafe {
        let block = (*pool).data.cast::<u8>();
        let count = block.cast::<Header>().as_ref()?.documents()?;
        let (header, slots, words) = parts(block, count);
        Documents::open(header, slots, words).ok()
    }
}

/// # Safety
///
/// The block is as long as the layout of so many documents says, aligned to a page, and lives for
/// `'z`; any bytes are valid atomics.
unsafe fn parts<'z>(block: *mut u8, count: usize) -> (&'z Header, &'z [Slot], &'z [Word]) {
    let layout = Layout::of(count);
    // SAFETY: the caller's contract.
    unsafe {
        (
            &*block.cast::<Header>(),
            slice::from_raw_parts(block.add(layout.slots).cast::<Slot>(), count),
            slice::from_raw_parts(block.add(layout.words).cast::<Word>(), layout.count),
        )
    }
}

/// The size of a zone whose slab pool has room for a block of so many bytes: the pool keeps some tens
/// of bytes for each page, and itself in the first ones.
fn zone_size(block: usize) -> usize {
    // SAFETY: set by `ngx_os_init` in `main`, before any configuration is read.
    let page = unsafe { ngx_pagesize };
    let pages = block.div_ceil(page.max(1));
    let table = pages.saturating_mul(64).div_ceil(page.max(1));
    pages.saturating_add(table).saturating_add(8).saturating_mul(page)
}

/// Why there is no zone.
#[derive(Debug)]
pub(crate) enum ZoneError {
    /// The memory holds something else.
    Documents(DocumentsError),
    /// The slab pool gave no block.
    NoBlock,
    /// A single process has no thread that could fetch.
    NoMaster,
    /// Nginx refused: there is another zone of that name, or no memory.
    Refused,
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Documents(error) => error.fmt(f),
            Self::NoBlock => f.write_str("no shared memory for the keys of the issuers"),
            Self::NoMaster => f.write_str(
                "a mesh_issuer whose keys come from a server needs \"master_process on\": a single \
                 process fetches nothing",
            ),
            Self::Refused => f.write_str("cannot declare the shared memory for keys of issuers"),
        }
    }
}

impl core::error::Error for ZoneError {}
