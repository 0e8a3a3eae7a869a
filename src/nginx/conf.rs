//! The configuration cycle: how directives become the frozen settings of one cycle.
//!
//! Nginx calls these functions while it reads the configuration, in one thread, before any
//! request. Only they write the settings; from `postconfiguration` on, these are only read.

use core::cell::RefCell;
use core::ffi::{c_char, c_void};
use core::ptr;
use std::path::{Path, PathBuf};

use mesh_core::config::{Block, ConfigError, Levels, RawMain, Resolver};
use mesh_core::identity::Spare;
use mesh_core::key::jwks;
use mesh_core::policy::Views;
use mesh_core::stage::decide::RouteCache;
use mesh_core::token::TokenCache;
use mesh_core::token::introspection::Introspections;
use nginx_sys::{
    ngx_conf_t, ngx_http_conf_ctx_t, ngx_http_core_module, ngx_http_core_srv_conf_t, ngx_int_t,
    ngx_str_t, ngx_uint_t,
};

use crate::nginx::answer::variable;
use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::log::{Level, Log};
use crate::nginx::ngx::pool::in_pool;
use crate::nginx::phase::cache;
use crate::nginx::phase::sent;
use crate::nginx::state::settings::{Caches, Diverged, LocationConf, MainConf};
use crate::nginx::state::shown::Shown;

mod checks;
mod directives;
mod freeze;

pub(crate) use directives::{COMMANDS, commands};
pub(crate) use freeze::freeze;

/// How many verified tokens a worker keeps: at an ordinary 800 bytes, about 20 MB when full.
const CACHED_TOKENS: usize = 16 * 1024;

/// The most bytes of a JWK set's file.
pub(crate) const MOST_JWKS: u64 = jwks::MAX_BYTES as u64;

/// `create_main_conf`
pub(crate) unsafe extern "C" fn create_main(cf: *mut ngx_conf_t) -> *mut c_void {
    let conf = MainConf {
        raw: RawMain::default(),
        resolver: Resolver::default(),
        cached: Vec::new(),
        has_upgrades: false,
        sources: Vec::new(),
        shown: Shown::default(),
        is_alone: false,
        levels: Levels::default(),
        is_timed: false,
        trust: None,
        policies: None,
        policy_files: Vec::new(),
        diverged: Diverged::default(),
        request_id: None,
        balancers: Vec::new(),
        shows_resources: false,
        served: Vec::new(),
        documents: Vec::new(),
        zone: None,
        proofs: None,
        metadata: Vec::new(),
        shared: None,
        wishes: RefCell::default(),
        caches: RefCell::new(Caches {
            tokens: TokenCache::with_capacity(CACHED_TOKENS),
            keys: None,
            policies: None,
            views: Views::default(),
            routes: RouteCache::default(),
            spare: Spare::default(),
        }),
        introspections: RefCell::new(Introspections::with_capacity(CACHED_TOKENS)),
        credentials: Vec::new(),
    };
    // SAFETY: Nginx passes the configuration that it reads, whose pool is the cycle's.
    guarded(cf, ptr::null_mut(), || unsafe { in_pool((*cf).pool, conf) }.cast())
}

/// `create_loc_conf`
pub(crate) unsafe extern "C" fn create_location(cf: *mut ngx_conf_t) -> *mut c_void {
    // SAFETY: as in `create_main`.
    guarded(cf, ptr::null_mut(), || unsafe { in_pool((*cf).pool, LocationConf::default()) }.cast())
}

/// `init_main_conf`: every directive is read, no location is merged yet.
pub(crate) unsafe extern "C" fn init_main(cf: *mut ngx_conf_t, conf: *mut c_void) -> *mut c_char {
    guarded(cf, ERROR, || {
        // SAFETY: Nginx passes what `create_main` made; nothing else refers to it now.
        let main = unsafe { &mut *conf.cast::<MainConf>() };
        main.resolver = Resolver::new(&main.raw);
        ptr::null_mut()
    })
}

/// `merge_loc_conf`: for each server and then for each location, outermost first.
pub(crate) unsafe extern "C" fn merge_location(
    cf: *mut ngx_conf_t,
    outer: *mut c_void,
    inner: *mut c_void,
) -> *mut c_char {
    let inner_conf = inner;
    guarded(cf, ERROR, || {
        // SAFETY: Nginx passes two different values that `create_location` made, and while it
        // merges, `cf->ctx` is the server's context, with our main settings in it; nothing else
        // refers to any of them now.
        let (outer, inner, main) = unsafe {
            let main = main_mut(cf);
            (&*outer.cast::<LocationConf>(), &mut *inner.cast::<LocationConf>(), main)
        };
        let block = checks::block(cf);
        let level = main.levels.enter(outer.level, &outer.raw, &inner.raw, block);
        inner.level = Some(level);
        inner.raw.inherit(&outer.raw);
        inner.raw.is_compared = sent::is_compared(cf);
        if !freeze::read_table(cf, main, &inner.raw) {
            return ERROR;
        }
        let mut variable = |name: &str| variable::index(cf, name);
        match main.resolver.resolve(&inner.raw, &mut variable) {
            Ok(location) => inner.location = location,
            Err(error) => return refuse(cf, None, &error),
        }
        main.levels.settle(level, &inner.raw, inner.location.as_ref());
        match main.resolver.served(&inner.raw) {
            Ok(serves) => inner.serves = serves,
            Err(error) => return refuse(cf, None, &error),
        }
        if let (Some(resource), Some(place)) = (inner.serves, &inner.raw.resource_metadata) {
            main.served.push((resource, place.clone()));
        }
        if let Some(upgrades) = &inner.raw.upgrades {
            main.has_upgrades = true;
            inner.upgrades = upgrades.clone();
            // SAFETY: while a server and its locations are merged, the core module's settings of the
            // server lead to our settings of it, which are no longer borrowed unless they are `inner`.
            unsafe {
                let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
                let core = *(*ctx).srv_conf.add(ngx_http_core_module.ctx_index);
                let server = (*core.cast::<ngx_http_core_srv_conf_t>()).ctx;
                let server = *(*server).loc_conf.add(crate::nginx::module().ctx_index);
                if server != inner_conf {
                    (*server.cast::<LocationConf>()).upgrades.widen(upgrades);
                }
            }
        }
        // An unnamed block shares the cache of its location, which is listed only once.
        let is_said = block == Block::Unnamed && outer.location.is_some();
        if inner.location.is_some() && !is_said && cache::is_on(cf) {
            main.cached.push(checks::location_name(cf));
        }
        checks::check_server(cf, inner)
    })
}

/// Logs why a directive is refused. Nginx adds the file and the line that it is reading, which is
/// wrong for an error that is found later.
fn refuse(cf: *mut ngx_conf_t, name: Option<&str>, error: &ConfigError) -> *mut c_char {
    match name {
        Some(name) => log(cf).write(Level::Emerg, format_args!("{name}: {error}")),
        None => log_elsewhere(cf).write(Level::Emerg, format_args!("{error}")),
    }
    ERROR
}

/// The handlers that a configuration needs beside those that are always there; from `freeze` on.
pub(crate) struct Needs {
    /// A location that authenticates has its answers cached.
    pub(crate) cache: bool,
    /// A location has a platform, whose operations may be named by the body.
    pub(crate) body: bool,
    /// A location says which protocols requests may change to.
    pub(crate) upgrade: bool,
}

pub(crate) fn needs(cf: *mut ngx_conf_t) -> Needs {
    // SAFETY: as in `freeze`.
    let main = unsafe { main_mut(cf) };
    Needs {
        cache: !main.cached.is_empty(),
        body: !main.policy_files.is_empty(),
        upgrade: main.has_upgrades,
    }
}

/// Has each upstream asked about what is sent to it.
pub(crate) fn check_what_is_sent(cf: *mut ngx_conf_t) {
    // SAFETY: as in `freeze`.
    let main = unsafe { main_mut(cf) };
    main.balancers = sent::install(cf);
}

/// The directory from which a relative name starts.
#[derive(Clone, Copy)]
enum Relative {
    ToConfiguration = 1,
    ToPrefix = 0,
}

fn full_name(cf: *mut ngx_conf_t, path: &Path, relative: Relative) -> Result<PathBuf, ()> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    let mut text = path.as_os_str().as_bytes().to_vec();
    text.push(0);
    let mut name = ngx_str_t { len: text.len().saturating_sub(1), data: text.as_mut_ptr() };
    // SAFETY: `name` is a null-terminated string as `ngx_conf_full_name` requires, which leaves it or
    // points it to a new one in the cycle's pool; the bytes are copied before `text` goes.
    let full = unsafe {
        if nginx_sys::ngx_conf_full_name((*cf).cycle, &raw mut name, relative as ngx_uint_t) != 0 {
            return Err(());
        }
        bytes(&raw const name).to_vec()
    };
    Ok(PathBuf::from(std::ffi::OsString::from_vec(full)))
}

/// # Safety
///
/// The configuration is being read, and nothing else refers to our main settings.
unsafe fn main_mut<'c>(cf: *mut ngx_conf_t) -> &'c mut MainConf {
    // SAFETY: `cf->ctx` is an HTTP context from `create_main_conf` to the end of
    // `postconfiguration`.
    unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        &mut *(*(*ctx).main_conf.add(crate::nginx::module().ctx_index)).cast::<MainConf>()
    }
}

/// `NGX_CONF_ERROR`
const ERROR: *mut c_char = ptr::without_provenance_mut(usize::MAX);

/// `NGX_OK` and `NGX_ERROR` of a result.
pub(crate) fn status(result: Result<(), ()>) -> ngx_int_t {
    if result.is_ok() { nginx_sys::NGX_OK as ngx_int_t } else { nginx_sys::NGX_ERROR as ngx_int_t }
}

fn guarded<T>(cf: *mut ngx_conf_t, on_panic: T, f: impl FnOnce() -> T) -> T {
    guard("configuration", on_panic, || log_elsewhere(cf), f)
}

/// The log for messages about the line that is being read.
fn log<'c>(cf: *mut ngx_conf_t) -> Log<'c> {
    // SAFETY: Nginx passed it to the function that calls this one.
    unsafe { Log::of_conf(cf) }
}

/// The log for messages about another line, or about none.
fn log_elsewhere<'c>(cf: *mut ngx_conf_t) -> Log<'c> {
    // SAFETY: as in `log`; a configuration that is being read has a log.
    unsafe { Log::new((*cf).log) }
}
