//! Keys and what they sign: algorithms, JWK sets, and compact JWS.

pub mod algorithm;
pub mod jwks;
pub mod jws;
