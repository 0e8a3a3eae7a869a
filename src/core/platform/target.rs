//! The path and the query of a request, cut into what is compared.

use std::borrow::Cow;

use super::Refused;
use crate::text::escape::{self, EscapeError};

/// How many segments a path may have.
pub(super) const MAX_SEGMENTS: usize = 64;

/// One segment of a path.
#[derive(Clone, Debug)]
pub(super) struct Segment<'r> {
    /// As it was received.
    pub(super) raw: &'r str,
    /// Decoded once.
    pub(super) text: Cow<'r, str>,
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

/// A path, and the query behind it.
#[derive(Debug)]
pub(super) struct Target<'r> {
    pub(super) segments: Vec<Segment<'r>>,
    pub(super) query: Option<&'r str>,
}

impl<'r> Target<'r> {
    /// Cuts the target of a request (RFC 9112 section 3.2.1) as it was received.
    ///
    /// `is_decoded` says that Nginx has decoded the path already, and sends it so.
    pub(super) fn parse(
        path: &'r [u8],
        query: Option<&'r [u8]>,
        is_decoded: bool,
    ) -> Result<Self, Refused<'static>> {
        let path =
            core::str::from_utf8(path).map_err(|_| Refused::Malformed("the path is not UTF-8"))?;
        let query = query.map(core::str::from_utf8).transpose();
        let query = query.map_err(|_| Refused::Malformed("the query is not UTF-8"))?;
        if query.is_some_and(|query| query.contains('#')) {
            return Err(Refused::Ambiguous("the query holds a number sign"));
        }
        let rest = path
            .strip_prefix('/')
            .ok_or(Refused::Malformed("the path does not begin with a slash"))?;
        let mut segments = Vec::with_capacity(12);
        // A final slash does not matter.
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() {
            // `//` is not the root.
            let is_root = path.len() <= 1;
            return if is_root { Ok(Self { segments, query }) } else { Err(Refused::Unknown) };
        }
        for raw in rest.split('/') {
            if segments.len() >= MAX_SEGMENTS {
                return Err(Refused::Unknown);
            }
            segments.push(Segment::parse(raw, is_decoded)?);
        }
        Ok(Self { segments, query })
    }
}

impl<'r> Segment<'r> {
    fn parse(raw: &'r str, is_decoded: bool) -> Result<Self, Refused<'static>> {
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
        if matches!(&*text, "." | "..") {
            return Err(Refused::Ambiguous("a segment of the path is a dot segment"));
        }
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(Refused::Malformed("the path holds a control character"));
        }
        Ok(Self { raw, text })
    }

    /// What of it servers take in different ways.
    pub(super) fn odd(&self) -> Odd {
        let mut odd = Odd::None;
        for byte in self.text.bytes() {
            match byte {
                b';' | b'\\' | b'%' | b'?' | b'#' => return Odd::Other,
                b'/' => odd = Odd::Slash,
                _ => {}
            }
        }
        odd
    }

    /// Whether it holds a separator that was escaped, and a dot segment or an empty one beside it.
    pub(super) fn leads_elsewhere(&self) -> bool {
        let is_odd = |part: &str| matches!(part, "" | "." | "..");
        self.text.contains(['/', '\\']) && self.text.split(['/', '\\']).any(is_odd)
    }

    /// Whether a colon was escaped, which hides a verb from servers that decode late.
    pub(super) fn hides_a_colon(&self) -> bool {
        matches!(self.text, Cow::Owned(_))
            && self.text.matches(':').count() != self.raw.matches(':').count()
    }
}

/// The members of a query, decoded: names and values.
pub(super) fn members(
    query: &str,
) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>), Refused<'static>>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        // Some servers divide members by it.
        if pair.contains(';') {
            return Err(Refused::Ambiguous("a member of the query holds a semicolon"));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decode_plus(name)?, decode_plus(value)?))
    })
}

fn decode_plus(text: &str) -> Result<Cow<'_, str>, Refused<'static>> {
    if text.contains(['%', '+']) {
        escape::decode(text.as_bytes(), true, |_| Ok(())).map(Cow::Owned)
    } else {
        Ok(Cow::Borrowed(text))
    }
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
