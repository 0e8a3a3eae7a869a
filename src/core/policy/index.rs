//! The index of a policy: decides as [`plain`](super::plain) does, without a look at every rule.
//!
//! What an identity may do is gathered once, in a [`View`]: a decision looks at the view and at the
//! denials that name the resource, never at a list of bindings.

mod names;
mod view;

#[cfg(test)]
mod tests;

use core::net::IpAddr;
use std::collections::HashMap;

use super::model::{Conditions, Policy};
use super::plain::{Asked, Asks, Bears, Decision, Verdict, allows_action, bears};
use super::subject::{Known, meets_now};
use crate::platform::kind::KindId;
use crate::platform::name::Form;
use crate::text::time::UnixTime;
use names::Names;
pub use view::View;

/// A policy with its index.
#[derive(Debug)]
pub struct Index {
    policy: Policy,
    /// Of each role: what it grants by itself.
    roles: Vec<Grants>,
    /// The denials that name a resource of a kind, each by its place.
    denials: ByKind<u32>,
    /// Denials by the kinds that they are about.
    denials_of: HashMap<(usize, KindId), Vec<u32>>,
    subjects: view::Bindings,
    has_dry_denials: bool,
}

type ByKind<T> = HashMap<(usize, KindId), Names<T>>;

/// What grants hold, by kind: each grant by its place among those of the policy.
type Grants = ByKind<Held>;

/// A grant that names a resource, and the binding that gives it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Held {
    binding: u32,
    role: u32,
    grant: u32,
}

impl Index {
    /// Makes the index.
    pub fn new(policy: Policy) -> Self {
        let mut roles = Vec::with_capacity(policy.roles.len());
        for role in 0..policy.roles.len() {
            let mut grants = Grants::default();
            add_role(&mut grants, &policy, 0, role);
            finish(&mut grants);
            roles.push(grants);
        }
        let mut denials = ByKind::default();
        let mut denials_of: HashMap<(usize, KindId), Vec<u32>> = HashMap::new();
        for (place, denial) in (0_u32..).zip(&policy.denials) {
            for (kind, patterns) in &denial.scope.kinds {
                let key = (denial.scope.platform, *kind);
                let of_kind = denials_of.entry(key).or_default();
                if of_kind.last() != Some(&place) {
                    of_kind.push(place);
                }
                let separator = form(&policy, key).and_then(Form::separator);
                let names = denials.entry(key).or_insert_with(|| Names::new(separator));
                patterns.iter().for_each(|pattern| names.add(pattern, place));
            }
        }
        finish(&mut denials);
        let subjects = view::Bindings::new(&policy);
        let has_dry_denials = policy.denials.iter().any(|denial| denial.dry_run);
        Self { policy, roles, denials, denials_of, subjects, has_dry_denials }
    }

    /// The policy.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Decides about what an identity asks for, from an address.
    pub fn decide(
        &self,
        view: &View,
        address: Option<IpAddr>,
        asked: &Asked<'_>,
        now: UnixTime,
    ) -> Decision<'_> {
        let is_now = |conditions: &Conditions| meets_now(conditions, address, now);
        let denial =
            |place: u32| self.policy.denials.get(usize::try_from(place).unwrap_or(usize::MAX));
        let may = |place: u32, is_dry: bool| {
            denial(place).is_some_and(|it| {
                it.dry_run == is_dry && view.is_meant(place) && is_now(&it.conditions) != Known::No
            })
        };
        let mut first: Option<u32> = None;
        for asks in asked.resources {
            self.each_denial(asked, asks, &mut |place| {
                if first.is_none_or(|first| place < first) && may(place, false) {
                    first = Some(place);
                }
            });
        }
        if let Some(denial) = first.and_then(denial) {
            let verdict = Verdict::Denied(&denial.name);
            return Decision { verdict, bindings: Vec::new(), noted: Vec::new() };
        }
        let (mut bindings, mut dry) = (Vec::new(), Vec::new());
        let mut is_held = !asked.resources.is_empty();
        for asks in asked.resources {
            match self.first_binding(view.live(), asked, asks, &is_now) {
                Some(binding) => bindings.push(binding),
                None => {
                    is_held = false;
                    dry.extend(self.first_binding(view.dry(), asked, asks, &is_now));
                }
            }
        }
        let name = |place: &u32| {
            self.policy.bindings.get(usize::try_from(*place).ok()?).map(|it| &*it.name)
        };
        let mut noted: Vec<&str> = dry.iter().filter_map(name).collect();
        let rule = bindings.first().and_then(name).filter(|_| is_held);
        let verdict = rule.map_or(Verdict::Default, Verdict::Allowed);
        if !verdict.is_allowed() {
            bindings.clear();
        } else if self.has_dry_denials {
            let mut places = Vec::new();
            for asks in asked.resources {
                self.each_denial(asked, asks, &mut |place| {
                    if may(place, true) {
                        places.push(place);
                    }
                });
            }
            places.sort_unstable();
            noted.extend(places.into_iter().filter_map(denial).map(|denial| &*denial.name));
        }
        let bindings = bindings.iter().filter_map(|place| usize::try_from(*place).ok()).collect();
        Decision {
            verdict,
            bindings: super::plain::once(bindings),
            noted: super::plain::once(noted),
        }
    }

    /// The first binding that holds a resource.
    fn first_binding(
        &self,
        held: &view::Holding,
        asked: &Asked<'_>,
        asks: &Asks<'_>,
        is_now: &dyn Fn(&Conditions) -> Known,
    ) -> Option<u32> {
        let key = (asked.platform, asks.kind);
        let table = self.policy.tables.get(asked.platform)?;
        let holds = |it: &Held| {
            let role = self.policy.roles.get(usize::try_from(it.role).ok()?)?;
            let grant = role.grants.get(usize::try_from(it.grant).ok()?)?;
            allows_action(table, &grant.scope, asked, asks).then_some(())
        };
        let is_in_force = |binding: u32| {
            let binding = self.policy.bindings.get(usize::try_from(binding).unwrap_or(usize::MAX));
            binding.is_some_and(|it| is_now(&it.conditions) == Known::Yes)
        };
        let mut first: Option<u32> = None;
        if let Some(names) = held.merged(key) {
            names.each(asks.name, &mut |it| {
                if first.is_none_or(|first| it.binding < first)
                    && holds(it).is_some()
                    && is_in_force(it.binding)
                {
                    first = Some(it.binding);
                }
            });
        }
        // Bindings of roles that are too large to be gathered, in their order.
        for (binding, role) in held.apart() {
            if first.is_some_and(|first| first <= *binding) {
                break;
            }
            let Some(names) =
                self.roles.get(usize::try_from(*role).ok()?).and_then(|role| role.get(&key))
            else {
                continue;
            };
            let mut is_held = false;
            names.each(asks.name, &mut |it| is_held |= holds(it).is_some());
            if is_held && is_in_force(*binding) {
                first = Some(*binding);
            }
        }
        first
    }

    /// Gives each denial that refuses a resource to `take`, if the subject is meant.
    fn each_denial(&self, asked: &Asked<'_>, asks: &Asks<'_>, take: &mut dyn FnMut(u32)) {
        let key = (asked.platform, asks.kind);
        let refuses = |place: u32| {
            let denial = self.policy.denials.get(usize::try_from(place).unwrap_or(usize::MAX));
            denial.is_some_and(|denial| bears(&self.policy, denial, asked, asks) == Bears::Holds)
        };
        let mut judge = |place: u32| {
            if refuses(place) {
                take(place);
            }
        };
        match (asks.name, self.denials.get(&key)) {
            (_, None) => {}
            // All resources: each denial of the kind may hold.
            (None, Some(_)) => {
                let of_kind = self.denials_of.get(&key).into_iter().flatten();
                of_kind.for_each(|place| judge(*place));
            }
            (Some(name), Some(names)) => names.each_around(name, &mut |place| judge(*place)),
        }
    }
}

/// Adds what a role grants by itself, and not by the roles that it includes.
fn add_role(grants: &mut Grants, policy: &Policy, binding: u32, role: usize) {
    let Some(it) = policy.roles.get(role) else { return };
    for (place, grant) in (0_u32..).zip(&it.grants) {
        for (kind, patterns) in &grant.scope.kinds {
            let key = (grant.scope.platform, *kind);
            let separator = form(policy, key).and_then(Form::separator);
            let names = grants.entry(key).or_insert_with(|| Names::new(separator));
            let held =
                Held { binding, role: u32::try_from(role).unwrap_or(u32::MAX), grant: place };
            patterns.iter().for_each(|pattern| names.add(pattern, held));
        }
    }
}

fn finish<T>(names: &mut ByKind<T>) {
    names.values_mut().for_each(Names::finish);
}

fn form(policy: &Policy, (platform, kind): (usize, KindId)) -> Option<Form> {
    policy.tables.get(platform)?.kinds().get(kind).map(|kind| kind.form)
}
