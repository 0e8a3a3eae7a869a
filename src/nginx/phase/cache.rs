//! Answers that Nginx caches under a key that does not tell their callers apart.
//!
//! The settings of the modules that cache are private to them; their common first member is
//! `ngx_http_upstream_conf_t`.

use core::ffi::CStr;

use mesh_core::answer::cache_key::tells_apart;
use mesh_core::config::Location;
use mesh_core::identity::Identity;
use mesh_core::text::clean::Clean;
use nginx_sys::{
    NGX_OK, ngx_conf_t, ngx_http_conf_ctx_t, ngx_http_core_loc_conf_t, ngx_http_core_module,
    ngx_http_request_t, ngx_http_upstream_conf_t, ngx_int_t, ngx_str_t,
};

use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::clock;
use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::live::Live;
use crate::nginx::ngx::log::Level;
use crate::nginx::phase::context::Context;
use crate::nginx::state::settings;

/// Tells whether the location that is being merged passes requests to an upstream whose answers are
/// cached.
pub(crate) fn is_on(cf: *mut ngx_conf_t) -> bool {
    let (mut passes, mut caches, mut both) = (false, false, false);
    // SAFETY: while Nginx merges a server and its locations, `cf->ctx` is a context whose loc_conf is
    // the location's; static modules have merged their settings before ours. The modules of a
    // cycle are an array that ends in null, and each has a name once it is loaded.
    unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let conf = |index: usize| *(*ctx).loc_conf.add(index);
        let core = conf(ngx_http_core_module.ctx_index).cast::<ngx_http_core_loc_conf_t>();
        if (*core).handler.is_none() {
            return false;
        }
        let mut module = (*(*cf).cycle).modules;
        while !(*module).is_null() {
            if CACHING.contains(&CStr::from_ptr((**module).name)) {
                let upstream = conf((**module).ctx_index).cast::<ngx_http_upstream_conf_t>();
                // Null also if the name of the server is made of variables.
                let is_named = !(*upstream).upstream.is_null();
                let has_cache = has_cache(&*upstream);
                passes |= is_named;
                caches |= has_cache;
                both |= is_named && has_cache;
            }
            module = module.add(1);
        }
    }
    if passes { both } else { caches }
}

#[cfg(ngx_feature = "http_cache")]
fn has_cache(upstream: &ngx_http_upstream_conf_t) -> bool {
    // A member of two bits: 3 would be "not set".
    upstream.cache() == 1
}

#[cfg(not(ngx_feature = "http_cache"))]
fn has_cache(_: &ngx_http_upstream_conf_t) -> bool {
    false
}

/// The modules of Nginx that cache answers.
const CACHING: [&CStr; 4] = [
    c"ngx_http_fastcgi_module",
    c"ngx_http_proxy_module",
    c"ngx_http_scgi_module",
    c"ngx_http_uwsgi_module",
];

/// LOG: warns, once a minute a location, of an answer that another caller would get as well. Only
/// there if a location that authenticates has a cache.
pub(crate) unsafe extern "C" fn watch(r: *mut ngx_http_request_t) -> ngx_int_t {
    const DONE: ngx_int_t = NGX_OK as ngx_int_t;
    // SAFETY: Nginx calls a phase handler with a whole, live request.
    let Some(r) = (unsafe { Live::new(r) }) else { return DONE };
    guard(
        "log handler",
        DONE,
        || r.log(),
        || {
            if let Some(location) = settings::location(r)
                && let Some(key) = key(r)
                && r.log().takes(Level::Warn)
                && let Some(context) = Context::known(r)
            {
                context.with_outcome(r, |outcome| {
                    if let Some(caller) = outcome.as_ref().ok().and_then(|it| it.identity()) {
                        warn_of_shared(r, location, context, caller, key);
                    }
                });
            }
            DONE
        },
    )
}

/// The parts of the key under which the answer came out of a cache, or went into one.
#[cfg(ngx_feature = "http_cache")]
fn key<'r>(r: Live<'r>) -> Option<&'r [ngx_str_t]> {
    // SAFETY: the request is live; its cache and its upstream are null, or live as long as it does, and
    // the parts of the key are an array of strings in its pool.
    unsafe {
        let request = r.as_ptr();
        let (cache, upstream) = ((*request).cache.as_ref()?, (*request).upstream.as_ref()?);
        // Without a status the upstream has sent nothing that could be kept.
        let is_kept = upstream.cacheable() != 0 && upstream.headers_in.status_n != 0;
        if ((*request).cached() == 0 && !is_kept) || cache.keys.elts.is_null() {
            return None;
        }
        Some(core::slice::from_raw_parts(cache.keys.elts.cast(), cache.keys.nelts))
    }
}

#[cfg(not(ngx_feature = "http_cache"))]
fn key<'r>(_: Live<'r>) -> Option<&'r [ngx_str_t]> {
    None
}

fn warn_of_shared(
    r: Live<'_>,
    location: &Location,
    context: &Context,
    caller: &Identity,
    key: &[ngx_str_t],
) {
    let told = settings::told(r);
    let now = clock::now().tick;
    if told.get().is_some_and(|told| now < told.saturating_add(MINUTE)) {
        return;
    }
    // SAFETY: the strings are in the pool of the live request.
    let key: Vec<_> = key.iter().map(|part| unsafe { bytes(part) }).collect();
    let view = context.view(r);
    let token = caller.source(&location.authentication.sources).map(|source| source.read(&view));
    let mut credentials = settings::main(r).shown.certificates(r);
    credentials.extend(token.and_then(Result::ok).flatten().map(|(_, token)| token));
    if tells_apart(&key, caller, &credentials) {
        return;
    }
    told.set(Some(now));
    r.log().write(
        Level::Warn,
        format_args!(
            "mesh: an answer is cached in location \"{}\" under a key that holds neither the \
             principal nor the service nor a credential of its caller: every caller gets it; put \
             $mesh_principal_kind$mesh_issuer$mesh_principal into the key",
            Clean(location_name(r))
        ),
    );
}

/// The name of the location that a request is in.
fn location_name<'r>(r: Live<'r>) -> &'r [u8] {
    // SAFETY: the request is live, and the core module's settings are always there.
    unsafe {
        let core = *(*r.as_ptr()).loc_conf.add(ngx_http_core_module.ctx_index);
        bytes(&raw const (*core.cast::<ngx_http_core_loc_conf_t>()).name)
    }
}

const MINUTE: core::time::Duration = core::time::Duration::from_secs(60);
