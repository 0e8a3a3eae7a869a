//! The module's own answers: the metadata of a resource.

use core::mem;

use nginx_sys::{
    NGX_HTTP_GET, NGX_HTTP_HEAD, NGX_HTTP_NOT_ALLOWED, NGX_HTTP_NOT_FOUND, NGX_HTTP_OK, ngx_conf_t,
    ngx_http_complex_value_t, ngx_http_conf_ctx_t, ngx_http_core_loc_conf_t, ngx_http_core_module,
    ngx_http_request_t, ngx_http_send_response, ngx_int_t, ngx_str_t, ngx_uint_t,
};

use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::live::Live;
use crate::nginx::state::settings;

/// Has the location that is being read serve the metadata of its resource.
pub(crate) fn serve_metadata(cf: *mut ngx_conf_t) {
    // SAFETY: while Nginx reads a location, `cf->ctx` is its context, in which the core module's
    // settings are always there.
    unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let core = *(*ctx).loc_conf.add(ngx_http_core_module.ctx_index);
        (*core.cast::<ngx_http_core_loc_conf_t>()).handler = Some(metadata);
    }
}

/// Content: the metadata document (RFC 9728 section 3.2).
unsafe extern "C" fn metadata(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: Nginx calls a content handler with a whole, live request.
    let Some(r) = (unsafe { Live::new(r) }) else { return NGX_HTTP_NOT_FOUND as ngx_int_t };
    guard(
        "metadata handler",
        nginx_sys::NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t,
        || r.log(),
        || {
            // SAFETY: the request is live.
            let method = unsafe { (*r.as_ptr()).method };
            if method & (NGX_HTTP_GET | NGX_HTTP_HEAD) as ngx_uint_t == 0 {
                return NGX_HTTP_NOT_ALLOWED as ngx_int_t;
            }
            match settings::metadata(r) {
                Some(document) => send(r, "application/json", document),
                None => NGX_HTTP_NOT_FOUND as ngx_int_t,
            }
        },
    )
}

/// Answers with a text that lives as long as the cycle.
fn send(r: Live<'_>, content_type: &'static str, text: &str) -> ngx_int_t {
    let string = |text: &str| ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
    let mut content_type = string(content_type);
    // SAFETY: the request is live. A complex value without codes is its text; Nginx copies the
    // structures and only reads the bytes, which outlive the request (frozen configuration).
    unsafe {
        let mut value = mem::zeroed::<ngx_http_complex_value_t>();
        value.value = string(text);
        let (status, content_type) = (NGX_HTTP_OK as ngx_uint_t, &raw mut content_type);
        ngx_http_send_response(r.as_ptr(), status, content_type, &raw mut value)
    }
}
