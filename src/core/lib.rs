//! The pure part of the mesh module: bytes and time in, decisions out.
//!
//! ```text
//! bytes -credential-> Credentials -authenticate-> Identity -decide-> Permit -limit-> Admission -export-> Exports
//! ```
#![forbid(unsafe_code)]

pub mod algorithm;
pub mod clean;
pub mod json;
pub mod jwks;
pub mod jws;
pub mod limit;
pub mod reserved;
pub mod spiffe;
pub mod time;
pub mod x509;
