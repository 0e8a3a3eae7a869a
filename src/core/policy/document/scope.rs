//! What grants and denials are about: kinds, names, actions and operations of one platform.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::event::Word;
use super::fault::{At, Fault, nearest};
use super::reader::{Go, Reader};
use super::rows::{Field, SCOPE};
use crate::platform::kind::{Actions, KindId};
use crate::platform::name::Form;
use crate::platform::table::Table;
use crate::policy::model::{Policy, Scope};
use crate::policy::pattern::Pattern;

/// What a scope is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum For {
    Grant,
    Denial,
}

/// Names for what platforms call by number, and the patterns that wait for all of them to be read.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) names: HashMap<(usize, KindId), BTreeMap<Box<str>, Box<str>>>,
    asked: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    kind: (usize, KindId),
    pattern: Pattern,
    text: Box<str>,
    at: At,
    owner: Option<Owner>,
    /// The place of the kind in the scope, and of the pattern in the kind.
    place: (usize, usize),
}

/// Whose scope it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    Denial(usize),
    /// A role and its grant.
    Role(usize, usize),
}

impl Owner {
    fn scope(self, policy: &mut Policy) -> Option<&mut Scope> {
        match self {
            Self::Denial(place) => Some(&mut policy.denials.get_mut(place)?.scope),
            Self::Role(place, grant) => {
                Some(&mut policy.roles.get_mut(place)?.grants.get_mut(grant)?.scope)
            }
        }
    }
}

/// How many names patterns of names may be compared with, and hold.
const MAX_LOOKS: usize = 10_000_000;

/// Reads what a grant or a denial is about; `None` if it is about nothing.
pub(super) fn scope<'t>(
    reader: &mut Reader<'t>,
    tables: &[Arc<Table>],
    numbers: &mut Numbers,
    warnings: &mut Vec<Fault>,
    platform: &Word<'t>,
    what: For,
) -> Go<Option<Scope>> {
    let found = tables.iter().position(|table| table.name() == platform.text);
    let Some((place, table)) = found.and_then(|place| Some((place, tables.get(place)?))) else {
        let near = nearest(&platform.text, tables.iter().map(|table| table.name()));
        reader.fault(platform.at, format!("there is no platform \"{}\"{near}", platform.text))?;
        reader.skip()?;
        return Ok(None);
    };
    let (mut kinds, mut operations) = (Vec::new(), Vec::new());
    let (mut actions, mut has_operations, mut is_broken) = (None, false, false);
    let at = reader.map(&mut |reader, member| match SCOPE
        .iter()
        .find(|row| row.name == member.text)
        .map(|row| row.field)
    {
        Some(Field::Actions) => {
            let words: &mut Vec<_> = actions.get_or_insert_default();
            reader.names(&mut |_, word| {
                words.push(word);
                Ok(())
            })
        }
        Some(_) => {
            has_operations = true;
            reader.names(&mut |reader, name| {
                let Some(operation) = table.operation(&name.text) else {
                    let near = nearest(&name.text, table.operation_names());
                    let (table, name_text) = (table.name(), &name.text);
                    let text = format!("\"{table}\" has no operation \"{name_text}\"{near}");
                    return reader.fault(name.at, text);
                };
                operations.push(operation);
                Ok(())
            })
        }
        None => {
            let Some((kind, form)) = kind(reader, table, member)? else {
                is_broken = true;
                return reader.skip();
            };
            let mut patterns = Vec::new();
            reader.names(&mut |reader, word| {
                let at = (kinds.len(), patterns.len());
                patterns.extend(pattern(reader, numbers, (place, kind), form, at, &word)?);
                Ok(())
            })?;
            kinds.push((kind, patterns.into()));
            Ok(())
        }
    })?;
    let Some(at) = at.filter(|_| !is_broken) else { return Ok(None) };
    let (kinds, operations) = (kinds.into(), operations.into());
    let mut scope =
        Scope { platform: place, kinds, actions: Actions::NONE, is_any: false, operations };
    if scope.kinds.is_empty() {
        reader.fault(at, "this names no kind of resource")?;
    }
    match actions {
        Some(words) => self::actions(reader, table, &mut scope, &words, what)?,
        None if what == For::Grant && !has_operations => {
            reader.fault(at, "a grant has actions or operations")?;
        }
        None => {}
    }
    warn(warnings, table, &scope, at, what);
    Ok(Some(scope))
}

/// The kind of a plural.
pub(super) fn kind<'t>(
    reader: &mut Reader<'t>,
    table: &Table,
    plural: &Word<'t>,
) -> Go<Option<(KindId, Form)>> {
    let kinds = table.kinds();
    if let Some((id, kind)) = kinds.by_plural(&plural.text) {
        return Ok(Some((id, kind.form)));
    }
    let words = SCOPE.iter().map(|row| row.name);
    let near = nearest(&plural.text, kinds.iter().map(|(_, kind)| &*kind.plural).chain(words));
    reader.fault(plural.at, format!("\"{}\" has no \"{}\"{near}", table.name(), plural.text))?;
    Ok(None)
}

fn actions<'t>(
    reader: &mut Reader<'t>,
    table: &Table,
    scope: &mut Scope,
    words: &[Word<'t>],
    what: For,
) -> Go {
    let kinds = table.kinds();
    for word in words {
        let name = &*word.text;
        if name == "*" {
            scope.is_any = true;
            continue;
        }
        let action = kinds.action(name);
        let has = |kind: KindId| {
            let known = kinds.get(kind).zip(action);
            known.is_some_and(|(kind, action)| kind.actions.holds(action))
        };
        let lacks = scope.kinds.iter().find(|(kind, _)| !has(*kind)).map(|(kind, _)| *kind);
        if let Some(kind) = lacks.and_then(|kind| kinds.get(kind)) {
            let near = nearest(name, kinds.words(kind.actions));
            reader.fault(word.at, format!("{} have no action \"{name}\"{near}", kind.plural))?;
        }
        // Who may override a run may run, and who may not run may not override.
        let beside = match (name, what) {
            ("override", For::Grant) => kinds.action("run"),
            ("run", For::Denial) => kinds.action("override"),
            _ => None,
        };
        for action in action.into_iter().chain(beside) {
            scope.actions = scope.actions.and(Actions::of(action));
        }
    }
    Ok(())
}

fn pattern<'t>(
    reader: &mut Reader<'t>,
    numbers: &mut Numbers,
    kind: (usize, KindId),
    form: Form,
    place: (usize, usize),
    word: &Word<'t>,
) -> Go<Option<Pattern>> {
    let text = &*word.text;
    let is_digits = |more: &[u8]| text.bytes().all(|it| it.is_ascii_digit() || more.contains(&it));
    let is_of_names = form == Form::Number && text != "*" && text != "**" && !is_digits(b"");
    let wrong = match Pattern::parse(text, if is_of_names { Form::Plain } else { form }) {
        _ if is_of_names && is_digits(b"*") => {
            "a number is whole: a pattern matches the names in \"names\""
        }
        Ok(pattern) if is_of_names => {
            let (text, at) = (text.into(), word.at);
            numbers.asked.push(Asked { kind, pattern, text, at, owner: None, place });
            return Ok(Some(Pattern::Numbers([].into())));
        }
        Ok(pattern) => return Ok(Some(pattern)),
        Err(_) if form == Form::Number => "a number fits into 64 bits, and has no leading zero",
        Err(error) => error.text(),
    };
    reader.fault(word.at, wrong)?;
    Ok(None)
}

impl Numbers {
    /// Says whose the patterns are that have been read since the last call.
    pub(super) fn own(&mut self, owner: Owner) {
        for asked in self.asked.iter_mut().rev().take_while(|asked| asked.owner.is_none()) {
            asked.owner = Some(owner);
        }
    }

    /// Puts in each pattern of names the numbers that it holds.
    pub(super) fn resolve(
        self,
        policy: &mut Policy,
        faults: &mut Vec<Fault>,
        warnings: &mut Vec<Fault>,
    ) {
        let none = BTreeMap::new();
        let mut looks = 0_usize;
        for Asked { kind, pattern, text, at, owner, place } in self.asked {
            let names = self.names.get(&kind).unwrap_or(&none);
            let held: Box<[Box<str>]> = if text.contains('*') {
                looks = looks.saturating_add(names.len());
                let found = names.iter().filter(|(name, _)| pattern.holds(Some(name)));
                found.map(|(_, number)| number.clone()).collect()
            } else {
                names.get(&text).cloned().into_iter().collect()
            };
            if looks > MAX_LOOKS {
                faults.push(Fault::new(at, "there are too many patterns of too many names"));
                return;
            }
            if held.is_empty() {
                let near = nearest(&text, names.keys().map(|name| &**name));
                let fault =
                    Fault::new(at, format!("\"names\" has no such name as \"{text}\"{near}"));
                if text.contains('*') { warnings.push(fault) } else { faults.push(fault) }
            }
            let kind = owner.and_then(|it| it.scope(policy)?.kinds.get_mut(place.0));
            if let Some(slot) = kind.and_then(|(_, patterns)| patterns.get_mut(place.1)) {
                *slot = Pattern::Numbers(held);
            }
        }
    }
}

/// Warns of what no operation does, and of what a denial cannot hold.
fn warn(warnings: &mut Vec<Fault>, table: &Table, scope: &Scope, at: At, what: For) {
    let kinds = table.kinds();
    let mut warn = |text: String| warnings.push(Fault::new(at, text));
    for (id, patterns) in &scope.kinds {
        let Some(kind) = kinds.get(*id) else { continue };
        let unused = scope.actions.without(table.actions_on(*id));
        // `run` beside `override`, and the reverse, are ours.
        let unused: Vec<&str> =
            kinds.words(unused).filter(|word| !["run", "override"].contains(word)).collect();
        if !unused.is_empty() {
            warn(format!("no operation does \"{}\" with {}", unused.join(", "), kind.plural));
        }
        let by_operation = |operation| table.uses_of(operation).any(|(used, _)| used == *id);
        let has_actions = scope.is_any || !scope.actions.is_empty();
        if !scope.operations.is_empty()
            && !has_actions
            && !scope.operations.iter().any(|it| by_operation(*it))
        {
            warn(format!("none of the operations names {}", kind.plural));
        }
        let consume = kinds.action("consume");
        let consumes = scope.is_any || consume.is_some_and(|action| scope.actions.holds(action));
        if what == For::Grant
            && table.name() == "kafka"
            && &*kind.name == "group"
            && consumes
            && patterns.contains(&Pattern::All)
        {
            warn(
                "any group may be consumed by: a denial of topics is held when an instance \
                 subscribes, is assigned, seeks or reads a topic itself, not when it reads what \
                 another subscribed to"
                    .into(),
            );
        }
    }
}
