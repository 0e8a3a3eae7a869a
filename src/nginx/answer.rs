//! What the module itself answers with, and what its variables show.

pub(crate) mod content;
pub(crate) mod status;
pub(crate) mod variable;
pub(crate) mod websocket;
