//! The way of a request through the phases.

pub(crate) mod access;
pub(crate) mod body;
pub(crate) mod cache;
pub(crate) mod context;
pub(crate) mod debts;
pub(crate) mod handlers;
pub(crate) mod lot;
mod page;
pub(crate) mod parking;
pub(crate) mod sent;
pub(crate) mod subrequest;
mod token_source;
mod turn;
pub(crate) mod upgrade;
