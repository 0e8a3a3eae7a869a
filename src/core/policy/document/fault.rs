//! What is wrong with a document, where, and the word that may be meant.

use core::fmt;

/// A line and a column, from one on.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct At {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl At {
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// Something that is wrong, or that may be.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Fault {
    /// Where.
    pub at: At,
    /// What, and what to do.
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.at.line, self.at.column, self.text)
    }
}

impl core::error::Error for Fault {}

impl Fault {
    /// What the document says is shown without control characters, so that it breaks no log line, and
    /// cut if it is long.
    pub(super) fn new(at: At, text: impl Into<String>) -> Self {
        let mut text: String = text.into();
        if text.chars().any(char::is_control) {
            text = text.replace(char::is_control, "\u{fffd}");
        }
        if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
            text.truncate(end);
            text.push_str("...");
        }
        Self { at, text }
    }
}

/// How many characters of a fault are told.
const MAX_TEXT: usize = 400;

/// The least likeness of two words of which one may be meant by the other.
const ALIKE: f64 = 0.75;

/// `; did you mean "..."?`, if a word is near.
pub(super) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> String {
    let near = names.map(|name| (strsim::jaro_winkler(word, name), name));
    let near = near.max_by(|(one, _), (other, _)| one.total_cmp(other));
    let near = near.filter(|(likeness, _)| *likeness > ALIKE);
    near.map_or_else(String::new, |(_, name)| format!("; did you mean \"{name}\"?"))
}
