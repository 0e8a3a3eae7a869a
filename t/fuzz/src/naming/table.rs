//! The rows of a table as a plain list, read from its text a second time.

use std::collections::BTreeMap;

/// A table.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) folds: bool,
    pub(super) kinds: BTreeMap<String, Kind>,
    /// The sources of each id that may be pinned.
    pub(super) scopes: Vec<(String, Vec<Place>)>,
    pub(super) options: Vec<String>,
    pub(super) rows: Vec<Row>,
}

#[derive(Debug, Default)]
pub(super) struct Kind {
    pub(super) form: String,
    pub(super) actions: Vec<String>,
    pub(super) named: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) line: u32,
    pub(super) methods: Vec<String>,
    pub(super) template: String,
    pub(super) segments: Vec<Seg>,
    /// Names of the query, and the values of which each must hold one.
    pub(super) chosen_by: Vec<(String, Vec<String>)>,
    pub(super) operation: String,
    /// None if it is refused on purpose.
    pub(super) clauses: Option<Vec<Clause>>,
    pub(super) flags: Vec<String>,
}

/// A segment of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Seg {
    Literal(String),
    Parameter { name: String, before: String, behind: String, is_number: bool },
    Rest(String),
}

#[derive(Debug)]
pub(super) struct Clause {
    pub(super) when: Option<Place>,
    pub(super) kind: String,
    pub(super) action: String,
    pub(super) selectors: Vec<Selector>,
}

#[derive(Debug)]
pub(super) enum Selector {
    All,
    /// Places, each with what holds if it is not there: `!`, `?` or `*` for all; and what joins them.
    Named(Vec<(Place, char)>, char),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Path(String),
    Query { name: String, repeats: bool },
    Header(String),
    Body(String),
    Constant(String),
}

impl Row {
    pub(super) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|it| it == flag)
    }

    /// The words of a flag that has some.
    pub(super) fn words(&self, flag: &str) -> Option<Vec<&str>> {
        let word = self.flags.iter().find_map(|it| it.strip_prefix(flag)?.strip_prefix('='))?;
        Some(word.split(',').collect())
    }

    /// Every place that it looks at.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.clauses.iter().flatten().flat_map(|clause| {
            let parts = clause.selectors.iter().flat_map(|selector| match selector {
                Selector::All => [].iter(),
                Selector::Named(parts, _) => parts.iter(),
            });
            clause.when.iter().chain(parts.map(|(place, _)| place))
        })
    }

    /// The pointers into the body that it looks at.
    pub(super) fn pointers(&self) -> Vec<&str> {
        let places = self.places().filter_map(|place| match place {
            Place::Body(pointer) => Some(pointer.as_str()),
            _ => None,
        });
        let overrides = self.words("override").into_iter().flatten().filter(|it| *it != "any");
        places.chain(overrides).collect()
    }

    /// Whether it looks at the body at all.
    pub(super) fn reads_body(&self) -> bool {
        !self.pointers().is_empty() || self.words("override").is_some()
    }
}

impl Table {
    /// Reads the text of a table that is right.
    pub(super) fn read(text: &str) -> Self {
        let mut table = Self::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.split("  #").next().unwrap_or_default().trim();
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["literals", "fold"] => table.folds = true,
                ["scope", word, places @ ..] => {
                    let places = places.iter().map(|word| place(word)).collect();
                    table.scopes.push(((*word).into(), places));
                }
                ["option", word, ..] => table.options.push((*word).into()),
                ["kind", name, settings @ ..] => table.kind(name, settings),
                [methods, template, operation, ..] if template.starts_with('/') => {
                    let mut row = row(methods, template, operation);
                    row.line = at as u32 + 1;
                    let (rest, flags) = match line.split_once(" | ") {
                        Some((rest, flags)) => (rest, flags),
                        None => (line, ""),
                    };
                    row.flags = flags.split_whitespace().map(Into::into).collect();
                    let rest: Vec<&str> = rest.split_whitespace().skip(3).collect();
                    if rest[0] != "refused:" {
                        row.clauses = Some(table.clauses(&rest, &row));
                    }
                    table.rows.push(row);
                }
                _ => {}
            }
        }
        table
    }

    fn kind(&mut self, name: &str, settings: &[&str]) {
        let mut kind = Kind::default();
        for setting in settings {
            let words = |value: &str| value.split(',').map(Into::into).collect();
            match setting.split_once('=').expect("a setting") {
                ("form", form) => kind.form = form.into(),
                ("actions", actions) => kind.actions = words(actions),
                ("named", "*") => kind.named = kind.actions.clone(),
                ("named", actions) => kind.named = words(actions),
                _ => {}
            }
        }
        self.kinds.insert(name.into(), kind);
    }

    fn clauses(&self, words: &[&str], row: &Row) -> Vec<Clause> {
        let mut clauses: Vec<Clause> = Vec::new();
        let mut when = None;
        let mut at = 0;
        while at < words.len() {
            if words[at] == "when" {
                when = Some(place(words[at + 1]));
                at += 2;
            }
            let word = words[at];
            at += 1;
            if let Some((kind, action)) = self.action(word, row) {
                let (kind, action) = (kind.to_owned(), action.to_owned());
                clauses.push(Clause { when: when.take(), kind, action, selectors: Vec::new() });
                continue;
            }
            let mut parts = vec![part(word)];
            let mut joined = '=';
            while at + 1 < words.len() && ["=", ".", "/"].contains(&words[at]) {
                joined = words[at].chars().next().expect("a sign");
                parts.push(part(words[at + 1]));
                at += 2;
            }
            let selector =
                if word == "all" { Selector::All } else { Selector::Named(parts, joined) };
            clauses.last_mut().expect("a kind and an action").selectors.push(selector);
        }
        clauses
    }

    /// The kind and the action that a word is, unless it is a parameter of the path.
    fn action<'w>(&self, word: &'w str, row: &Row) -> Option<(&'w str, &'w str)> {
        let (kind, action) = word.split_once(':')?;
        let is_parameter = kind == "path"
            && row.segments.iter().any(|segment| match segment {
                Seg::Parameter { name, .. } | Seg::Rest(name) => name == action,
                Seg::Literal(_) => false,
            });
        let known = self.kinds.get(kind)?;
        (!is_parameter && known.actions.iter().any(|it| it == action)).then_some((kind, action))
    }
}

fn row(methods: &str, template: &str, operation: &str) -> Row {
    let (path, query) = template.split_once('?').unwrap_or((template, ""));
    let chosen_by = query.split('&').filter(|it| !it.is_empty()).map(|choice| {
        let (name, values) = choice.split_once('=').expect("a choice");
        (name.into(), values.split(',').map(Into::into).collect())
    });
    Row {
        methods: methods.split(',').map(Into::into).collect(),
        template: path.into(),
        segments: path.split('/').filter(|it| !it.is_empty()).map(segment).collect(),
        chosen_by: chosen_by.collect(),
        operation: operation.into(),
        ..Row::default()
    }
}

fn segment(text: &str) -> Seg {
    let Some((before, rest)) = text.split_once('{') else { return Seg::Literal(text.into()) };
    let (name, behind) = rest.split_once('}').expect("a parameter ends");
    if let Some(name) = name.strip_suffix('+') {
        return Seg::Rest(name.into());
    }
    let is_number = name.ends_with('#');
    let name = name.trim_end_matches('#').into();
    Seg::Parameter { name, before: before.into(), behind: behind.into(), is_number }
}

fn part(word: &str) -> (Place, char) {
    if word == "all" {
        return (Place::Constant(String::new()), '!');
    }
    match (word.strip_suffix("?all"), word.strip_suffix('?')) {
        (Some(word), _) => (place(word), '*'),
        (_, Some(word)) => (place(word), '?'),
        _ => (place(word), '!'),
    }
}

fn place(word: &str) -> Place {
    let (kind, name) = word.split_once(':').expect("a place");
    match kind {
        "path" => Place::Path(name.into()),
        "query" => {
            Place::Query { name: name.trim_end_matches('*').into(), repeats: name.ends_with('*') }
        }
        "header" => Place::Header(name.to_lowercase()),
        "body" => Place::Body(name.into()),
        "const" => Place::Constant(name.into()),
        other => panic!("{other} is no place"),
    }
}
