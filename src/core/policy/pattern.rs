//! Patterns of names, as grants and denials write them.

use std::borrow::Cow;

use crate::platform::name::Form;

/// Which names of one kind a rule is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Pattern {
    /// `*` or `**`: every name, and all resources at once.
    All,
    /// One name, in its normal form.
    Literal(Box<str>),
    /// One of these numbers, which have names in the policy.
    Numbers(Box<[Box<str>]>),
    /// What begins and ends so, whatever is between.
    Around(Part),
    /// The parts of a name one by one.
    Parts(Box<Parts>),
}

/// The parts of a name one by one, and all that is below if `below`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Parts {
    /// What divides them.
    separator: char,
    /// Each of them.
    parts: Box<[Part]>,
    /// Whether it is what lies below, and not the place itself.
    below: bool,
}

/// A part of a name: its beginning and its end, with anything between if there is an end.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Part {
    /// The beginning and the end, one behind the other.
    text: Box<str>,
    /// Where the end begins, if there is one.
    end: Option<u32>,
}

/// What a name must be behind the head of a pattern.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Rest<'p> {
    /// Anything or nothing.
    Anything,
    /// At the end of a part, and something below it.
    Below,
    /// It is not told by its head and its tail alone.
    More,
    /// Nothing.
    Nothing,
    /// The rest of a part.
    Part,
    /// Something that ends so.
    Tail(&'p str),
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PatternError {
    /// No resource of the kind can have such a name.
    Name,
    /// An asterisk in the first part of a file's path, which says how the others are compared.
    First,
    /// More than one asterisk where one may stand.
    Stars,
    /// It would hold everything for a kind that does not begin with a slash.
    Root,
}

impl PatternError {
    /// What is wrong, for the error of a line.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Name => "no resource of this kind can have such a name",
            Self::First => "the first part of a file's path has no \"*\" if another follows",
            Self::Stars => {
                "a part of a name has at most one \"*\", and \"**\" stands at the end, behind a separator"
            }
            Self::Root => "a path begins with \"/\"",
        }
    }
}

impl Pattern {
    /// Reads a pattern of names that are not numbers.
    ///
    /// # Errors
    ///
    /// [`PatternError`].
    pub fn parse(text: &str, form: Form) -> Result<Self, PatternError> {
        if text == "*" || text == "**" {
            return Ok(Self::All);
        }
        let Some(separator) = form.separator().map(char::from) else {
            return match text.matches('*').count() {
                0 => literal(text, form),
                1 => {
                    let text = if form.folds() { text.to_ascii_lowercase() } else { text.into() };
                    let is_right = form.normal(&text.replace('*', "a")).is_ok();
                    if is_right {
                        Ok(Self::Around(Part::parse(&text)?))
                    } else {
                        Err(PatternError::Name)
                    }
                }
                _ => Err(PatternError::Stars),
            };
        };
        if !text.contains('*') {
            return literal(text, form);
        }
        let (above, below) = match text.strip_suffix("**") {
            Some(above) => (above.strip_suffix(separator).ok_or(PatternError::Stars)?, true),
            None => (text, false),
        };
        if below && above.ends_with(separator) {
            return Err(PatternError::Name);
        }
        // A path of a file folds only if its first part is known.
        let first = above.trim_start_matches(separator).split(separator).next();
        if form == Form::File
            && first.is_some_and(|first| first.contains('*'))
            && above.matches('/').count() > 1
        {
            return Err(PatternError::First);
        }
        // Below the root.
        let above = if above.is_empty() { "/" } else { above };
        let normal =
            form.normal(above).map_err(|_| PatternError::Name)?.ok_or(PatternError::Root)?;
        let normal = if normal == "/" { "" } else { &*normal };
        let parts = normal.split(separator).map(Part::parse).collect::<Result<_, _>>()?;
        Ok(Self::Parts(Parts { separator, parts, below }.into()))
    }

    /// What every name that it holds begins with: of a name's parts, up to the first asterisk.
    pub(super) fn head(&self) -> Cow<'_, str> {
        match self {
            Self::All | Self::Numbers(_) => Cow::Borrowed(""),
            Self::Literal(name) => Cow::Borrowed(name),
            Self::Around(part) => Cow::Borrowed(part.head()),
            Self::Parts(parts) => Cow::Owned(parts.head()),
        }
    }

    /// What a name must be behind the head.
    pub(super) fn rest(&self) -> Rest<'_> {
        match self {
            Self::All | Self::Literal(_) | Self::Numbers(_) => Rest::Nothing,
            Self::Around(part) => match part.tail() {
                None => Rest::Nothing,
                Some("") => Rest::Anything,
                Some(tail) => Rest::Tail(tail),
            },
            Self::Parts(it) => {
                let Some((last, above)) = it.parts.split_last() else { return Rest::Nothing };
                let is_plain = above.iter().all(|part| part.end.is_none());
                match (is_plain, last.tail(), it.below) {
                    (true, None, true) => Rest::Below,
                    (true, Some(""), false) => Rest::Part,
                    _ => Rest::More,
                }
            }
        }
    }

    /// What every name that it holds ends with: what is behind its last asterisk.
    pub(super) fn tail(&self) -> Cow<'_, str> {
        match self {
            Self::Around(part) => Cow::Borrowed(part.tail().unwrap_or_default()),
            Self::Parts(parts) if !parts.below => Cow::Owned(parts.tail()),
            _ => Cow::Borrowed(""),
        }
    }

    /// Whether it holds a name; `None` is all resources at once.
    pub fn holds(&self, name: Option<&str>) -> bool {
        let Some(name) = name else { return *self == Self::All };
        match self {
            Self::All => true,
            Self::Literal(literal) => **literal == *name,
            Self::Numbers(numbers) => numbers.iter().any(|number| **number == *name),
            Self::Around(part) => part.holds(name),
            Self::Parts(parts) => parts.holds(name),
        }
    }

    /// Whether it holds a name, one above it, or one below it, in a tree.
    pub fn touches(&self, name: &str, separator: char) -> bool {
        match self {
            Self::All => true,
            Self::Literal(literal) => {
                meet(split(literal, separator).map(Part::literal), name, separator)
            }
            Self::Numbers(_) | Self::Around(_) => self.holds(Some(name)),
            // What is below a place that it holds is below it as well.
            Self::Parts(it) => meet(it.parts.iter().cloned(), name, separator),
        }
    }
}

/// Whether one of two places is above the other, or both are one.
fn meet(parts: impl Iterator<Item = Part>, name: &str, separator: char) -> bool {
    parts.zip(split(name, separator)).all(|(part, found)| part.holds(found))
}

/// The parts of a name; the root has none but the empty one that every path begins with.
fn split(name: &str, separator: char) -> impl Iterator<Item = &str> {
    let name = if name == "/" { "" } else { name };
    name.split(separator)
}

fn literal(text: &str, form: Form) -> Result<Pattern, PatternError> {
    let name = form.normal(text).map_err(|_| PatternError::Name)?;
    name.map(|name| Pattern::Literal(name.into())).ok_or(PatternError::Root)
}

impl Parts {
    fn head(&self) -> String {
        let mut head = String::new();
        for (place, part) in self.parts.iter().enumerate() {
            if place > 0 {
                head.push(self.separator);
            }
            head.push_str(part.head());
            if part.end.is_some() {
                break;
            }
        }
        head
    }

    fn tail(&self) -> String {
        let open = self.parts.iter().rposition(|part| part.end.is_some());
        let behind = self.parts.get(open.unwrap_or(self.parts.len())..).unwrap_or_default();
        let mut tail = String::new();
        for (place, part) in behind.iter().enumerate() {
            if place > 0 {
                tail.push(self.separator);
            }
            tail.push_str(part.tail().unwrap_or(&part.text));
        }
        tail
    }

    fn holds(&self, name: &str) -> bool {
        let mut found = split(name, self.separator);
        let is_under = self.parts.iter().all(|part| found.next().is_some_and(|it| part.holds(it)));
        is_under && found.next().is_some() == self.below
    }
}

impl Part {
    fn parse(text: &str) -> Result<Self, PatternError> {
        match text.split_once('*') {
            None => Ok(Self::literal(text)),
            Some((_, tail)) if tail.contains('*') => Err(PatternError::Stars),
            Some((head, tail)) => {
                let end = u32::try_from(head.len()).map_err(|_| PatternError::Name)?;
                Ok(Self { text: format!("{head}{tail}").into(), end: Some(end) })
            }
        }
    }

    fn literal(text: &str) -> Self {
        Self { text: text.into(), end: None }
    }

    /// Its beginning, and its end if there is one.
    fn split(&self) -> (&str, Option<&str>) {
        let end = self.end.and_then(|end| self.text.split_at_checked(usize::try_from(end).ok()?));
        end.map_or((&self.text, None), |(head, tail)| (head, Some(tail)))
    }

    fn head(&self) -> &str {
        self.split().0
    }

    fn tail(&self) -> Option<&str> {
        self.split().1
    }

    fn holds(&self, text: &str) -> bool {
        match self.split() {
            (head, None) => head == text,
            // A name has at least both.
            (head, Some(tail)) => text.strip_prefix(head).is_some_and(|rest| rest.ends_with(tail)),
        }
    }
}

#[cfg(test)]
mod tests;
