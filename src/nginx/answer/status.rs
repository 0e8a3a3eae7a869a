//! The answer of `mesh_status`: the state of the issuers' keys, the policies and the limits' memory, as JSON.

use mesh_core::answer::status::Status;
use nginx_sys::{
    NGX_HTTP_GET, NGX_HTTP_HEAD, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_NOT_ALLOWED, NGX_OK,
    ngx_conf_t, ngx_core_conf_t, ngx_http_conf_ctx_t, ngx_http_core_loc_conf_t,
    ngx_http_core_module, ngx_http_discard_request_body, ngx_http_request_t, ngx_int_t, ngx_uint_t,
};

use crate::nginx::memory::documents::DocumentsZone;
use crate::nginx::ngx::clock;
use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::live::Live;
use crate::nginx::ngx::role::{is_worker, worker_number};
use crate::nginx::request::headers;
use crate::nginx::request::reply;
use crate::nginx::state::settings;
use crate::nginx::state::settings::MainConf;

/// Makes this the content handler of the location whose line is being read.
pub(crate) fn answer_here(cf: *mut ngx_conf_t) {
    // SAFETY: while a directive of a location is read, `cf->ctx` is the location's context, and the
    // core module has made its settings before ours.
    unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let core = *(*ctx).loc_conf.add(ngx_http_core_module.ctx_index);
        (*core.cast::<ngx_http_core_loc_conf_t>()).handler = Some(answer);
    }
}

/// CONTENT: after the access phase, in which the location's own rules have let the request pass.
unsafe extern "C" fn answer(r: *mut ngx_http_request_t) -> ngx_int_t {
    const FAILED: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
    // SAFETY: Nginx calls a content handler with a whole, live request.
    let Some(r) = (unsafe { Live::new(r) }) else { return FAILED };
    guard("status handler", FAILED, || r.log(), || send(r).unwrap_or_else(|code| code))
}

fn send(r: Live<'_>) -> Result<ngx_int_t, ngx_int_t> {
    const FAILED: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
    let raw = r.as_ptr();
    // SAFETY: the request is live.
    unsafe {
        if (*raw).method & (NGX_HTTP_GET | NGX_HTTP_HEAD) as ngx_uint_t == 0 {
            return Err(NGX_HTTP_NOT_ALLOWED as ngx_int_t);
        }
        let discarded = ngx_http_discard_request_body(raw);
        if discarded != NGX_OK as ngx_int_t {
            return Err(discarded);
        }
    }
    let json = page(settings::main(r)).ok_or(FAILED)?;
    headers::add_response_header(r, b"Cache-Control", b"no-store").map_err(|_| FAILED)?;
    Ok(reply::send(r, (200, None), JSON, &json))
}

fn page(main: &MainConf) -> Option<String> {
    let trust = main.trust.as_ref()?;
    let documents = main.shared.filter(|_| is_worker()).and_then(DocumentsZone::documents);
    let status = Status {
        trust,
        snapshot: &trust.load(),
        documents: documents.as_ref(),
        workers: workers(),
        this: (worker_number(), std::process::id()),
        table: main.zone.as_ref().and_then(|zone| zone.table()),
        policy_files: &main.policy_files,
        policies: &main.policies.as_ref()?.load(),
        diverged: (main.diverged.would_refuse.get(), main.diverged.would_allow.get()),
        now: clock::now(),
    };
    status.to_json().ok()
}

/// The number of workers of the running cycle.
fn workers() -> usize {
    // SAFETY: `ngx_cycle` is the cycle of this process, whose configuration is frozen, and the core
    // module's settings are always there.
    let count = unsafe {
        let core = *(*nginx_sys::ngx_cycle).conf_ctx.add(nginx_sys::ngx_core_module.index);
        (*core.cast::<ngx_core_conf_t>()).worker_processes
    };
    usize::try_from(count).unwrap_or(0)
}

const JSON: &str = "application/json";
