//! A form with files (`multipart/form-data`, RFC 7578).
//!
//! Only what clients write is read: each part has a name of its own, and nothing is before the first
//! boundary or after the last. A boundary that does not begin a line is ambiguous, for some servers
//! divide parts at it.

use std::collections::BTreeSet;

use super::extract::Kept;
use super::form::NAME;
use super::{BodyError, Extract, Use, Wanted};
use delimiter::Delimiter;

mod delimiter;
mod head;

/// Parts of a body, and bytes of their names: each name may be there once.
const MAX_PARTS: usize = 1000;
const MAX_NAMES: usize = 64 * 1024;

/// Bytes of a boundary (RFC 2046 section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// What divides the parts of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Boundary {
    bytes: [u8; MAX_BOUNDARY],
    length: usize,
}

impl Boundary {
    /// `None` if it is no boundary, or has a space in it.
    pub fn new(text: &str) -> Option<Self> {
        let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
        let mut bytes = [0; MAX_BOUNDARY];
        if text.is_empty() || !text.bytes().all(is_of_it) {
            return None;
        }
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { bytes, length: text.len() })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Reads the parts.
#[derive(Debug)]
pub(super) struct Reader<'w> {
    wanted: &'w Wanted,
    kept: Kept,
    delimiter: Delimiter,
    state: State,
    /// The fields of the part that is being read.
    head: Vec<u8>,
    /// The names of the parts, and how many bytes they are.
    names: BTreeSet<Box<str>>,
    length: usize,
    /// The value of the part that is being read, and the place that wants it.
    value: Vec<u8>,
    place: Option<usize>,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The first boundary.
    First,
    /// What follows a boundary.
    Line,
    /// The end of the line of a boundary.
    LineFeed,
    /// The fields of a part.
    Head,
    /// The data of a part.
    Data,
    /// The second hyphen behind the last boundary.
    Dash,
    /// The end of the body, or of a line that ends it.
    Closed,
    Closing,
    End,
}

impl<'w> Reader<'w> {
    pub(super) fn new(boundary: &Boundary, wanted: &'w Wanted) -> Self {
        Self {
            wanted,
            kept: Kept::new(wanted.places()),
            delimiter: Delimiter::new(boundary),
            state: State::First,
            head: Vec::new(),
            names: BTreeSet::new(),
            length: 0,
            value: Vec::new(),
            place: None,
        }
    }

    pub(super) fn held(&self) -> usize {
        let names = self.length.saturating_add(self.names.len().saturating_mul(NAME));
        let texts = self.head.capacity().saturating_add(self.value.capacity());
        self.kept.size().saturating_add(texts).saturating_add(names)
    }

    pub(super) fn into_extract(self) -> Result<Extract, BodyError> {
        self.kept.finish()
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), BodyError> {
        let mut rest = bytes;
        while let [byte, after @ ..] = rest {
            rest = match self.state {
                State::Data => self.data(rest)?,
                State::Head => {
                    self.head(*byte)?;
                    after
                }
                state => {
                    self.state = self.line(state, *byte).ok_or(BodyError::Malformed)?;
                    after
                }
            };
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Extract, BodyError> {
        match self.state {
            State::Closed | State::End => self.kept.finish(),
            _ => Err(BodyError::Malformed),
        }
    }

    /// Reads on in the line of a boundary.
    fn line(&mut self, state: State, byte: u8) -> Option<State> {
        Some(match (state, byte) {
            (State::First, byte) => match self.delimiter.is_next(byte)? {
                true => State::Line,
                false => State::First,
            },
            (State::Line, b'-') => State::Dash,
            (State::Line, b'\r') => State::LineFeed,
            (State::LineFeed, b'\n') => {
                self.head.clear();
                State::Head
            }
            (State::Dash, b'-') => State::Closed,
            (State::Closed, b'\r') => State::Closing,
            (State::Closing, b'\n') => State::End,
            _ => return None,
        })
    }

    /// Reads on in the fields of a part.
    fn head(&mut self, byte: u8) -> Result<(), BodyError> {
        if self.head.len() >= head::MAX {
            return Err(BodyError::TooLarge);
        }
        self.head.push(byte);
        // Without any field there is no name.
        if *self.head == *b"\r\n" {
            return Err(BodyError::Malformed);
        }
        if self.head.ends_with(b"\r\n\r\n") {
            let head = core::mem::take(&mut self.head);
            let fields = head.strip_suffix(b"\r\n\r\n").unwrap_or_default();
            if self.delimiter.is_in(fields) {
                return Err(BodyError::Ambiguous);
            }
            self.part(&head::Part::read(fields)?)?;
            self.head = head;
            self.delimiter.begin();
            self.state = State::Data;
        }
        Ok(())
    }

    /// Begins a part.
    fn part(&mut self, part: &head::Part<'_>) -> Result<(), BodyError> {
        self.length = self.length.saturating_add(part.name.len());
        if self.names.len() >= MAX_PARTS || self.length > MAX_NAMES {
            return Err(BodyError::TooLarge);
        }
        let root = Wanted::root();
        if !self.names.insert(part.name.into()) || self.wanted.is_alike(root, part.name) {
            return Err(BodyError::Ambiguous);
        }
        if self.wanted.is_other(part.name) {
            self.kept.set_other();
        }
        self.value.clear();
        self.place = None;
        let Some((at, _)) = self.wanted.member(root, part.name) else { return Ok(()) };
        match self.wanted.selected(at) {
            Some((place, Use::Presence)) => self.kept.set_there(place),
            Some((place, Use::Value)) if !part.is_file && part.is_text => self.place = Some(place),
            // A file names nothing, and a part has no members.
            _ => return Err(BodyError::Malformed),
        }
        Ok(())
    }

    /// Reads on in the data of a part.
    fn data<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], BodyError> {
        let Self { delimiter, value, place, kept, .. } = self;
        // The line end before a boundary is of the boundary.
        let most = kept.room().saturating_add(2);
        let found = delimiter.find(bytes, &mut |data| {
            if place.is_some() {
                if value.len().saturating_add(data.len()) > most {
                    return Err(BodyError::TooLarge);
                }
                value.extend_from_slice(data);
            }
            Ok(())
        })?;
        let Some((rest, is_at_line)) = found else { return Ok(&[]) };
        if !is_at_line {
            return Err(BodyError::Ambiguous);
        }
        if let Some(place) = place.take() {
            let value = value.strip_suffix(b"\r\n").ok_or(BodyError::Malformed)?;
            let value = core::str::from_utf8(value).map_err(|_| BodyError::Malformed)?;
            kept.keep(place, value.as_bytes())?;
        }
        self.state = State::Line;
        Ok(rest)
    }
}

#[cfg(test)]
mod tests;
