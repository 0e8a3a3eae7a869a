//! The background thread of a worker: keeps the key sets fresh.
#![forbid(unsafe_code)]
