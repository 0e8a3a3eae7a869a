//! The thread: its work, its messages, and its clock.

pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod job;
pub(crate) mod message;
pub(crate) mod standing;
pub(crate) mod supervise;
