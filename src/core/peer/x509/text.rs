//! Strings of certificates, if every reader takes them for the same text.

use std::borrow::Cow;

use x509_parser::asn1_rs::{Any, Class, Tag};

/// The text of a string, if its bytes have one meaning for every reader: the meaning of its type
/// (X.680 section 41).
pub(super) fn text<'c>(value: &Any<'c>) -> Option<Cow<'c, str>> {
    if value.class() != Class::Universal || value.header.is_constructed() {
        return None;
    }
    let plain = || core::str::from_utf8(value.data).ok();
    match value.tag() {
        Tag::Utf8String => plain().map(Cow::Borrowed),
        // Some read other bytes as Latin-1 and some as UTF-8.
        Tag::PrintableString | Tag::Ia5String => {
            plain().filter(|text| text.is_ascii()).map(Cow::Borrowed)
        }
        Tag::TeletexString => {
            plain().filter(|text| text.bytes().all(is_teletex)).map(Cow::Borrowed)
        }
        // No character takes two units (X.680 section 41.15): a surrogate is none.
        Tag::BmpString => {
            decode(value.data, |[high, low]: [u8; 2]| u16::from_be_bytes([high, low]).into())
        }
        Tag::UniversalString => decode(value.data, u32::from_be_bytes),
        _ => None,
    }
}

/// Characters of a fixed width, up to the last byte.
fn decode<const N: usize>(
    bytes: &[u8],
    number: impl Fn([u8; N]) -> u32,
) -> Option<Cow<'static, str>> {
    let (units, []) = bytes.as_chunks::<N>() else { return None };
    units
        .iter()
        .map(|unit| char::from_u32(number(*unit)))
        .collect::<Option<String>>()
        .map(Cow::Owned)
}

/// Whether a byte is the same character in T.61, as X.680 has it, and in Latin-1, as OpenSSL reads
/// it.
const fn is_teletex(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e)
        && !matches!(byte, b'#' | b'$' | b'\\' | b'^' | b'`' | b'{' | b'}' | b'~')
}

/// Whether the text reads the same to a person and to a comparison, in a header too.
pub(super) fn is_plain(text: &str) -> bool {
    // A header loses the spaces at its ends, and with them the difference between two names.
    !text.is_empty() && text.trim() == text && text.chars().all(is_visible)
}

/// No control character, no space but U+0020, none that is invisible or turns the direction, and
/// none that is no character: U+FFFE is a byte order mark read the wrong way round.
fn is_visible(c: char) -> bool {
    let invisible = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    let no_character = u32::from(c) & 0xfffe == 0xfffe;
    !c.is_control() && !invisible && !no_character && (c == ' ' || !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use x509_parser::asn1_rs::FromDer;

    use super::*;

    fn read(tag: u8, data: &[u8]) -> Option<String> {
        let der = [&[tag, u8::try_from(data.len()).unwrap()], data].concat();
        let (rest, any) = Any::from_der(&der).unwrap();
        assert!(rest.is_empty());
        text(&any).map(Cow::into_owned)
    }

    const UTF8: u8 = 12;
    const PRINTABLE: u8 = 19;
    const TELETEX: u8 = 20;
    const IA5: u8 = 22;
    const UNIVERSAL: u8 = 28;
    const BMP: u8 = 30;

    #[test]
    fn each_type_has_its_own_reading() {
        for (tag, data, expected) in [
            (UTF8, "Bücher".as_bytes(), Some("Bücher")),
            (UTF8, b"B\xfccher", None),
            (PRINTABLE, b"a@b_c*", Some("a@b_c*")),
            (PRINTABLE, "Bücher".as_bytes(), None),
            (IA5, b"a@b", Some("a@b")),
            (IA5, b"B\xfccher", None),
            (TELETEX, b"Orders API 1.", Some("Orders API 1.")),
            (TELETEX, b"B\xfccher", None),
            (TELETEX, b"a\x1bb", None),
            (BMP, b"\0a\0\xfc\x67\x2c", Some("aü本")),
            (BMP, b"\0a\0", None),
            (BMP, b"\xd8\x3d\xde\0", None),
            (UNIVERSAL, b"\0\0\0a\0\x01\xf6\0", Some("a\u{1f600}")),
            (UNIVERSAL, b"\0\0\0a\0", None),
            (UNIVERSAL, b"\0\0\xd8\0", None),
            (UNIVERSAL, b"\0\x11\0\0", None),
            (4, b"octets", None),
            (18, b"123", None),
            (26, b"visible", None),
            (0x2c, b"constructed", None),
            (0x8c, b"of another class", None),
        ] {
            assert_eq!(read(tag, data).as_deref(), expected, "{tag} {data:?}");
        }
        for byte in *b"#$\\^`{}~" {
            assert_eq!(read(TELETEX, &[b'a', byte]), None, "{byte}");
            assert!(read(PRINTABLE, &[b'a', byte]).is_some(), "{byte}");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_plain() {
        for text in
            ["", " ", " a", "a ", "a\tb", "\u{feff}a", "a\u{fffe}", "a\u{10ffff}", "a\u{61c}b"]
        {
            assert!(!is_plain(text), "{text:?}");
        }
        assert!(is_plain("Bücher 本 1"));
    }

    proptest! {
        #[test]
        fn a_text_reads_alike_in_every_type(chars in prop::collection::vec(any::<char>(), 0..20)) {
            let text: String = chars.iter().collect();
            let universal: Vec<u8> = chars.iter().flat_map(|c| u32::from(*c).to_be_bytes()).collect();
            prop_assert_eq!(read(UNIVERSAL, &universal), Some(text.clone()));
            if let Ok(units) = chars.iter().map(|c| u16::try_from(u32::from(*c))).collect::<Result<Vec<_>, _>>() {
                let bmp: Vec<u8> = units.into_iter().flat_map(u16::to_be_bytes).collect();
                prop_assert_eq!(read(BMP, &bmp), Some(text));
            }
        }

        #[test]
        fn any_bytes_are_no_panic(tag in 0_u8..31, data in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = read(tag, &data).map(|text| is_plain(&text));
        }
    }
}
