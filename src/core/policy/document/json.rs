//! The events of a document of JSON (RFC 8259).

use std::borrow::Cow;

use super::event::{Event, Word};
use super::fault::{At, Fault};
use crate::text::json::is_number;

/// A document of JSON, read from its beginning.
pub(super) struct Json<'t> {
    text: &'t str,
    /// The next byte.
    next: usize,
    /// Where the place of `counted` is.
    at: At,
    /// The byte up to which lines and columns are counted.
    counted: usize,
    /// Of each open list or map, whether it is a map.
    open: Vec<bool>,
    state: State,
}

/// What may come next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// A value.
    Value,
    /// An item or the end of a list.
    ItemOrEnd,
    /// A name.
    Name,
    /// A name or the end of a map.
    NameOrEnd,
    /// A comma, or the end of a list or a map.
    CommaOrEnd,
    /// Nothing.
    End,
}

impl<'t> Json<'t> {
    /// Whether a text begins as an object of JSON does.
    pub(super) fn begins(text: &str) -> bool {
        let inside = text.trim_start_matches(is_blank).strip_prefix('{');
        inside.is_some_and(|it| it.trim_start_matches(is_blank).starts_with(['"', '}']))
    }

    pub(super) fn new(text: &'t str) -> Self {
        let (at, open) = (At::START, Vec::new());
        Self { text, next: 0, at, counted: 0, open, state: State::Value }
    }

    /// The next event.
    ///
    /// # Errors
    ///
    /// The text is no JSON.
    pub(super) fn next(&mut self) -> Result<(Event<'t>, At), Fault> {
        loop {
            self.next =
                self.text.len().saturating_sub(self.rest().trim_start_matches(is_blank).len());
            let at = self.here();
            let first = self.rest().chars().next();
            let event = match (self.state, first) {
                (State::End, None) => Event::End,
                (State::CommaOrEnd, Some(',')) => {
                    self.take(1);
                    self.state = if self.is_in_map() { State::Name } else { State::Value };
                    continue;
                }
                (State::ItemOrEnd | State::CommaOrEnd, Some(']')) if !self.is_in_map() => {
                    self.close(Event::ListEnd)
                }
                (State::NameOrEnd | State::CommaOrEnd, Some('}')) if self.is_in_map() => {
                    self.close(Event::MapEnd)
                }
                (State::Name | State::NameOrEnd, Some('"')) => {
                    let text = self.string(at)?;
                    self.take(
                        self.rest()
                            .len()
                            .saturating_sub(self.rest().trim_start_matches(is_blank).len()),
                    );
                    if !self.rest().starts_with(':') {
                        return Err(self.fault("a colon is missing behind the name"));
                    }
                    self.take(1);
                    self.state = State::Value;
                    Event::Word(Word { at, text, is_quoted: true })
                }
                (State::Value | State::ItemOrEnd, Some(first)) => self.value(first, at)?,
                (_, None) => return Err(self.fault("the document ends too early")),
                (State::End, _) => return Err(self.fault("a policy is one document")),
                (State::CommaOrEnd, _) => return Err(self.fault("a comma is missing")),
                (State::Name | State::NameOrEnd, _) => {
                    return Err(self.fault("a name in quotes is missing"));
                }
            };
            return Ok((event, at));
        }
    }

    fn value(&mut self, first: char, at: At) -> Result<Event<'t>, Fault> {
        let event = match first {
            '{' | '[' => {
                self.take(1);
                self.open.push(first == '{');
                self.state = if first == '{' { State::NameOrEnd } else { State::ItemOrEnd };
                return Ok(if first == '{' { Event::Map } else { Event::List });
            }
            '"' => Event::Word(Word { at, text: self.string(at)?, is_quoted: true }),
            _ => {
                let end = |it: char| is_blank(it) || ",:[]{}\"".contains(it);
                let word = self.rest().split(end).next().unwrap_or_default();
                if !is_number(word) && !["true", "false", "null"].contains(&word) {
                    return Err(self.fault("this is no JSON: a text is in quotes"));
                }
                self.take(word.len());
                Event::Word(Word { at, text: Cow::Borrowed(word), is_quoted: false })
            }
        };
        self.ended();
        Ok(event)
    }

    /// Reads a string with its quotes.
    fn string(&mut self, at: At) -> Result<Cow<'t, str>, Fault> {
        self.take(1);
        let mut whole = String::new();
        loop {
            let rest = self.rest();
            let stops =
                |it: char| it == '"' || it == '\\' || it.is_ascii_control() && it != '\u{7f}';
            let end = rest.find(stops).ok_or_else(|| Fault::new(at, "this text has no end"))?;
            let (part, behind) = rest.split_at_checked(end).unwrap_or_default();
            self.take(end);
            if behind.starts_with('"') {
                self.take(1);
                if whole.is_empty() {
                    return Ok(Cow::Borrowed(part));
                }
                whole.push_str(part);
                return Ok(Cow::Owned(whole));
            }
            if !behind.starts_with('\\') {
                return Err(self.fault("a control character is written as an escape"));
            }
            whole.push_str(part);
            whole.push(self.escape()?);
        }
    }

    /// Reads an escape with its backslash.
    fn escape(&mut self) -> Result<char, Fault> {
        let letter = self.rest().as_bytes().get(1).copied().unwrap_or_default();
        let plain = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.fault("JSON has no such escape")),
        };
        self.take(2);
        Ok(plain)
    }

    /// Reads `\u....`, or two of them that are a pair of surrogates.
    fn unicode(&mut self) -> Result<char, Fault> {
        let unit = |text: &str, at: usize| {
            let end = at.checked_add(6)?;
            let digits = text.get(at..end)?.strip_prefix("\\u")?;
            let is_hex = digits.bytes().all(|it| it.is_ascii_hexdigit());
            if is_hex { u16::from_str_radix(digits, 16).ok() } else { None }
        };
        let units = [unit(self.rest(), 0), unit(self.rest(), 6)];
        let found = char::decode_utf16(units.into_iter().flatten()).next().and_then(Result::ok);
        let Some(letter) = found.filter(|_| units[0].is_some()) else {
            return Err(self.fault("this escape is no character"));
        };
        self.take(letter.len_utf16().saturating_mul(6));
        Ok(letter)
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.next..).unwrap_or_default()
    }

    const fn take(&mut self, bytes: usize) {
        self.next = self.next.saturating_add(bytes);
    }

    fn is_in_map(&self) -> bool {
        self.open.last() == Some(&true)
    }

    fn close(&mut self, event: Event<'t>) -> Event<'t> {
        self.take(1);
        self.open.pop();
        self.ended();
        event
    }

    const fn ended(&mut self) {
        self.state = if self.open.is_empty() { State::End } else { State::CommaOrEnd };
    }

    /// The place of the next byte.
    fn here(&mut self) -> At {
        for letter in self.text.get(self.counted..self.next).unwrap_or_default().chars() {
            if letter == '\n' {
                self.at = At { line: self.at.line.saturating_add(1), column: 1 };
            } else {
                self.at.column = self.at.column.saturating_add(1);
            }
        }
        self.counted = self.next;
        self.at
    }

    fn fault(&mut self, text: &str) -> Fault {
        Fault::new(self.here(), text)
    }
}

const fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}
