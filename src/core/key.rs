//! Keys and what they sign: algorithms, JWK sets, private keys, and compact JWS.

pub mod algorithm;
pub mod jwks;
pub mod jws;
mod kind;
pub mod private;
pub mod sign;
