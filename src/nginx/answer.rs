//! The module's own answers, and the values of its variables.

pub(crate) mod content;
pub(crate) mod status;
pub(crate) mod variable;
pub(crate) mod websocket;
