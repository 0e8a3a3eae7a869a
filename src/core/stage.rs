//! The stages of the line, in their order: a request is authenticated, decided on, and admitted.

pub mod admit;
pub mod authenticate;
pub mod decide;
