//! The files that a worker watches.

/// What a watched file is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FileOf {
    /// The key set of the issuer with that index in [`Trust`](mesh_core::issuer::trust::Trust).
    Keys(usize),
    /// The revocation list.
    Revocations,
}
