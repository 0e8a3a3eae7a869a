//! The directives that answer in a location.

use super::{Context, Directive, once};
use crate::config::RawLocation;

/// The directives that are allowed in `location` alone.
pub const ANSWER: &[Directive<RawLocation>] = &[Directive {
    name: "mesh_status",
    syntax: "",
    default: "—",
    doc: include_str!("doc/mesh_status.md"),
    contexts: &[Context::Location],
    words: (0, 0),
    block: false,
    apply: |raw, _| once(&mut raw.status, true),
}];
