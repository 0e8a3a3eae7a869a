//! Decimal numbers.

/// Whether a text is a number in its only spelling: digits, without a leading zero.
#[inline]
pub(crate) fn is_shortest(text: impl AsRef<[u8]>) -> bool {
    let text = text.as_ref();
    let is_decimal = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    is_decimal && (text.len() == 1 || !text.starts_with(b"0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for text in ["0", "7", "10", "12345678901234567890123"] {
            assert!(is_shortest(text), "{text}");
        }
        for text in ["", "00", "07", "+7", "-7", " 7", "7 ", "7.0", "7e0", "0x7", "٧", "７"] {
            assert!(!is_shortest(text), "{text}");
        }
    }
}
