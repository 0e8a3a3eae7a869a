//! The directives that answer in a location.

use super::{Context, Directive, once, row};
use crate::config::RawLocation;

/// The directives that are allowed in `location` alone.
pub const ANSWER: &[Directive<RawLocation>] = &[Directive {
    contexts: &[Context::Location],
    ..row("mesh_status", "", "—", include_str!("doc/mesh_status.md"), (0, 0), |raw, _| {
        once(&mut raw.status, true)
    })
}];
