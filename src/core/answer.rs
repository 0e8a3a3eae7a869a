//! Answers: challenges, pages of refusals, the status of a gateway, and whether cached answers tell callers
//! apart.

pub mod cache_key;
pub mod challenge;
pub mod page;
pub mod status;
