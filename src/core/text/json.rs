//! Strict JSON, for everything that decides an identity.
//!
//! Two parsers that disagree about a document are a hole: one reads the first of two members, the
//! other the last. Here a document with a duplicate member (RFC 8259, section 4, compared after
//! unescaping) is refused, as is one that nests deeply or has bytes after its end.

use core::fmt;

use serde_json::Value;

mod document;
mod mark;
mod number;
mod plain;
mod pointer;
mod read;

pub use document::{Document, Item, Items, Members, View};
pub use mark::without_mark;
pub use number::{MAX_DIGITS, canonical, is_number, whole};
pub use pointer::{Pointer, PointerError};

/// Levels of arrays and objects that a document may nest.
pub const MAX_DEPTH: usize = 16;

/// Parses one whole document into a tree; [`Document::parse`] is the same without one.
///
/// # Errors
///
/// [`JsonError`] for a duplicate member at any level, more than [`MAX_DEPTH`] levels, bytes that
/// are not UTF-8, a lone surrogate escape, a number that no `f64` holds, and anything but white
/// space after the document.
///
/// ```
/// use mesh_core::text::json;
///
/// assert_eq!(json::parse(br#"{"sub": "orders"}"#).unwrap()["sub"], "orders");
/// assert!(json::parse(br#"{"sub": "a", "s\u0075b": "b"}"#).is_err());
/// ```
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    Document::parse(bytes).map(|document| document.root().to_value())
}

/// Why a document is refused, and where; it never quotes the document.
///
/// `line` and `column` count from 1, in bytes, and point at or just behind the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonError {
    /// An object has two members of one name.
    Duplicate {
        /// Line of the second one.
        line: usize,
        /// Column of the second one.
        column: usize,
    },
    /// The document is not JSON.
    Syntax {
        /// Line of the fault.
        line: usize,
        /// Column of the fault.
        column: usize,
    },
    /// The document nests more than [`MAX_DEPTH`] levels.
    TooDeep {
        /// Line of the first level too many.
        line: usize,
        /// Column of the first level too many.
        column: usize,
    },
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, line, column) = match self {
            Self::Duplicate { line, column } => ("duplicate member", line, column),
            Self::Syntax { line, column } => ("invalid JSON", line, column),
            Self::TooDeep { line, column } => ("JSON nested too deeply", line, column),
        };
        write!(f, "{what} at line {line} column {column}")
    }
}

impl core::error::Error for JsonError {}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
