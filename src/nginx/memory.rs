//! What lies in shared memory, and beside it on disk.

pub(crate) mod documents;
pub(crate) mod state;
pub(crate) mod writer;
pub(crate) mod zone;
