//! The one pass over the bytes of a document: checks them, and notes where each value is.

use std::borrow::Cow;
use std::collections::HashSet;

use super::document::{Document, Kind, Node};
use super::plain::plain;
use super::{JsonError, MAX_DEPTH};

impl<'d> Document<'d> {
    /// Reads one whole document.
    ///
    /// # Errors
    ///
    /// As [`super::parse`].
    pub fn parse(bytes: &'d [u8]) -> Result<Self, JsonError> {
        read(bytes)
    }
}

/// Reads one whole document.
pub(super) fn read(bytes: &[u8]) -> Result<Document<'_>, JsonError> {
    // Text before the first byte that is no UTF-8 is read first, so its faults come first too.
    let text = core::str::from_utf8(bytes);
    let valid = text.or_else(|error| {
        core::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default())
    });
    let valid = valid.unwrap_or_default();
    let mut reader = Reader {
        text: valid,
        bytes: valid.as_bytes(),
        at: 0,
        unescaped: String::new(),
        nodes: Vec::with_capacity(valid.len() / 8),
        many: HashSet::new(),
    };
    let read = if u32::try_from(bytes.len()).is_ok() { reader.whole() } else { Err(Fault::Syntax) };
    let read = read.and_then(|()| text.map(drop).map_err(|_| Fault::Syntax));
    match read {
        Ok(()) => Ok(Document::new(valid, reader.unescaped, reader.nodes)),
        Err(fault) => Err(fault.at(bytes, reader.at)),
    }
}

enum Fault {
    Duplicate,
    Syntax,
    TooDeep,
}

impl Fault {
    /// Names the place of the byte before `at`, and of that one for a fault of syntax.
    fn at(self, bytes: &[u8], at: usize) -> JsonError {
        let at = at.saturating_add(usize::from(matches!(self, Self::Syntax))).min(bytes.len());
        let before = bytes.get(..at).unwrap_or_default();
        let start = memchr::memrchr(b'\n', before).map_or(0, |end| end.saturating_add(1));
        let line = memchr::memchr_iter(b'\n', before).count().saturating_add(1);
        let column = at.saturating_sub(start);
        match self {
            Self::Duplicate => JsonError::Duplicate { line, column },
            Self::Syntax => JsonError::Syntax { line, column },
            Self::TooDeep => JsonError::TooDeep { line, column },
        }
    }
}

struct Reader<'d> {
    text: &'d str,
    bytes: &'d [u8],
    at: usize,
    /// The texts that are written with escapes, without them.
    unescaped: String,
    nodes: Vec<Node>,
    /// The names in objects that have more than [`FEW`], by the object.
    many: HashSet<(usize, Cow<'d, str>)>,
}

/// How many names are compared one by one.
const FEW: usize = 16;

/// The first names in an object: what they look like, and which node each is.
#[derive(Default)]
struct Names {
    count: usize,
    looks: [usize; FEW],
    nodes: [usize; FEW],
}

impl Reader<'_> {
    fn whole(&mut self) -> Result<(), Fault> {
        self.value(MAX_DEPTH)?;
        if self.peek().is_some() { Err(Fault::Syntax) } else { Ok(()) }
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.step(),
                other => return other,
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return Err(Fault::Syntax);
        }
        self.step();
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "a document has less than 4 GB")]
    fn note(&mut self, kind: Kind, start: usize, end: usize) {
        self.nodes.push(Node { kind, start: start as u32, end: end as u32 });
    }

    /// Reads a value, in which as many levels may open as there is `room` for.
    fn value(&mut self, room: usize) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.object(room),
            Some(b'[') => self.array(room),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'f') => self.word("false", Kind::False),
            Some(b'n') => self.word("null", Kind::Null),
            Some(b't') => self.word("true", Kind::True),
            _ => Err(Fault::Syntax),
        }
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<(), Fault> {
        let (start, end) = (self.at, self.at.saturating_add(word.len()));
        if self.text.get(start..end) != Some(word) {
            return Err(Fault::Syntax);
        }
        self.note(kind, start, end);
        self.at = end;
        Ok(())
    }

    fn object(&mut self, room: usize) -> Result<(), Fault> {
        self.step();
        let room = room.checked_sub(1).ok_or(Fault::TooDeep)?;
        let whole = self.nodes.len();
        self.note(Kind::Object, 0, 0);
        let mut names = Names::default();
        if self.peek() == Some(b'}') {
            self.step();
            return self.close(whole);
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(Fault::Syntax);
            }
            let name = self.nodes.len();
            self.string()?;
            if self.is_known(whole, name, &mut names) {
                return Err(Fault::Duplicate);
            }
            self.expect(b':')?;
            self.value(room)?;
            if self.is_last(b'}')? {
                return self.close(whole);
            }
        }
    }

    fn array(&mut self, room: usize) -> Result<(), Fault> {
        self.step();
        let room = room.checked_sub(1).ok_or(Fault::TooDeep)?;
        let whole = self.nodes.len();
        self.note(Kind::Array, 0, 0);
        if self.peek() == Some(b']') {
            self.step();
            return self.close(whole);
        }
        loop {
            self.value(room)?;
            if self.is_last(b']')? {
                return self.close(whole);
            }
        }
    }

    /// Whether what was just read is the last, and not followed by a comma.
    fn is_last(&mut self, end: u8) -> Result<bool, Fault> {
        let is_last = match self.peek() {
            Some(b',') => false,
            Some(byte) if byte == end => true,
            _ => return Err(Fault::Syntax),
        };
        self.step();
        Ok(is_last)
    }

    /// Notes where the nodes inside of an array or an object end.
    #[expect(clippy::cast_possible_truncation, reason = "each node is a byte at least")]
    fn close(&mut self, whole: usize) -> Result<(), Fault> {
        let end = self.nodes.len() as u32;
        self.nodes.get_mut(whole).ok_or(Fault::Syntax)?.end = end;
        Ok(())
    }

    /// Whether the object has that name already; else it has it from now on.
    fn is_known(&mut self, whole: usize, name: usize, names: &mut Names) -> bool {
        let text = self.text_of(name);
        if let (Some(look), Some(node)) =
            (names.looks.get_mut(names.count), names.nodes.get_mut(names.count))
        {
            (*look, *node) = (look_of(text), name);
            let look = *look;
            let (looks, nodes) = (names.looks.iter(), names.nodes.iter());
            let mut before = looks.zip(nodes).take(names.count);
            names.count = names.count.saturating_add(1);
            return before.any(|(known, at)| *known == look && self.text_of(*at) == text);
        }
        if names.count == FEW {
            names.count = names.count.saturating_add(1);
            for at in names.nodes {
                let first = self.name(at);
                self.many.insert((whole, first));
            }
        }
        let text = self.name(name);
        !self.many.insert((whole, text))
    }

    fn text_of(&self, node: usize) -> &str {
        let node = self.nodes.get(node);
        node.and_then(|node| node.text(self.text, &self.unescaped)).unwrap_or_default()
    }

    fn string(&mut self) -> Result<(), Fault> {
        self.step();
        let start = self.at;
        self.at = plain(self.bytes, start);
        match self.byte() {
            Some(b'"') => {
                self.note(Kind::Text, start, self.at);
                self.step();
                Ok(())
            }
            Some(b'\\') => self.escaped(start),
            _ => Err(Fault::Syntax),
        }
    }

    /// Reads the rest of a text that has escapes in it.
    fn escaped(&mut self, mut start: usize) -> Result<(), Fault> {
        let begin = self.unescaped.len();
        loop {
            let end = plain(self.bytes, self.at);
            self.at = end;
            self.unescaped.push_str(self.text.get(start..end).unwrap_or_default());
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {}
                _ => return Err(Fault::Syntax),
            }
            self.step();
            let escaped = self.escape()?;
            self.unescaped.push(escaped);
            start = self.at;
        }
        self.note(Kind::Unescaped, begin, self.unescaped.len());
        self.step();
        Ok(())
    }

    /// The rest of an escape, after its backslash.
    fn escape(&mut self) -> Result<char, Fault> {
        let byte = self.byte().ok_or(Fault::Syntax)?;
        self.step();
        Ok(match byte {
            b'"' | b'/' | b'\\' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.hex()?;
                if !(0xD800..0xDC00).contains(&unit) {
                    // A low surrogate that follows no high one is no character.
                    return char::from_u32(unit.into()).ok_or(Fault::Syntax);
                }
                for byte in *b"\\u" {
                    if self.byte() != Some(byte) {
                        return Err(Fault::Syntax);
                    }
                    self.step();
                }
                let pair = char::decode_utf16([unit, self.hex()?]).next();
                pair.and_then(Result::ok).ok_or(Fault::Syntax)?
            }
            _ => return Err(Fault::Syntax),
        })
    }

    fn hex(&mut self) -> Result<u16, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit << 4 | digit.and_then(|it| u16::try_from(it).ok()).ok_or(Fault::Syntax)?;
            self.step();
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.step();
        }
        if self.byte() == Some(b'0') {
            self.step();
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        let has_exponent = matches!(self.byte(), Some(b'e' | b'E'));
        if has_exponent {
            self.step();
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.step();
            }
            self.digits()?;
        }
        if has_exponent || self.at.saturating_sub(start) > SURELY_FINITE {
            let number = self.text.get(start..self.at).and_then(|text| text.parse::<f64>().ok());
            if !number.is_some_and(f64::is_finite) {
                return Err(Fault::Syntax);
            }
        }
        self.note(Kind::Number, start, self.at);
        Ok(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.step();
        }
        if self.at == start { Err(Fault::Syntax) } else { Ok(()) }
    }
}

impl<'d> Reader<'d> {
    /// A name, which is borrowed from the document unless it has escapes.
    fn name(&self, node: usize) -> Cow<'d, str> {
        let node = self.nodes.get(node);
        let plain = node.and_then(|node| node.text(self.text, ""));
        plain.map_or_else(
            || {
                let text = node.and_then(|node| node.text("", &self.unescaped));
                Cow::Owned(text.unwrap_or_default().to_owned())
            },
            Cow::Borrowed,
        )
    }
}

/// How many bytes a number without exponent may have and be sure to fit in a double.
const SURELY_FINITE: usize = 300;

/// A mark that tells most names apart: how long they are, and how they begin and end.
fn look_of(name: &str) -> usize {
    let bytes = name.as_bytes();
    let end = |byte: Option<&u8>| byte.copied().map_or(0, usize::from);
    name.len() << 16 | end(bytes.first()) << 8 | end(bytes.last())
}
