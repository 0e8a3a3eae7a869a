//! Subrequests: Nginx leaves the access phase out for them, so that they are judged in PRECONTENT.
//!
//! A subrequest under the same settings as its admitted main request passes, if it asks the same of the
//! platform that the location may have. Under others, or if the main request was not admitted, it is taken through the line like an internal redirect: it has the
//! main request's credential, verified once under the same way to authenticate, decided anew, and
//! charged to no limit twice. It never waits.

use mesh_core::config::{Location, Subrequests};
use mesh_core::need::Need;
use mesh_core::request::Request as _;
use nginx_sys::{NGX_HTTP_MAX_URI_CHANGES, ngx_int_t};

use crate::nginx::ngx::live::Live;
use crate::nginx::phase::access::{self, Answer, DECLINED};
use crate::nginx::phase::context::Context;
use crate::nginx::phase::parking;
use crate::nginx::phase::turn::Turn;
use crate::nginx::request::headers;

/// Whether a subrequest was led from its first location to another.
pub(super) fn has_moved(r: Live<'_>) -> bool {
    // SAFETY: the subrequest is whole; it begins with one more than the most changes of its URI
    // (ngx_http_subrequest), and each redirect takes one away.
    unsafe { (*r.as_ptr()).uri_changes() <= NGX_HTTP_MAX_URI_CHANGES }
}

/// SERVER_REWRITE and REWRITE of a subrequest that has moved: fields that it was given for one
/// location go no further. Until then it carries its parent's fields, in which nothing is left that
/// only we may set. `None` without memory.
pub(super) fn strip(r: Live<'_>) -> Option<()> {
    if let Some(context) = Context::known(r)
        && context.is_admitted_subrequest(r)
    {
        headers::strip_reserved(r).ok()?;
        context.forget_subrequest(r)?;
    }
    Some(())
}

/// PRECONTENT; `None` if the subrequest cannot be judged, for want of memory.
pub(super) fn judge(r: Live<'_>, location: &Location) -> Option<ngx_int_t> {
    if location.subrequests == Subrequests::Pass {
        return Some(DECLINED);
    }
    let turn = Turn::of(r, location)?;
    let context = turn.context;
    if context.has_admitted(location) && asks_the_same(turn) {
        if headers::are_those_of_main(r) {
            return Some(DECLINED);
        }
        // Its parent carries something else, or it was made before the admission.
        context.forget_subrequest(r)?;
        headers::strip_reserved(r).ok()?;
        context.with_outcome(r.main(), |outcome| match outcome {
            Ok(admission) => access::export(turn, admission).map(|_| DECLINED),
            Err(_) => None,
        })?
    } else if context.has_passed(r) {
        context.forget_subrequest(r)?;
        headers::strip_reserved(r).ok()?;
        Some(DECLINED)
    } else {
        evaluate(turn)
    }
}

/// Whether the admission of the main request is one of the subrequest as well: settings alone decide, or
/// both ask the same of the platform, as a slice of an answer does.
fn asks_the_same(Turn { r, location, context }: Turn<'_>) -> bool {
    location.authorization.is_none() || {
        let (own, main) = (context.view(r), context.view(r.main()));
        own.upstream().names_the_same(&main.upstream())
    }
}

/// Takes a subrequest through the line.
fn evaluate(turn: Turn<'_>) -> Option<ngx_int_t> {
    match turn.evaluate()? {
        Some(Need::Introspection(question)) => parking::ask(turn, *question)?,
        // Its main request may have read the body, for another operation: it is refused.
        Some(Need::Body(_)) | None => {}
    }
    parking::renew(turn.r);
    headers::strip_reserved(turn.r).ok()?;
    let answer = turn.with_outcome(|outcome| match outcome {
        Ok(admission) => access::admit(turn, admission).map(|_| DECLINED),
        Err(refusal) => match access::refuse(turn, refusal)? {
            // No other access module is asked about a subrequest.
            Answer::Continue(status) | Answer::Finalize(status) => Some(status),
            // Only a main request has a page, whose status may be that of an answer (gRPC).
            Answer::Page(_) => None,
        },
    });
    answer?
}
