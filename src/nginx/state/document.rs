//! The files that a worker watches.

/// The kind of a watched file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FileOf {
    /// The key set of the issuer with that index in [`Trust`](mesh_core::issuer::trust::Trust).
    Keys(usize),
    /// The policy of that place among those of the configuration.
    Policy(usize),
    /// The revocation list.
    Revocations,
}
