//! The handlers that Nginx calls in its phases for every request.

use nginx_sys::{NGX_HTTP_INTERNAL_SERVER_ERROR, ngx_http_request_t, ngx_int_t};

use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::live::Live;
use crate::nginx::phase::access::{DECLINED, judge};
use crate::nginx::phase::context::Context;
use crate::nginx::phase::subrequest;
use crate::nginx::phase::upgrade;
use crate::nginx::request::headers;
use crate::nginx::state::settings;

const FAILED: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;

/// POST_READ, SERVER_REWRITE and REWRITE: only this module says who a request comes from. The first
/// catches what arrives. A request that Nginx refuses while it reads it begins with the second if its
/// `error_page` is a URI, and with the third if that is a named location. All come before anything
/// may read or proxy a header.
pub(crate) unsafe extern "C" fn strip(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: Nginx calls a phase handler with a whole, live request.
    let Some(r) = (unsafe { Live::new(r) }) else { return FAILED };
    // Every request of every site passes here three times.
    let is_done = match r.is_main() {
        true => Context::is_stripped(r) && !headers::has_upgrade(r),
        false => !subrequest::has_moved(r),
    };
    if is_done {
        return DECLINED;
    }
    strip_anew(r)
}

/// Looks at every header.
#[inline(never)]
fn strip_anew(r: Live<'_>) -> ngx_int_t {
    guard(
        "strip handler",
        FAILED,
        || r.log(),
        || {
            if !r.is_main() {
                return subrequest::strip(r).map_or(FAILED, |()| DECLINED);
            }
            if headers::has_upgrade(r) && upgrade::strip(r).is_none() {
                return FAILED;
            }
            if headers::strip_reserved(r).is_err() {
                return FAILED;
            }
            if settings::main(r).is_alone {
                Context::set_stripped(r);
            }
            DECLINED
        },
    )
}

/// ACCESS: takes the request through the line, and acts on the outcome. Not called for subrequests,
/// which come to [`settle`].
pub(crate) unsafe extern "C" fn access(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: as in `strip`.
    let Some(r) = (unsafe { Live::new(r) }) else { return FAILED };
    guard("access handler", FAILED, || r.log(), || judge(r).unwrap_or(FAILED))
}

/// PRECONTENT: a request that is here without our admission was admitted by another module (`satisfy
/// any`). Nginx takes back the challenges that hang on its typed slot, from which auth_basic takes
/// ours. Subrequests are judged here, before the first handler that answers or redirects.
pub(crate) unsafe extern "C" fn settle(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: as in `strip`.
    let Some(r) = (unsafe { Live::new(r) }) else { return FAILED };
    // Nothing here concerns a location that does not authenticate.
    let Some(location) = settings::location(r) else { return DECLINED };
    guard(
        "settle handler",
        FAILED,
        || r.log(),
        || {
            if !r.is_main() {
                return subrequest::judge(r, location).unwrap_or(FAILED);
            }
            if let Some(context) = Context::of(r)
                && !context.has_admitted(location)
            {
                context.set_passed(r);
                if context.with_outcome(r, Result::is_err) == Some(true) {
                    headers::withdraw_challenge(r);
                }
            }
            DECLINED
        },
    )
}
