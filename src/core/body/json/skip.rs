//! Values of which nothing is wanted: passed at once, and as strictly as byte by byte.

use super::text::{behind_letters, behind_plain};
use super::tokens::{behind_blank, behind_number, behind_word, blank};
use super::{MAX_DEPTH, Reader, State};

/// What is left, and the arrays and objects that are open.
struct Skip<'b> {
    rest: &'b [u8],
    depth: usize,
    /// Of each level a bit: whether it is an object.
    objects: u64,
}

/// Whether a value comes, or what follows one; or the state in which bytes are to be looked at one by one:
/// what is malformed, not whole or not plain.
type Comes = Result<bool, State>;

impl Reader<'_> {
    /// Passes the value that comes, up to its end or to where it stops.
    pub(super) fn skip<'b>(&mut self, rest: &'b [u8]) -> &'b [u8] {
        let mut skip = Skip { rest, depth: self.depth, objects: self.objects };
        self.state = skip.pass(self.way.len());
        (self.depth, self.objects) = (skip.depth, skip.objects);
        if let State::Text { is_name } = self.state {
            self.begin_text(is_name);
        }
        skip.rest
    }
}

impl<'b> Skip<'b> {
    /// Passes values, up to the end of those that lie deeper than the floor.
    #[inline(always)]
    fn pass(&mut self, floor: usize) -> State {
        loop {
            let mut comes = self.value();
            while let Ok(false) = comes {
                if self.depth == floor {
                    return State::After;
                }
                comes = self.after();
            }
            if let Err(state) = comes {
                return state;
            }
        }
    }

    /// Passes a scalar, or goes into an array or object.
    #[inline(always)]
    fn value(&mut self) -> Comes {
        self.rest = match self.rest {
            [b'"', letters @ ..] => match behind_letters(letters) {
                [b'"', rest @ ..] => rest,
                rest => return self.stop(State::Text { is_name: false }, rest),
            },
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
        match (self.rest, self.objects & 1 == 1) {
            ([b',', rest @ ..], true) => self.name(blank(rest)),
            ([b',', rest @ ..], false) => {
                self.rest = rest;
                Ok(true)
            }
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

    /// Passes a name and its colon.
    #[inline(always)]
    fn name(&mut self, rest: &'b [u8]) -> Comes {
        let [b'"', letters @ ..] = rest else { return self.stop(State::Name, rest) };
        match behind_plain(letters) {
            [b'"', b':', rest @ ..] => self.rest = rest,
            [b'"', rest @ ..] => match blank(rest) {
                [b':', rest @ ..] => self.rest = rest,
                rest => return self.stop(State::Colon, rest),
            },
            rest => return self.stop(State::Text { is_name: true }, rest),
        }
        Ok(true)
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
