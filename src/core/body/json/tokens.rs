//! Tokens that are whole in the bytes at hand, which most are: read at once instead of byte by byte.

use super::text::plain;
use super::{MAX_DEPTH, Reader, State};
use crate::body::{BodyError, Use};

type Rest<'b> = Result<&'b [u8], BodyError>;

/// What comes of a look at a token.
enum Token<'b> {
    /// It is read: what follows it.
    Read(&'b [u8]),
    /// It is not whole, or not plain: it is read byte by byte.
    Other,
}

impl Reader<'_> {
    /// Reads tokens, for as long as they are whole and plain: what follows them.
    pub(super) fn tokens<'b>(&mut self, mut rest: &'b [u8]) -> Rest<'b> {
        loop {
            if self.state.is_within() {
                return Ok(rest);
            }
            rest = blank(rest);
            if rest.is_empty() {
                return Ok(rest);
            }
            if usize::try_from(self.depth).is_ok_and(|depth| depth > self.way.len()) {
                let before = rest.len();
                rest = self.skip(rest)?;
                if rest.len() < before {
                    continue;
                }
            } else {
                // Behind a value mostly a name comes.
                if let [b',', after @ ..] = rest
                    && self.state == State::After
                    && self.objects & 1 == 1
                {
                    self.state = State::Name;
                    rest = after;
                    continue;
                }
                if let [b'"' | b'-' | b'0'..=b'9', ..] = rest
                    && let Token::Read(after) = self.token(rest)?
                {
                    rest = after;
                    continue;
                }
            }
            let [byte, after @ ..] = rest else { return Ok(rest) };
            self.byte(*byte)?;
            rest = after;
        }
    }

    /// Reads a token where it may be wanted.
    fn token<'b>(&mut self, rest: &'b [u8]) -> Result<Token<'b>, BodyError> {
        match (self.state, rest) {
            (State::Name | State::FirstName, [b'"', behind @ ..]) => {
                let Some((name, after)) = text(behind) else { return Ok(Token::Other) };
                (self.next, self.is_other) = (None, false);
                if let Some(at) = self.level().map(|level| level.at) {
                    if name.len() > self.extract.room() {
                        return Err(BodyError::TooLarge);
                    }
                    let wanted = self.wanted;
                    let (may_be, others) = (wanted.may_be_of(at, name), wanted.wants_others());
                    let exactly = || wanted.exactly(at, name);
                    match (may_be && !others).then(exactly).flatten() {
                        Some((member, place)) => self.member(member, place)?,
                        None if may_be || others => self.name(plain_text(name)?)?,
                        None => {}
                    }
                }
                let after = match after {
                    [b':', after @ ..] => {
                        self.state = State::Value;
                        after
                    }
                    after => {
                        self.state = State::Colon;
                        after
                    }
                };
                Ok(Token::Read(after))
            }
            (State::Value | State::First, [b'"', behind @ ..]) => {
                let Some((value, after)) = text(behind) else { return Ok(Token::Other) };
                self.expect_scalar()?;
                if self.wants_value() {
                    if value.len() > self.extract.room() {
                        return Err(BodyError::TooLarge);
                    }
                    self.found(Some(plain_text(value)?))?;
                } else {
                    self.found(None)?;
                }
                self.end_value();
                Ok(Token::Read(after))
            }
            (State::Value | State::First, [b'-' | b'0'..=b'9', ..]) if !self.wants_value() => {
                let Some(after) = number(rest) else { return Ok(Token::Other) };
                self.expect_scalar()?;
                self.found(None)?;
                self.end_value();
                Ok(Token::Read(after))
            }
            _ => Ok(Token::Other),
        }
    }

    /// Whether the value that comes is wanted itself.
    fn wants_value(&self) -> bool {
        let selected = self.next.and_then(|at| self.wanted.selected(at));
        matches!(selected, Some((_, Use::Value)))
    }

    /// Reads what lies in an array or object of which nothing is wanted, up to its end or to what is not
    /// plain.
    fn skip<'b>(&mut self, mut rest: &'b [u8]) -> Rest<'b> {
        let floor = u32::try_from(self.way.len()).unwrap_or(u32::MAX);
        let (mut state, mut depth, mut objects) = (self.state, self.depth, self.objects);
        while let [byte, after @ ..] = rest {
            let is_object = objects & 1 == 1;
            // Behind a value: mostly the next one.
            let next = |after: &'b [u8]| match after {
                [b',', after @ ..] => (if is_object { State::Name } else { State::Value }, after),
                after => (State::After, after),
            };
            (state, rest) = match (state, *byte) {
                (_, b' ' | b'\t' | b'\n' | b'\r') => (state, blank(after)),
                (State::After, b',') => next(rest),
                (State::Name | State::FirstName, b'"') => match behind_text(after) {
                    Some([b':', after @ ..]) => (State::Value, after),
                    Some(after) => (State::Colon, after),
                    None => break,
                },
                (State::Colon, b':') => (State::Value, after),
                (State::Value | State::First, b'"') => match behind_text(after) {
                    Some(after) => next(after),
                    None => break,
                },
                (State::Value | State::First, b'-' | b'0'..=b'9') => match number(rest) {
                    Some(after) => next(after),
                    None => break,
                },
                (State::Value | State::First, b'{' | b'[') => {
                    if depth >= MAX_DEPTH {
                        return Err(BodyError::Malformed);
                    }
                    depth = depth.saturating_add(1);
                    objects = objects << 1 | u64::from(*byte == b'{');
                    (if *byte == b'{' { State::FirstName } else { State::First }, after)
                }
                (State::After | State::FirstName, b'}') if is_object => {
                    (depth, objects) = (depth.saturating_sub(1), objects >> 1);
                    (State::After, after)
                }
                (State::After | State::First, b']') if !is_object => {
                    (depth, objects) = (depth.saturating_sub(1), objects >> 1);
                    (State::After, after)
                }
                (State::Value | State::First, _) => match word(rest) {
                    Some(after) => next(after),
                    None => break,
                },
                _ => return Err(BodyError::Malformed),
            };
            if depth == floor {
                break;
            }
        }
        (self.state, self.depth, self.objects) = (state, depth, objects);
        if depth == 0 {
            self.state = State::Done;
        }
        Ok(rest)
    }
}

impl State {
    /// Whether it is within a token.
    pub(super) const fn is_within(self) -> bool {
        matches!(
            self,
            Self::Text { .. }
                | Self::Escape { .. }
                | Self::Hex { .. }
                | Self::Number(_)
                | Self::Word(..)
        )
    }
}

/// Behind white space.
#[inline]
fn blank(mut rest: &[u8]) -> &[u8] {
    const SPACES: u64 = u64::from_le_bytes([b' '; 8]);
    while let [b' ' | b'\t' | b'\n' | b'\r', after @ ..] = rest {
        rest = after;
        // Most of it is spaces.
        while let Some(eight) = rest.first_chunk() {
            let others = u64::from_le_bytes(*eight) ^ SPACES;
            let spaces = usize::try_from(others.trailing_zeros() >> 3).unwrap_or(0);
            rest = rest.get(spaces..).unwrap_or_default();
            if spaces < 8 {
                break;
            }
        }
    }
    rest
}

/// What follows a text of plain letters, from behind its quotation mark on.
#[inline]
fn behind_text(behind: &[u8]) -> Option<&[u8]> {
    match behind.get(plain(behind)..)? {
        [b'"', after @ ..] => Some(after),
        _ => None,
    }
}

/// A text of plain letters behind its quotation mark, and what follows it.
#[inline]
fn text(behind: &[u8]) -> Option<(&[u8], &[u8])> {
    let (text, rest) = behind.split_at_checked(plain(behind))?;
    match rest {
        [b'"', after @ ..] => Some((text, after)),
        _ => None,
    }
}

fn plain_text(text: &[u8]) -> Result<&str, BodyError> {
    core::str::from_utf8(text).map_err(|_| BodyError::Malformed)
}

/// What follows a number without an exponent, of which the end is there.
#[inline]
fn number(rest: &[u8]) -> Option<&[u8]> {
    let digits = match rest {
        [b'-', digits @ ..] => digits,
        digits => digits,
    };
    let rest = match digits {
        [b'0', rest @ ..] => rest,
        digits => behind_digits(digits)?,
    };
    let rest = match rest {
        [b'.', fraction @ ..] => behind_digits(fraction)?,
        rest => rest,
    };
    match rest {
        [] | [b'0'..=b'9' | b'.' | b'e' | b'E', ..] => None,
        rest => Some(rest),
    }
}

/// What follows at least one digit.
#[inline]
fn behind_digits(digits: &[u8]) -> Option<&[u8]> {
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits.get(count..).filter(|_| count > 0)
}

/// What follows `true`, `false` or `null`.
fn word(rest: &[u8]) -> Option<&[u8]> {
    let words: [&[u8]; 3] = [b"true", b"false", b"null"];
    words.iter().find_map(|word| rest.strip_prefix(*word))
}
