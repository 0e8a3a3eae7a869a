//! What must hold for any bytes: the fuzz targets of the pure part of the mesh module.
//!
//! A target is a plain function over bytes: it panics when an invariant breaks, and returns
//! whether the input was taken as valid, so that a test can tell a target that reaches both ends
//! from one that only ever sees garbage. libFuzzer drives them through `fuzz_targets`, and plain
//! `cargo test` through `tests/properties.rs`.
//!
//! What is expected is never computed by the code under test: signatures are checked by
//! `jsonwebtoken` and against a ledger of what was signed, DER by a walker of our own, words and
//! names by rules that are written down a second time.
//!
//! Keys are made when a process starts, so an artifact repeats the shape of a finding and not its
//! key material: inputs are either raw bytes or a [`recipe`] that changes something valid.

mod authorization_header;
mod body;
mod certificate;
mod compact_jws;
pub mod der;
mod dice;
mod directive_values;
mod dpop_proof;
mod jwks;
pub mod keys;
mod naming;
mod pipeline;
mod policy;
pub mod recipe;
mod revocations;
mod spiffe_id;

pub use authorization_header::authorization_header;
pub use body::body;
pub use certificate::certificate;
pub use compact_jws::compact_jws;
pub use directive_values::directive_values;
pub use dpop_proof::dpop_proof;
pub use jwks::jwks;
pub use naming::naming;
pub use pipeline::{pipeline, pipeline_outcomes};
pub use policy::policy;
pub use revocations::revocations;
pub use spiffe_id::spiffe_id;

/// A target: takes any bytes, panics at a finding, returns whether they were taken as valid.
pub type Target = fn(&[u8]) -> bool;

/// Every target, by the name that its wrapper and its seeds have.
pub const TARGETS: &[(&str, Target)] = &[
    ("authorization_header", authorization_header),
    ("body", body),
    ("certificate", certificate),
    ("compact_jws", compact_jws),
    ("directive_values", directive_values),
    ("dpop_proof", dpop_proof),
    ("jwks", jwks),
    ("naming", naming),
    ("pipeline", pipeline),
    ("policy", policy),
    ("revocations", revocations),
    ("spiffe_id", spiffe_id),
];

/// Asserts that a text cannot split a header field or a log line.
fn assert_printable(text: &str) {
    assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "not printable: {text:?}");
}
