//! What an operation asks of a policy.

use super::plain::{Asked, Asks};
use crate::platform::operation::{Operation, Resource, Resources};

/// What an operation asks, but for what it names; `platform` is the place of its table among the policy's.
pub const fn asked(operation: &Operation<'_, '_>, platform: usize) -> Asked<'static> {
    Asked {
        platform,
        operation: operation.id(),
        is_list: operation.is_list(),
        is_named: operation.is_row_named(),
        resources: &[],
    }
}

/// Shows `work` what is asked for, with all that it names.
pub fn ask<T>(
    asked: Asked<'_>,
    resources: &Resources<'_>,
    work: impl FnOnce(&Asked<'_>) -> T,
) -> T {
    let mut all = resources.iter();
    match (all.next(), all.next()) {
        // Most requests name one, which needs no list.
        (Some(first), None) => ask_one(asked, first, work),
        _ => {
            let resources: Vec<_> = resources.iter().map(asks).collect();
            work(&Asked { resources: &resources, ..asked })
        }
    }
}

/// As [`ask`], for one of the resources alone.
pub fn ask_one<T>(
    asked: Asked<'_>,
    resource: &Resource<'_>,
    work: impl FnOnce(&Asked<'_>) -> T,
) -> T {
    work(&Asked { resources: &[asks(resource)], ..asked })
}

fn asks<'a>(it: &'a Resource<'_>) -> Asks<'a> {
    Asks { kind: it.kind, action: it.action, name: it.name.as_deref() }
}
