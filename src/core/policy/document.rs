//! The text of a policy: YAML, or JSON, which is YAML as well.
//!
//! It is read by events, twice: names first, then what uses them. No tree of the whole is made.

mod node;
mod resolve;
mod sections;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use saphyr_parser::Event;

pub use node::{At, Fault};
use node::{Events, Node, Word};

use super::model::Policy;
use crate::platform::table::Table;

/// Bytes of the largest policy.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// How many grants, bindings and denials a policy may have.
pub const MAX_RULES: usize = 1_000_000;

/// How many faults are told.
const MAX_FAULTS: usize = 20;

/// The roles that ship with the product.
const SHIPPED_ROLES: &str = include_str!("roles/synapse.yaml");

/// A policy, and what may be wrong with it all the same.
#[derive(Clone, Debug)]
pub struct Read {
    /// The policy.
    pub policy: Policy,
    /// Warnings.
    pub warnings: Vec<Fault>,
}

/// Reads a policy for some platforms.
///
/// # Errors
///
/// What is wrong, at most twenty faults.
pub fn read(text: &str, tables: &[Arc<Table>]) -> Result<Read, Vec<Fault>> {
    if text.len() > MAX_BYTES {
        return Err(vec![Fault::new(
            At { line: 1, column: 1 },
            "the policy is larger than 64 MiB",
        )]);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut sections = sections::Sections::new(tables);
    let read = sections.add_names(SHIPPED_ROLES).and_then(|()| {
        sections.set_shipped();
        sections.add_names(text)?;
        sections.add_rules(SHIPPED_ROLES)?;
        // What ships is not the operator's to mend.
        sections.warnings.clear();
        sections.add_rules(text)
    });
    sections.finish(read)
}

/// Gives each member of the document's map to `take`, with the events behind its name.
fn each_section<'t>(
    text: &'t str,
    take: &mut dyn FnMut(&Word<'t>, &mut Events<'t>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut events = Events::new(text);
    let mut names = std::collections::HashSet::new();
    loop {
        match events.next()? {
            (Event::StreamStart | Event::DocumentStart(_), _) => {}
            (Event::MappingStart(..), _) => break,
            (_, at) => {
                return Err(Fault::new(at, "a policy is a map that begins with \"version: 1\""));
            }
        }
    }
    while let Some(name) = events.name(&mut names)? {
        take(&name, &mut events)?;
    }
    loop {
        match events.next()? {
            (Event::DocumentEnd, _) => {}
            (Event::StreamEnd, _) => return Ok(()),
            (_, at) => return Err(Fault::new(at, "a policy is one document")),
        }
    }
}

/// Gives each item of a list to `take`, one after another.
fn each_item<'t>(
    events: &mut Events<'t>,
    take: &mut dyn FnMut(Node<'t>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (event, at) = events.next()?;
    if !matches!(event, Event::SequenceStart(..)) {
        return Err(Fault::new(at, "this is a list"));
    }
    loop {
        match events.next()? {
            (Event::SequenceEnd, _) => return Ok(()),
            (event, at) => take(events.value(event, at)?)?,
        }
    }
}

/// Gives each member of a map to `take`, one after another.
fn each_member<'t>(
    events: &mut Events<'t>,
    take: &mut dyn FnMut(Word<'t>, Node<'t>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (event, at) = events.next()?;
    if !matches!(event, Event::MappingStart(..)) {
        return Err(Fault::new(at, "this is a map"));
    }
    let mut names = std::collections::HashSet::new();
    while let Some(name) = events.name(&mut names)? {
        let (event, at) = events.next()?;
        take(name, events.value(event, at)?)?;
    }
    Ok(())
}
