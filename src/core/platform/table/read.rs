//! Reads the text of a table.

use core::fmt;
use std::collections::HashMap;

use crate::body::Use;
use crate::platform::kind::{Actions, Kind, Kinds};
use crate::platform::name::Form;
use crate::platform::router::{MAX_PARAMETERS, Router};
use crate::platform::selector::{self, Members};
use crate::platform::template::Template;

use super::row::{Bodies, Effect, Flags, METHODS, Row};
use super::{OperationId, Scope, ScopeSource, Table};

/// What is wrong with a line of a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    /// From one on.
    pub line: u32,
    /// What, and what to do.
    pub text: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

pub(super) fn read(text: &str) -> Result<Table, Vec<Error>> {
    let mut reader = Reader {
        table: Table {
            name: "".into(),
            kinds: Kinds::default(),
            operations: Vec::new(),
            operations_by_name: HashMap::new(),
            rows: Vec::new(),
            router: Router::default(),
            folds: false,
            scopes: Vec::new(),
            strip: Vec::new(),
            guarded: Vec::new(),
            guarded_lengths: 0,
            guarded_letters: 0,
            dialects: Vec::new(),
            options: Vec::new(),
            text: text.into(),
        },
    };
    let mut errors = Vec::new();
    for (line, text) in (1_u32..).zip(text.lines()) {
        let text = text.split_once("  #").map_or(text, |(text, _)| text).trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if let Err(text) = reader.line(line, text) {
            errors.push(Error { line, text });
        }
    }
    if reader.table.name.is_empty() {
        errors.push(Error { line: 1, text: "the table does not say \"platform NAME\"".into() });
    }
    reader.table.guard();
    reader.table.router.finish(&reader.table.rows);
    if errors.is_empty() { Ok(reader.table) } else { Err(errors) }
}

struct Reader {
    table: Table,
}

impl Reader {
    fn line(&mut self, line: u32, text: &str) -> Result<(), String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["platform", name] => {
                self.table.name = (*name).into();
                Ok(())
            }
            ["literals", "fold"] if self.table.rows.is_empty() => {
                self.table.folds = true;
                Ok(())
            }
            ["scope", word, sources @ ..] => self.scope(word, sources),
            ["strip", fields @ ..] => {
                self.table
                    .strip
                    .extend(fields.iter().map(|field| field.to_ascii_lowercase().into()));
                Ok(())
            }
            ["dialect", words @ ..] => {
                self.table.dialects.extend(words.iter().map(|word| Box::from(*word)));
                if self.table.dialects.len() > 32 {
                    Err("there are more than 32 dialects".into())
                } else {
                    Ok(())
                }
            }
            ["option", word, reason @ ..] => {
                self.table.options.push(((*word).into(), reason.join(" ").into()));
                Ok(())
            }
            ["kind", name, settings @ ..] => self.kind(name, settings),
            [methods, template, operation, rest @ ..] if template.starts_with('/') => {
                self.row(line, text, (methods, template, operation), rest)
            }
            _ => Err("a line is a head line or METHODS /PATH OPERATION KIND:ACTION ...".into()),
        }
    }

    fn scope(&mut self, word: &str, sources: &[&str]) -> Result<(), String> {
        let empty = Template { parts: Vec::new(), names: Vec::new(), query: Vec::new() };
        let mut members = Members::default();
        let sources = sources.iter().map(|source| match source.strip_prefix("path:") {
            Some(name) => Ok(ScopeSource::Parameter(name.into())),
            None => {
                selector::source(source, Use::Value, &empty, &mut members).map(ScopeSource::Other)
            }
        });
        let sources = sources.collect::<Result<Vec<_>, _>>()?;
        if !members.is_empty() {
            return Err("a scope is not in a body".into());
        }
        self.table.scopes.push(Scope { word: word.into(), sources });
        Ok(())
    }

    fn kind(&mut self, name: &str, settings: &[&str]) -> Result<(), String> {
        let (mut plural, mut form) = (format!("{name}s"), None);
        let (mut actions, mut named) = (Actions::NONE, Actions::NONE);
        for setting in settings {
            let (word, value) = setting
                .split_once('=')
                .ok_or_else(|| format!("\"{setting}\" is not WORD=VALUE"))?;
            match word {
                "plural" => plural = value.into(),
                "form" => {
                    form = Some(
                        Form::parse(value)
                            .ok_or_else(|| format!("there is no form \"{value}\""))?,
                    );
                }
                "named" if value == "*" => named = actions,
                "actions" | "named" => {
                    let mut all = Actions::NONE;
                    for action in value.split(',') {
                        let action = self.table.kinds.intern_action(action);
                        all = all.and(Actions::of(action.ok_or("there are more than 64 actions")?));
                    }
                    if word == "actions" {
                        actions = all;
                    } else {
                        named = all;
                    }
                }
                _ => return Err(format!("a kind has no \"{word}\"")),
            }
        }
        if actions.is_empty() || !named.without(actions).is_empty() {
            return Err("a kind has actions, and what is named is among them".into());
        }
        let form = form.ok_or("a kind has a form")?;
        if ["query", "header", "body", "const"].contains(&name) {
            return Err(format!("\"{name}\" is a place of a request: give the kind another name"));
        }
        let kind = Kind { name: name.into(), plural: plural.into(), form, actions, named };
        self.table
            .kinds
            .add(kind)
            .map(|_| ())
            .ok_or_else(|| format!("the kind \"{name}\" or its plural is taken"))
    }

    fn operation(&mut self, name: &str) -> Result<OperationId, String> {
        if let Some(known) = self.table.operation(name) {
            return Ok(known);
        }
        let id = u16::try_from(self.table.operations.len())
            .map_err(|_| "there are too many operations")?;
        self.table.operations.push(name.into());
        self.table.operations_by_name.insert(name.into(), OperationId(id));
        Ok(OperationId(id))
    }

    fn row(
        &mut self,
        line: u32,
        text: &str,
        (methods, template, operation): (&str, &str, &str),
        rest: &[&str],
    ) -> Result<(), String> {
        let template = Template::parse(template, self.table.folds)?;
        if template.names.len() > MAX_PARAMETERS {
            return Err(format!("a path has at most {MAX_PARAMETERS} parameters"));
        }
        let methods: Vec<Box<str>> = methods.split(',').map(Into::into).collect();
        if let Some(other) = methods.iter().find(|method| !METHODS.contains(&&***method)) {
            return Err(format!("\"{other}\" is no method of a row"));
        }
        let operation = self.operation(operation)?;
        let mut row = Row {
            line,
            method_bits: methods.iter().fold(0, |bits, method| bits | Row::method(method)),
            methods,
            template,
            operation,
            effect: Effect::Refused("".into()),
            flags: Flags::default(),
            dialects: 0,
            option: None,
            types: Vec::new(),
            over: None,
        };
        let mut parts = rest.splitn(2, |word| *word == "|");
        let (words, flags) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if words.first() == Some(&"refused:") {
            let (_, reason) = text.split_once("refused:").unwrap_or_default();
            // Of a row that is refused, flags may choose it.
            let reason = reason.split_once(" | ").map_or(reason, |(reason, _)| reason).trim();
            if reason.is_empty() {
                return Err("a refusal has a reason".into());
            }
            row.effect = Effect::Refused(reason.into());
            self.flags(flags, &mut row, &mut Reading::default())?;
        } else {
            let mut reading = Reading::default();
            let clauses =
                selector::clauses(words, &self.table.kinds, &row.template, &mut reading.members)?;
            self.flags(flags, &mut row, &mut reading)?;
            let Reading { members, overriding, mut bodies } = reading;
            let overriding = match (overriding, clauses.first()) {
                (Some(places), Some(first)) => {
                    let kind = self.table.kinds.get(first.kind);
                    let action = self.table.kinds.action("override");
                    let action = action
                        .filter(|action| kind.is_some_and(|kind| kind.actions.holds(*action)));
                    Some((action.ok_or("the kind has no action \"override\"")?, places))
                }
                _ => None,
            };
            if row.flags.is_stream && !members.is_empty() {
                return Err("the body of a stream is not read".into());
            }
            if bodies == Bodies::default() && !members.is_empty() {
                bodies.json = true;
            }
            let wanted = if members.is_empty() { None } else { Some(members.wanted()?) };
            row.effect = Effect::Named { clauses, wanted, overriding, bodies };
        }
        let place = u16::try_from(self.table.rows.len()).map_err(|_| "there are too many rows")?;
        self.table.router.add(&row.template, place);
        self.table.rows.push(row);
        Ok(())
    }

    fn flags(&self, words: &[&str], row: &mut Row, reading: &mut Reading) -> Result<(), String> {
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let flags = &mut row.flags;
            let flag = match name {
                "list" => &mut flags.is_list,
                "stream" => &mut flags.is_stream,
                "upgrade" => &mut flags.is_upgrade,
                "named" => &mut flags.is_named,
                "probe" => &mut flags.is_probe,
                "dash" => &mut flags.has_dash,
                "encoded_slash" => &mut flags.takes_slash,
                "any_character" => &mut flags.takes_any,
                _ => {
                    self.setting(name, value, row, reading)?;
                    continue;
                }
            };
            if !value.is_empty() {
                return Err(format!("\"{name}\" has no value"));
            }
            *flag = true;
        }
        Ok(())
    }

    fn setting(
        &self,
        name: &str,
        value: &str,
        row: &mut Row,
        reading: &mut Reading,
    ) -> Result<(), String> {
        let members = &mut reading.members;
        match name {
            "body" => {
                for form in value.split(',') {
                    match form {
                        "json" => reading.bodies.json = true,
                        "form" => reading.bodies.form = true,
                        "multipart" => reading.bodies.multipart = true,
                        _ => return Err(format!("there is no body \"{form}\"")),
                    }
                }
            }
            "dialect" => {
                for word in value.split(',') {
                    let place = self.table.dialects.iter().position(|known| &**known == word);
                    let place = place.ok_or_else(|| format!("there is no dialect \"{word}\""))?;
                    row.dialects |=
                        1_u32.checked_shl(u32::try_from(place).unwrap_or(u32::MAX)).unwrap_or(0);
                }
            }
            "option" => {
                let place = self.table.options.iter().position(|(known, _)| &**known == value);
                row.option = Some(place.ok_or_else(|| format!("there is no option \"{value}\""))?);
            }
            "over" => row.over = Some(value.into()),
            "type" => {
                row.types.extend(value.split(',').map(|it| Box::from(it.to_ascii_lowercase())));
            }
            "override" if value == "any" => {
                members.any_but.get_or_insert_default();
                reading.overriding.get_or_insert_default();
            }
            "override" => {
                let places =
                    value.split(',').map(|pointer| members.place(pointer, Use::Presence)).collect();
                reading.overriding = Some(places);
            }
            "except" => {
                members.any_but.get_or_insert_default().extend(value.split(',').map(Box::from));
            }
            _ => return Err(format!("a row has no flag \"{name}\"")),
        }
        Ok(())
    }
}

#[derive(Default)]
struct Reading {
    members: Members,
    overriding: Option<Vec<usize>>,
    bodies: Bodies,
}
