//! `true`, `false` and `null`.

use super::{MALFORMED, Read, Reader, State, Word};
use crate::body::Use;

impl Reader<'_> {
    pub(super) fn of_word(&mut self, byte: u8, word: Word, read: u8) -> Read {
        let letters = word.letters();
        if letters.get(usize::from(read)) != Some(&byte) {
            return MALFORMED;
        }
        let read = read.saturating_add(1);
        if usize::from(read) < letters.len() {
            self.state = State::Word(word, read);
            return Ok(());
        }
        match word {
            Word::Null => self.is_other = false,
            Word::True | Word::False => {
                self.expect_scalar()?;
                self.truth()?;
            }
        }
        self.end_value();
        Ok(())
    }

    /// `true` or `false` was found: not two readers make the same name of it.
    fn truth(&mut self) -> Read {
        match self.next.and_then(|at| self.wanted.selected(at)) {
            Some((_, Use::Value)) => MALFORMED,
            _ => self.found(None),
        }
    }
}

impl Word {
    const fn letters(self) -> &'static [u8] {
        match self {
            Self::True => b"true",
            Self::False => b"false",
            Self::Null => b"null",
        }
    }
}
