//! Reads a document piece by piece, and notes all that is wrong with it.

use std::borrow::Cow;
use std::collections::HashSet;

use super::event::{Event, Events, Word};
use super::fault::{At, Fault, nearest};
use super::rows::{Field, Row};

/// How many faults are told.
pub(super) const MAX_FAULTS: usize = 20;

/// How deep lists and maps may lie in each other.
const MAX_DEPTH: usize = 8;

/// How many words, lists and maps a document may have: more than a million rules need.
const MAX_VALUES: usize = 16_000_000;

/// How many names all lists may have.
pub(super) const MAX_NAMES: usize = 4_000_000;

/// The document cannot be read on, or enough is wrong with it.
#[derive(Debug)]
pub(super) struct Stop;

/// Whether reading goes on.
pub(super) type Go<T = ()> = Result<T, Stop>;

/// A document. Each method that reads a value reads one whole: what is not as it should be is noted and
/// left out.
pub(super) struct Reader<'t> {
    events: Events<'t>,
    ahead: Option<(Event<'t>, At)>,
    depth: usize,
    values: usize,
    pub(super) names: usize,
    pub(super) faults: Vec<Fault>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let events = Events::new(text);
        Self { events, ahead: None, depth: 0, values: 0, names: 0, faults: Vec::new() }
    }

    /// Notes what is wrong.
    pub(super) fn fault(&mut self, at: At, text: impl Into<String>) -> Go {
        self.faults.push(Fault::new(at, text));
        if self.faults.len() >= MAX_FAULTS { Err(Stop) } else { Ok(()) }
    }

    fn next(&mut self) -> Go<(Event<'t>, At)> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(ahead);
        }
        self.values = self.values.saturating_add(1);
        let next = self.events.next();
        let next = next.and_then(|(event, at)| match event {
            _ if self.values > MAX_VALUES => Err(Fault::new(at, "the policy has too many values")),
            event => Ok((event, at)),
        });
        next.map_err(|fault| {
            self.faults.push(fault);
            Stop
        })
    }

    /// The place of the value that comes next.
    pub(super) fn at(&mut self) -> Go<At> {
        let (event, at) = self.next()?;
        self.ahead = Some((event, at));
        Ok(at)
    }

    /// Whether a list comes next.
    pub(super) fn is_list(&mut self) -> Go<bool> {
        let (event, at) = self.next()?;
        let is_list = event == Event::List;
        self.ahead = Some((event, at));
        Ok(is_list)
    }

    /// Leaves out the value that comes next.
    pub(super) fn skip(&mut self) -> Go {
        let (event, _) = self.next()?;
        self.skip_rest(&event)
    }

    /// Leaves out the value that an event begins.
    fn skip_rest(&mut self, event: &Event<'t>) -> Go {
        let mut depth = usize::from(matches!(event, Event::List | Event::Map));
        while depth > 0 {
            depth = match self.next()?.0 {
                Event::List | Event::Map => depth.saturating_add(1),
                Event::ListEnd | Event::MapEnd => depth.saturating_sub(1),
                Event::End => return Err(Stop),
                Event::Word(_) => depth,
            };
        }
        Ok(())
    }

    fn begins(&mut self, expected: &Event<'t>) -> Go<Option<At>> {
        let (event, at) = self.next()?;
        if event != *expected {
            let is_map = *expected == Event::Map;
            self.fault(at, if is_map { "a map is expected" } else { "a list is expected" })?;
            self.skip_rest(&event)?;
            return Ok(None);
        }
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            self.fault(at, "the document is too deep")?;
            return Err(Stop);
        }
        Ok(Some(at))
    }

    /// Reads a map: `each` reads the value of each name. `None` if it is none.
    pub(super) fn map(
        &mut self,
        each: &mut dyn FnMut(&mut Self, &Word<'t>) -> Go,
    ) -> Go<Option<At>> {
        let Some(begin) = self.begins(&Event::Map)? else { return Ok(None) };
        let mut names: HashSet<Cow<'t, str>> = HashSet::new();
        loop {
            match self.next()? {
                (Event::MapEnd, _) => break,
                (Event::Word(word), at) => {
                    if word.text == "<<" && !word.is_quoted {
                        self.fault(at, "a policy has no merge keys")?;
                        self.skip()?;
                    } else if !names.insert(word.text.clone()) {
                        self.fault(at, format!("\"{}\" is there twice", word.text))?;
                        self.skip()?;
                    } else {
                        each(self, &word)?;
                    }
                }
                (event, at) => {
                    self.fault(at, "a name is a text")?;
                    self.skip_rest(&event)?;
                    self.skip()?;
                }
            }
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(Some(begin))
    }

    /// Reads a map whose names are rows; those that must be there and are not are noted.
    pub(super) fn members(
        &mut self,
        what: &str,
        rows: &[Row],
        each: &mut dyn FnMut(&mut Self, Field, &Word<'t>) -> Go,
    ) -> Go<Option<At>> {
        let mut seen = Vec::new();
        let at = self.map(&mut |reader, name| {
            if let Some(row) = rows.iter().find(|row| row.name == name.text) {
                seen.push(row.field);
                return each(reader, row.field, name);
            }
            let near = nearest(&name.text, rows.iter().map(|row| row.name));
            reader.fault(name.at, format!("{what} has no \"{}\"{near}", name.text))?;
            reader.skip()
        })?;
        if let Some(at) = at {
            for row in rows.iter().filter(|row| row.is_required && !seen.contains(&row.field)) {
                self.fault(at, format!("{what} lacks \"{}\"", row.name))?;
            }
        }
        Ok(at)
    }

    /// Reads a list: `each` reads each item.
    pub(super) fn list(&mut self, each: &mut dyn FnMut(&mut Self) -> Go) -> Go {
        let mut items = 0_usize;
        self.items(&mut items, each).map(drop)
    }

    /// Reads a list that holds something: an empty one may be taken for nothing, or for everything.
    pub(super) fn filled(&mut self, each: &mut dyn FnMut(&mut Self) -> Go) -> Go {
        let mut items = 0_usize;
        match self.items(&mut items, each)? {
            Some(at) if items == 0 => self.fault(at, "this list is empty: fill or remove it"),
            _ => Ok(()),
        }
    }

    fn items(
        &mut self,
        items: &mut usize,
        each: &mut dyn FnMut(&mut Self) -> Go,
    ) -> Go<Option<At>> {
        let Some(at) = self.begins(&Event::List)? else { return Ok(None) };
        loop {
            match self.next()? {
                (Event::ListEnd, _) => break,
                item => {
                    *items = items.saturating_add(1);
                    self.ahead = Some(item);
                    each(self)?;
                }
            }
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(Some(at))
    }

    /// Reads a word.
    pub(super) fn word(&mut self) -> Go<Option<Word<'t>>> {
        match self.next()? {
            (Event::Word(word), _) => Ok(Some(word)),
            (event, at) => {
                self.fault(at, "a text is expected, and neither a list nor a map")?;
                self.skip_rest(&event)?;
                Ok(None)
            }
        }
    }

    /// Reads a name.
    pub(super) fn name(&mut self) -> Go<Option<Word<'t>>> {
        let Some(word) = self.word()? else { return Ok(None) };
        Ok(self.check_name(&word)?.then_some(word))
    }

    /// Reads a list of names that is not empty.
    pub(super) fn names(&mut self, each: &mut dyn FnMut(&mut Self, Word<'t>) -> Go) -> Go {
        self.filled(&mut |reader| {
            let Some(name) = reader.name()? else { return Ok(()) };
            reader.names = reader.names.saturating_add(1);
            if reader.names > MAX_NAMES {
                reader.fault(name.at, "there are more than 4,000,000 names")?;
                return Err(Stop);
            }
            each(reader, name)
        })
    }

    /// Whether a word may be a name: what YAML takes for a truth value or for nothing is none without
    /// quotes.
    pub(super) fn check_name(&mut self, word: &Word<'t>) -> Go<bool> {
        let Word { at, text, is_quoted } = word;
        let text = &**text;
        let wrong = if text.is_empty() {
            Some("a name is missing, or empty".into())
        } else if !is_quoted && OTHERS.contains(&text) {
            Some(format!("\"{text}\" is no name: put it in quotes if it is one"))
        } else if text.chars().any(char::is_control) {
            Some("a name has no control characters".into())
        } else {
            None
        };
        let is_right = wrong.is_none();
        if let Some(wrong) = wrong {
            self.fault(*at, wrong)?;
        }
        Ok(is_right)
    }

    /// Reads `true` or `false`.
    pub(super) fn truth(&mut self) -> Go<bool> {
        let Some(word) = self.word()? else { return Ok(false) };
        match &*word.text {
            "true" if !word.is_quoted => return Ok(true),
            "false" if !word.is_quoted => {}
            _ => self.fault(word.at, "true or false is expected")?,
        }
        Ok(false)
    }

    /// Notes what is behind the document.
    pub(super) fn end(&mut self) -> Go {
        match self.next()? {
            (Event::End, _) => Ok(()),
            (_, at) => self.fault(at, "a policy is one document"),
        }
    }

    /// Whether nothing comes next.
    pub(super) fn is_empty(&mut self) -> Go<bool> {
        let (event, at) = self.next()?;
        let is_end = event == Event::End;
        self.ahead = Some((event, at));
        Ok(is_end)
    }
}

/// What the core schema of YAML 1.2 takes for a truth value or for nothing.
const OTHERS: [&str; 10] =
    ["~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE"];
