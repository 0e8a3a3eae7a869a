//! The work of a worker beside requests: its thread, and what the thread brings.

pub(crate) mod keys;
pub(crate) mod link;
pub(crate) mod thread;
pub(crate) mod wish;
