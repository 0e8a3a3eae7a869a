//! The events of a document: of YAML without what JSON does not have, and of JSON.

use std::borrow::Cow;

use saphyr_parser::{Event as Yaml, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::fault::{At, Fault};
use super::json::Json;

/// What comes next in a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Event<'t> {
    End,
    List,
    ListEnd,
    Map,
    MapEnd,
    Word(Word<'t>),
}

/// A word with its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Word<'t> {
    pub(super) at: At,
    /// What it says: of a word without quotes, its source.
    pub(super) text: Cow<'t, str>,
    /// Whether it was written in quotes.
    pub(super) is_quoted: bool,
}

/// The events of one document.
pub(super) enum Events<'t> {
    Json(Json<'t>),
    /// YAML that would take too much memory, and the line that says so.
    Long(usize),
    Yaml(Box<Parser<'t, StrInput<'t>>>),
}

impl<'t> Events<'t> {
    /// The events of a text.
    ///
    /// One that begins as an object of JSON does is JSON. YAML holds most of JSON, but neither its
    /// escapes of two surrogates, nor its rules for commas and control characters.
    pub(super) fn new(text: &'t str) -> Self {
        if Json::begins(text) {
            Self::Json(Json::new(text))
        } else if let Some(line) = long_brackets(text) {
            Self::Long(line)
        } else {
            Self::Yaml(Box::new(Parser::new_from_str(text)))
        }
    }

    /// The next event.
    ///
    /// # Errors
    ///
    /// The document cannot be read on.
    pub(super) fn next(&mut self) -> Result<(Event<'t>, At), Fault> {
        let parser = match self {
            Self::Json(json) => return json.next(),
            Self::Long(line) => {
                let text = "a list or a map in brackets has more than 500,000 items: write its \
                            items with a line each, or the document in JSON";
                return Err(Fault::new(At { line: *line, column: 1 }, text));
            }
            Self::Yaml(parser) => parser,
        };
        loop {
            let Some(next) = parser.next() else { return Ok((Event::End, At::default())) };
            let (event, span) = next.map_err(|error| scan_fault(&error))?;
            let at = at(span);
            let (anchor, tag) = match &event {
                Yaml::Alias(_) => (1, false),
                Yaml::Scalar(_, _, anchor, tag)
                | Yaml::SequenceStart(anchor, tag)
                | Yaml::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
                _ => (0, false),
            };
            if anchor != 0 || tag {
                return Err(Fault::new(at, "a policy has no anchors, aliases or tags"));
            }
            let event = match event {
                Yaml::Scalar(text, style, ..) => {
                    Event::Word(Word { at, text, is_quoted: style != ScalarStyle::Plain })
                }
                Yaml::SequenceStart(..) => Event::List,
                Yaml::SequenceEnd => Event::ListEnd,
                Yaml::MappingStart(..) => Event::Map,
                Yaml::MappingEnd => Event::MapEnd,
                Yaml::StreamEnd => Event::End,
                _ => continue,
            };
            return Ok((event, at));
        }
    }
}

/// How many items YAML's brackets may have between the outermost ones.
const MAX_IN_BRACKETS: usize = 500_000;

/// The line on which brackets have too many items.
///
/// In YAML, a list or a map in brackets may be a name, so that the scanner keeps all of its tokens until
/// it ends.
fn long_brackets(text: &str) -> Option<usize> {
    let (mut line, mut depth, mut items) = (1_usize, 0_usize, 0_usize);
    // What the next byte is in: a quoted word, by its quote; or a comment, by its sign.
    let (mut inside, mut before) = (None, b'\n');
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let begins = b" \t\n\r[{,:".contains(&before);
        match (inside, byte) {
            (Some(b'#'), b'\n') => inside = None,
            (Some(b'"'), b'\\') => drop(bytes.next()),
            (Some(quote), byte) if quote == byte && quote != b'#' => inside = None,
            (None, b'"' | b'\'' | b'#') if begins => inside = Some(byte),
            (None, b'[' | b'{') => depth = depth.saturating_add(1),
            (None, b']' | b'}') => depth = depth.saturating_sub(1),
            (None, b',') if depth > 0 => items = items.saturating_add(1),
            _ => {}
        }
        line = line.saturating_add(usize::from(byte == b'\n'));
        if depth == 0 {
            items = 0;
        } else if items > MAX_IN_BRACKETS {
            return Some(line);
        }
        before = byte;
    }
    None
}

fn at(span: Span) -> At {
    At { line: span.start.line(), column: span.start.col().saturating_add(1) }
}

fn scan_fault(error: &ScanError) -> Fault {
    let marker = error.marker();
    let at = At { line: marker.line(), column: marker.col().saturating_add(1) };
    let text = match error.info() {
        // `topics: [*]`
        info if info.contains("anchor") || info.contains("alias") => {
            "a word that begins with \"*\" or \"&\" is in quotes, and a policy has no aliases"
                .into()
        }
        info => format!("this is no YAML: {info}"),
    };
    Fault::new(at, text)
}
