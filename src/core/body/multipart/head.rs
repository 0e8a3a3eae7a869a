//! The fields of a part.

use crate::body::BodyError;
use crate::body::media_type::is_token;

/// Bytes of the fields of a part.
pub(super) const MAX: usize = 4 * 1024;

/// What the fields of a part say.
#[derive(Debug)]
pub(super) struct Part<'h> {
    pub(super) name: &'h str,
    pub(super) is_file: bool,
    /// Whether it is plain text, as a part without a type is.
    pub(super) is_text: bool,
}

impl<'h> Part<'h> {
    /// Reads the fields, without the empty line behind them.
    pub(super) fn read(fields: &'h [u8]) -> Result<Self, BodyError> {
        Self::parse(fields).ok_or(BodyError::Malformed)
    }

    fn parse(fields: &'h [u8]) -> Option<Self> {
        let is_text = |byte: u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
        let text = core::str::from_utf8(fields).ok()?;
        let (mut disposition, mut media, mut encoding, mut length) = (None, None, None, None);
        for line in text.split("\r\n") {
            // A folded line begins with white space, which begins no name.
            let (name, value) = line.split_once(':')?;
            if !is_token(name) || !value.bytes().all(is_text) {
                return None;
            }
            let place = match name.to_ascii_lowercase().as_str() {
                "content-disposition" => &mut disposition,
                "content-length" => &mut length,
                "content-transfer-encoding" => &mut encoding,
                "content-type" => &mut media,
                _ => return None,
            };
            if place.replace(value.trim_ascii()).is_some() {
                return None;
            }
        }
        // Decoded by some servers, by others not (RFC 7578 section 4.7).
        let is_plain = |it: &str| {
            ["7bit", "8bit", "binary"].iter().any(|known| it.eq_ignore_ascii_case(known))
        };
        if !encoding.is_none_or(is_plain) {
            return None;
        }
        let (name, is_file) = disposed(disposition?)?;
        Some(Self { name, is_file, is_text: media.is_none_or(is_plain_text) })
    }
}

/// The name of a part, and whether it is a file.
fn disposed(value: &str) -> Option<(&str, bool)> {
    let (kind, mut rest) = split(value, ';');
    if !kind.trim_ascii_end().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut file) = (None, None);
    while let Some(text) = rest {
        let (parameter, value, after) = parameter(text)?;
        // `name*` and `filename*` are others.
        let place = match parameter {
            parameter if parameter.eq_ignore_ascii_case("name") => &mut name,
            parameter if parameter.eq_ignore_ascii_case("filename") => &mut file,
            _ => return None,
        };
        if place.replace(value).is_some() {
            return None;
        }
        rest = after;
    }
    // Browsers write a quotation mark as `%22`, and servers do not agree whether to decode it.
    let name = name.filter(|name: &&str| !name.is_empty() && !name.contains('%'))?;
    // It changes how the other parts are read (RFC 7578 section 4.6).
    (name != "_charset_").then_some((name, file.is_some()))
}

fn is_plain_text(media: &str) -> bool {
    let (kind, mut rest) = split(media, ';');
    let mut is_right = kind.trim_ascii_end().eq_ignore_ascii_case("text/plain");
    while let Some(text) = rest {
        let Some((name, value, after)) = parameter(text) else { return false };
        is_right &= !name.eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8");
        rest = after;
    }
    is_right
}

/// The name of a parameter, its value, and what follows.
type Parameter<'h> = (&'h str, &'h str, Option<&'h str>);

/// Reads `name=value` or `name="value"`, up to the next semicolon. A backslash is refused.
fn parameter(text: &str) -> Option<Parameter<'_>> {
    let (name, rest) = text.trim_ascii_start().split_once('=')?;
    if !is_token(name) {
        return None;
    }
    if let Some(quoted) = rest.strip_prefix('"') {
        let (value, rest) = quoted.split_once('"')?;
        let rest = rest.trim_ascii_start();
        let after = match rest {
            "" => None,
            _ => Some(rest.strip_prefix(';')?),
        };
        return (!value.contains('\\')).then_some((name, value, after));
    }
    let (value, after) = split(rest, ';');
    let value = value.trim_ascii_end();
    is_token(value).then_some((name, value, after))
}

/// What comes before the first such letter, and what follows it.
fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(head, rest)| (head, Some(rest)))
}
