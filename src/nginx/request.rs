//! A request as the core asks for it, and its headers.

pub(crate) mod connection;
pub(crate) mod headers;
pub(crate) mod reply;
pub(crate) mod view;
