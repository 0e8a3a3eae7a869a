//! What a refused client is told, in words that no client takes for a passing fault.

use core::fmt::{self, Write as _};

use super::Told;

/// How long the message may be.
pub const MOST: usize = 1024;

/// How much of a name is shown.
const NAME: usize = 256;

/// How much of a word is shown: of an operation, a kind, an action and a reference.
const WORD: usize = 64;

/// Words without a space that make a client repeat a refused request or misread it, wherever they are in a
/// message; the names of Java's exceptions end with the first. Phrases with a space need no row: no name
/// shows a space.
const REPEATED: [&str; 3] = ["Exception", "INVALID_CURSOR", "PYTHON_VERSION_MISMATCH"];

/// A name from outside, fit for a sentence and for a field: of a token, a request, or a table.
///
/// Letters, digits and few signs are shown, any other byte is percent-encoded, and so is the first byte of
/// each word of `REPEATED`. A phrase with a space can thus not be in a name, nor begin in one and end
/// behind it: between two names are a quotation mark, a bracket, or words of the sentence. What is shown has
/// one meaning, and is cut between characters and marked with `...`.
#[derive(Clone, Copy, Debug)]
pub struct Name<'n> {
    text: &'n str,
    most: usize,
}

impl<'n> Name<'n> {
    /// The name of a service or of a resource.
    pub const fn long(text: &'n str) -> Self {
        Self { text, most: NAME }
    }

    /// An operation, a kind, an action or a reference.
    pub const fn short(text: &'n str) -> Self {
        Self { text, most: WORD }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.text.as_bytes();
        let mut left = self.most;
        for (at, byte) in bytes.iter().enumerate() {
            let rest = bytes.get(at..).unwrap_or_default();
            let is_shown = is_plain(*byte) && !REPEATED.iter().any(|word| begins(rest, word));
            let Some(after) = left.checked_sub(if is_shown { 1 } else { 3 }) else {
                return f.write_str("...");
            };
            left = after;
            if is_shown {
                f.write_char(char::from(*byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

fn begins(text: &[u8], word: &str) -> bool {
    text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether a byte needs no escape in JSON, in a field, in HTML or within the quotation marks of the message.
/// An asterisk stands for all names and is none.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@' | b'+' | b'=')
}

/// What the rows of the shapes write.
#[derive(Debug)]
pub struct Text {
    /// The status of the refusal.
    pub status: u16,
    /// The platform's word for it.
    pub code: &'static str,
    /// Who was refused what, and the reference: visible ASCII and spaces.
    pub message: String,
    /// The reason's stable word, if it is told.
    pub reason: Option<&'static str>,
    /// The reason in a sentence, if it is told.
    pub meaning: Option<&'static str>,
    /// What is known, by its word.
    pub facts: Vec<(&'static str, String)>,
    /// The resource, as `kind/name`.
    pub target: Option<String>,
    /// What the operator finds in the log.
    pub reference: String,
}

impl Text {
    /// What is told by the rows of a shape, whose word for the status is `code`.
    pub(super) fn of(told: &Told<'_>, code: &'static str) -> Self {
        let reason = told.refusal.reason();
        let what = told.what;
        let reference = Name::short(told.reference).to_string();
        let kind = what.kind.map(|kind| Name::short(kind).to_string());
        let name = what.name.map_or_else(|| "*".to_owned(), |name| Name::long(name).to_string());
        let long = |text: Option<&str>| text.map(|text| Name::long(text).to_string());
        let short = |text: Option<&str>| text.map(|text| Name::short(text).to_string());
        let (who, operation, action) = (long(told.who), short(what.operation), short(what.action));

        let mut message = String::new();
        match (&who, &action, &kind) {
            (who, Some(action), Some(kind)) if told.status == 403 => {
                let _ = match who {
                    Some(who) => write!(message, "service '{who}'"),
                    None => write!(message, "the caller"),
                };
                let _ = write!(message, " may not {action} the {kind} '{name}'");
                if let Some(operation) = &operation {
                    let _ = write!(message, " ({operation})");
                }
                if told.explain {
                    let _ = write!(message, ": {} ({})", reason.meaning(), reason.word());
                }
            }
            (who, ..) => {
                if let Some(who) = who {
                    let _ = write!(message, "service '{who}': ");
                }
                message.push_str(reason.meaning());
                if told.explain {
                    let _ = write!(message, " ({})", reason.word());
                }
            }
        }
        let _ = write!(message, "; reference '{reference}'");

        let target = kind.as_ref().map(|kind| format!("{kind}/{name}"));
        let named = kind.is_some().then_some(name);
        let facts = [
            ("service", who),
            ("operation", operation),
            ("kind", kind),
            ("action", action),
            ("resource", named),
        ];
        let facts = facts.into_iter().filter_map(|(word, fact)| Some((word, fact?))).collect();
        Self {
            status: told.status,
            code,
            message,
            reason: told.explain.then_some(reason.word()),
            meaning: told.explain.then_some(reason.meaning()),
            facts,
            target,
            reference,
        }
    }
}
