//! Who may do what: the document that an operator writes, and the reading of it.
//!
//! A policy is read once, by [`read`], into a [`Policy`] whose words are resolved against the tables of
//! the platforms. [`plain::decide`] is its reading as the manual states it, without an index: slow, and
//! what a faster one is held to.

mod asking;
pub mod document;
mod edition;
pub mod few;
pub mod index;
pub mod model;
pub mod pattern;
pub mod plain;
pub mod subject;
mod views;

pub use asking::{ask, ask_one, asked};
pub use document::{Fault, Read, read, schema};
pub use edition::{Edition, EditionError, Editions, Policies, Reader};
pub use model::Policy;
pub use subject::Subject;
pub use views::{Views, Whose};
