//! Why the last fetch failed, kept for the operator.

use super::note::{Note, bytes_in, fill};
use super::pen::Pen;
use crate::text::time::UnixTime;

/// Why a fetch failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// When.
    pub at: UnixTime,
    /// The kind of failure, in a word of up to [`Failure::MAX_WORD`] bytes.
    pub word: Box<str>,
    /// A sentence of up to [`Failure::MAX_TEXT`] bytes; longer ones are cut.
    pub text: Box<str>,
}

impl Failure {
    /// Bytes of a word.
    pub const MAX_WORD: usize = 32;
    /// Bytes of a text.
    pub const MAX_TEXT: usize = 240;
}

/// The note of a failure: when, the lengths, and both texts.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct LastFailure(Note<WORDS>);

const WORDS: usize = 2 + (Failure::MAX_WORD + Failure::MAX_TEXT) / 8;

impl LastFailure {
    pub(super) fn write(&self, failure: &Failure, pen: &Pen) {
        let word = cut(&failure.word, Failure::MAX_WORD).as_bytes();
        let text = cut(&failure.text, Failure::MAX_TEXT).as_bytes();
        let mut values = [0; WORDS];
        let [at, lengths, rest @ ..] = &mut values;
        *at = failure.at.secs().cast_unsigned();
        *lengths = length(word) | length(text) << 32;
        fill(rest, &[word, text].concat());
        self.0.write(&values, pen);
    }

    pub(super) fn read(&self) -> Option<Failure> {
        // It may be written just now.
        let [at, lengths, rest @ ..] = (0..4).find_map(|_| self.0.read())?;
        let bytes = bytes_in(&rest);
        let word = usize::try_from(lengths & u64::from(u32::MAX)).ok()?;
        let (word, text) = bytes.split_at_checked(word)?;
        let text = text.get(..usize::try_from(lengths >> 32).ok()?)?;
        Some(Failure {
            at: UnixTime::from_secs(at.cast_signed()),
            word: core::str::from_utf8(word).ok()?.into(),
            text: core::str::from_utf8(text).ok()?.into(),
        })
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(0)
}

/// The whole characters of the first bytes.
fn cut(text: &str, most: usize) -> &str {
    (0..=most.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}
