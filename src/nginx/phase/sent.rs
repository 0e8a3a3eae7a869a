//! Whether what goes upstream is what was named.
//!
//! A name may hold an escaped letter that divides paths (`%2F`): it names the resource as long as nobody
//! decodes it. A `proxy_pass` with a URI sends the decoded path, and only its module knows. So the line of
//! the request is looked at where balancers come in: once it is written, and before a peer is chosen.

use core::ffi::CStr;

use mesh_core::refusal::Reason;
use nginx_sys::{
    NGX_ERROR, ngx_conf_t, ngx_http_conf_ctx_t, ngx_http_request_t, ngx_http_upstream_conf_t,
    ngx_http_upstream_main_conf_t, ngx_http_upstream_module, ngx_http_upstream_srv_conf_t,
    ngx_int_t,
};

use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::live::Live;
use crate::nginx::ngx::log::Level;
use crate::nginx::phase::context::Context;
use crate::nginx::state::settings::{self, Balancers};

/// Whether the requests of the location that is being merged come to an upstream that is known by now. The
/// balancer of one that a variable names is not asked.
pub(crate) fn is_compared(cf: *mut ngx_conf_t) -> bool {
    // SAFETY: while Nginx merges a server and its locations, `cf->ctx` is a context whose loc_conf is the
    // location's; static modules have merged their settings before ours. The settings of the proxy module
    // begin with those of an upstream. The modules of a cycle are an array that ends in null, and each has
    // a name once it is loaded.
    unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let mut module = (*(*cf).cycle).modules;
        while !(*module).is_null() {
            if CStr::from_ptr((**module).name) == c"ngx_http_proxy_module" {
                let conf = *(*ctx).loc_conf.add((**module).ctx_index);
                return !(*conf.cast::<ngx_http_upstream_conf_t>()).upstream.is_null();
            }
            module = module.add(1);
        }
    }
    false
}

/// Comes in before the balancer of each upstream, from `postconfiguration`: they are all known then.
pub(crate) fn install(cf: *mut ngx_conf_t) -> Balancers {
    let mut balancers = Balancers::new();
    // SAFETY: in `postconfiguration`, `cf->ctx` is the HTTP context; the upstream module is a static one,
    // whose main settings hold an array of pointers to upstreams, each with its balancer since
    // `ngx_http_upstream_init_main_conf`. Balancers of other modules come in by the same pointer.
    unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let main = *(*ctx).main_conf.add(ngx_http_upstream_module.ctx_index);
        let Some(main) = main.cast::<ngx_http_upstream_main_conf_t>().as_mut() else {
            return balancers;
        };
        if main.upstreams.nelts == 0 {
            return balancers;
        }
        for upstream in main.upstreams.as_slice::<*mut ngx_http_upstream_srv_conf_t>() {
            let peer = &raw mut (**upstream).peer;
            balancers.push((*upstream as usize, (*peer).init));
            (*peer).init = Some(before_balancer);
        }
    }
    balancers.sort_unstable_by_key(|(upstream, _)| *upstream);
    balancers
}

/// The request to the upstream is written, and its balancer is asked.
unsafe extern "C" fn before_balancer(
    r: *mut ngx_http_request_t,
    upstream: *mut ngx_http_upstream_srv_conf_t,
) -> ngx_int_t {
    const FAILED: ngx_int_t = NGX_ERROR as ngx_int_t;
    // SAFETY: Nginx calls it with a whole, live request.
    let Some(live) = (unsafe { Live::new(r) }) else { return FAILED };
    let balancer = guard(
        "balancer",
        None,
        || live.log(),
        || {
            if !is_as_named(live) {
                live.log().write(
                Level::Error,
                format_args!(
                    "mesh refuses, reason: request_ambiguous: the path of the request is sent decoded, and \
                     would name another resource: use proxy_pass without a URI"
                ),
            );
                return None;
            }
            let balancers = &settings::main(live).balancers;
            let place =
                balancers.binary_search_by_key(&(upstream as usize), |(known, _)| *known).ok()?;
            balancers.get(place)?.1
        },
    );
    match balancer {
        // SAFETY: it is what the upstream had before us, for the same arguments.
        Some(balancer) => unsafe { balancer(r, upstream) },
        None => FAILED,
    }
}

/// Whether the line that is written holds the path as it was named.
fn is_as_named(r: Live<'_>) -> bool {
    let Some(context) = Context::known(r) else { return true };
    let is_dry_run =
        || settings::location(r).is_some_and(|it| it.dry_run.covers(Reason::RequestAmbiguous));
    if !context.is_admitted_as_it_came(r) || is_dry_run() {
        return true;
    }
    // SAFETY: the request is live and has an upstream, whose request is a chain of whole buffers in
    // memory by now (`ngx_http_upstream_init_request`); null if there is none.
    unsafe {
        let raw = r.as_ptr();
        let Some(chain) =
            (*raw).upstream.as_ref().and_then(|upstream| upstream.request_bufs.as_ref())
        else {
            return false;
        };
        let (from, to) = ((*chain.buf).pos, (*chain.buf).last);
        if from.is_null() || to < from {
            return false;
        }
        let line = core::slice::from_raw_parts(from, to.offset_from_unsigned(from));
        let (method, path) =
            (bytes(&raw const (*raw).method_name), bytes(&raw const (*raw).unparsed_uri));
        let rest = line.strip_prefix(method).and_then(|rest| rest.strip_prefix(b" "));
        let rest = rest.and_then(|rest| rest.strip_prefix(path));
        rest.is_some_and(|rest| rest.starts_with(b" "))
    }
}
