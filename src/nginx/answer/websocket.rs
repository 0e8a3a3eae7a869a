//! The answer to a WebSocket handshake whose token was among the protocols.
//!
//! A browser that has offered protocols fails the connection if the 101 names none of them (RFC 6455
//! section 4.1). The module names `bearer` if the upstream, which has not seen it, chose no other.

use core::ffi::c_void;
use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use mesh_core::request::source::{WEBSOCKET_BEARER, WEBSOCKET_PROTOCOL};
use nginx_sys::{ngx_http_request_t, ngx_int_t, ngx_table_elt_t};

use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::list::Elements;
use crate::nginx::ngx::live::Live;
use crate::nginx::phase::context::Context;
use crate::nginx::request::headers;

/// The filter behind ours, as an address; written while a configuration is read.
static NEXT: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// A filter of response headers.
type Filter = unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t;

/// Puts our filter before the others. Only for a configuration that reads tokens from protocols: Nginx
/// builds the chain anew for each configuration.
pub(crate) fn install() {
    // SAFETY: Nginx reads the configuration, in its only thread; the chain holds the filters of the
    // modules that were set up before.
    unsafe {
        let top = &raw mut nginx_sys::ngx_http_top_header_filter;
        let next = (*top).map_or(ptr::null_mut(), |next| next as *mut c_void);
        NEXT.store(next, Ordering::Release);
        *top = Some(name_bearer);
    }
}

/// The header filter.
unsafe extern "C" fn name_bearer(request: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: Nginx passes a live request.
    if unsafe { (*request).headers_out.status } == SWITCHING_PROTOCOLS {
        // SAFETY: as above.
        let Some(r) = (unsafe { Live::new(request) }) else { return FAILED };
        if guard("header filter", Err(()), || r.log(), || complete(r)).is_err() {
            return FAILED;
        }
    }
    let next = NEXT.load(Ordering::Acquire);
    if next.is_null() {
        return FAILED;
    }
    // SAFETY: `install` has found the filter at this address, which lives as long as the process:
    // Nginx unloads no module that a cycle in use has loaded.
    unsafe { mem::transmute::<*mut c_void, Filter>(next)(request) }
}

/// Names `bearer` in a 101 that names no protocol, if the token of the request came behind it.
fn complete(r: Live<'_>) -> Result<(), ()> {
    if !r.is_main() || !Context::known(r).is_some_and(Context::speaks_bearer) {
        return Ok(());
    }
    // SAFETY: the request is live, and its list of response headers holds `ngx_table_elt_t`, whose
    // strings live as long as the request; a hash of 0 hides one.
    unsafe {
        for element in Elements::of(&raw const (*r.as_ptr()).headers_out.headers) {
            let element = element.cast::<ngx_table_elt_t>();
            let name = bytes(&raw const (*element).key);
            if (*element).hash == 0 || !name.eq_ignore_ascii_case(WEBSOCKET_PROTOCOL.as_bytes()) {
                continue;
            }
            if !bytes(&raw const (*element).value).trim_ascii().is_empty() {
                return Ok(());
            }
            (*element).hash = 0;
        }
    }
    headers::add_response_header(r, headers::WEBSOCKET_PROTOCOL, WEBSOCKET_BEARER.as_bytes())
        .map_err(drop)
}

/// `NGX_HTTP_SWITCHING_PROTOCOLS`
const SWITCHING_PROTOCOLS: usize = 101;

/// `NGX_ERROR`
const FAILED: ngx_int_t = nginx_sys::NGX_ERROR as ngx_int_t;
