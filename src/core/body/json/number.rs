//! The numbers of a document.

use super::{MALFORMED, Number, Read, Reader, State};

impl Reader<'_> {
    pub(super) fn of_number(&mut self, byte: u8, number: Number) -> Read {
        let next = match (number, byte) {
            (Number::Minus, b'0') => Number::Zero,
            (Number::Minus | Number::Digits, b'0'..=b'9') => Number::Digits,
            (Number::Zero | Number::Digits, b'.') => Number::Point,
            (Number::Point | Number::Fraction, b'0'..=b'9') => Number::Fraction,
            (Number::Zero | Number::Digits | Number::Fraction, b'e' | b'E') => Number::Exponent,
            (Number::Exponent, b'+' | b'-') => Number::Sign,
            (Number::Exponent | Number::Sign | Number::Power, b'0'..=b'9') => Number::Power,
            _ => {
                self.end_number(number)?;
                return self.byte(byte);
            }
        };
        self.state = State::Number(next);
        self.keep(&[byte])
    }

    pub(super) fn end_number(&mut self, number: Number) -> Read {
        if !matches!(number, Number::Zero | Number::Digits | Number::Fraction | Number::Power) {
            return MALFORMED;
        }
        self.end_text()
    }
}
