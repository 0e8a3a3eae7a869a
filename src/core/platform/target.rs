//! The path and the query of a request, cut into what is compared.

use std::borrow::Cow;

use super::Refused;
use crate::text::bytes;
use crate::text::escape::{self, EscapeError};

/// How many segments a path may have.
pub(super) const MAX_SEGMENTS: usize = 64;

/// How long a path may be: no name is longer than a small part of it.
const MAX_PATH: usize = u16::MAX as usize - 1;

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
    pub(super) segments: Segments<'r>,
    pub(super) query: Option<&'r str>,
}

/// The segments of a path.
#[derive(Debug)]
pub(super) struct Segments<'r> {
    path: &'r str,
    /// Of a path without escapes and of a few segments, where each stands; no memory is taken.
    spans: [(u16, u16); FEW],
    len: usize,
    /// Of any other path.
    others: Vec<Segment<'r>>,
}

/// How many segments take no memory.
const FEW: usize = 16;

impl<'r> Segments<'r> {
    /// A path in which no byte has a meaning but the slash; `None` if it has more.
    fn plain(path: &'r str) -> Option<Self> {
        let length = u16::try_from(path.len()).ok()?;
        let mut all = Self { path, spans: [(0, 0); FEW], len: 0, others: Vec::new() };
        let (mut from, mut is_right) = (1_u16, true);
        let behind = path.as_bytes().get(1..).unwrap_or_default();
        bytes::each(behind, b'/', &mut |at| {
            let to = u16::try_from(at).unwrap_or(0).saturating_add(1);
            is_right &= all.push(from, to);
            from = to.saturating_add(1);
        });
        // A final slash does not matter.
        if from < length {
            is_right &= all.push(from, length);
        }
        is_right.then_some(all)
    }

    /// Adds a segment, if there is room for it and it is not of dots alone: who else looks at these can say
    /// what is wrong with them.
    #[inline]
    fn push(&mut self, from: u16, to: u16) -> bool {
        let is_dots = to.saturating_sub(from) < 3
            && self.path.as_bytes().get(usize::from(from)) == Some(&b'.');
        match self.spans.get_mut(self.len).filter(|_| !is_dots) {
            Some(span) => {
                *span = (from, to);
                self.len = self.len.saturating_add(1);
                true
            }
            None => false,
        }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Those that may hold more than the names that they are, if any may.
    pub(super) fn others(&self) -> &[Segment<'r>] {
        &self.others
    }

    /// A segment, decoded.
    #[inline]
    pub(super) fn text(&self, at: usize) -> Option<&str> {
        match self.others.is_empty() {
            true => self.span(at),
            false => self.others.get(at).map(|segment| &*segment.text),
        }
    }

    /// A segment as it was received.
    pub(super) fn raw(&self, at: usize) -> Option<&str> {
        match self.others.is_empty() {
            true => self.span(at),
            false => self.others.get(at).map(|segment| segment.raw),
        }
    }

    #[inline]
    fn span(&self, at: usize) -> Option<&'r str> {
        let (from, to) = *self.spans.get(..self.len)?.get(at)?;
        self.path.get(usize::from(from)..usize::from(to))
    }

    /// The first bytes of a segment as a number, the first one lowest, with zeros behind its last.
    #[inline]
    pub(super) fn word(&self, at: usize, text: &str) -> u64 {
        let from = match self.others.is_empty() {
            true => self.spans.get(at).map(|(from, _)| usize::from(*from)),
            false => None,
        };
        let behind = from.and_then(|from| self.path.as_bytes().get(from..)?.first_chunk());
        let lacks = 8_usize.saturating_sub(text.len()).saturating_mul(8);
        match (behind, u32::try_from(lacks)) {
            (Some(word), Ok(lacks)) => {
                u64::from_le_bytes(*word) & u64::MAX.checked_shr(lacks).unwrap_or(0)
            }
            _ => word(text),
        }
    }

    /// Whether a colon was escaped, which hides a verb from servers that decode late.
    pub(super) fn hides_a_colon(&self, at: usize) -> bool {
        self.others.get(at).is_some_and(Segment::hides_a_colon)
    }
}

/// The first bytes of a text as a number, the first one lowest, with zeros behind its last.
pub(super) fn word(text: &str) -> u64 {
    let bytes = text.as_bytes();
    match bytes.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => bytes.iter().rfold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Whether no byte of a path has a meaning but the slash: it is of ASCII without a space, a control
/// character, an escape, or what divides paths for some servers.
fn is_plain(path: &[u8]) -> bool {
    bytes::all(path, |byte| {
        u8::from(byte.wrapping_sub(b'!') > b'~'.wrapping_sub(b'!'))
            | u8::from(byte == b'%')
            | u8::from(byte == b'\\')
            | u8::from(byte == b';')
            | u8::from(byte == b'#')
            | u8::from(byte == b'?')
    })
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
        if query.is_some_and(|query| memchr::memchr(b'#', query.as_bytes()).is_some()) {
            return Err(Refused::Ambiguous("the query holds a number sign"));
        }
        if path.len() > MAX_PATH {
            return Err(Refused::Unknown);
        }
        let rest = path
            .strip_prefix('/')
            .ok_or(Refused::Malformed("the path does not begin with a slash"))?;
        if is_plain(path.as_bytes())
            && let Some(segments) = Segments::plain(path).filter(|_| path != "//")
        {
            return Ok(Self { segments, query });
        }
        let mut others = Vec::with_capacity(FEW);
        // A final slash does not matter.
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let segments =
            |others: Vec<_>| Segments { path, spans: [(0, 0); FEW], len: others.len(), others };
        if rest.is_empty() {
            // `//` is not the root.
            let is_root = path.len() <= 1;
            return match is_root {
                true => Ok(Self { segments: segments(others), query }),
                false => Err(Refused::Unknown),
            };
        }
        for raw in rest.split('/') {
            if others.len() >= MAX_SEGMENTS {
                return Err(Refused::Unknown);
            }
            others.push(Segment::parse(raw, is_decoded)?);
        }
        Ok(Self { segments: segments(others), query })
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
pub(super) const fn members(query: &str) -> Members<'_> {
    Members { rest: query }
}

/// The members of a query that are left.
pub(super) struct Members<'q> {
    rest: &'q str,
}

/// A member of a query, decoded.
type Member<'q> = Result<(Cow<'q, str>, Cow<'q, str>), Refused<'static>>;

impl<'q> Iterator for Members<'q> {
    type Item = Member<'q>;

    fn next(&mut self) -> Option<Member<'q>> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let mut end = self.rest.len();
            let (mut equals, mut is_divided, mut is_escaped) = (None, false, false);
            for (at, byte) in self.rest.bytes().enumerate() {
                match byte {
                    b'&' => {
                        end = at;
                        break;
                    }
                    b'=' if equals.is_none() => equals = Some(at),
                    b';' => is_divided = true,
                    b'%' | b'+' => is_escaped = true,
                    _ => {}
                }
            }
            let (pair, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
            self.rest = rest.get(1..).unwrap_or_default();
            if pair.is_empty() {
                continue;
            }
            // Some servers divide members by it.
            if is_divided {
                return Some(Err(Refused::Ambiguous("a member of the query holds a semicolon")));
            }
            let (name, value) = match equals.and_then(|at| pair.split_at_checked(at)) {
                Some((name, value)) => (name, value.get(1..).unwrap_or_default()),
                None => (pair, ""),
            };
            return Some(match is_escaped {
                true => decode_plus(name).and_then(|name| Ok((name, decode_plus(value)?))),
                false => Ok((Cow::Borrowed(name), Cow::Borrowed(value))),
            });
        }
    }
}

fn decode_plus(text: &str) -> Result<Cow<'_, str>, Refused<'static>> {
    if memchr::memchr2(b'%', b'+', text.as_bytes()).is_some() {
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
