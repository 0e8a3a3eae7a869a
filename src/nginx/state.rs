//! The frozen settings of a cycle, and their parts.

pub(crate) mod document;
pub(crate) mod settings;
pub(crate) mod shown;
