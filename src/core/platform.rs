//! What a request to a platform does: its operation, and the resources that it names.
//!
//! A platform is known by a [`Table`](table::Table): a text that says which request is which operation,
//! and where each of its resources is named. What ships with the product and what a user writes for an
//! API of their own have one format.

pub mod kind;
pub mod name;
