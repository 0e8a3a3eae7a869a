//! Values of which nothing is wanted: passed at once, and as strictly as byte by byte.

use core::convert::Infallible;

use super::text::{behind_letters, behind_plain};
use super::tokens::{behind_blank, behind_number, behind_word, blank, text};
use super::{MAX_DEPTH, Reader, State};
use crate::body::wanted::Ends;

/// What is left, and the arrays and objects that are open.
struct Skip<'b> {
    rest: &'b [u8],
    depth: usize,
    /// Of each level a bit: whether it is an object.
    objects: u64,
}

/// Where members may be wanted.
struct Floor {
    depth: usize,
    ends: Ends,
    /// The length of the longest name that may be read there.
    room: usize,
}

/// Whether a value comes, or what follows one; or the state in which bytes are to be looked at one by one:
/// what is malformed, not whole or not plain.
type Comes = Result<bool, State>;

impl Reader<'_> {
    /// Passes the value that comes and members behind it of which nothing is wanted either, up to where it
    /// stops.
    #[inline(never)]
    pub(super) fn skip<'b>(&mut self, rest: &'b [u8]) -> &'b [u8] {
        let floor = Floor {
            depth: self.way.len(),
            ends: self.way.last().map(|level| self.wanted.ends(level.at)).unwrap_or_default(),
            room: self.kept.room(),
        };
        let mut skip = Skip { rest, depth: self.depth, objects: self.objects };
        let Err(state) = skip.pass(&floor);
        self.state = state;
        (self.depth, self.objects) = (skip.depth, skip.objects);
        if let State::Text { is_name } = self.state {
            self.begin_text(is_name);
        }
        skip.rest
    }
}

impl Floor {
    /// Passes a name and its colon, if it is none that may be wanted.
    #[inline(never)]
    fn name<'b>(&self, rest: &'b [u8]) -> Option<&'b [u8]> {
        let (name, after) = text(rest)?;
        if self.ends.may_be_of(name) || name.len() > self.room {
            return None;
        }
        blank(after).strip_prefix(b":").map(blank)
    }
}

impl<'b> Skip<'b> {
    #[inline(always)]
    fn pass(&mut self, floor: &Floor) -> Result<Infallible, State> {
        loop {
            let mut is_value = self.value()?;
            while !is_value {
                is_value =
                    if self.depth > floor.depth { self.after()? } else { self.sibling(floor)? };
            }
        }
    }

    /// Passes a scalar, or goes into an array or object.
    #[inline(always)]
    fn value(&mut self) -> Comes {
        // Most values are texts.
        if let [b'"', letters @ ..] = self.rest {
            return match behind_letters(letters) {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    Ok(false)
                }
                rest => self.stop(State::Text { is_name: false }, rest),
            };
        }
        self.rest = match self.rest {
            [b'-' | b'0'..=b'9', ..] => behind_number(self.rest).ok_or(State::Value)?,
            [b'{', inside @ ..] if self.depth < MAX_DEPTH => {
                self.open(true);
                match blank(inside) {
                    [b'}', rest @ ..] => self.close(rest),
                    inside @ [b'"', ..] => return self.name(inside),
                    inside => return self.stop(State::FirstName, inside),
                }
            }
            [b'[', inside @ ..] if self.depth < MAX_DEPTH => {
                self.open(false);
                match blank(inside) {
                    [b']', rest @ ..] => self.close(rest),
                    [] => return self.stop(State::First, &[]),
                    inside => {
                        self.rest = inside;
                        return Ok(true);
                    }
                }
            }
            [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] => {
                self.rest = behind_blank(rest);
                return Ok(true);
            }
            _ => behind_word(self.rest).ok_or(State::Value)?,
        };
        Ok(false)
    }

    /// Goes on to the next value, or out of an array or object.
    #[inline(always)]
    fn after(&mut self) -> Comes {
        let is_object = self.objects & 1 == 1;
        // Mostly another value follows.
        if let [b',', rest @ ..] = self.rest {
            if is_object {
                return self.name(blank(rest));
            }
            self.rest = blank(rest);
            return Ok(true);
        }
        match (self.rest, is_object) {
            ([b'}', rest @ ..], true) | ([b']', rest @ ..], false) => {
                self.rest = self.close(rest);
                Ok(false)
            }
            ([b' ' | b'\t' | b'\n' | b'\r', rest @ ..], _) => {
                self.rest = behind_blank(rest);
                Ok(false)
            }
            _ => Err(State::After),
        }
    }

    /// Goes on to the next member on the way.
    #[inline(always)]
    fn sibling(&mut self, floor: &Floor) -> Comes {
        match (blank(self.rest), self.objects & 1 == 1) {
            ([b',', rest @ ..], true) => {
                let rest = blank(rest);
                match floor.name(rest) {
                    Some(rest) => {
                        self.rest = rest;
                        Ok(true)
                    }
                    None => self.stop(State::Name, rest),
                }
            }
            (rest, _) => self.stop(State::After, rest),
        }
    }

    /// Passes a name and its colon.
    #[inline(always)]
    fn name(&mut self, rest: &'b [u8]) -> Comes {
        let [b'"', letters @ ..] = rest else { return self.stop(State::Name, rest) };
        match behind_plain(letters) {
            [b'"', rest @ ..] => self.colon(rest),
            rest => self.stop(State::Text { is_name: true }, rest),
        }
    }

    #[inline(always)]
    fn colon(&mut self, rest: &'b [u8]) -> Comes {
        match blank(rest) {
            [b':', rest @ ..] => {
                self.rest = blank(rest);
                Ok(true)
            }
            rest => self.stop(State::Colon, rest),
        }
    }

    const fn stop(&mut self, state: State, rest: &'b [u8]) -> Comes {
        self.rest = rest;
        Err(state)
    }

    const fn open(&mut self, is_object: bool) {
        self.depth = self.depth.saturating_add(1);
        self.objects = self.objects << 1 | is_object as u64;
    }

    const fn close(&mut self, rest: &'b [u8]) -> &'b [u8] {
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        rest
    }
}
