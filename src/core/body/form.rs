//! A form (WHATWG URL, application/x-www-form-urlencoded).

use std::collections::BTreeSet;

use super::extract::Kept;
use super::{BodyError, Extract, Wanted};
use crate::text::escape::{self, EscapeError};

/// Reads a form: each name may be there once.
#[derive(Debug)]
pub(super) struct Reader<'w> {
    wanted: &'w Wanted,
    kept: Kept,
    /// The pair that is being read.
    pair: Vec<u8>,
    /// The names that were there, and how many bytes they are.
    names: BTreeSet<Box<str>>,
    length: usize,
}

/// Bytes of the longest pair: no wanted name is longer.
const MAX_PAIR: usize = 64 * 1024;

/// What a name takes beside its text, about.
pub(super) const NAME: usize = 48;

/// How many names a form may hold, and bytes of them.
const MAX_NAMES: usize = 1000;
const MAX_LENGTH: usize = 64 * 1024;

impl<'w> Reader<'w> {
    pub(super) fn new(wanted: &'w Wanted) -> Self {
        Self {
            wanted,
            kept: Kept::new(wanted.places()),
            pair: Vec::new(),
            names: BTreeSet::new(),
            length: 0,
        }
    }

    pub(super) fn held(&self) -> usize {
        let names = self.length.saturating_add(self.names.len().saturating_mul(NAME));
        self.kept.size().saturating_add(self.pair.capacity()).saturating_add(names)
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), BodyError> {
        for (place, piece) in bytes.split(|byte| *byte == b'&').enumerate() {
            if place > 0 {
                self.end()?;
            }
            if self.pair.len().saturating_add(piece.len()) > MAX_PAIR {
                return Err(BodyError::TooLarge);
            }
            self.pair.extend_from_slice(piece);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Extract, BodyError> {
        self.end()?;
        self.kept.finish()
    }

    fn end(&mut self) -> Result<(), BodyError> {
        let pair = core::mem::take(&mut self.pair);
        if pair.is_empty() {
            return Ok(());
        }
        // Some servers divide pairs by it.
        if pair.contains(&b';') {
            return Err(BodyError::Ambiguous);
        }
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = decode(parts.next().unwrap_or_default())?;
        let value = decode(parts.next().unwrap_or_default())?;
        let root = Wanted::root();
        if self.wanted.is_alike(root, &name) {
            return Err(BodyError::Ambiguous);
        }
        if self.wanted.is_other(&name) {
            self.kept.set_other();
        }
        let member = self.wanted.member(root, &name);
        self.length = self.length.saturating_add(name.len());
        if !self.names.insert(name.into()) {
            return Err(BodyError::Ambiguous);
        }
        if self.names.len() > MAX_NAMES || self.length > MAX_LENGTH {
            return Err(BodyError::TooLarge);
        }
        match member.map(|(at, _)| self.wanted.selected(at)) {
            None => Ok(()),
            Some(Some((place, _))) => self.kept.keep(place, value.as_bytes()),
            // A form has no members of members.
            Some(None) => Err(BodyError::Malformed),
        }
    }
}

impl From<EscapeError> for BodyError {
    fn from(_: EscapeError) -> Self {
        Self::Malformed
    }
}

fn decode(text: &[u8]) -> Result<String, BodyError> {
    escape::decode(text, true, |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use crate::body::{BodyError, Extract, Reader, Type, Use, Wanted};

    fn read(body: &str) -> Result<Extract, BodyError> {
        let wanted = Wanted::new(&[("/path", Use::Value)], Some(&["cause", "path"])).unwrap();
        let mut whole = Reader::new(Type::Form, &wanted);
        let result = whole.feed(body.as_bytes()).and_then(|()| whole.finish());
        let mut pieces = Reader::new(Type::Form, &wanted);
        let by_byte = body.as_bytes().chunks(1).try_for_each(|byte| pieces.feed(byte));
        assert_eq!(by_byte.and_then(|()| pieces.finish()), result);
        result
    }

    #[test]
    fn a_member_of_a_form_is_decoded() {
        let found = read("x=1&path=%2FShared%2Fa+b&cause=y").unwrap();
        assert_eq!((found.value(0, 0), found.has_other()), (Some("/Shared/a b"), true));
        assert!(!read("cause=x&path=a").unwrap().has_other());
        assert!(read("").unwrap().value(0, 0).is_none());
    }

    #[test]
    fn names_take_no_more_than_is_kept_of_a_body() {
        let names = |count, length| -> Vec<_> {
            (0..count).map(|number| format!("{number:0length$}=")).collect()
        };
        assert!(read(&names(1000, 64).join("&")).is_ok());
        assert_eq!(read(&names(1001, 4).join("&")), Err(BodyError::TooLarge));
        assert_eq!(read(&names(9, 8 * 1024).join("&")), Err(BodyError::TooLarge));
    }

    #[test]
    fn a_form_that_may_be_read_in_two_ways_is_refused() {
        for body in [
            "path=a&path=b",
            "x=1&x=1",
            "cause=a&cause=b",
            "Path=a",
            "pa-th=a&path=b",
            "path=a;b=c",
        ] {
            assert_eq!(read(body), Err(BodyError::Ambiguous), "{body}");
        }
        for body in ["path=%4", "path=%zz", "path=%ff"] {
            assert_eq!(read(body), Err(BodyError::Malformed), "{body}");
        }
    }
}
