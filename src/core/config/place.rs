//! The place of a directive, and why one is refused.

use core::fmt;
use std::sync::Arc;

/// The place of a directive.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Place {
    /// The file, as Nginx names it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why a directive is refused, and where, if that is not the line being read.
#[derive(Clone, Debug)]
pub struct ConfigError {
    message: String,
    place: Option<Place>,
}

impl ConfigError {
    /// An error at the line that is being read.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None }
    }

    /// An error about a line that was read before.
    pub fn at(place: &Place, message: impl Into<String>) -> Self {
        Self { message: message.into(), place: Some(place.clone()) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.place.as_ref().map_or(Ok(()), |place| write!(f, " in {place}"))
    }
}

impl core::error::Error for ConfigError {}
