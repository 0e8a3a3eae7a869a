//! The byte order mark that some editors and servers write before a document.

/// The document behind a UTF-8 byte order mark, which a reader may ignore (RFC 8259, section 8.1).
///
/// For documents alone: nothing that is signed, or compared by its bytes, begins with one.
#[must_use]
pub fn without_mark(document: &[u8]) -> &[u8] {
    document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mark_at_the_very_beginning_is_skipped() {
        assert_eq!(without_mark(b"\xEF\xBB\xBF{}"), b"{}");
        for other in [&b"{}"[..], b"", b"\xEF\xBB", b" \xEF\xBB\xBF{}", b"\xFE\xFF\0{"] {
            assert_eq!(without_mark(other), other);
        }
        assert_eq!(without_mark(b"\xEF\xBB\xBF\xEF\xBB\xBF"), b"\xEF\xBB\xBF");
    }
}
