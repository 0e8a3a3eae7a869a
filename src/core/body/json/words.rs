//! `true`, `false` and `null`.

use super::{MALFORMED, Read, Reader, State, Word};
use crate::body::Use;

impl Reader<'_> {
    pub(super) fn of_word(&mut self, byte: u8, left: &'static [u8], word: Word) -> Read {
        match left {
            [expected, left @ ..] if *expected == byte => {
                if !left.is_empty() {
                    self.state = State::Word(left, word);
                    return Ok(());
                }
                match word {
                    Word::Null => self.is_other = false,
                    Word::Truth => {
                        self.expect_scalar()?;
                        self.truth()?;
                    }
                }
                self.end_value();
                Ok(())
            }
            _ => MALFORMED,
        }
    }

    /// `true` or `false` was found: not two readers make the same name of it.
    fn truth(&mut self) -> Read {
        match self.next.and_then(|at| self.wanted.selected(at)) {
            Some((_, Use::Value)) => MALFORMED,
            _ => self.found(None),
        }
    }
}
