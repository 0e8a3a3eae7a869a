//! The parts of Nginx that the shell needs, without a request of ours: thin wrappers, each with its
//! `unsafe`.

pub(crate) mod bytes;
pub(crate) mod clock;
pub(crate) mod guard;
pub(crate) mod indexed;
pub(crate) mod list;
pub(crate) mod live;
pub(crate) mod log;
pub(crate) mod neighbours;
pub(crate) mod pool;
pub(crate) mod role;
