//! Faults of a list.

use core::fmt;

use super::{MAX_BYTES, MAX_ENTRIES, MAX_NAME_BYTES};

/// Why a list is refused, and where; it never quotes the list.
///
/// `line` and `column` count from 1, in bytes, and point at or just behind the fault; for one of a
/// whole entry, that is behind the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationError {
    /// Line of the fault.
    pub line: usize,
    /// Column of the fault.
    pub column: usize,
    /// The fault.
    pub fault: Fault,
}

impl fmt::Display for RevocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {} column {}", self.fault, self.line, self.column)
    }
}

impl core::error::Error for RevocationError {}

/// What is wrong with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `before` is beside something else than `sub`.
    BeforeWithoutSubject,
    /// An object has the same member twice.
    Duplicate,
    /// A name is empty.
    Empty,
    /// This member is missing.
    Missing(&'static str),
    /// An entry names nothing that could be revoked.
    Nameless,
    /// Something else was expected.
    NotA(&'static str),
    /// An entry names more than one thing.
    Several,
    /// It is not JSON.
    Syntax,
    /// A time is before 1970 or after the year 9999, such as one in milliseconds.
    TimeOutOfRange,
    /// It has more than [`MAX_BYTES`] bytes.
    TooLarge,
    /// A name has more than [`MAX_NAME_BYTES`] bytes.
    TooLong,
    /// It has more than [`MAX_ENTRIES`] entries.
    TooMany,
    /// There is no issuer of that name.
    UnknownIssuer,
    /// A member has no meaning here, perhaps because it is misspelt.
    UnknownMember,
    /// The version is not 1.
    Version,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeWithoutSubject => "\"before\" without \"sub\"",
            Self::Duplicate => "duplicate member",
            Self::Empty => "empty name",
            Self::Missing(member) => return write!(f, "\"{member}\" is missing"),
            Self::Nameless => "entry with none of \"jti\", \"sub\", \"sid\", \"kid\"",
            Self::NotA(what) => return write!(f, "not {what}"),
            Self::Several => "entry with more than one of \"jti\", \"sub\", \"sid\", \"kid\"",
            Self::Syntax => "invalid JSON",
            Self::TimeOutOfRange => "time before 1970 or after 9999 (in milliseconds?)",
            Self::TooLarge => return write!(f, "list of more than {MAX_BYTES} bytes"),
            Self::TooLong => return write!(f, "name of more than {MAX_NAME_BYTES} bytes"),
            Self::TooMany => return write!(f, "more than {MAX_ENTRIES} entries"),
            Self::UnknownIssuer => "no mesh_issuer of that name",
            Self::UnknownMember => "unknown member",
            Self::Version => "\"version\" is not 1",
        })
    }
}
