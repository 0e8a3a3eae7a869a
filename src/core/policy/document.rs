//! The text of a policy: YAML, or JSON.
//!
//! It is read once, by events, into the policy itself: no tree is made of it. A name may be used before
//! it is given.

mod check;
mod condition;
mod event;
mod fault;
mod given;
mod json;
mod names;
mod reader;
mod rows;
mod schema;
mod scope;
mod sections;
mod texts;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use fault::{At, Fault};
pub use schema::schema;

use self::fault::nearest;
use self::reader::{MAX_FAULTS, Reader};
use self::sections::Sections;
use super::model::Policy;
use crate::platform::table::Table;

/// Bytes of the largest policy.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// How many grants, bindings and denials a policy may have.
pub const MAX_RULES: usize = 1_000_000;

/// The roles that ship with the product.
const SHIPPED_ROLES: &str = include_str!("roles/synapse.yaml");

/// A policy, and what may be wrong with it all the same.
#[derive(Clone, Debug)]
pub struct Read {
    /// The policy.
    pub policy: Policy,
    /// Warnings.
    pub warnings: Vec<Fault>,
    /// Where each issuer is named first.
    issuers: BTreeMap<Arc<str>, At>,
}

impl Read {
    /// Warns of issuers that a configuration does not have.
    pub fn warn_of_issuers(&mut self, configured: &[&str]) {
        for (name, at) in &self.issuers {
            if !configured.contains(&&**name) {
                let near = nearest(name, configured.iter().copied());
                let text = format!("the configuration has no issuer \"{name}\"{near}");
                self.warnings.push(Fault::new(*at, text));
            }
        }
        self.warnings.sort();
    }
}

/// Reads a policy for some platforms.
///
/// # Errors
///
/// What is wrong, at most twenty faults.
pub fn read(text: &str, tables: &[Arc<Table>]) -> Result<Read, Vec<Fault>> {
    if text.len() > MAX_BYTES {
        return Err(vec![Fault::new(At::START, "the policy is larger than 64 MiB")]);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut sections = Sections::new(tables);
    sections.add_shipped(SHIPPED_ROLES);
    let mut reader = Reader::new(text);
    let is_whole = sections.add(&mut reader).is_ok();
    let mut faults = reader.faults;
    // What is missing may be behind the place where reading ended.
    if is_whole {
        sections.check(&mut faults);
    }
    faults.sort();
    faults.truncate(MAX_FAULTS);
    if !faults.is_empty() || !is_whole {
        return Err(faults);
    }
    sections.warn();
    let Sections { policy, mut warnings, issuers, .. } = sections;
    warnings.sort();
    Ok(Read { policy, warnings, issuers })
}
