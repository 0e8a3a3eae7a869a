//! ACCESS: a request is judged, then refused, or let on with its identity in place of its credential.

use mesh_core::answer::challenge::challenge;
use mesh_core::config::LogLevel;
use mesh_core::refusal::Refusal;
use mesh_core::request::{Method, Scheme};
use mesh_core::stage::admit::Admission;
use mesh_core::text::clean::Clean;
use nginx_sys::{NGX_AGAIN, NGX_DECLINED, NGX_DONE, NGX_OK, ngx_http_finalize_request, ngx_int_t};

use crate::nginx::ngx::live::Live;
use crate::nginx::ngx::log::Level;
use crate::nginx::phase::context::Context;
use crate::nginx::phase::parking::{self, Parked};
use crate::nginx::phase::token_source;
use crate::nginx::phase::turn::Turn;
use crate::nginx::request::headers;
use crate::nginx::state::settings;

pub(super) const DECLINED: ngx_int_t = NGX_DECLINED as ngx_int_t;

/// `None` is a request that cannot be judged, for want of memory.
pub(super) fn judge(r: Live<'_>) -> Option<ngx_int_t> {
    let Some(location) = settings::location(r) else {
        if let Some(context) = Context::known(r) {
            context.forget_admission();
            context.clear_passed();
        }
        return Some(DECLINED);
    };
    let turn = Turn::of(r, location)?;
    turn.context.clear_passed();
    #[cfg(feature = "panic-test")]
    headers::panic_where_asked(r);
    if let Some(need) = turn.evaluate()? {
        match parking::park(turn, need)? {
            Parked::Waits => return Some(NGX_AGAIN as ngx_int_t),
            // Now it is known that there is no answer.
            Parked::Cannot => drop(turn.evaluate()?),
        }
    }
    parking::renew(r);
    if let Some(nonce) = turn.context.nonce() {
        headers::add_response_header(r, b"DPoP-Nonce", nonce.as_bytes()).ok()?;
    }
    let answer = turn.with_outcome(|outcome| match outcome {
        Ok(admission) => admit(turn, admission),
        Err(refusal) => refuse(turn, refusal),
    })??;
    Some(match answer {
        Answer::Continue(code) => code,
        Answer::Finalize(status) => {
            // This may run another location of the same request, with the same context: nothing
            // of it is borrowed any more.
            // SAFETY: the request is live, and nothing is done with it after this.
            unsafe { ngx_http_finalize_request(r.as_ptr(), status) };
            NGX_DONE as ngx_int_t
        }
    })
}

/// Our answer to the access phase.
pub(super) enum Answer {
    /// A code for Nginx to go on with.
    Continue(ngx_int_t),
    /// The request ends with this status, whatever `satisfy` says: deny wins.
    Finalize(ngx_int_t),
}

pub(super) fn admit(turn: Turn<'_>, admission: &Admission) -> Option<Answer> {
    if let Some(refusal) = admission.would_refuse() {
        log_refusal(turn, refusal, " (dry run)");
    }
    export(turn, admission)
}

/// Lets the request carry the identity as the location exports it, in place of its credential.
pub(super) fn export(turn: Turn<'_>, admission: &Admission) -> Option<Answer> {
    let Turn { r, location, .. } = turn;
    let Some(identity) = admission.identity() else {
        // A dry run let it pass: we have no opinion, and others keep theirs.
        return Some(Answer::Continue(DECLINED));
    };
    if let Some(source) = identity.source(&location.authentication.sources) {
        match location.forward_credential {
            true => token_source::restore(turn, source)?,
            false => token_source::remove(turn, source)?,
        }
    }
    if location.export
        && let Some(fields) = admission.rendered()
    {
        headers::push_all(r, &fields).ok()?;
    }
    Some(Answer::Continue(NGX_OK as ngx_int_t))
}

pub(super) fn refuse(turn: Turn<'_>, refusal: &Refusal) -> Option<Answer> {
    let Turn { r, location, context } = turn;
    let status = ngx_int_t::try_from(refusal.status(location.limit_status)).ok()?;
    log_refusal(turn, refusal, "");
    let used = context.authorization().and_then(Scheme::of).map(|(scheme, _)| scheme);
    if location.authentication.methods.reads(Method::Token)
        && let Some(challenge) = challenge(refusal, &location.offer(), used)
    {
        headers::set_challenge(r, challenge.as_bytes()).ok()?;
    }
    for (name, value) in refusal.fields() {
        headers::add_response_header(r, name.as_bytes(), value.as_bytes()).ok()?;
    }
    // After a 401, Nginx asks its other access modules if `satisfy any` holds.
    Some(if refusal.is_unauthenticated() {
        Answer::Continue(status)
    } else {
        Answer::Finalize(status)
    })
}

/// One line for each event: what, why, who.
fn log_refusal(Turn { r, location, context }: Turn<'_>, refusal: &Refusal, dry_run: &str) {
    let level = match location.log_level {
        LogLevel::Error => Level::Error,
        LogLevel::Info => Level::Info,
        LogLevel::Notice => Level::Notice,
        LogLevel::Warn => Level::Warn,
    };
    let log = r.log();
    if !log.takes(level) {
        return;
    }
    let (reason, detail) = (refusal.reason(), refusal.detail());
    match context.identify(r) {
        Some(identity) => log.write(
            level,
            format_args!(
                "mesh refuses{dry_run}, reason: {reason}{detail}, service: \"{}\"",
                Clean(identity.service().as_bytes())
            ),
        ),
        None => match context.explain(r, refusal) {
            Some(why) => {
                log.write(level, format_args!("mesh refuses{dry_run}, reason: {reason}, {why}"));
            }
            None => {
                log.write(level, format_args!("mesh refuses{dry_run}, reason: {reason}{detail}"));
            }
        },
    }
}
