//! Refusals and warnings because of the settings of other modules, or of files.

use core::ffi::c_char;
use core::ptr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mesh_core::config::{Block, ConfigError};
use mesh_core::issuer::Issuer;
use mesh_core::request::Method;
use mesh_core::text::clean::Clean;
use nginx_sys::{ngx_conf_t, ngx_http_conf_ctx_t};

use super::{Relative, full_name, log, log_elsewhere, refuse};
use crate::nginx::answer::variable;
use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::indexed::Indexed;
use crate::nginx::ngx::log::Level;
use crate::nginx::state::settings::{LocationConf, MainConf};
use crate::nginx::state::shown::shows_credential;

/// Refuses and warns if the settings of other modules make ours void.
pub(super) fn check_server(cf: *mut ngx_conf_t, inner: &LocationConf) -> *mut c_char {
    let Some(location) = &inner.location else { return ptr::null_mut() };
    let methods = location.authentication.methods;
    if methods.requires(Method::Certificate) && !server_verifies_certificates(cf) {
        let message = "mesh_authenticate certificate needs ssl_verify_client on, optional or \
                       optional_no_ca in the same server";
        let error = match &inner.raw.authenticate {
            Some(line) => ConfigError::at(&line.place, message),
            None => ConfigError::new(message),
        };
        return refuse(cf, None, &error);
    }
    if location.authorization.is_some() && is_satisfied_by_any(cf) {
        log(cf).write(Level::Warn, format_args!(
            "mesh_policy is not asked about a request that another module admits: \"satisfy any\"{}",
            location_name(cf)
        ));
    }
    if answers_before_access(cf) {
        log(cf).write(Level::Warn, format_args!(
            "mesh_authenticate does not protect a location that answers by \"return\": it answers \
             before the access phase{}", location_name(cf)
        ));
    }
    ptr::null_mut()
}

/// Refuses settings that do nothing, and warns of settings that may not be meant.
pub(super) fn judge_levels(
    cf: *mut ngx_conf_t,
    main: &mut MainConf,
    issuers: &[Issuer],
) -> Result<(), ()> {
    let advice = core::mem::take(&mut main.levels).judge(issuers).map_err(|error| {
        refuse(cf, None, &error);
    })?;
    for advice in core::mem::take(&mut main.raw.advice).into_iter().chain(advice) {
        log_elsewhere(cf).write(Level::Warn, format_args!("{advice}"));
    }
    Ok(())
}

/// The block that is being merged.
pub(super) fn block<'c>(cf: *mut ngx_conf_t) -> Block<'c> {
    // SAFETY: as in `server_verifies_certificates`; the core module's settings are always there, and
    // their name lives as long as the cycle.
    let (name, is_unnamed) = unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let index = nginx_sys::ngx_http_core_module.ctx_index;
        let core = (*(*ctx).loc_conf.add(index)).cast::<nginx_sys::ngx_http_core_loc_conf_t>();
        (bytes(&raw const (*core).name), (*core).noname() != 0)
    };
    match core::str::from_utf8(name) {
        _ if is_unnamed => Block::Unnamed,
        Ok("") => Block::Server,
        Ok(name) => Block::Location(name),
        Err(_) => Block::Location("?"),
    }
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

/// Whether another access module may admit a request to the location that is being merged.
fn is_satisfied_by_any(cf: *mut ngx_conf_t) -> bool {
    // SAFETY: as in `block`; the core module has merged its own settings before ours.
    unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let index = nginx_sys::ngx_http_core_module.ctx_index;
        let core = (*(*ctx).loc_conf.add(index)).cast::<nginx_sys::ngx_http_core_loc_conf_t>();
        (*core).satisfy == nginx_sys::NGX_HTTP_SATISFY_ANY as nginx_sys::ngx_uint_t
    }
}

/// Whether the location that is being merged holds a `return` of the rewrite module.
///
/// The settings of that module are private to it; their first member is the array of its compiled
/// codes, in which each code begins with the address of the function that runs it.
fn answers_before_access(cf: *mut ngx_conf_t) -> bool {
    // SAFETY: `dlsym` looks a name up in what is loaded; a null result means that Nginx was built
    // without the rewrite module. `cf->ctx` is the server's context (see above), whose loc_conf
    // belongs to the location being merged. `codes` is an array of bytes that Nginx aligns and sizes
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
        let words = (*codes).nelts.div_euclid(size_of::<usize>());
        let words = core::slice::from_raw_parts((*codes).elts.cast::<usize>(), words);
        returns_always(
            words,
            nginx_sys::ngx_http_script_return_code as *const () as usize,
            nginx_sys::ngx_http_script_if_code as *const () as usize,
        )
    }
}

/// Whether codes of the rewrite module hold a `return` that is in no `if`. The second word of an `if`'s
/// code is the number of bytes by which it jumps if the condition does not hold.
fn returns_always(codes: &[usize], returns: usize, ifs: usize) -> bool {
    let mut rest = codes;
    while let Some((code, behind)) = rest.split_first() {
        if *code == returns {
            return true;
        }
        let skipped = match behind.first() {
            Some(next) if *code == ifs => next.div_euclid(size_of::<usize>()).max(1),
            _ => 1,
        };
        rest = rest.get(skipped..).unwrap_or_default();
    }
    false
}

/// ` in location "NAME"`, or nothing at the level of a server.
pub(super) fn location_name(cf: *mut ngx_conf_t) -> String {
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

/// Warns of cached answers if no named variable can tell the callers apart in a cache's key.
pub(super) fn warn_cached(cf: *mut ngx_conf_t, main: &MainConf) {
    if main.cached.is_empty() {
        return;
    }
    // SAFETY: in `postconfiguration`, `cf->ctx` is the HTTP context, and no variable is added now.
    let variables = unsafe { Indexed::of((*cf).ctx.cast()) };
    let is_claim = |name: &str| main.raw.claims.iter().any(|(claim, _)| **claim == *name);
    if variables.iter().any(|it| {
        variable::shows_identity(it.name)
            || is_claim(it.name)
            || shows_credential(it.name, &main.sources)
    }) {
        return;
    }
    for location in &main.cached {
        log_elsewhere(cf).write(
            Level::Warn,
            format_args!(
                "mesh_authenticate does not keep the cached answers of callers apart: no variable \
                 of an identity or of a credential is named; put \
                 $mesh_principal_kind$mesh_issuer$mesh_principal into the key of the cache{location}"
            ),
        );
    }
}

/// Warns of servers that are asked without TLS: any server at that address is believed.
pub(super) fn warn_plain(cf: *mut ngx_conf_t, issuer: &Issuer) {
    for url in issuer.endpoints().filter(|url| !url.is_secure()) {
        log_elsewhere(cf).write(
            Level::Warn,
            format_args!(
                "mesh_issuer \"{}\" trusts any server at \"{url}\", since it is asked without TLS",
                issuer.name
            ),
        );
    }
}

/// Warns of a file that the master can read and a worker cannot: it would never be replaced.
pub(super) fn warn_unreadable(cf: *mut ngx_conf_t, path: &Path, place: &str) {
    if !worker_may(cf, path, READ) {
        log_elsewhere(cf).write(
            Level::Warn,
            format_args!(
                "{place} may not be readable by the worker's user: a new version would not be seen"
            ),
        );
    }
}

/// Warns of a directory in which a worker cannot write.
pub(super) fn warn_unwritable(cf: *mut ngx_conf_t, directory: &Path) {
    if !worker_may(cf, directory, WRITE) || !worker_may(cf, directory, SEARCH) {
        log_elsewhere(cf).write(
            Level::Warn,
            format_args!(
                "mesh_state_path \"{}\" may not be writable by the worker's user: no keys would be \
                 kept for the next start",
                directory.display()
            ),
        );
    }
}

/// The full name of the directory of `mesh_state_path`.
pub(super) fn state_path(cf: *mut ngx_conf_t, path: &Path) -> Result<PathBuf, ConfigError> {
    let path = full_name(cf, path, Relative::ToPrefix)
        .map_err(|()| ConfigError::new("no memory for the directory's name"))?;
    match std::fs::metadata(&path) {
        Ok(it) if it.is_dir() => Ok(path),
        Ok(_) => Err(ConfigError::new(format!("\"{}\" is no directory", path.display()))),
        Err(error) => Err(ConfigError::new(format!("\"{}\": {error}", path.display()))),
    }
}

/// Whether the worker's user has a right on a file, and on the way to it, by the bits of its mode.
fn worker_may(cf: *mut ngx_conf_t, path: &Path, bit: u32) -> bool {
    // SAFETY: the core module's settings are always there, and its `user` comes before `http`, or
    // not at all: then it is resolved later, and is (uid_t) -1 until then.
    let (user, group) = unsafe {
        let core = (*(*cf).cycle).conf_ctx.add(nginx_sys::ngx_core_module.index);
        let core = (*core).cast::<nginx_sys::ngx_core_conf_t>();
        (u64::from((*core).user), u64::from((*core).group))
    };
    let unset = u64::from(u32::MAX);
    // SAFETY: it asks for a number, and cannot fail.
    let master = u64::from(unsafe { libc::geteuid() });
    let (user, group) = match (user == unset, master) {
        // Without `user`, the workers of an unprivileged master run as its own user,
        (true, 1..) => return true,
        // and those of root as the user that Nginx was built with.
        (true, 0) => built_in_user(),
        (false, _) => (user, group),
    };
    if user == 0 {
        return true;
    }
    // The bits of the worker's class: owner, group, or others.
    let allows = |path: &Path, bit: u32| {
        std::fs::metadata(path).is_ok_and(|file| {
            let class = if u64::from(file.uid()) == user {
                6
            } else if u64::from(file.gid()) == group {
                3
            } else {
                0
            };
            (file.mode() >> class) & bit != 0
        })
    };
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut way = path.ancestors().skip(1).chain(real.ancestors().skip(1));
    allows(path, bit) && way.all(|directory| allows(directory, SEARCH))
}

/// The user and the group, as numbers, that Nginx was built with; `u32::MAX` if there is none.
fn built_in_user() -> (u64, u64) {
    let nobody = u64::from(u32::MAX);
    // SAFETY: both names end in null; the answers are null or live until the next such call, and
    // the configuration is read by one thread.
    unsafe {
        let user = libc::getpwnam(nginx_sys::NGX_USER.as_ptr()).as_ref();
        let group = libc::getgrnam(nginx_sys::NGX_GROUP.as_ptr()).as_ref();
        (
            user.map_or(nobody, |user| u64::from(user.pw_uid)),
            group.map_or(nobody, |group| u64::from(group.gr_gid)),
        )
    }
}

const READ: u32 = 0o4;
const WRITE: u32 = 0o2;
const SEARCH: u32 = 0o1;
