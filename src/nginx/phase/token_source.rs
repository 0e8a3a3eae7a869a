//! The field that held a verified token is taken away before the request goes upstream, and put back if
//! a location that the request is redirected to passes it on.

use mesh_core::request::source::{Source, WEBSOCKET_PROTOCOL, without_bearer, without_cookie};
use mesh_core::text::reserved::folds_to;

use crate::nginx::phase::turn::Turn;
use crate::nginx::request::headers;
use crate::nginx::state::settings;

/// The name that cookies are remembered under.
const COOKIE: &str = "cookie";

/// The name of the field that holds a proof of possession (RFC 9449 section 4.1).
const PROOF: &str = "dpop";

/// Removes the token before the request goes upstream; `None` if it could not be done.
pub(super) fn remove(Turn { r, context, .. }: Turn<'_>, source: &Source) -> Option<()> {
    settings::main(r).shown.keep(r, source)?;
    match source {
        Source::Authorization | Source::Scheme(_) => {
            // The proof of the token goes with it.
            let (mut proof, mut count) = (None, 0_usize);
            headers::remove_authorization(r, |_, value| {
                proof = Some((value.as_ptr(), value.len()));
                count = count.saturating_add(1);
            })
            .ok()?;
            match proof {
                Some(value) if count == 1 => context.keep_removed(PROOF, value),
                _ => Some(()),
            }
        }
        Source::Cookie(name) => {
            // A location that this request was in before may have removed it.
            let Some(value) = headers::fields(r, COOKIE.as_bytes()).next() else { return Some(()) };
            context.keep_removed(COOKIE, (value.as_ptr(), value.len()))?;
            headers::set_cookies(r, without_cookie(value, name).as_deref()).ok()
        }
        Source::Header(name) => {
            let Some(value) = headers::fields(r, name.as_bytes()).next() else { return Some(()) };
            context.keep_removed(name, (value.as_ptr(), value.len()))?;
            // In every spelling: a field that an upstream would take for the same one was not verified.
            headers::strip(r, |it| folds_to(it, name.as_bytes())).map(drop).ok()
        }
        Source::WebSocket => {
            context.speak_bearer();
            let mut fields = headers::fields(r, headers::WEBSOCKET_PROTOCOL);
            let Some(value) = fields.next() else { return Some(()) };
            context.keep_removed(WEBSOCKET_PROTOCOL, (value.as_ptr(), value.len()))?;
            let rest = without_bearer(value);
            headers::set_field(r, headers::WEBSOCKET_PROTOCOL, rest.as_deref()).ok()
        }
    }
}

/// Puts back the field that an earlier location of this request has removed.
pub(super) fn restore(Turn { r, context, .. }: Turn<'_>, source: &Source) -> Option<()> {
    match source {
        Source::Authorization | Source::Scheme(_) => {
            if let Some(value) = context.removed(r, PROOF) {
                headers::restore(r, b"DPoP", value).ok()?;
            }
            headers::restore_authorization(r, context.authorization()?).ok()
        }
        Source::Cookie(_) => match context.removed(r, COOKIE) {
            Some(value) => headers::set_cookies(r, Some(value)).ok(),
            None => Some(()),
        },
        Source::Header(name) => match context.removed(r, name) {
            Some(value) => headers::restore(r, name.as_bytes(), value).ok(),
            None => Some(()),
        },
        Source::WebSocket => {
            context.speak_bearer();
            match context.removed(r, WEBSOCKET_PROTOCOL) {
                Some(value) => headers::set_field(r, headers::WEBSOCKET_PROTOCOL, Some(value)).ok(),
                None => Some(()),
            }
        }
    }
}
