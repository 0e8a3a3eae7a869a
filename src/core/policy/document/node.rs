//! Pieces of a document with their places: one entry of a section at a time.

use std::borrow::Cow;
use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

/// A line and a column, from one on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct At {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// Something that is wrong, or that may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Where.
    pub at: At,
    /// What, and what to do.
    pub text: String,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}:{}: {}", self.at.line, self.at.column, self.text)
    }
}

impl Fault {
    pub(super) fn new(at: At, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }
}

/// A word with its place.
#[derive(Clone, Debug)]
pub(super) struct Word<'t> {
    pub(super) at: At,
    pub(super) text: Cow<'t, str>,
    /// Whether it was written in quotes.
    pub(super) is_quoted: bool,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Node<'t> {
    pub(super) at: At,
    pub(super) value: Value<'t>,
}

#[derive(Clone, Debug)]
pub(super) enum Value<'t> {
    Word(Word<'t>),
    List(Vec<Node<'t>>),
    Map(Vec<(Word<'t>, Node<'t>)>),
}

/// How deep lists and maps may lie in each other.
const MAX_DEPTH: usize = 8;

/// The events of a document, which holds no more than JSON can.
pub(super) struct Events<'t> {
    parser: Parser<'t, StrInput<'t>>,
    depth: usize,
}

type Found<'t> = Result<(Event<'t>, At), Fault>;

impl<'t> Events<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { parser: Parser::new_from_str(text), depth: 0 }
    }

    /// The next event; aliases, anchors and tags are refused.
    pub(super) fn next(&mut self) -> Found<'t> {
        let end = || Fault::new(At::default(), "the document ends too early");
        let (event, span) =
            self.parser.next().ok_or_else(end)?.map_err(|error| scan_fault(&error))?;
        let at = at(span);
        let (anchor, tag) = match &event {
            Event::Alias(_) => {
                return Err(Fault::new(at, "a policy has no aliases: write the value again"));
            }
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        if anchor != 0 || tag {
            return Err(Fault::new(at, "a policy has no anchors and no tags"));
        }
        Ok((event, at))
    }

    /// The value that an event begins.
    pub(super) fn value(&mut self, event: Event<'t>, at: At) -> Result<Node<'t>, Fault> {
        let value = match event {
            Event::Scalar(text, style, ..) => Value::Word(word(text, style, at)),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                self.deeper(at)?;
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, at) => items.push(self.value(event, at)?),
                    }
                }
                self.depth = self.depth.saturating_sub(1);
                Value::List(items)
            }
            Event::MappingStart(..) => {
                let mut members = Vec::new();
                let mut names = HashSet::new();
                self.deeper(at)?;
                while let Some(name) = self.name(&mut names)? {
                    let (event, at) = self.next()?;
                    members.push((name, self.value(event, at)?));
                }
                self.depth = self.depth.saturating_sub(1);
                Value::Map(members)
            }
            _ => return Err(Fault::new(at, "a value is missing")),
        };
        Ok(Node { at, value })
    }

    /// The next name of a map; `None` at its end. No name is there twice.
    pub(super) fn name(
        &mut self,
        names: &mut HashSet<Box<str>>,
    ) -> Result<Option<Word<'t>>, Fault> {
        match self.next()? {
            (Event::MappingEnd, _) => Ok(None),
            (Event::Scalar(text, style, ..), at) => {
                if text == "<<" && style == ScalarStyle::Plain {
                    return Err(Fault::new(at, "a policy has no merge keys"));
                }
                if !names.insert(Box::from(&*text)) {
                    return Err(Fault::new(at, format!("\"{text}\" is there twice")));
                }
                Ok(Some(word(text, style, at)))
            }
            (_, at) => Err(Fault::new(at, "a name is a text")),
        }
    }

    /// Leaves out the value that comes next.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let mut depth = 0_usize;
        loop {
            match self.next()?.0 {
                Event::SequenceStart(..) | Event::MappingStart(..) => {
                    depth = depth.saturating_add(1);
                }
                Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn deeper(&mut self, at: At) -> Result<(), Fault> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            Err(Fault::new(at, "the document is too deep"))
        } else {
            Ok(())
        }
    }
}

fn word(text: Cow<'_, str>, style: ScalarStyle, at: At) -> Word<'_> {
    Word { at, text, is_quoted: style != ScalarStyle::Plain }
}

fn at(span: Span) -> At {
    At { line: span.start.line(), column: span.start.col().saturating_add(1) }
}

fn scan_fault(error: &ScanError) -> Fault {
    let marker = error.marker();
    let at = At { line: marker.line(), column: marker.col().saturating_add(1) };
    Fault::new(at, format!("this is neither YAML nor JSON: {}", error.info()))
}

impl<'t> Word<'t> {
    /// The text in the place of a name.
    ///
    /// What YAML takes for a truth value or for nothing is refused without quotes.
    pub(super) fn name(&self) -> Result<&str, Fault> {
        let is_other = matches!(
            &*self.text,
            "" | "~"
                | "null"
                | "Null"
                | "NULL"
                | "true"
                | "True"
                | "TRUE"
                | "false"
                | "False"
                | "FALSE"
        );
        if !self.is_quoted && is_other {
            return Err(Fault::new(
                self.at,
                format!("\"{}\" is no name: put it in quotes if it is one", self.text),
            ));
        }
        if self.text.is_empty() {
            Err(Fault::new(self.at, "a name is not empty"))
        } else {
            Ok(&self.text)
        }
    }
}

impl<'t> Node<'t> {
    /// The word that it is.
    pub(super) fn word(&self) -> Result<&Word<'t>, Fault> {
        match &self.value {
            Value::Word(word) => Ok(word),
            _ => Err(Fault::new(self.at, "this is a text, and neither a list nor a map")),
        }
    }

    /// The name that it is.
    pub(super) fn name(&self) -> Result<&str, Fault> {
        self.word()?.name()
    }

    /// The items of the list that it is.
    pub(super) fn list(&self) -> Result<&[Self], Fault> {
        match &self.value {
            Value::List(items) => Ok(items),
            _ => Err(Fault::new(self.at, "this is a list")),
        }
    }

    /// The members of the map that it is.
    pub(super) fn map(&self) -> Result<&[(Word<'t>, Self)], Fault> {
        match &self.value {
            Value::Map(members) => Ok(members),
            _ => Err(Fault::new(self.at, "this is a map")),
        }
    }

    /// `true` or `false`.
    pub(super) fn truth(&self) -> Result<bool, Fault> {
        let word = self.word()?;
        match &*word.text {
            "true" if !word.is_quoted => Ok(true),
            "false" if !word.is_quoted => Ok(false),
            _ => Err(Fault::new(word.at, "this is true or false")),
        }
    }
}
