//! A mark on a verified token.

/// Where a worker keeps what follows from a token: opaque to the token, which only holds it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark {
    /// A place among what is kept.
    pub place: u32,
    /// Of what was kept there for this token: no other ever has it.
    pub stamp: u64,
}
