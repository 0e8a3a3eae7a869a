//! The contents of shared memory, and of the disk beside it.

pub(crate) mod documents;
mod host;
pub(crate) mod limits;
pub(crate) mod proofs;
pub(crate) mod state;
pub(crate) mod writer;
pub(crate) mod zone;
