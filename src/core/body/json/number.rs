//! The numbers of a document.

use super::{MALFORMED, Number, Read, Reader, State};
use crate::text::decimal::is_shortest;

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
        let text = core::str::from_utf8(&self.text).unwrap_or_default();
        if self.keeps && !is_name(text) {
            return MALFORMED;
        }
        self.end_text()
    }
}

/// Whether every reader makes the same text of a number: a whole one of 64 bits.
fn is_name(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = is_shortest(digits) && text != "-0";
    is_whole && (text.parse::<u64>().is_ok() || text.parse::<i64>().is_ok())
}
