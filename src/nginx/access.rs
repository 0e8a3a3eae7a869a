//! The phases: reserved headers go, then a request is judged, then its identity is exported.

use mesh_core::admission::Admission;
use mesh_core::config::{Location, LogLevel};
use mesh_core::export::encode;
use mesh_core::limit::Limited;
use mesh_core::refusal::Refusal;
use mesh_core::reserved::is_reserved;
use nginx_sys::{
    NGX_DECLINED, NGX_DONE, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_LOG_ERR, NGX_LOG_INFO,
    NGX_LOG_NOTICE, NGX_LOG_WARN, NGX_OK, ngx_http_finalize_request, ngx_http_request_t, ngx_int_t,
    ngx_uint_t,
};

use super::context::Context;
use super::guard::guard;
use super::{conf, headers, log};

const DECLINED: ngx_int_t = NGX_DECLINED as ngx_int_t;
const FAILED: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;

/// POST_READ and REWRITE: nobody but us says who a request comes from. The first catches what
/// arrives, the second an `error_page` to a named location, which skips the first; both come
/// before anything may read or proxy a header.
pub(crate) unsafe extern "C" fn strip(r: *mut ngx_http_request_t) -> ngx_int_t {
    guard(FAILED, || {
        // SAFETY: Nginx calls a phase handler with a live request.
        unsafe {
            // A subrequest shares its parent's headers, in which nothing is left that is not ours.
            if r != (*r).main {
                return DECLINED;
            }
            match headers::strip(r, is_reserved) {
                Ok(()) => DECLINED,
                Err(_) => FAILED,
            }
        }
    })
}

/// ACCESS: the line, and what becomes of its outcome. Not called for subrequests.
pub(crate) unsafe extern "C" fn access(r: *mut ngx_http_request_t) -> ngx_int_t {
    guard(FAILED, || {
        // SAFETY: as in `strip`.
        unsafe {
            let Some(location) = conf::location(r) else {
                if let Some(context) = Context::of(r) {
                    context.forget();
                }
                return DECLINED;
            };
            #[cfg(feature = "panic-test")]
            headers::panic_where_asked(r);
            let judged = Context::of(r)
                .and_then(|context| context.evaluate(r, location).map(|()| context));
            judged
                .and_then(|context| {
                    context.with_outcome(|outcome| match outcome {
                        Ok(admission) => admit(r, location, admission),
                        Err(refusal) => refuse(r, location, refusal),
                    })
                })
                .unwrap_or(FAILED)
        }
    })
}

/// # Safety
///
/// `r` is a live main request in the access phase.
unsafe fn admit(r: *mut ngx_http_request_t, location: &Location, admission: &Admission) -> ngx_int_t {
    if let Some(refusal) = admission.would_refuse() {
        // SAFETY: the caller's.
        unsafe { log_refusal(r, location, refusal, " (dry run)") };
    }
    let Some(identity) = admission.identity() else {
        // A dry run let it pass: we have no opinion, and others keep theirs.
        return DECLINED;
    };
    // SAFETY: the caller's.
    unsafe {
        if location.export {
            for (field, value) in admission.exports() {
                if headers::push(r, field.name, field.lowercase, &value).is_err() {
                    return FAILED;
                }
            }
        }
        if identity.has_token()
            && !location.forward_credential
            && headers::remove_authorization(r).is_err()
        {
            return FAILED;
        }
    }
    NGX_OK as ngx_int_t
}

/// # Safety
///
/// `r` is a live main request in the access phase.
unsafe fn refuse(r: *mut ngx_http_request_t, location: &Location, refusal: &Refusal) -> ngx_int_t {
    let status = refusal.status(location.limit_status);
    let challenge =
        refusal.challenge().filter(|_| location.authentication.methods.token);
    // SAFETY: the caller's; `ngx_http_finalize_request` takes the request over.
    unsafe {
        log_refusal(r, location, refusal, "");
        if let Some(challenge) = challenge
            && headers::set_challenge(r, &challenge).is_err()
        {
            return FAILED;
        }
        if let Some(limited) = refusal.limited()
            && limit_fields(r, limited).is_err()
        {
            return FAILED;
        }
        if refusal.is_unauthenticated() {
            // Under `satisfy any` Nginx asks its other access modules.
            return ngx_int_t::from(status as i32 as i16);
        }
        // Anything else is final, whatever `satisfy` says: deny wins.
        ngx_http_finalize_request(r, ngx_int_t::from(status as i16));
    }
    NGX_DONE as ngx_int_t
}

/// `Retry-After` (RFC 9110 section 10.2.3) and the RateLimit fields.
unsafe fn limit_fields(
    r: *mut ngx_http_request_t,
    limited: &Limited,
) -> Result<(), headers::OutOfMemory> {
    // SAFETY: the caller's.
    unsafe {
        if let Some(secs) = limited.retry_after_secs() {
            headers::add_response(r, "Retry-After", &secs.to_string())?;
        }
        headers::add_response(r, "RateLimit-Policy", &limited.policy())?;
        headers::add_response(r, "RateLimit", &limited.state())
    }
}

/// One line an event: what, why, who.
///
/// # Safety
///
/// `r` is a live main request in the access phase.
unsafe fn log_refusal(
    r: *mut ngx_http_request_t,
    location: &Location,
    refusal: &Refusal,
    dry_run: &str,
) {
    let level = match location.log_level {
        LogLevel::Error => NGX_LOG_ERR,
        LogLevel::Info => NGX_LOG_INFO,
        LogLevel::Notice => NGX_LOG_NOTICE,
        LogLevel::Warn => NGX_LOG_WARN,
    } as ngx_uint_t;
    // SAFETY: the caller's; a connection has a log.
    let log = unsafe { (*(*r).connection).log };
    let reason = refusal.reason();
    // SAFETY: the caller's.
    let identity = unsafe { Context::of(r).and_then(|context| context.identify(r)) };
    match (identity, refusal.limited()) {
        (Some(identity), Some(limited)) => log::at(level, log, format_args!(
            "mesh refuses{dry_run}, reason: {reason}, limit: \"{}\", service: \"{}\"",
            limited.name(), encode(identity.service())
        )),
        (Some(identity), None) => log::at(level, log, format_args!(
            "mesh refuses{dry_run}, reason: {reason}, service: \"{}\"",
            encode(identity.service())
        )),
        (None, _) => log::at(level, log, format_args!("mesh refuses{dry_run}, reason: {reason}")),
    }
}
