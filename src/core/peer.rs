//! Who a peer is: its certificate, and the names that it may go by.

pub mod arn;
pub mod spiffe;
pub mod x509;
