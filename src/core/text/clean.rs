//! Bytes from a peer, made fit for a log line.

use core::fmt;

/// Displays untrusted bytes as printable ASCII, so that they cannot forge or break a log line.
///
/// Control bytes, non-ASCII bytes and the quotation mark (our log lines quote values, as Nginx
/// does) are percent-encoded; what exceeds [`Clean::LIMIT`] bytes is cut and marked with `...`.
///
/// ```
/// use mesh_core::text::clean::Clean;
///
/// assert_eq!(Clean(b"GET /a\r\nb").to_string(), "GET /a%0D%0Ab");
/// ```
#[derive(Clone, Copy)]
pub struct Clean<'a>(pub &'a [u8]);

impl Clean<'_> {
    /// How many bytes of the value are shown.
    pub const LIMIT: usize = 256;
}

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0.iter().take(Self::LIMIT) {
            if byte == b'"' {
                f.write_str("%22")?;
            } else {
                write_byte(f, byte)?;
            }
        }
        if self.0.len() > Self::LIMIT {
            f.write_str("...")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Writes one byte of a log line: unchanged if it prints in ASCII, else percent-encoded.
///
/// # Errors
///
/// As the sink.
pub fn write_byte(sink: &mut dyn fmt::Write, byte: u8) -> fmt::Result {
    if matches!(byte, b' '..=b'~') {
        sink.write_char(char::from(byte))
    } else {
        write!(sink, "%{byte:02X}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_cannot_end_its_line_or_its_quotation() {
        let shown =
            Clean(b"a\n2026/01/01 [crit] forged\", rule: \"admin\x1b[0m\x7f\xc2\x85").to_string();
        assert_eq!(shown, "a%0A2026/01/01 [crit] forged%22, rule: %22admin%1B[0m%7F%C2%85");
    }

    #[test]
    fn a_long_value_is_cut_and_marked() {
        let shown = Clean(&[b'a'; Clean::LIMIT + 1]).to_string();
        assert_eq!(shown.len(), Clean::LIMIT + 3);
        assert!(shown.ends_with("..."));
        assert_eq!(Clean(&[b'a'; Clean::LIMIT]).to_string().len(), Clean::LIMIT);
    }

    proptest! {
        #[test]
        fn only_printable_ascii_leaves(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let shown = Clean(&bytes).to_string();
            prop_assert!(shown.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"'));
            prop_assert!(shown.len() <= Clean::LIMIT * 3 + 3);
        }
    }
}
