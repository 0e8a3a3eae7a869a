//! How text from outside is written in a header field, a variable or a log line, so that it cannot
//! be split, forged or misread.

use core::fmt::Write;
use std::borrow::Cow;

/// Percent-encodes bytes that have no place in a header field or a log line: control and non-ASCII
/// bytes, and `%` itself, so that every encoded value has one meaning.
pub fn encode(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'%';
    // A space at an end is lost where field values are trimmed.
    let is_space = |byte: Option<&u8>| byte == Some(&b' ');
    let trimmed = !is_space(text.as_bytes().first()) && !is_space(text.as_bytes().last());
    // To the end, and not to the first that is not plain: nearly all are, and there is no branch.
    if trimmed && text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        return Cow::Borrowed(text);
    }
    let last = text.len().saturating_sub(1);
    let mut encoded = String::with_capacity(text.len().saturating_mul(2));
    for (at, byte) in text.bytes().enumerate() {
        if is_plain(byte) && (byte != b' ' || (at != 0 && at != last)) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Cow::Owned(encoded)
}

/// A JSON array of strings in printable ASCII, everything else as `\u` escapes.
pub fn json_array<'i>(items: impl Iterator<Item = &'i str>) -> String {
    let mut json = String::from("[");
    for (at, item) in items.enumerate() {
        json.push_str(if at == 0 { "\"" } else { ",\"" });
        for unit in item.encode_utf16() {
            match u8::try_from(unit) {
                Ok(byte @ (b'"' | b'\\')) => {
                    json.push('\\');
                    json.push(char::from(byte));
                }
                Ok(byte @ 0x20..0x7f) => json.push(char::from(byte)),
                _ => {
                    let _ = write!(json, "\\u{unit:04x}");
                }
            }
        }
        json.push('"');
    }
    json.push(']');
    json
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_value_is_not_copied() {
        assert!(matches!(encode("spiffe://prod.example/ns/shop"), Cow::Borrowed(_)));
        assert!(matches!(encode("a b, c"), Cow::Borrowed(_)));
    }

    #[test]
    fn control_bytes_percent_and_outer_spaces_are_encoded() {
        assert_eq!(encode("a\r\nX-Mesh-Service: b"), "a%0D%0AX-Mesh-Service: b");
        assert_eq!(encode("100%"), "100%25");
        assert_eq!(encode(" a b "), "%20a b%20");
        assert_eq!(encode(" "), "%20");
        assert_eq!(encode("ü\0"), "%C3%BC%00");
    }

    proptest! {
        #[test]
        fn an_encoded_value_is_printable_and_has_one_meaning(text in any::<String>()) {
            let encoded = encode(&text).into_owned();
            prop_assert!(encoded.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
            let mut decoded = Vec::new();
            let mut bytes = encoded.bytes();
            while let Some(byte) = bytes.next() {
                if byte == b'%' {
                    let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                    decoded.push(u8::from_str_radix(core::str::from_utf8(&hex).unwrap(), 16).unwrap());
                } else {
                    decoded.push(byte);
                }
            }
            prop_assert_eq!(decoded, text.into_bytes());
        }

        #[test]
        fn groups_are_ascii_json_that_reads_back(groups in proptest::collection::vec(any::<String>(), 0..4)) {
            let groups: Vec<Box<str>> = groups.into_iter().map(Into::into).collect();
            let json = json_array(groups.iter().map(|group| &**group));
            prop_assert!(json.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
            let read: Vec<Box<str>> = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read, groups);
        }
    }
}
