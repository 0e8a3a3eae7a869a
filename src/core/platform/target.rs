//! The path of a request, cut into what is compared.

use std::borrow::Cow;

use super::Refused;
use super::query::Query;
use crate::text::bytes;
use crate::text::escape::{self, EscapeError};

/// How many segments a path may have.
pub(super) const MAX_SEGMENTS: usize = 64;

/// How long a path may be: no name is longer than a small part of it.
const MAX_PATH: usize = u16::MAX as usize - 1;

/// A path, and the query behind it.
#[derive(Debug)]
pub(super) struct Target<'r> {
    pub(super) path: Path<'r>,
    pub(super) query: Query<'r>,
}

/// A path, decoded, without a final slash.
#[derive(Debug)]
pub(super) struct Path<'r> {
    text: Cow<'r, [u8]>,
    /// Its segments, if they may hold more than the names that they are; else each is what stands between
    /// two slashes.
    others: Vec<Segment<'r>>,
}

/// A segment of a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'r> {
    /// Where it stands, decoded once.
    pub(super) span: Span,
    /// As it was received.
    pub(super) raw: &'r [u8],
}

/// Where a part of a path stands: from and to which byte of its text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    pub(super) from: u16,
    pub(super) to: u16,
}

/// Letters of a decoded segment that servers take in different ways.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Odd {
    /// There are none.
    #[default]
    None,
    /// A slash alone, which was escaped.
    Slash,
    /// One of `; \ % ? #`.
    Other,
}

impl<'r> Target<'r> {
    /// Cuts the target of a request (RFC 9112 section 3.2.1) as it was received.
    ///
    /// `is_decoded` says that Nginx has decoded the path already, and sends it so.
    #[inline]
    pub(super) fn parse(
        path: &'r [u8],
        query: Option<&'r [u8]>,
        is_decoded: bool,
    ) -> Result<Self, Refused<'static>> {
        match Path::plain(path) {
            Some(path) => Ok(Self { path, query: Query::parse(query)? }),
            None => Self::general(path, query, is_decoded),
        }
    }

    /// The same, of any path.
    pub(super) fn general(
        path: &'r [u8],
        query: Option<&'r [u8]>,
        is_decoded: bool,
    ) -> Result<Self, Refused<'static>> {
        let path =
            core::str::from_utf8(path).map_err(|_| Refused::Malformed("the path is not UTF-8"))?;
        let query = Query::parse(query)?;
        Ok(Self { path: Path::general(path, is_decoded)?, query })
    }
}

impl<'r> Path<'r> {
    /// A path in which no byte has a meaning but the slash; `None` if it has more, and if something may be
    /// wrong with it: who else looks at it can say what.
    #[inline]
    fn plain(path: &'r [u8]) -> Option<Self> {
        let [before @ .., last] = path else { return None };
        let [b'/', behind @ ..] = path else { return None };
        let others = bytes::pairs_together(before, behind, |before, byte| {
            let is_odd = u8::from(byte == b'/') | u8::from(byte == b'.');
            is_other(byte) | (u8::from(before == b'/') & is_odd)
        });
        // As no segment is empty, each takes two bytes.
        let is_long = path.len() > MAX_SEGMENTS.saturating_mul(2);
        if others != 0 || (is_long && !Self::has_room(path)) {
            return None;
        }
        let text = if *last == b'/' { before } else { path };
        Some(Self { text: Cow::Borrowed(text), others: Vec::new() })
    }

    fn has_room(path: &[u8]) -> bool {
        let slashes = path.iter().filter(|byte| **byte == b'/').count();
        path.len() <= MAX_PATH && slashes <= MAX_SEGMENTS
    }

    /// Any path.
    fn general(path: &'r str, is_decoded: bool) -> Result<Self, Refused<'static>> {
        if path.len() > MAX_PATH {
            return Err(Refused::Unknown);
        }
        let rest = path
            .strip_prefix('/')
            .ok_or(Refused::Malformed("the path does not begin with a slash"))?;
        // A final slash does not matter, but `//` is not the root.
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() && path.len() > 1 {
            return Err(Refused::Unknown);
        }
        let (mut text, mut others) = (Vec::with_capacity(path.len()), Vec::new());
        for raw in rest.split('/').filter(|_| !rest.is_empty()) {
            if others.len() >= MAX_SEGMENTS {
                return Err(Refused::Unknown);
            }
            text.push(b'/');
            let from = text.len();
            text.extend_from_slice(decode(raw, is_decoded)?.as_bytes());
            others.push(Segment { span: Span::new(from, text.len()), raw: raw.as_bytes() });
        }
        Ok(Self { text: Cow::Owned(text), others })
    }

    /// The text.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The text alone.
    pub(super) fn into_text(self) -> Cow<'r, [u8]> {
        self.text
    }

    /// Those segments that may hold more than the names that they are, if any may.
    pub(super) fn others(&self) -> &[Segment<'r>] {
        &self.others
    }
}

impl Span {
    /// No path is longer than a number of it.
    #[inline]
    pub(super) fn new(from: usize, to: usize) -> Self {
        let number = |it| u16::try_from(it).unwrap_or(u16::MAX);
        Self { from: number(from), to: number(to) }
    }

    /// The part of a text.
    #[inline]
    pub(super) fn of(self, text: &[u8]) -> &[u8] {
        text.get(usize::from(self.from)..usize::from(self.to)).unwrap_or_default()
    }
}

/// Not zero for a byte of a path that may have a meaning: space, control characters, escapes, what divides
/// paths for some servers, and all beyond ASCII; beside these the quotation mark, `!` and `$`, which lie between.
#[inline]
fn is_other(byte: u8) -> u8 {
    u8::from(byte.wrapping_sub(b'&') > b'~'.wrapping_sub(b'&'))
        | u8::from(byte == b'\\')
        | u8::from(byte == b';')
        | u8::from(byte == b'?')
}

fn is_dots(segment: &[u8]) -> bool {
    matches!(segment, b"." | b"..")
}

/// Decodes a segment once.
fn decode(raw: &str, is_decoded: bool) -> Result<Cow<'_, str>, Refused<'static>> {
    let text = match raw.contains('%') && !is_decoded {
        true => Cow::Owned(escape::decode(raw.as_bytes(), false, |byte| match byte {
            // No client escapes one.
            b'.' => Err(Refused::Ambiguous("a dot of the path is escaped")),
            _ => Ok(()),
        })?),
        false => Cow::Borrowed(raw),
    };
    // What is written so ends a path, or a segment, for some servers, whatever the row takes.
    if !is_decoded && raw.contains(['#', ';', '\\']) {
        return Err(Refused::Ambiguous("a letter that divides paths is not escaped"));
    }
    if is_dots(text.as_bytes()) {
        return Err(Refused::Ambiguous("a segment of the path is a dot segment"));
    }
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(Refused::Malformed("the path holds a control character"));
    }
    Ok(text)
}

/// What of a decoded segment servers take in different ways.
pub(super) fn odd(segment: &[u8]) -> Odd {
    let mut odd = Odd::None;
    for byte in segment {
        match byte {
            b';' | b'\\' | b'%' | b'?' | b'#' => return Odd::Other,
            b'/' => odd = Odd::Slash,
            _ => {}
        }
    }
    odd
}

/// Whether a decoded segment holds a separator that was escaped, and a dot segment or an empty one beside
/// it.
pub(super) fn leads_elsewhere(segment: &[u8]) -> bool {
    let is_separator = |byte: &u8| matches!(byte, b'/' | b'\\');
    segment.iter().any(is_separator)
        && segment.split(is_separator).any(|part| part.is_empty() || is_dots(part))
}

/// Whether a colon of a segment was escaped, which hides a verb from servers that decode late.
pub(super) fn hides_a_colon(segment: &[u8], raw: &[u8]) -> bool {
    let colons = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b':').count();
    colons(segment) != colons(raw)
}

impl From<EscapeError> for Refused<'_> {
    fn from(error: EscapeError) -> Self {
        Self::Malformed(match error {
            EscapeError::Cut => "an escape is cut short",
            EscapeError::Digit => "an escape is not hexadecimal",
            EscapeError::Utf8 => "an escaped name is not UTF-8",
        })
    }
}

#[cfg(test)]
mod tests;
