//! What is wrong with a document as a whole, and what its warnings are.

use super::fault::{At, Fault, nearest};
use super::names::Names;
use super::sections::{Sections, put};
use crate::platform::kind::{ActionId, KindId};
use crate::platform::table::Table;
use crate::policy::model::{Binding, Denial, Group, Policy, Role, Scope, Service, Subjects};

impl Sections {
    /// Looks at the whole: which names are missing, and which roles include themselves.
    pub(super) fn check(&mut self, faults: &mut Vec<Fault>) {
        let missing = |names: &Names, what: &str, more: &str| -> Vec<Fault> {
            let all = |name: &str| nearest(name, names.all_given());
            let fault = |(name, at): (&str, At)| {
                Fault::new(at, format!("there is no {what} \"{name}\"{}{more}", all(name)))
            };
            names.missing().take(super::reader::MAX_FAULTS).map(fault).collect()
        };
        faults.extend(missing(&self.services, "service", ""));
        faults.extend(missing(&self.groups, "group", "; an issuer's own is ISSUER/GROUP"));
        faults.extend(missing(&self.roles, "role", ""));
        let Policy { services, groups, roles, .. } = &mut self.policy;
        // A place for each name that is used, so that places are those of names.
        fill(services, self.services.len(), Service::default);
        fill(groups, self.groups.len(), Group::default);
        fill(roles, self.roles.len(), Role::default);
        for place in circles(roles) {
            let name = roles.get(place).map_or("", |role| &*role.name);
            let text = format!("the role \"{name}\" includes itself, by itself or by another");
            faults.push(Fault::new(self.roles.at(place), text));
        }
        let numbers = core::mem::take(&mut self.numbers);
        numbers.resolve(&mut self.policy, faults, &mut self.warnings);
    }

    /// Warns of roles that nobody has, and of denials that SQL leads around.
    pub(super) fn warn(&mut self) {
        let Self { policy, roles, shipped, warnings, denials, .. } = self;
        let granted = granted(policy);
        for (place, name) in roles.iter().enumerate().skip(*shipped) {
            if !granted.get(place).copied().unwrap_or_default() {
                let text = format!("no binding grants the role \"{name}\"");
                warnings.push(Fault::new(roles.at(place), text));
            }
        }
        let sql = with_sql(policy);
        let has_sql = |binding: &&Binding| sql.get(binding.role).copied().unwrap_or_default();
        let bindings: Vec<&Binding> = policy.bindings.iter().filter(has_sql).collect();
        for (denial, at) in policy.denials.iter().zip(denials) {
            if !is_of_data(policy, &denial.scope) {
                continue;
            }
            if let Some(binding) = bindings.iter().find(|binding| may_meet(denial, binding)) {
                let (denial, binding) = (&denial.name, &binding.name);
                let text = format!(
                    "SQL and code are not read: who has \"{binding}\" may reach by them what \
                     \"{denial}\" denies, unless the platform refuses it"
                );
                warnings.push(Fault::new(*at, text));
            }
        }
    }
}

fn fill<T>(list: &mut Vec<T>, count: usize, empty: fn() -> T) {
    if let Some(last) = count.checked_sub(1).filter(|last| *last >= list.len()) {
        put(list, last, empty(), empty);
    }
}

/// For each circle of roles that include each other, one of them.
fn circles(roles: &[Role]) -> Vec<usize> {
    #[derive(Clone, Copy, Eq, PartialEq)]
    enum Seen {
        Not,
        Above,
        Done,
    }
    let mut seen = vec![Seen::Not; roles.len()];
    let mut found = Vec::new();
    for start in 0..roles.len() {
        // The roles on the way down, each with the next one that it includes.
        let mut way = vec![(start, 0_usize)];
        while let Some((place, next)) = way.last_mut() {
            let place = *place;
            let Some(mark) = seen.get_mut(place) else { break };
            if *next == 0 && *mark == Seen::Done {
                way.pop();
                continue;
            }
            *mark = Seen::Above;
            let included = roles.get(place).and_then(|role| role.includes.get(*next)).copied();
            *next = next.saturating_add(1);
            match included.map(|included| (included, seen.get(included))) {
                None => {
                    if let Some(mark) = seen.get_mut(place) {
                        *mark = Seen::Done;
                    }
                    way.pop();
                }
                Some((included, Some(Seen::Above))) => found.push(included),
                Some((included, _)) => way.push((included, 0)),
            }
        }
    }
    found
}

/// Of each role, whether a binding grants it, by itself or by one that includes it.
fn granted(policy: &Policy) -> Vec<bool> {
    let bound = policy.bindings.iter().map(|binding| binding.role);
    reached(bound.collect(), &|place| policy.roles.get(place).map(|role| &*role.includes))
}

/// Of each role, whether it lets its subjects run SQL or code, by itself or by one that it includes.
fn with_sql(policy: &Policy) -> Vec<bool> {
    let mut includers = vec![Vec::new(); policy.roles.len()];
    for (place, role) in policy.roles.iter().enumerate() {
        for included in &role.includes {
            if let Some(includers) = includers.get_mut(*included) {
                includers.push(place);
            }
        }
    }
    let has_own = |role: &Role| role.grants.iter().any(|grant| is_of_sql(policy, &grant.scope));
    let all = policy.roles.iter().enumerate();
    let own = all.filter(|(_, role)| has_own(role)).map(|(place, _)| place);
    reached(own.collect(), &|place| includers.get(place).map(Vec::as_slice))
}

/// The places that can be reached from some.
fn reached<'p>(mut open: Vec<usize>, next: &dyn Fn(usize) -> Option<&'p [usize]>) -> Vec<bool> {
    let mut reached = Vec::new();
    while let Some(place) = open.pop() {
        let Some(more) = next(place) else { continue };
        if reached.len() <= place {
            reached.resize(place.saturating_add(1), false);
        }
        if let Some(is_reached) = reached.get_mut(place).filter(|it| !**it) {
            *is_reached = true;
            open.extend(more);
        }
    }
    reached
}

/// Whether a grant lets its subjects run SQL or code at Databricks.
fn is_of_sql(policy: &Policy, scope: &Scope) -> bool {
    const SQL: [(&str, &str); 4] =
        [("warehouse", "use"), ("cluster", "use"), ("cluster", "submit"), ("job", "submit")];
    let Some(table) = databricks(policy, scope) else { return false };
    let kinds = table.kinds();
    let does = |kind: KindId, action: ActionId| {
        let is_named = kinds.get(kind).is_some_and(|kind| kind.named.holds(action));
        scope.actions.holds(action)
            || scope.is_any && !is_named
            || scope.operations.iter().any(|it| table.uses_of(*it).any(|it| it == (kind, action)))
    };
    SQL.iter().any(|(kind, action)| {
        let known = kinds.by_name(kind).zip(kinds.action(action));
        known.is_some_and(|((kind, _), action)| {
            scope.kinds.iter().any(|(it, _)| *it == kind) && does(kind, action)
        })
    })
}

/// Whether a denial is of what SQL and code can read.
fn is_of_data(policy: &Policy, scope: &Scope) -> bool {
    databricks(policy, scope).is_some_and(|table| {
        let kinds = scope.kinds.iter().filter_map(|(kind, _)| table.kinds().get(*kind));
        kinds.into_iter().any(|kind| ["securable", "file", "path"].contains(&&*kind.name))
    })
}

fn databricks<'p>(policy: &'p Policy, scope: &Scope) -> Option<&'p Table> {
    let table = policy.tables.get(scope.platform)?;
    (table.name() == "databricks").then_some(table)
}

/// Whether one subject may be denied and have the binding, as far as their names tell.
fn may_meet(denial: &Denial, binding: &Binding) -> bool {
    let Subjects { services, groups } = &binding.subjects;
    let is_for = denial.subjects.is_empty()
        || services.iter().any(|it| denial.subjects.services.contains(it))
        || groups.iter().any(|it| denial.subjects.groups.contains(it));
    let is_excepted = services.iter().all(|it| denial.unless.services.contains(it))
        && groups.iter().all(|it| denial.unless.groups.contains(it));
    is_for && !is_excepted
}
