//! The configuration cycle: directives, merging, and the frozen settings of one cycle.
//!
//! Nginx calls these functions while it reads the configuration, in one thread, before any
//! request. What they build is written here alone; from `postconfiguration` on it is only read.

use core::cell::RefCell;
use core::ffi::{c_char, c_void};
use core::ptr;
use std::path::PathBuf;
use std::sync::Arc;

use mesh_control::{WatchedFile, read_capped};
use mesh_core::clean::Clean;
use mesh_core::config::{
    ConfigError, Location, Place, RawIssuer, RawLocation, RawMain, Resolver,
};
use mesh_core::directive::{self, Context, Directive, ISSUER, LOCATION, MAIN};
use mesh_core::jwks::KeySet;
use mesh_core::token::TokenCache;
use mesh_core::trust::Trust;
use nginx_sys::{
    NGX_CONF_1MORE, NGX_CONF_BLOCK, NGX_HTTP_LOC_CONF, NGX_HTTP_LOC_CONF_OFFSET,
    NGX_HTTP_MAIN_CONF, NGX_HTTP_MAIN_CONF_OFFSET, NGX_HTTP_SRV_CONF,
    ngx_command_t, ngx_conf_t, ngx_http_conf_ctx_t, ngx_int_t, ngx_pool_cleanup_add, ngx_pool_t,
    ngx_str_t, ngx_uint_t,
};

use super::guard::guard;
use super::headers::bytes;
use super::live::Live;
use super::log::{Level, Log};
use super::variable;
use super::zone::Zone;

/// The settings of one cycle.
pub(crate) struct MainConf {
    raw: RawMain,
    resolver: Resolver,
    /// The issuers and their keys; there from `postconfiguration` on.
    pub(crate) trust: Option<Arc<Trust>>,
    /// The files that the background thread watches, in the order of the issuers.
    pub(crate) files: Vec<WatchedFile>,
    /// The zone of the limits; there if any location has one.
    pub(crate) zone: Option<Zone>,
    /// The tokens that this worker has verified: the one thing here that requests write, in their
    /// own process, and never while they read it.
    pub(crate) cache: RefCell<TokenCache>,
}

/// The settings of one `http`, `server` or `location`.
#[derive(Default)]
pub(crate) struct LocationConf {
    raw: RawLocation,
    /// What requests use; none where `mesh_authenticate` is off.
    pub(crate) location: Option<Location>,
}

/// How many verified tokens a worker keeps: at an ordinary 800 bytes, about 20 MB when full.
const CACHED_TOKENS: usize = 16 * 1024;

/// The most bytes of a JWK set's file.
pub(crate) const MOST_JWKS: u64 = 1 << 20;

// === tables ===

pub(crate) const COMMANDS: usize = MAIN.len() + LOCATION.len() + 1;

/// The command table that Nginx reads.
pub(crate) const fn commands() -> [ngx_command_t; COMMANDS] {
    let mut table = [ngx_command_t::empty(); COMMANDS];
    let mut at = 0;
    while at < MAIN.len() {
        table[at] = command(&MAIN[at], &NAMES[at], NGX_HTTP_MAIN_CONF_OFFSET, set_main);
        at += 1;
    }
    while at < MAIN.len() + LOCATION.len() {
        let row = &LOCATION[at - MAIN.len()];
        table[at] = command(row, &NAMES[at], NGX_HTTP_LOC_CONF_OFFSET, set_location);
        at += 1;
    }
    table
}

/// A directive's name as Nginx compares it, up to the null.
type Name = [u8; 32];

static NAMES: [Name; COMMANDS] = {
    let mut names = [[0; 32]; COMMANDS];
    let mut at = 0;
    while at < MAIN.len() + LOCATION.len() {
        let name =
            if at < MAIN.len() { MAIN[at].name } else { LOCATION[at - MAIN.len()].name }.as_bytes();
        let mut byte = 0;
        while byte < name.len() {
            // The last byte stays null: a name that is too long does not compile.
            assert!(byte < 31);
            names[at][byte] = name[byte];
            byte += 1;
        }
        at += 1;
    }
    names
};

type Setter = unsafe extern "C" fn(*mut ngx_conf_t, *mut ngx_command_t, *mut c_void) -> *mut c_char;

const fn command<C>(
    row: &'static Directive<C>,
    name: &'static Name,
    conf: usize,
    set: Setter,
) -> ngx_command_t {
    // Nginx counts arguments only up to a few; `directive::apply` counts them all.
    let mut flags = NGX_CONF_1MORE;
    if row.block {
        flags |= NGX_CONF_BLOCK;
    }
    let mut at = 0;
    while at < row.contexts.len() {
        flags |= match row.contexts[at] {
            Context::Http => NGX_HTTP_MAIN_CONF,
            Context::Server => NGX_HTTP_SRV_CONF,
            Context::Location => NGX_HTTP_LOC_CONF,
            Context::Issuer => 0,
        };
        at += 1;
    }
    ngx_command_t {
        name: ngx_str_t { len: row.name.len(), data: name.as_ptr().cast_mut() },
        type_: flags as ngx_uint_t,
        set: Some(set),
        conf,
        offset: 0,
        post: ptr::from_ref(row).cast_mut().cast(),
    }
}

// === creating and merging ===

/// `create_main_conf`
pub(crate) unsafe extern "C" fn create_main(cf: *mut ngx_conf_t) -> *mut c_void {
    let conf = MainConf {
        raw: RawMain::default(),
        resolver: Resolver::default(),
        trust: None,
        files: Vec::new(),
        zone: None,
        cache: RefCell::new(TokenCache::with_capacity(CACHED_TOKENS)),
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
    guarded(cf, ERROR, || {
        // SAFETY: Nginx passes two different values that `create_location` made, and while it
        // merges, `cf->ctx` is that of the server, with our main settings in it; nothing else
        // refers to any of them now.
        let (outer, inner, main) = unsafe {
            let main = main_mut(cf);
            (&*outer.cast::<LocationConf>(), &mut *inner.cast::<LocationConf>(), main)
        };
        inner.raw.inherit(&outer.raw);
        let mut variable = |name: &str| variable::index(cf, name);
        match main.resolver.resolve(&inner.raw, &mut variable) {
            Ok(location) => inner.location = location,
            Err(error) => return refuse(cf, None, &error),
        }
        check_server(cf, inner)
    })
}

/// Refuses and warns where the settings of other modules make ours void.
fn check_server(cf: *mut ngx_conf_t, inner: &LocationConf) -> *mut c_char {
    let Some(location) = &inner.location else { return ptr::null_mut() };
    let methods = location.authentication.methods;
    if methods.certificate && !methods.any && !server_verifies_certificates(cf) {
        let error = ConfigError::new(
            "mesh_authenticate certificate needs ssl_verify_client on, optional or \
             optional_no_ca in the same server",
        );
        return refuse(cf, None, &error);
    }
    if answers_before_access(cf) {
        log(cf).write(Level::Warn, format_args!(
            "mesh_authenticate does not protect a location that answers by \"return\": it answers \
             before the access phase{}", location_name(cf)
        ));
    }
    ptr::null_mut()
}

/// Whether the server that is being merged asks for client certificates.
#[cfg(ngx_feature = "http_ssl")]
fn server_verifies_certificates(cf: *mut ngx_conf_t) -> bool {
    // SAFETY: while Nginx merges a server and its locations, `cf->ctx` is a context whose srv_conf
    // is the server's; the SSL module, a static one, has merged its own settings before ours.
    unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let index = nginx_sys::ngx_http_ssl_module.ctx_index;
        let ssl = (*(*ctx).srv_conf.add(index)).cast::<nginx_sys::ngx_http_ssl_srv_conf_t>();
        !ssl.is_null() && (*ssl).verify != 0
    }
}

#[cfg(not(ngx_feature = "http_ssl"))]
fn server_verifies_certificates(_: *mut ngx_conf_t) -> bool {
    false
}

/// Whether the location that is being merged holds a `return` of the rewrite module.
///
/// The settings of that module are private to it; their first member is the array of its compiled
/// codes, in which each code begins with the address of the function that runs it.
fn answers_before_access(cf: *mut ngx_conf_t) -> bool {
    // SAFETY: `dlsym` looks a name up in what is loaded; a null result means that Nginx was built
    // without the rewrite module. `cf->ctx` is the server's context (see above), whose loc_conf is
    // that of the location being merged. `codes` is an array of bytes that Nginx aligns and sizes
    // by machine words.
    unsafe {
        let module = libc::dlsym(libc::RTLD_DEFAULT, c"ngx_http_rewrite_module".as_ptr());
        let module = module.cast::<nginx_sys::ngx_module_t>();
        if module.is_null() || location_name(cf).is_empty() {
            return false;
        }
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let rewrite = *(*ctx).loc_conf.add((*module).ctx_index);
        let codes = *rewrite.cast::<*mut nginx_sys::ngx_array_t>();
        if codes.is_null() || (*codes).elts.is_null() {
            return false;
        }
        let words = (*codes).nelts / size_of::<usize>();
        let words = core::slice::from_raw_parts((*codes).elts.cast::<usize>(), words);
        let returns = nginx_sys::ngx_http_script_return_code as *const () as usize;
        words.contains(&returns)
    }
}

/// ` in location "NAME"`, or nothing at the level of a server.
fn location_name(cf: *mut ngx_conf_t) -> String {
    // SAFETY: as in `server_verifies_certificates`; the core module's settings are always there.
    let name = unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let index = nginx_sys::ngx_http_core_module.ctx_index;
        let core = (*(*ctx).loc_conf.add(index)).cast::<nginx_sys::ngx_http_core_loc_conf_t>();
        bytes(&raw const (*core).name)
    };
    if name.is_empty() {
        return String::new();
    }
    format!(", in location \"{}\"", Clean(name))
}

// === directives ===

unsafe extern "C" fn set_main(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    guarded(cf, ERROR, || {
        // SAFETY: `post` is the row that `command` put there, and `conf` is the value that
        // `create_main` made, which nothing else refers to while a directive is read.
        let (row, main) = unsafe {
            (&*(*command).post.cast::<Directive<RawMain>>(), &mut *conf.cast::<MainConf>())
        };
        if let Err(error) = set(cf, row, &mut main.raw) {
            return refuse(cf, Some(row.name), &error);
        }
        if row.block {
            return issuer_block(cf, main);
        }
        if let ("mesh_claim", Some((name, _))) = (row.name, main.raw.claims.last()) {
            let index = main.raw.claims.len().saturating_sub(1);
            if let Err(error) = variable::declare_claim(cf, name, index) {
                return refuse(cf, Some(row.name), &error);
            }
        }
        ptr::null_mut()
    })
}

unsafe extern "C" fn set_location(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    guarded(cf, ERROR, || {
        // SAFETY: as in `set_main`, with what `create_location` made.
        let (row, location) = unsafe {
            (&*(*command).post.cast::<Directive<RawLocation>>(), &mut *conf.cast::<LocationConf>())
        };
        match set(cf, row, &mut location.raw) {
            Ok(()) => ptr::null_mut(),
            Err(error) => refuse(cf, Some(row.name), &error),
        }
    })
}

/// Reads a `mesh_issuer` block with our own table, as Nginx's `types` and `map` do.
fn issuer_block(cf: *mut ngx_conf_t, main: &mut MainConf) -> *mut c_char {
    let main: *mut MainConf = main;
    // SAFETY: `ngx_conf_parse` calls the handler for each line of the block and returns; the
    // caller's configuration is put back whatever it returned.
    let parsed = unsafe {
        let saved = *cf;
        (*cf).handler = Some(issuer_line);
        (*cf).handler_conf = main.cast();
        let parsed = nginx_sys::ngx_conf_parse(cf, ptr::null_mut());
        *cf = saved;
        parsed
    };
    if !parsed.is_null() {
        return parsed;
    }
    // SAFETY: the handler no longer holds the pointer.
    match unsafe { &mut *main }.raw.close_issuer() {
        Ok(()) => ptr::null_mut(),
        Err(error) => refuse(cf, None, &error),
    }
}

unsafe extern "C" fn issuer_line(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    guarded(cf, ERROR, || {
        let (words, place) = match line(cf) {
            Ok(line) => line,
            Err(error) => return refuse(cf, None, &error),
        };
        let Some((name, words)) = words.split_first() else { return ERROR };
        if *name == "include" {
            // SAFETY: `ngx_conf_include` takes the line that is being read, as this handler did.
            return unsafe { nginx_sys::ngx_conf_include(cf, command, conf) };
        }
        // SAFETY: `handler_conf` is what `issuer_block` put there.
        let main = unsafe { &mut *conf.cast::<MainConf>() };
        let issuer = main.raw.open.get_or_insert_with(RawIssuer::default);
        match directive::read(ISSUER, issuer, name, words, &place) {
            Ok(()) => ptr::null_mut(),
            Err(error) => refuse(cf, Some(name), &error),
        }
    })
}

fn set<C>(cf: *mut ngx_conf_t, row: &Directive<C>, raw: &mut C) -> Result<(), ConfigError> {
    let (words, place) = line(cf)?;
    directive::apply(row, raw, words.get(1..).unwrap_or_default(), &place)
}

/// The words of the line that is being read, and where it stands.
fn line<'c>(cf: *mut ngx_conf_t) -> Result<(Vec<&'c str>, Place), ConfigError> {
    // SAFETY: while a directive is read, `args` holds its words, which live as long as the cycle,
    // and `conf_file` is the file (for `-g` it has no name).
    let (words, file, line) = unsafe {
        let words = (*(*cf).args).as_slice::<ngx_str_t>();
        ((words.iter().map(|word| bytes(word)).collect::<Vec<_>>()),
            bytes(&raw const (*(*cf).conf_file).file.name), (*(*cf).conf_file).line)
    };
    let words = words
        .into_iter()
        .map(|word| core::str::from_utf8(word).map_err(|_| ConfigError::new("is not UTF-8")))
        .collect::<Result<_, _>>()?;
    Ok((words, Place { file: String::from_utf8_lossy(file).into(), line }))
}

/// Logs why a directive is refused; Nginx adds the file and the line that it is reading, which
/// is not where an error that is found later belongs.
fn refuse(cf: *mut ngx_conf_t, name: Option<&str>, error: &ConfigError) -> *mut c_char {
    match name {
        Some(name) => log(cf).write(Level::Emerg, format_args!("{name}: {error}")),
        None => log_elsewhere(cf).write(Level::Emerg, format_args!("{error}")),
    }
    ERROR
}

// === freezing ===

/// The last of `postconfiguration`: keys are read, the zone is asked for, the settings are frozen.
pub(crate) fn freeze(cf: *mut ngx_conf_t) -> Result<(), ()> {
    // SAFETY: nothing else refers to our settings between merging and the first request.
    let main = unsafe { main_mut(cf) };
    let issuers = core::mem::take(&mut main.raw.issuers);
    let mut keys = Vec::new();
    for issuer in &issuers {
        let path = full_name(cf, &issuer.jwks)?;
        let place = format_args!("jwks file \"{}\" of mesh_issuer \"{}\"", path.display(), issuer.name).to_string();
        let (document, stamp) = read_capped(&path, MOST_JWKS).map_err(|error| {
            log_elsewhere(cf).write(Level::Emerg, format_args!("{place}: {error}"));
        })?;
        let (set, skipped) = KeySet::parse(&document, issuer.algorithms).map_err(|error| {
            log_elsewhere(cf).write(Level::Emerg, format_args!("{place}: {error}"));
        })?;
        for key in skipped {
            log_elsewhere(cf).write(Level::Warn, format_args!("{place}: {key}"));
        }
        warn_unreadable(cf, &path, &place);
        keys.push(Some(set));
        main.files.push(WatchedFile { path, max_bytes: MOST_JWKS, primed: Some(stamp) });
    }
    let resolver = core::mem::take(&mut main.resolver);
    if resolver.has_limits() || main.raw.zone.is_some() {
        let size = main.raw.zone.unwrap_or(DEFAULT_ZONE);
        let tag = ptr::from_ref(super::module()).cast_mut().cast();
        // SAFETY: Nginx passed `cf` to `postconfiguration`.
        let zone = unsafe { Zone::add(cf, size, tag) }.map_err(|error| {
            log_elsewhere(cf).write(Level::Emerg, format_args!("mesh_zone: {error}"));
        })?;
        main.zone = Some(zone);
    }
    main.trust = Some(Arc::new(Trust::new(issuers, resolver.into_pointers(), keys)));
    Ok(())
}

/// `mesh_zone` where none is given.
const DEFAULT_ZONE: usize = 8 << 20;

/// Warns of a file that the master can read and a worker cannot: it would never be replaced.
fn warn_unreadable(cf: *mut ngx_conf_t, path: &std::path::Path, place: &str) {
    use std::os::unix::fs::MetadataExt;

    // SAFETY: the core module's settings are always there, and its `user` comes before `http`, or
    // not at all: then it is resolved later, and (uid_t) -1 stands for it.
    let (user, group) = unsafe {
        let core = (*(*cf).cycle).conf_ctx.add(nginx_sys::ngx_core_module.index);
        let core = (*core).cast::<nginx_sys::ngx_core_conf_t>();
        (u64::from((*core).user as u32), u64::from((*core).group))
    };
    let Ok(file) = std::fs::metadata(path) else { return };
    let unset = u64::from(u32::MAX);
    let (read, owner_read, group_read) = (0o004, 0o400, 0o040);
    let needed = if user == 0 {
        return;
    } else if user != unset && u64::from(file.uid()) == user {
        owner_read
    } else if user != unset && u64::from(file.gid()) == group {
        group_read
    } else if user == unset && file.uid() != 0 {
        return;
    } else {
        read
    };
    if file.mode() & needed == 0 {
        log_elsewhere(cf).write(Level::Warn, format_args!(
            "{place} may not be readable by the worker's user: a new version would not be seen"
        ));
    }
}

fn full_name(cf: *mut ngx_conf_t, path: &std::path::Path) -> Result<PathBuf, ()> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    let mut text = path.as_os_str().as_bytes().to_vec();
    text.push(0);
    let mut name = ngx_str_t { len: text.len().saturating_sub(1), data: text.as_mut_ptr() };
    // SAFETY: `name` is a null-terminated string as `ngx_conf_full_name` asks; it either leaves it
    // or points it to a new one in the cycle's pool, and the bytes are copied before `text` goes.
    let full = unsafe {
        if nginx_sys::ngx_conf_full_name((*cf).cycle, &raw mut name, 1) != 0 {
            return Err(());
        }
        bytes(&raw const name).to_vec()
    };
    Ok(PathBuf::from(std::ffi::OsString::from_vec(full)))
}

// === access ===

/// The frozen settings of the cycle that a request belongs to.
pub(crate) fn main<'r>(r: Live<'r>) -> &'r MainConf {
    // SAFETY: the request is whole; Nginx creates our main settings for every configuration that
    // has `http`, and they live as long as the cycle, which outlives its requests.
    unsafe { &*(*(*r.as_ptr()).main_conf.add(super::module().ctx_index)).cast::<MainConf>() }
}

/// The frozen settings of the location that a request is in; none where it does not authenticate.
pub(crate) fn location<'r>(r: Live<'r>) -> Option<&'r Location> {
    // SAFETY: as in `main`; `loc_conf` is changed by Nginx alone, between phases.
    let conf = unsafe {
        &*(*(*r.as_ptr()).loc_conf.add(super::module().ctx_index)).cast::<LocationConf>()
    };
    conf.location.as_ref()
}

/// The settings of a cycle, for the process hooks.
pub(crate) fn of_cycle<'c>(cycle: *mut nginx_sys::ngx_cycle_t) -> Option<&'c MainConf> {
    // SAFETY: Nginx passes a cycle whose configuration is complete. `http` may be missing.
    unsafe {
        let http = *(*cycle).conf_ctx.add(nginx_sys::ngx_http_module.index);
        let http = http.cast::<ngx_http_conf_ctx_t>();
        if http.is_null() {
            return None;
        }
        (*(*http).main_conf.add(super::module().ctx_index)).cast::<MainConf>().as_ref()
    }
}

/// # Safety
///
/// The configuration is being read, and nothing else refers to our main settings.
unsafe fn main_mut<'c>(cf: *mut ngx_conf_t) -> &'c mut MainConf {
    // SAFETY: `cf->ctx` is an HTTP context from `create_main_conf` to the end of
    // `postconfiguration`.
    unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        &mut *(*(*ctx).main_conf.add(super::module().ctx_index)).cast::<MainConf>()
    }
}

/// Moves a value to the heap and binds it to a pool, whose end drops it.
///
/// # Safety
///
/// `pool` is a live pool.
pub(crate) unsafe fn in_pool<T>(pool: *mut ngx_pool_t, value: T) -> *mut T {
    // SAFETY: the caller's.
    unsafe { in_pool_under(pool, value, drop_value::<T>) }
}

/// As [`in_pool`], under a handler by which the value can be found again.
///
/// # Safety
///
/// `pool` is a live pool, and `handler` is [`drop_value`] of the same type.
pub(crate) unsafe fn in_pool_under<T>(
    pool: *mut ngx_pool_t,
    value: T,
    handler: Cleanup,
) -> *mut T {
    // SAFETY: `ngx_pool_cleanup_add` returns null or a new cleanup of that pool.
    unsafe {
        let cleanup = ngx_pool_cleanup_add(pool, 0);
        if cleanup.is_null() {
            return ptr::null_mut();
        }
        let value = Box::into_raw(Box::new(value));
        (*cleanup).data = value.cast();
        (*cleanup).handler = Some(handler);
        value
    }
}

/// A cleanup's handler.
pub(crate) type Cleanup = unsafe extern "C" fn(*mut c_void);

/// Drops what [`in_pool`] moved to the heap.
///
/// # Safety
///
/// `value` is what `in_pool` gave for this type, and is not used again.
pub(crate) unsafe extern "C" fn drop_value<T>(value: *mut c_void) {
    // SAFETY: this is what `Box::into_raw` gave in `in_pool`, and Nginx runs a cleanup once.
    guard("cleanup", (), || Log::NOWHERE, || drop(unsafe { Box::from_raw(value.cast::<T>()) }));
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

/// The log for what belongs to the line that is being read.
fn log<'c>(cf: *mut ngx_conf_t) -> Log<'c> {
    // SAFETY: Nginx passed it to the function that calls this one.
    unsafe { Log::of_conf(cf) }
}

/// The log for what belongs to another line, or to none.
fn log_elsewhere<'c>(cf: *mut ngx_conf_t) -> Log<'c> {
    // SAFETY: as in `log`; a configuration that is being read has a log.
    unsafe { Log::new((*cf).log) }
}
