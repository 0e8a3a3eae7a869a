//! The files that a worker watches.

/// What a watched file is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Document {
    /// The key set of the issuer with that index in [`Trust`].
    Keys(usize),
    /// The list of what is revoked.
    Revocations,
}
