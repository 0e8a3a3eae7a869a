//! What roles grant, by the names that they grant it of.

use super::lists::Lists;
use super::names::{Gathering, Names};
use super::{Slot, Slots, What, Whats};
use crate::policy::model::Policy;
use crate::policy::pattern::Pattern;

/// What all roles grant.
#[derive(Debug)]
pub(super) struct Grants {
    kinds: Box<[Kind]>,
    /// Of each role, what its grants are about: kind by kind in each grant.
    whats: Lists,
    /// Of each role, how many patterns its own grants have.
    sizes: Box<[u32]>,
}

/// What all roles grant of one kind.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) names: Names,
    /// By the numbers of the names.
    pub(super) granted: Box<[Granted]>,
}

/// A role that grants something of a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Granted {
    pub(super) role: u32,
    pub(super) what: u32,
}

/// What a binding gives of a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Held {
    pub(super) binding: u32,
    /// Of a role that is not gathered, nothing.
    pub(super) what: u32,
    pub(super) is_of_the_moment: bool,
}

impl Grants {
    pub(super) fn new(slots: &Slots<'_>, whats: &mut Whats) -> Self {
        let mut all: Vec<Option<(Gathering<'_>, Vec<Granted>)>> = Vec::new();
        all.resize_with(slots.count, || None);
        let (mut of_roles, mut sizes) = (Vec::new(), Vec::new());
        for (role, it) in (0_u32..).zip(&slots.policy.roles) {
            let mut size = 0_usize;
            for (platform, kind, patterns, what) in it.grants.iter().flat_map(|grant| {
                let scope = &grant.scope;
                scope.kinds.iter().map(move |(kind, patterns)| {
                    let what = What::of_grant(slots.policy, scope, *kind);
                    (scope.platform, *kind, patterns, what)
                })
            }) {
                let what = whats.place(what);
                of_roles.push((role, what));
                size = size.saturating_add(patterns.len());
                let separator = slots.separator(platform, kind);
                let slot = slots.of(platform, kind).and_then(|slot| all.get_mut(slot));
                let Some(slot) = slot else { continue };
                let (names, granted) =
                    slot.get_or_insert_with(|| (Gathering::new(separator), Vec::new()));
                for pattern in patterns {
                    names.add(pattern, u32::try_from(granted.len()).unwrap_or(u32::MAX));
                    granted.push(Granted { role, what });
                }
            }
            sizes.push(u32::try_from(size).unwrap_or(u32::MAX));
        }
        let kinds = all.into_iter().map(|kind| {
            let (names, granted) = kind.unwrap_or_else(|| (Gathering::new(None), Vec::new()));
            let (names, order) = names.finish(&mut |_, _| true);
            let granted =
                order.iter().filter_map(|it| granted.get(super::at(*it)).copied()).collect();
            Kind { names, granted }
        });
        Self {
            kinds: kinds.collect(),
            whats: Lists::new(slots.policy.roles.len(), of_roles),
            sizes: sizes.into(),
        }
    }

    /// The names of a kind, and the roles that grant something of each.
    #[inline(always)]
    pub(super) fn of_kind(&self, slot: Slot) -> Option<&Kind> {
        self.kinds.get(slot)
    }

    /// How many patterns the grants of a role have, without those that it includes.
    pub(super) fn size(&self, role: u32) -> usize {
        self.sizes.get(super::at(role)).map_or(0, |size| super::at(*size))
    }

    /// The patterns that a role grants by itself, each with its kind and what it is about.
    pub(super) fn of_role<'p>(
        &'p self,
        policy: &'p Policy,
        firsts: &'p [Slot],
        role: u32,
    ) -> impl Iterator<Item = (Slot, Option<u8>, &'p Pattern, u32)> {
        let slots = Slots { policy, firsts, count: 0 };
        let grants = policy.roles.get(super::at(role)).into_iter().flat_map(|role| &role.grants);
        let kinds = grants.flat_map(|grant| {
            let platform = grant.scope.platform;
            grant.scope.kinds.iter().map(move |(kind, patterns)| (platform, *kind, patterns))
        });
        let whats = self.whats.of(super::at(role));
        kinds.zip(whats).flat_map(move |((platform, kind, patterns), what)| {
            let slot = slots.of(platform, kind).unwrap_or(Slot::MAX);
            let separator = slots.separator(platform, kind);
            patterns.iter().map(move |pattern| (slot, separator, pattern, *what))
        })
    }
}
