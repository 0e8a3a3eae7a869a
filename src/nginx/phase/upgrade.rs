//! Which requests may ask for another protocol, after which no module would see what is asked for.
//!
//! An `Upgrade` that no location of a server lets pass goes in POST_READ, before anything reads it. One
//! that some let pass goes in REWRITE, where the request's location is known, and comes back in one
//! that lets it pass.

use mesh_core::request::upgrade::Upgrades;
use mesh_core::text::clean::Clean;
use nginx_sys::{NGX_DECLINED, NGX_HTTP_INTERNAL_SERVER_ERROR, ngx_http_request_t, ngx_int_t};

use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::live::Live;
use crate::nginx::ngx::log::Level;
use crate::nginx::phase::context::Context;
use crate::nginx::request::headers;
use crate::nginx::state::settings;

/// The name that the field is remembered under.
const FIELD: &str = "upgrade";

/// Takes away an `Upgrade` that does not pass; `None` if it could not be done. Only for a request that
/// asks for another protocol.
pub(crate) fn strip(r: Live<'_>) -> Option<()> {
    if settings::upgrades(r).allow(headers::upgrades(r)) {
        return Some(());
    }
    remove(r)
}

/// REWRITE, before all others: takes away an `Upgrade` that the request's location does not let pass,
/// and puts back one that it does. Only installed if a location says what passes.
pub(crate) unsafe extern "C" fn strip_here(r: *mut ngx_http_request_t) -> ngx_int_t {
    const FAILED: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
    // SAFETY: Nginx calls a phase handler with a whole, live request.
    let Some(r) = (unsafe { Live::new(r) }) else { return FAILED };
    guard(
        "upgrade handler",
        FAILED,
        || r.log(),
        || {
            // Nginx opens no tunnel for a subrequest.
            if r.is_main() && judge(r).is_none() {
                return FAILED;
            }
            NGX_DECLINED as ngx_int_t
        },
    )
}

fn judge(r: Live<'_>) -> Option<()> {
    let allowed = settings::upgrades(r);
    if headers::has_upgrade(r) {
        if allowed.allow(headers::upgrades(r)) {
            return Some(());
        }
        let mut values = headers::upgrades(r);
        if let (Some(value), None) = (values.next(), values.next()) {
            Context::of(r)?.keep_removed(FIELD, (value.as_ptr(), value.len()))?;
        }
        return remove(r);
    }
    if *allowed != Upgrades::Off
        && let Some(value) = Context::known(r).and_then(|it| it.removed(r, FIELD))
        && allowed.allow(core::iter::once(value))
    {
        headers::restore_upgrade(r, value).ok()?;
        settings::main(r).shown.forget_upgrade(r);
    }
    Some(())
}

pub(super) fn remove(r: Live<'_>) -> Option<()> {
    let log = r.log();
    if log.takes(Level::Info)
        && let Some(value) = headers::upgrades(r).next()
    {
        log.write(
            Level::Info,
            format_args!(
                "mesh removes the field Upgrade, \"{}\": mesh_upgrade does not name it",
                Clean(value)
            ),
        );
    }
    headers::remove_upgrade(r).ok()?;
    settings::main(r).shown.forget_upgrade(r);
    Some(())
}
