//! From the words of a document to what the tables of platforms know.

use std::sync::Arc;

use super::node::{Fault, Node, Word};
use super::sections::Sections;
use crate::claims::Requirement;
use crate::platform::kind::{Actions, KindId};
use crate::platform::name::Form;
use crate::platform::table::Table;
use crate::policy::model::{Conditions, Network, Scope};
use crate::policy::pattern::Pattern;
use crate::text::time::UnixTime;

/// What a scope is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum For {
    Grant,
    Denial,
}

/// `, did you mean "..."?`, if a word is near.
pub(super) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> String {
    let near = names.map(|name| (strsim::jaro_winkler(word, name), name));
    let near =
        near.max_by(|(one, _), (other, _)| one.total_cmp(other)).filter(|(score, _)| *score > 0.75);
    near.map_or_else(String::new, |(_, name)| format!("; did you mean \"{name}\"?"))
}

pub(super) fn platform(
    tables: &[Arc<Table>],
    word: &Word<'_>,
) -> Result<(usize, Arc<Table>), Fault> {
    let name = word.name()?;
    let place = tables.iter().position(|table| table.name() == name);
    place.and_then(|place| tables.get(place).map(|table| (place, Arc::clone(table)))).ok_or_else(
        || {
            let near = nearest(name, tables.iter().map(|table| table.name()));
            Fault::new(word.at, format!("there is no platform \"{name}\"{near}"))
        },
    )
}

pub(super) fn kind(table: &Table, word: &Word<'_>) -> Result<(KindId, Form), Fault> {
    let kinds = table.kinds();
    kinds.by_plural(&word.text).map(|(id, kind)| (id, kind.form)).ok_or_else(|| {
        let near = nearest(&word.text, kinds.iter().map(|(_, kind)| &*kind.plural));
        Fault::new(word.at, format!("\"{}\" has no \"{}\"{near}", table.name(), word.text))
    })
}

/// Reads what a grant or a denial is about.
pub(super) fn scope(
    sections: &mut Sections,
    platform: &Word<'_>,
    node: &Node<'_>,
    what: For,
) -> Result<Scope, Fault> {
    let (place, table) = self::platform(&sections.policy.tables, platform)?;
    let mut scope = Scope {
        platform: place,
        kinds: Vec::new(),
        actions: Actions::NONE,
        is_any: false,
        operations: Vec::new(),
    };
    let mut actions = None;
    for (member, value) in node.map()? {
        match &*member.text {
            "actions" => actions = Some(value),
            "operations" => {
                for operation in value.list()? {
                    let name = operation.name()?;
                    let id = table.operation(name).ok_or_else(|| {
                        let near = nearest(name, table.operation_names());
                        Fault::new(
                            operation.at,
                            format!("\"{}\" has no operation \"{name}\"{near}", table.name()),
                        )
                    })?;
                    scope.operations.push(id);
                }
            }
            _ => {
                let (kind, form) = kind(&table, member)?;
                let patterns =
                    value.list()?.iter().map(|node| pattern(sections, place, kind, form, node));
                scope.kinds.push((kind, patterns.collect::<Result<_, _>>()?));
            }
        }
    }
    if scope.kinds.is_empty() {
        return Err(Fault::new(node.at, "this names no kind of resource"));
    }
    match actions {
        Some(node) => self::actions(&table, &mut scope, node, what)?,
        None if what == For::Grant && scope.operations.is_empty() => {
            return Err(Fault::new(node.at, "a grant has actions or operations"));
        }
        None => {}
    }
    warn_of_unused(sections, &table, &scope, node);
    Ok(scope)
}

fn actions(table: &Table, scope: &mut Scope, node: &Node<'_>, what: For) -> Result<(), Fault> {
    let kinds = table.kinds();
    for word in node.list()? {
        let name = word.name()?;
        if name == "*" {
            scope.is_any = true;
            continue;
        }
        let action = kinds.action(name);
        for (kind, _) in &scope.kinds {
            let Some(kind) = kinds.get(*kind) else { continue };
            if !action.is_some_and(|action| kind.actions.holds(action)) {
                let near = nearest(name, kinds.words(kind.actions));
                return Err(Fault::new(
                    word.at,
                    format!("{} have no action \"{name}\"{near}", kind.plural),
                ));
            }
        }
        let Some(action) = action else { continue };
        scope.actions = scope.actions.and(Actions::of(action));
        // Who may override a run may run, and who may not run may not override.
        let beside = match (name, what) {
            ("override", For::Grant) => kinds.action("run"),
            ("run", For::Denial) => kinds.action("override"),
            _ => None,
        };
        if let Some(beside) = beside {
            scope.actions = scope.actions.and(Actions::of(beside));
        }
    }
    if scope.actions.is_empty() && !scope.is_any {
        return Err(Fault::new(node.at, "the list of actions is empty"));
    }
    Ok(())
}

fn pattern(
    sections: &Sections,
    platform: usize,
    kind: KindId,
    form: Form,
    node: &Node<'_>,
) -> Result<Pattern, Fault> {
    let text = node.name()?;
    let fault = |text: &str| Fault::new(node.at, text);
    if form != Form::Number || text == "*" || text == "**" {
        return Pattern::parse(text, form).map_err(|error| fault(error.text()));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Pattern::parse(text, form).map_err(|_| fault("a number has no leading zero"));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*') {
        return Err(fault("a number is whole: a pattern matches the names in \"names\""));
    }
    let names = sections.numbers.get(&(platform, kind)).map(Vec::as_slice).unwrap_or_default();
    let pattern = Pattern::parse(text, Form::Plain).map_err(|error| fault(error.text()))?;
    let held = names
        .iter()
        .filter(|(name, _)| pattern.holds(Some(name)))
        .map(|(_, number)| number.clone());
    let held: Box<[Box<str>]> = held.collect();
    if held.is_empty() {
        let near = nearest(text, names.iter().map(|(name, _)| &**name));
        return Err(fault(&format!("\"names\" has no such name as \"{text}\"{near}")));
    }
    Ok(Pattern::Numbers(held))
}

/// Warns of what no operation of the platform does.
fn warn_of_unused(sections: &mut Sections, table: &Table, scope: &Scope, node: &Node<'_>) {
    let kinds = table.kinds();
    for (id, _) in &scope.kinds {
        let unused = scope.actions.without(table.actions_on(*id));
        let Some(kind) = kinds.get(*id).filter(|_| !unused.is_empty()) else { continue };
        let words: Vec<&str> = kinds.words(unused).collect();
        // `run` beside `override`, and the reverse, are ours.
        if words.iter().all(|word| ["run", "override"].contains(word)) {
            continue;
        }
        let text = format!("no operation does \"{}\" with {}", words.join(", "), kind.plural);
        sections.warnings.push(Fault::new(node.at, text));
    }
}

/// Reads one of the conditions of a rule.
pub(super) fn condition(
    conditions: &mut Conditions,
    member: &Word<'_>,
    node: &Node<'_>,
    unknown: &dyn Fn() -> String,
) -> Result<(), Fault> {
    match &*member.text {
        "from" => conditions.from = Some(time(node)?),
        "until" => conditions.until = Some(time(node)?),
        "addresses" => {
            for address in node.list()? {
                let network = Network::parse(&address.word()?.text);
                let text = "this is an address or a network, such as 10.0.0.0/8, with the bits of hosts zero";
                conditions.addresses.push(network.ok_or_else(|| Fault::new(address.at, text))?);
            }
        }
        "claims" => {
            for (pointer, values) in node.map()? {
                let values =
                    values.list()?.iter().map(|value| value.word().map(|word| &*word.text));
                let mut words = vec![pointer.name()?];
                words.extend(values.collect::<Result<Vec<_>, _>>()?);
                let requirement = Requirement::parse(&words);
                let requirement =
                    requirement.map_err(|error| Fault::new(pointer.at, error.to_string()))?;
                conditions.claims.push(Arc::new(requirement));
            }
        }
        _ => return Err(Fault::new(member.at, unknown())),
    }
    Ok(())
}

fn time(node: &Node<'_>) -> Result<UnixTime, Fault> {
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    let word = node.word()?;
    let time = OffsetDateTime::parse(&word.text, &Rfc3339);
    let time = time
        .map_err(|_| Fault::new(word.at, "a time has an offset, such as 2026-01-01T00:00:00Z"))?;
    Ok(UnixTime::from_secs(time.unix_timestamp()))
}
