//! Tokens that are whole in the bytes at hand, which most are: read at once instead of byte by byte.

use super::text::plain;
use super::{Read, Reader, Rest, State};
use crate::body::{BodyError, Use};

impl Reader<'_> {
    /// Reads tokens, up to one that is not whole or not plain: what follows.
    pub(super) fn tokens<'b>(&mut self, mut rest: &'b [u8]) -> Rest<'b> {
        while !self.state.is_within() {
            rest = blank(rest);
            let [byte, behind @ ..] = rest else { break };
            let mut after = rest;
            if matches!(self.state, State::Name | State::FirstName) {
                after = self.name_that_comes(after)?;
            }
            if matches!(self.state, State::Value | State::First) {
                after = self.value_that_comes(after)?;
            }
            if self.state == State::After
                && let [byte, behind @ ..] = blank(after)
            {
                self.after(*byte)?;
                after = behind;
            }
            rest = if after.len() < rest.len() {
                after
            } else {
                self.byte(*byte)?;
                behind
            };
        }
        Ok(rest)
    }

    /// Reads a name and its colon.
    fn name_that_comes<'b>(&mut self, rest: &'b [u8]) -> Rest<'b> {
        let Some((name, after)) = text(rest) else { return Ok(rest) };
        self.plain_name(name)?;
        match blank(after) {
            [b':', rest @ ..] => {
                self.state = State::Value;
                Ok(blank(rest))
            }
            rest => {
                self.state = State::Colon;
                Ok(rest)
            }
        }
    }

    /// Reads a value: a scalar, or anything of which nothing is wanted.
    fn value_that_comes<'b>(&mut self, rest: &'b [u8]) -> Rest<'b> {
        if self.state == State::Value && self.next.is_none() && !self.is_other {
            return Ok(self.skip(rest));
        }
        let (value, after) = match rest {
            [b'"', ..] => match text(rest) {
                Some((value, after)) => (Some(value), after),
                None => return Ok(rest),
            },
            [byte @ (b'{' | b'['), inside @ ..] => {
                self.open(*byte == b'{')?;
                return Ok(inside);
            }
            [b'-' | b'0'..=b'9', ..] if !self.wants_value() => match behind_number(rest) {
                Some(after) => (None, after),
                None => return Ok(rest),
            },
            _ => return Ok(rest),
        };
        self.expect_scalar()?;
        self.found(value)?;
        self.end_value();
        Ok(after)
    }

    /// A name was read, which holds no escape.
    fn plain_name(&mut self, name: &[u8]) -> Read {
        (self.next, self.is_other) = (None, false);
        let Some(at) = self.level().map(|level| level.at) else { return Ok(()) };
        if name.len() > self.kept.room() {
            return Err(BodyError::TooLarge);
        }
        if !self.wanted.ends(at).may_be_of(name) {
            return Ok(());
        }
        match self.wanted.exactly(at, name) {
            Some((member, place)) if !self.wanted.wants_others() => self.member(member, place),
            _ => self.name(plain_text(name)?),
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
        [b'!'..=0xff, ..] | [] => rest,
        // Mostly it is one space.
        [b' ', after @ ..] if after.first().is_some_and(|byte| *byte > b' ') => after,
        _ => behind_blank(rest),
    }
}

#[inline(never)]
pub(super) fn behind_blank(mut rest: &[u8]) -> &[u8] {
    const SPACES: u64 = u64::from_le_bytes([b' '; 8]);
    while let [b' ' | b'\t' | b'\n' | b'\r', after @ ..] = rest {
        rest = after;
        // Most of it is spaces.
        while let Some((eight, after)) = rest.split_first_chunk() {
            let others = u64::from_le_bytes(*eight) ^ SPACES;
            if others != 0 {
                let spaces = usize::try_from(others.trailing_zeros() >> 3).unwrap_or(0);
                rest = rest.get(spaces..).unwrap_or_default();
                break;
            }
            rest = after;
        }
        if let [b'!'..=0xff, ..] = rest {
            break;
        }
    }
    rest
}

/// A text of plain letters, and what follows it.
#[inline]
pub(super) fn text(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let letters = rest.strip_prefix(b"\"")?;
    let (text, rest) = letters.split_at_checked(plain(letters))?;
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
