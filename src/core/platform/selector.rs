//! Where a row finds the names of its resources.

use super::kind::{ActionId, KindId, Kinds};
use super::query::Member;
use super::template::Template;
use crate::body::{Use, Wanted, WantedError};

/// A place in a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// A parameter of the path, by its place in the template; the last one may span segments.
    Path(u8),
    /// A member of the query.
    Query {
        member: Member,
        /// Whether it may stand there more than once, each time for another resource.
        repeats: bool,
    },
    /// A field of the request, by its name in lower case.
    Header(Box<str>),
    /// A member of the body, by its place among the row's [`Members`].
    Body(usize),
    /// As the table says.
    Constant(Box<str>),
}

/// What holds if a name is not there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Missing {
    /// The request is refused.
    Refused,
    /// Nothing is named.
    Nothing,
    /// All are named.
    All,
}

/// How the parts of a selector make one name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Joined {
    /// Each that is there is the whole name, and all of them are equal.
    Equal,
    /// One after another, with this between.
    By(char),
}

/// Where one name stands, or several if the place may repeat.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Selector {
    /// All resources of the kind.
    All,
    /// Named by the request.
    Named {
        parts: Vec<(Source, Missing)>,
        joined: Joined,
        /// Of the last part, which counts for all of them.
        missing: Missing,
    },
}

/// Resources of one kind, and what is done with them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Clause {
    /// What must be there, and not null, for the clause to count.
    pub(super) when: Option<Source>,
    pub(super) kind: KindId,
    pub(super) action: ActionId,
    pub(super) selectors: Vec<Selector>,
}

impl Clause {
    /// The fields of a request that it looks at, in lower case.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        let parts = self.selectors.iter().flat_map(|selector| match selector {
            Selector::All => &[][..],
            Selector::Named { parts, .. } => parts,
        });
        let sources = parts.map(|(source, _)| source).chain(&self.when);
        sources.filter_map(|source| match source {
            Source::Header(name) => Some(&**name),
            Source::Path(_) | Source::Query { .. } | Source::Body(_) | Source::Constant(_) => None,
        })
    }
}

/// What a row looks at in a body, as JSON pointers (RFC 6901; `*` is every element).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Members {
    pub(super) pointers: Vec<(Box<str>, Use)>,
    /// If any other member at the top, but these, overrides.
    pub(super) any_but: Option<Vec<Box<str>>>,
}

impl Members {
    /// The place of a pointer; whoever asks for its value decides what it is for.
    pub(super) fn place(&mut self, pointer: &str, what: Use) -> usize {
        if let Some(place) = self.pointers.iter().position(|(known, _)| &**known == pointer) {
            if let Some((_, known)) = self.pointers.get_mut(place).filter(|_| what == Use::Value) {
                *known = what;
            }
            return place;
        }
        self.pointers.push((pointer.into(), what));
        self.pointers.len().saturating_sub(1)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.pointers.is_empty() && self.any_but.is_none()
    }

    /// As a body is read for them.
    pub(super) fn wanted(&self) -> Result<Wanted, String> {
        let pointers: Vec<(&str, Use)> =
            self.pointers.iter().map(|(pointer, what)| (&**pointer, *what)).collect();
        let any_but: Option<Vec<&str>> =
            self.any_but.as_ref().map(|names| names.iter().map(|name| &**name).collect());
        Wanted::new(&pointers, any_but.as_deref()).map_err(|error| match error {
            WantedError::Pointer => "a pointer begins with \"/\", and is there once".to_owned(),
            WantedError::TooMany => {
                "a row looks at 128 members at most, at 64 in one object".to_owned()
            }
        })
    }
}

/// Reads the clauses of a row from its words.
pub(super) fn clauses(
    words: &[&str],
    kinds: &Kinds,
    template: &Template,
    members: &mut Members,
) -> Result<Vec<Clause>, String> {
    let mut reader = Reader { words: words.iter().copied().peekable(), template, members };
    let mut clauses = Vec::new();
    while reader.words.peek().is_some() {
        clauses.push(reader.clause(kinds)?);
    }
    if clauses.is_empty() { Err("a row names a kind and an action".into()) } else { Ok(clauses) }
}

struct Reader<'a, 'w, I: Iterator<Item = &'w str>> {
    words: core::iter::Peekable<I>,
    template: &'a Template,
    members: &'a mut Members,
}

impl<'w, I: Iterator<Item = &'w str>> Reader<'_, 'w, I> {
    fn clause(&mut self, kinds: &Kinds) -> Result<Clause, String> {
        let when = match self.words.next_if_eq(&"when") {
            Some(_) => {
                let word = self.words.next().unwrap_or_default();
                Some(self.source(word, Use::Presence)?)
            }
            None => None,
        };
        let word = self.words.next().unwrap_or_default();
        let (kind, action) = kind_and_action(word, kinds)?;
        let mut selectors = Vec::new();
        while let Some(word) = self.words.peek().copied() {
            if word == "when" || !is_selector(word) || self.is_clause(word, kinds) {
                break;
            }
            self.words.next();
            selectors.push(self.selector(word)?);
        }
        match selectors.is_empty() {
            true => Err(format!("\"{word}\" has no selector; if it means all, say \"all\"")),
            false => Ok(Clause { when, kind, action, selectors }),
        }
    }

    fn selector(&mut self, word: &str) -> Result<Selector, String> {
        if word == "all" {
            return Ok(Selector::All);
        }
        let mut parts = vec![self.part(word)?];
        let mut joined = None;
        while let Some(next) = self.words.next_if(|word| matches!(*word, "=" | "." | "/")) {
            let this = match next {
                "=" => Joined::Equal,
                "." => Joined::By('.'),
                _ => Joined::By('/'),
            };
            if joined.is_some_and(|joined| joined != this) {
                return Err("a selector is joined in one way".into());
            }
            joined = Some(this);
            let word = self.words.next().ok_or_else(|| format!("nothing follows \"{next}\""))?;
            parts.push(self.part(word)?);
        }
        let joined = joined.unwrap_or(Joined::Equal);
        let missing = parts.last().map_or(Missing::Refused, |(_, missing)| *missing);
        if parts.len() > 1 && parts.iter().any(|(source, _)| self.is_repeated(source)) {
            return Err("what repeats is not joined".into());
        }
        Ok(Selector::Named { parts, joined, missing })
    }

    /// Whether a word such as `path:read` is a kind and an action, and no parameter of the path.
    fn is_clause(&self, word: &str, kinds: &Kinds) -> bool {
        let is_parameter =
            word.strip_prefix("path:").is_some_and(|name| self.template.parameter(name).is_some());
        !is_parameter && kind_and_action(word, kinds).is_ok()
    }

    fn is_repeated(&self, source: &Source) -> bool {
        match source {
            Source::Query { repeats, .. } => *repeats,
            Source::Body(place) => self
                .members
                .pointers
                .get(*place)
                .is_some_and(|(it, _)| it.split('/').any(|step| step == "*")),
            _ => false,
        }
    }

    fn part(&mut self, word: &str) -> Result<(Source, Missing), String> {
        let (word, missing) = if let Some(word) = word.strip_suffix("?all") {
            (word, Missing::All)
        } else if let Some(word) = word.strip_suffix('?') {
            (word, Missing::Nothing)
        } else {
            (word, Missing::Refused)
        };
        Ok((self.source(word, Use::Value)?, missing))
    }

    fn source(&mut self, word: &str, what: Use) -> Result<Source, String> {
        source(word, what, self.template, self.members)
    }
}

/// Reads one place.
pub(super) fn source(
    word: &str,
    what: Use,
    template: &Template,
    members: &mut Members,
) -> Result<Source, String> {
    let (place, name) = word.split_once(':').unwrap_or((word, ""));
    if name.is_empty() {
        return Err(format!("\"{word}\" is no place of a request"));
    }
    match place {
        "path" => {
            let known = template.parameter(name);
            known.map(Source::Path).ok_or_else(|| format!("the path has no parameter \"{name}\""))
        }
        "query" => {
            let (name, repeats) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
            Ok(Source::Query { member: Member::new(name), repeats })
        }
        "header" => Ok(Source::Header(name.to_ascii_lowercase().into())),
        "body" if name.starts_with('/') => Ok(Source::Body(members.place(name, what))),
        "const" => Ok(Source::Constant(name.into())),
        _ => Err(format!("\"{word}\" is no place of a request")),
    }
}

fn is_selector(word: &str) -> bool {
    let places = ["path:", "query:", "header:", "body:", "const:"];
    word == "all" || places.iter().any(|place| word.starts_with(place))
}

/// Reads `topic:produce`.
pub(super) fn kind_and_action(word: &str, kinds: &Kinds) -> Result<(KindId, ActionId), String> {
    let (kind, action) =
        word.split_once(':').ok_or_else(|| format!("\"{word}\" is not KIND:ACTION"))?;
    let (id, kind) = kinds.by_name(kind).ok_or_else(|| format!("there is no kind \"{kind}\""))?;
    let action = kinds.action(action).filter(|action| kind.actions.holds(*action));
    let action =
        action.ok_or_else(|| format!("\"{}\" has no such action as in \"{word}\"", kind.name))?;
    Ok((id, action))
}
