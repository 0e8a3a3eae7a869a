//! A JSON document (RFC 8259), checked whole while it is read in pieces.

mod number;
mod skip;
mod text;
mod tokens;
mod words;

use super::extract::Kept;
use super::wanted::At;
use super::{BodyError, Extract, Use, Wanted};

/// How deep arrays and objects may lie in each other.
const MAX_DEPTH: usize = 64;

/// Reads a document.
#[derive(Debug)]
pub(super) struct Reader<'w> {
    wanted: &'w Wanted,
    kept: Kept,
    state: State,
    /// How deep the next value lies.
    depth: usize,
    /// Of each level a bit: whether it is an object.
    objects: u64,
    /// The levels on the way to what is wanted, from the top on without a gap.
    way: Vec<Level>,
    /// The place of the next value, if it is on the way.
    next: Option<At>,
    /// The text that is being read, if it is needed.
    text: Vec<u8>,
    keeps: bool,
    /// Of a letter of UTF-8 that is not whole: how many bytes are missing, and which may come next.
    missing: u8,
    range: (u8, u8),
    /// The first half of a surrogate pair.
    high: Option<u16>,
    /// Whether the value that comes is of a member at the top that was not named.
    is_other: bool,
}

/// An array or an object on the way.
#[derive(Debug)]
struct Level {
    at: At,
    /// Bits of the wanted members that were there.
    seen: u64,
    is_top: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// A value comes.
    Value,
    /// A value or the end of the array.
    First,
    /// A name or the end of the object.
    FirstName,
    /// A name.
    Name,
    /// A colon.
    Colon,
    /// A comma or the end.
    After,
    /// Nothing but white space.
    Done,
    Text {
        is_name: bool,
    },
    Escape {
        is_name: bool,
    },
    /// Hexadecimal digits: how many were read, and their value.
    Hex {
        is_name: bool,
        digits: u8,
        value: u16,
    },
    Number(Number),
    /// How many letters of it were read.
    Word(Word, u8),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Word {
    True,
    False,
    Null,
}

/// What of a number was read last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Number {
    Minus,
    Zero,
    Digits,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

type Read = Result<(), BodyError>;

/// What follows what was read.
type Rest<'b> = Result<&'b [u8], BodyError>;

const MALFORMED: Read = Err(BodyError::Malformed);

impl<'w> Reader<'w> {
    pub(super) fn new(wanted: &'w Wanted) -> Self {
        Self {
            wanted,
            kept: Kept::new(wanted.places()),
            state: State::Value,
            depth: 0,
            objects: 0,
            way: Vec::new(),
            next: Some(Wanted::root()),
            text: Vec::new(),
            keeps: false,
            missing: 0,
            range: (0x80, 0xbf),
            high: None,
            is_other: false,
        }
    }

    pub(super) fn held(&self) -> usize {
        let way = self.way.capacity().saturating_mul(size_of::<Level>());
        self.kept.size().saturating_add(self.text.capacity()).saturating_add(way)
    }

    pub(super) fn into_extract(self) -> Result<Extract, BodyError> {
        self.kept.finish()
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) -> Read {
        let mut rest = bytes;
        while let [byte, after @ ..] = rest {
            rest = match self.state {
                State::Text { is_name } if self.missing == 0 && self.high.is_none() => {
                    self.letters(rest, is_name)?
                }
                state if state.is_within() => {
                    self.byte(*byte)?;
                    after
                }
                _ => self.tokens(rest)?,
            };
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Extract, BodyError> {
        // A number ends where the document does.
        if let State::Number(number) = self.state {
            self.end_number(number)?;
        }
        if self.state == State::Done { self.kept.finish() } else { Err(BodyError::Malformed) }
    }

    fn byte(&mut self, byte: u8) -> Read {
        match self.state {
            State::Text { is_name } => self.of_text(byte, is_name),
            State::Escape { is_name } => self.of_escape(byte, is_name),
            State::Hex { is_name, digits, value } => self.of_hex(byte, is_name, digits, value),
            State::Number(number) => self.of_number(byte, number),
            State::Word(word, read) => self.of_word(byte, word, read),
            _ if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => Ok(()),
            State::Value => self.value(byte),
            State::First if byte == b']' => self.close(),
            State::First => self.value(byte),
            State::FirstName if byte == b'}' => self.close(),
            State::FirstName | State::Name if byte == b'"' => {
                self.begin_text(true);
                Ok(())
            }
            State::Colon if byte == b':' => {
                self.state = State::Value;
                Ok(())
            }
            State::After => self.after(byte),
            State::FirstName | State::Name | State::Colon | State::Done => MALFORMED,
        }
    }

    fn value(&mut self, byte: u8) -> Read {
        match byte {
            b'"' => {
                self.expect_scalar()?;
                self.begin_text(false);
            }
            b'{' => self.open(true)?,
            b'[' => self.open(false)?,
            b'-' | b'0'..=b'9' => {
                self.expect_scalar()?;
                self.begin_text(false);
                let number = match byte {
                    b'-' => Number::Minus,
                    b'0' => Number::Zero,
                    _ => Number::Digits,
                };
                self.state = State::Number(number);
                self.keep(&[byte])?;
            }
            b't' => self.state = State::Word(Word::True, 1),
            b'f' => self.state = State::Word(Word::False, 1),
            b'n' => self.state = State::Word(Word::Null, 1),
            _ => return MALFORMED,
        }
        Ok(())
    }

    /// A scalar must not stand where something inside of a value is wanted.
    fn expect_scalar(&self) -> Read {
        let is_top = self.depth == 0 && self.wanted.wants_others();
        match self.next {
            Some(at)
                if is_top || self.wanted.has_members(at) || self.wanted.elements(at).is_some() =>
            {
                MALFORMED
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, is_object: bool) -> Read {
        if self.depth >= MAX_DEPTH {
            return MALFORMED;
        }
        if let Some(at) = self.next {
            let is_top = self.way.is_empty();
            let (members, elements) =
                (self.wanted.has_members(at), self.wanted.elements(at).is_some());
            // What is wanted inside of an object is not inside of an array, and the reverse.
            let others = is_top && self.wanted.wants_others();
            if (members || others) && !is_object || elements && is_object {
                return MALFORMED;
            }
            match self.wanted.selected(at) {
                Some((_, Use::Value)) => return MALFORMED,
                Some((place, Use::Presence)) => self.kept.set_there(place),
                None => {}
            }
            self.way.push(Level { at, seen: 0, is_top });
        }
        self.note_other();
        self.objects = self.objects << 1 | u64::from(is_object);
        self.depth = self.depth.saturating_add(1);
        if is_object {
            (self.state, self.next) = (State::FirstName, None);
        } else {
            self.state = State::First;
            self.set_next_element();
        }
        Ok(())
    }

    /// The level that is open, if it is on the way.
    fn level(&mut self) -> Option<&mut Level> {
        if self.depth == self.way.len() { self.way.last_mut() } else { None }
    }

    fn set_next_element(&mut self) {
        let at = self.level().map(|level| level.at);
        self.next = at.and_then(|at| self.wanted.elements(at));
    }

    fn close(&mut self) -> Read {
        if self.depth == self.way.len() {
            self.way.pop();
        }
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        self.end_value();
        Ok(())
    }

    fn end_value(&mut self) {
        self.state = if self.depth == 0 { State::Done } else { State::After };
        self.next = None;
    }

    const fn is_in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn after(&mut self, byte: u8) -> Read {
        match (byte, self.is_in_object()) {
            (b',', true) => self.state = State::Name,
            (b',', false) => {
                self.set_next_element();
                self.state = State::Value;
            }
            (b'}', true) | (b']', false) => return self.close(),
            _ => return MALFORMED,
        }
        Ok(())
    }

    fn begin_text(&mut self, is_name: bool) {
        self.text.clear();
        let is_wanted = |at| matches!(self.wanted.selected(at), Some((_, Use::Value)));
        self.keeps = match is_name {
            true => self.level().is_some(),
            false => self.next.is_some_and(is_wanted),
        };
        self.state = State::Text { is_name };
    }

    fn keep(&mut self, bytes: &[u8]) -> Read {
        if self.keeps {
            if self.text.len().saturating_add(bytes.len()) > self.kept.room() {
                return Err(BodyError::TooLarge);
            }
            self.text.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn end_name(&mut self) -> Read {
        self.state = State::Colon;
        self.next = None;
        if !self.keeps {
            return Ok(());
        }
        let text = core::mem::take(&mut self.text);
        let name = core::str::from_utf8(&text).map_err(|_| BodyError::Malformed)?;
        self.name(name)?;
        self.text = text;
        Ok(())
    }

    /// A member was named that is wanted, or is on the way to one.
    fn member(&mut self, member: At, place: usize) -> Read {
        let Some(level) = self.level() else { return Ok(()) };
        let bit = 1_u64.checked_shl(u32::try_from(place).unwrap_or(64)).unwrap_or(0);
        if level.seen & bit != 0 {
            return Err(BodyError::Ambiguous);
        }
        level.seen |= bit;
        self.next = Some(member);
        Ok(())
    }

    /// A name was read, which is on the way.
    fn name(&mut self, name: &str) -> Read {
        self.next = None;
        let wanted = self.wanted;
        let Some(level) = self.level() else { return Ok(()) };
        let (at, is_top) = (level.at, level.is_top);
        if wanted.ends(at).may_be_of(name.as_bytes()) {
            if wanted.is_alike(at, name) {
                return Err(BodyError::Ambiguous);
            }
            if let Some((member, place)) = wanted.member(at, name) {
                self.member(member, place)?;
            }
        }
        self.is_other = is_top && wanted.is_other(name);
        Ok(())
    }

    fn end_text(&mut self) -> Read {
        let text = core::mem::take(&mut self.text);
        self.found(Some(&text))?;
        self.text = text;
        self.end_value();
        Ok(())
    }

    /// A scalar that is not null was found, where `next` says.
    fn found(&mut self, value: Option<&[u8]>) -> Read {
        self.note_other();
        match self.next.and_then(|at| self.wanted.selected(at)) {
            Some((place, Use::Value)) => self.kept.keep(place, value.unwrap_or_default()),
            Some((place, Use::Presence)) => {
                self.kept.set_there(place);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The value that begins or ends is not null.
    fn note_other(&mut self) {
        if core::mem::take(&mut self.is_other) {
            self.kept.set_other();
        }
    }
}

#[cfg(test)]
mod tests;
