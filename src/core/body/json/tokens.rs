//! Tokens that are whole in the bytes at hand, which most are: read at once instead of byte by byte.

use super::text::plain;
use super::{Read, Reader, Rest, State};
use crate::body::{BodyError, Use};

impl Reader<'_> {
    /// Reads tokens, for as long as they are whole and plain: what follows them.
    pub(super) fn tokens<'b>(&mut self, mut rest: &'b [u8]) -> Rest<'b> {
        while !self.state.is_within() {
            rest = blank(rest);
            let after = match self.state {
                // Nothing of it is wanted.
                State::Value if self.next.is_none() && !self.is_other => self.skip(rest),
                _ => self.token(rest)?,
            };
            rest = match rest {
                [byte, next @ ..] if after.len() == rest.len() => {
                    self.byte(*byte)?;
                    next
                }
                _ => after,
            };
            if rest.is_empty() {
                break;
            }
        }
        Ok(rest)
    }

    /// Reads a token that may be wanted, or nothing if it is not whole or not plain.
    fn token<'b>(&mut self, rest: &'b [u8]) -> Rest<'b> {
        match (self.state, rest) {
            (State::Name | State::FirstName, [b'"', behind @ ..]) => {
                let Some((name, after)) = text(behind) else { return Ok(rest) };
                self.plain_name(name)?;
                self.state = State::Colon;
                Ok(after)
            }
            (State::Colon, [b':', after @ ..]) => {
                self.state = State::Value;
                Ok(after)
            }
            (State::Value | State::First, [b'"', behind @ ..]) => {
                let Some((value, after)) = text(behind) else { return Ok(rest) };
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
                Ok(after)
            }
            (State::Value | State::First, [b'-' | b'0'..=b'9', ..]) if !self.wants_value() => {
                let Some(after) = behind_number(rest) else { return Ok(rest) };
                self.expect_scalar()?;
                self.found(None)?;
                self.end_value();
                Ok(after)
            }
            (State::After, [b',', after @ ..]) if self.objects & 1 == 1 => {
                self.state = State::Name;
                Ok(after)
            }
            _ => Ok(rest),
        }
    }

    /// A name was read, which holds no escape.
    fn plain_name(&mut self, name: &[u8]) -> Read {
        (self.next, self.is_other) = (None, false);
        let Some(at) = self.level().map(|level| level.at) else { return Ok(()) };
        if name.len() > self.extract.room() {
            return Err(BodyError::TooLarge);
        }
        let wanted = self.wanted;
        let (may_be, others) = (wanted.may_be_of(at, name), wanted.wants_others());
        let exactly = || wanted.exactly(at, name);
        match (may_be && !others).then(exactly).flatten() {
            Some((member, place)) => self.member(member, place),
            None if may_be || others => self.name(plain_text(name)?),
            None => Ok(()),
        }
    }

    /// Whether the value that comes is wanted itself.
    fn wants_value(&self) -> bool {
        let selected = self.next.and_then(|at| self.wanted.selected(at));
        matches!(selected, Some((_, Use::Value)))
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
#[inline(always)]
pub(super) fn blank(rest: &[u8]) -> &[u8] {
    match rest {
        [byte, ..] if *byte <= b' ' => behind_blank(rest),
        _ => rest,
    }
}

#[inline(never)]
pub(super) fn behind_blank(mut rest: &[u8]) -> &[u8] {
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
pub(super) fn behind_number(rest: &[u8]) -> Option<&[u8]> {
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
#[inline]
pub(super) const fn behind_word(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b't', b'r', b'u', b'e', rest @ ..]
        | [b'f', b'a', b'l', b's', b'e', rest @ ..]
        | [b'n', b'u', b'l', b'l', rest @ ..] => Some(rest),
        _ => None,
    }
}
