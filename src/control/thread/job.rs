//! A kind of background work.

use super::supervise::Supervisor;

/// A kind of background work: a file that is watched, keys that are fetched, questions to issuers.
///
/// The shell makes a job and gives it to [`Control::start`](crate::Control::start), which sends it
/// to the thread.
pub trait Job: Send {
    /// Begins, on the thread: gives each of its tasks to the supervisor, which runs them for ever.
    fn begin(self: Box<Self>, supervisor: &Supervisor);
}
