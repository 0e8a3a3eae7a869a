//! The means of the thread: its tasks, what it says, and its clock.

pub(crate) mod clock;
pub(crate) mod message;
pub(crate) mod standing;
pub(crate) mod supervise;
