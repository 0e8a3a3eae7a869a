//! Bytes and words: read, written, compared, shown. Nothing here knows of an identity.

pub(crate) mod alike;
pub(crate) mod base64url;
pub(crate) mod bytes;
pub mod clean;
pub(crate) mod decimal;
pub mod encode;
pub mod endpoint;
pub(crate) mod escape;
pub(crate) mod hash;
pub(crate) mod hex;
pub mod json;
pub(crate) mod path;
pub mod rendered;
pub mod reserved;
pub mod time;
