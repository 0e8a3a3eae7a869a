//! What a worker does beside requests: its thread, and what that one brings.

pub(crate) mod keys;
pub(crate) mod link;
pub(crate) mod said;
pub(crate) mod thread;
pub(crate) mod wish;
