//! What an operation asks of a policy.

use super::plain::{Asked, Asks};
use crate::platform::operation::{Operation, Resource};

/// Shows `work` what an operation asks for; `platform` is the place of its table among the policy's.
pub fn ask<T>(
    operation: &Operation<'_, '_>,
    platform: usize,
    work: impl FnOnce(&Asked<'_>) -> T,
) -> T {
    let mut resources = operation.resources.iter();
    match (resources.next(), resources.next()) {
        // Most requests name one, which needs no list.
        (Some(first), None) => ask_one(operation, first, platform, work),
        _ => {
            let resources: Vec<_> = operation.resources.iter().map(asks).collect();
            work(&asked(operation, platform, &resources))
        }
    }
}

/// As [`ask`], for one of the resources alone.
pub fn ask_one<T>(
    operation: &Operation<'_, '_>,
    resource: &Resource<'_>,
    platform: usize,
    work: impl FnOnce(&Asked<'_>) -> T,
) -> T {
    work(&asked(operation, platform, &[asks(resource)]))
}

fn asks<'a>(it: &'a Resource<'_>) -> Asks<'a> {
    Asks { kind: it.kind, action: it.action, name: it.name.as_deref() }
}

fn asked<'a>(
    operation: &Operation<'_, '_>,
    platform: usize,
    resources: &'a [Asks<'a>],
) -> Asked<'a> {
    Asked {
        platform,
        operation: operation.id(),
        is_list: operation.is_list(),
        is_named: operation.is_row_named(),
        resources,
    }
}
