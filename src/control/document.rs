//! Documents: what the shell implements to adopt them, and where they come from.

use core::fmt;

use crate::thread::message::Level;

pub(crate) mod file;
pub(crate) mod shared;

/// Adopts new documents; called on the background thread only.
///
/// The text of [`Adopted`] or a [`Refusal`] goes to the log: it must never carry contents of the
/// document. A panic in either method is caught, reported and tried again with backoff.
pub trait Publish: Send + 'static {
    /// Parses the new contents of the document (its place in the list given to
    /// [`Control::start`](crate::Control::start)) and puts them in force.
    ///
    /// Returns one line for the log. The same bytes can come again after a start or a panic.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]: nothing was changed, the last good contents stay in force.
    fn publish(&mut self, document: usize, bytes: &[u8]) -> Result<Adopted, Refusal>;

    /// Drops the snapshots that no request reads any more; called once per interval.
    fn retire(&mut self);
}

/// What there is to say of contents that are in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Adopted {
    /// One line.
    pub summary: String,
    /// A notice, or a warning if something of it should be looked at.
    pub level: Level,
}

impl From<String> for Adopted {
    /// A summary alone is a notice.
    fn from(summary: String) -> Self {
        Self { summary, level: Level::Notice }
    }
}

/// Why a document was not adopted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The contents are bad: they are not looked at again until they change.
    Bad(String),
    /// The contents may be good, but cannot be adopted now: they come again at the next look.
    NotYet(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(why) | Self::NotYet(why) => f.write_str(why),
        }
    }
}

impl core::error::Error for Refusal {}

impl From<String> for Refusal {
    /// A reason alone means that the contents are bad.
    fn from(why: String) -> Self {
        Self::Bad(why)
    }
}
