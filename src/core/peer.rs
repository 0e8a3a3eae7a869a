//! The identity of a peer: its certificate, and the names that it may go by.

pub mod arn;
pub mod spiffe;
pub mod x509;
