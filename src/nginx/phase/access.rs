//! ACCESS: a request is judged, then refused, or let on with its identity in place of its credential.

use core::fmt;

use mesh_core::answer::challenge::challenge;
use mesh_core::answer::page::Page;
use mesh_core::config::LogLevel;
use mesh_core::need::Need;
use mesh_core::platform::Platform;
use mesh_core::refusal::{Detail, Kind, Refusal};
use mesh_core::request::{Method, Scheme};
use mesh_core::stage::admit::Admission;
use mesh_core::text::clean::Clean;
use nginx_sys::{NGX_AGAIN, NGX_DECLINED, NGX_DONE, NGX_OK, ngx_http_finalize_request, ngx_int_t};

use crate::nginx::ngx::live::Live;
use crate::nginx::ngx::log::Level;
use crate::nginx::phase::body::{self, Read};
use crate::nginx::phase::context::Context;
use crate::nginx::phase::page;
use crate::nginx::phase::parking::{self, Parked};
use crate::nginx::phase::token_source;
use crate::nginx::phase::turn::Turn;
use crate::nginx::phase::upgrade;
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
    let mut need = turn.evaluate()?;
    if let Some(Need::Body(wanted)) = need {
        need = match body::read(turn, &wanted)? {
            Read::Now => turn.evaluate()?,
            Read::Later => return Some(NGX_DONE as ngx_int_t),
            // Nginx refuses it; our outcome, which variables show, is the want of a body.
            Read::Failed(code) => return Some(code),
        };
    }
    match need {
        Some(Need::Introspection(question)) => match parking::park(turn, *question)? {
            Parked::Waits => return Some(NGX_AGAIN as ngx_int_t),
            // Now it is known that there is no answer.
            Parked::Cannot => drop(turn.evaluate()?),
        },
        // A need of the body that is not met is an outcome: the request is refused.
        Some(Need::Body(_)) | None => {}
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
        Answer::Page(page) => {
            let code = page::send(r, &page)?;
            // SAFETY: as below.
            unsafe { ngx_http_finalize_request(r.as_ptr(), code) };
            NGX_DONE as ngx_int_t
        }
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
    /// The request ends with this page.
    Page(Box<Page>),
}

pub(super) fn admit(turn: Turn<'_>, admission: &Admission) -> Option<Answer> {
    if let Some(refusal) = admission.would_refuse() {
        log_refusal(turn, refusal, " (dry run)");
        count_diverged(turn, refusal, true);
    }
    export(turn, admission)
}

/// Lets the request carry the identity as the location exports it, in place of its credential.
pub(super) fn export(turn: Turn<'_>, admission: &Admission) -> Option<Answer> {
    let Turn { r, location, .. } = turn;
    guard_fields(turn)?;
    let Some(identity) = admission.identity() else {
        // It is a probe, or a dry run let it pass: we have no opinion, and others keep theirs.
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
    let code = refusal.status(location.limit_status);
    let status = ngx_int_t::try_from(code).ok()?;
    log_refusal(turn, refusal, "");
    count_diverged(turn, refusal, false);
    page::end_connection(r, code);
    let used = context.authorization().and_then(Scheme::of).map(|(scheme, _)| scheme);
    if location.authentication.methods.reads(Method::Token)
        && let Some(challenge) = challenge(refusal, &location.offer(), used)
    {
        headers::set_challenge(r, challenge.as_bytes()).ok()?;
    }
    if let Some(page) = page::of(turn, refusal, code) {
        return Some(Answer::Page(Box::new(page)));
    }
    for (name, value) in refusal.fields() {
        headers::add_response_header(r, name.as_bytes(), value.as_bytes()).ok()?;
    }
    // After a 401, Nginx asks its other access modules if `satisfy any` holds. None of them may let a
    // request pass of whose body a part was read.
    Some(if refusal.is_unauthenticated() && !context.has_given_up() {
        Answer::Continue(status)
    } else {
        Answer::Finalize(status)
    })
}

/// Takes away the fields by which a platform would take another identity, workspace or method than what
/// was decided on, and an `Upgrade` that the operation does not have.
fn guard_fields(turn: Turn<'_>) -> Option<()> {
    let Turn { r, location, .. } = turn;
    let Some(authorization) = &location.authorization else { return Some(()) };
    let platform = &authorization.platform;
    let may_be = |(name, _): (&[u8], _)| platform.may_be_guarded(name);
    if headers::has_upgrade(r) || headers::request_headers(r).any(may_be) {
        return take_guarded(turn, platform);
    }
    Some(())
}

/// As [`guard_fields`], of a request that may have such a field.
#[inline(never)]
fn take_guarded(Turn { r, context, .. }: Turn<'_>, platform: &Platform) -> Option<()> {
    let (line, is_upgrade) =
        context.named(r, |named| (Some(named.line), named.is_upgrade)).unwrap_or((None, false));
    if headers::request_headers(r).any(|(name, _)| !platform.passes(line, name)) {
        headers::strip(r, |name| !platform.passes(line, name)).ok()?;
    }
    if !is_upgrade && headers::has_upgrade(r) {
        upgrade::remove(r)?;
    }
    Some(())
}

/// Counts what a dry run of a policy would have decided otherwise.
fn count_diverged(Turn { r, .. }: Turn<'_>, refusal: &Refusal, is_dry_run: bool) {
    let diverged = &settings::main(r).diverged;
    let cell = match refusal.detail() {
        _ if is_dry_run && matches!(refusal.reason().kind(), Kind::Policy) => {
            &diverged.would_refuse
        }
        Detail::Denied(denied) if !denied.would_allow.is_empty() => &diverged.would_allow,
        _ => return,
    };
    cell.set(cell.get().saturating_add(1));
}

/// One line for each event: what, why, who.
fn log_refusal(turn: Turn<'_>, refusal: &Refusal, dry_run: &str) {
    let Turn { r, location, context } = turn;
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
    let asked = Asked(turn);
    match context.identify(r) {
        Some(identity) => log.write(
            level,
            format_args!(
                "mesh refuses{dry_run}, reason: {reason}{detail}, service: \"{}\"{asked}",
                Clean(identity.service().as_bytes())
            ),
        ),
        None => match context.explain(r, refusal) {
            Some(why) => {
                log.write(
                    level,
                    format_args!("mesh refuses{dry_run}, reason: {reason}, {why}{asked}"),
                );
            }
            None => {
                log.write(
                    level,
                    format_args!("mesh refuses{dry_run}, reason: {reason}{detail}{asked}"),
                );
            }
        },
    }
}

/// What a request asks for at a platform, and by what the operator finds it: for the log.
struct Asked<'t>(Turn<'t>);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Turn { r, location, context } = self.0;
        if location.authorization.is_none() {
            return Ok(());
        }
        let told = context.named(r, |named| {
            let (operation, kind, action) = (named.operation(), named.kind(), named.action());
            write!(f, ", operation: \"{operation}\", action: \"{kind}:{action}\"")?;
            match &named.resource {
                None => Ok(()),
                Some(None) => f.write_str(", resource: all"),
                Some(Some(name)) => write!(f, ", resource: \"{}\"", Clean(name.as_bytes())),
            }
        });
        told.unwrap_or(Ok(()))?;
        match settings::reference(r) {
            Some(reference) => write!(f, ", reference: \"{reference}\""),
            None => Ok(()),
        }
    }
}
