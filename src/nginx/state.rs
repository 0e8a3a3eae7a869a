//! The frozen settings of a cycle, and what they are made of.

pub(crate) mod document;
pub(crate) mod settings;
pub(crate) mod shown;
