//! The query of a request, cut into its members.

use std::borrow::Cow;

use super::Refused;
use crate::text::alike::{is_alike, letters};
use crate::text::{bytes, escape};

/// A query.
#[derive(Clone, Copy, Debug)]
pub(super) enum Query<'r> {
    /// No byte has a meaning but those that divide members: it is of ASCII, without escapes.
    Plain(&'r [u8]),
    /// Any other.
    Other(&'r str),
}

/// The name of a member, as a table has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Member {
    name: Box<str>,
    /// What servers tell it by.
    letters: Box<str>,
    /// Whether it is escaped in any query that holds it.
    is_escaped: bool,
}

impl<'r> Query<'r> {
    /// Reads a query as it was received.
    #[inline]
    pub(super) fn parse(query: Option<&'r [u8]>) -> Result<Self, Refused<'static>> {
        match query {
            None => Ok(Self::Plain(&[])),
            Some(query) if bytes::all(query, is_other) => Ok(Self::Plain(query)),
            Some(query) => Self::other(query),
        }
    }

    fn other(query: &'r [u8]) -> Result<Self, Refused<'static>> {
        let query = core::str::from_utf8(query)
            .map_err(|_| Refused::Malformed("the query is not UTF-8"))?;
        match query.contains('#') {
            true => Err(Refused::Ambiguous("the query holds a number sign")),
            false => Ok(Self::Other(query)),
        }
    }

    /// Its members, decoded: names and values.
    pub(super) fn members(self) -> Members<'r> {
        let rest = match self {
            Self::Plain(query) => core::str::from_utf8(query).unwrap_or_default(),
            Self::Other(query) => query,
        };
        Members { rest }
    }

    /// Takes each value of a member.
    ///
    /// # Errors
    ///
    /// It is there in another spelling, or more than once if it does not repeat; or as `take`.
    #[inline]
    pub(super) fn values(
        self,
        member: &Member,
        repeats: bool,
        mut take: impl FnMut(Cow<'r, str>) -> Result<(), Refused<'static>>,
    ) -> Result<(), Refused<'static>> {
        let mut is_there = false;
        let mut take = |value| match is_there && !repeats {
            true => Err(Refused::Ambiguous("a member of the query is there twice")),
            false => {
                is_there = true;
                take(value)
            }
        };
        const RESPELT: Refused<'static> =
            Refused::Ambiguous("a member of the query is spelt in another way");
        match self {
            Self::Plain(query) if !member.is_escaped => {
                let mut from = 0;
                while from < query.len() {
                    let to = bytes::place(query, from, b'&');
                    let pair = query.get(from..to).unwrap_or_default();
                    match member.may_be(pair).then(|| member.value(pair)) {
                        None => {}
                        Some(Some(value)) => take(Cow::Borrowed(value))?,
                        Some(None) if member.is_alike(pair) => return Err(RESPELT),
                        Some(None) => {}
                    }
                    from = to.saturating_add(1);
                }
                Ok(())
            }
            _ => self.members().try_for_each(|found| match found? {
                (name, value) if *name == *member.name => take(value),
                (name, _) if is_alike(&name, &member.name) => Err(RESPELT),
                _ => Ok(()),
            }),
        }
    }
}

impl Member {
    /// A member of that name.
    pub(super) fn new(name: &str) -> Self {
        let letters = letters(name).collect::<String>().into();
        Self { name: name.into(), letters, is_escaped: name.contains('=') }
    }

    /// Whether the first byte of a member of a plain query leaves it open: most members have another.
    #[inline]
    fn may_be(&self, pair: &[u8]) -> bool {
        match pair.first() {
            None => false,
            Some(b'_' | b'-' | b'=') => true,
            Some(byte) => self.letters.bytes().next() == Some(byte.to_ascii_lowercase()),
        }
    }

    /// The value of a member of a plain query, if it has the name.
    #[inline]
    fn value<'r>(&self, pair: &'r [u8]) -> Option<&'r str> {
        let value = match pair.strip_prefix(self.name.as_bytes())? {
            [b'=', value @ ..] => value,
            [] => &[],
            _ => return None,
        };
        core::str::from_utf8(value).ok()
    }

    /// Whether the name of a member of a plain query is one to a server that does not tell case, `_` and `-`.
    #[inline]
    fn is_alike(&self, pair: &[u8]) -> bool {
        let mut letters = self.letters.bytes();
        let name = pair.iter().take_while(|byte| **byte != b'=');
        let mut name = name.filter(|byte| !matches!(byte, b'_' | b'-'));
        name.all(|byte| letters.next() == Some(byte.to_ascii_lowercase()))
            && letters.next().is_none()
    }
}

/// Not zero for a byte of a query that has a meaning, but for those that divide members.
#[inline]
fn is_other(byte: u8) -> u8 {
    (byte & 0x80)
        | u8::from(byte == b'#')
        | u8::from(byte == b'%')
        | u8::from(byte == b'+')
        | u8::from(byte == b';')
}

/// The members of a query that are left.
pub(super) struct Members<'q> {
    rest: &'q str,
}

impl<'q> Iterator for Members<'q> {
    type Item = Result<(Cow<'q, str>, Cow<'q, str>), Refused<'static>>;

    fn next(&mut self) -> Option<Self::Item> {
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

#[cfg(test)]
mod tests;
