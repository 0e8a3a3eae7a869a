//! What one identity may do.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Grants, Held, Index, Names, add_role, finish};
use crate::platform::kind::KindId;
use crate::policy::model::{IssuerGroup, Policy};
use crate::policy::plain::is_meant;
use crate::policy::subject::{Known, Subject};

/// What one identity may do: made once for it, and of no use under another policy.
#[derive(Debug)]
pub struct View {
    live: Holding,
    dry: Holding,
    /// Bits of the denials that mean it.
    meant: Vec<u64>,
}

/// What some bindings give.
#[derive(Debug, Default)]
pub(super) struct Holding {
    merged: Grants,
    /// Bindings, and their roles, of roles that are too large to be gathered.
    apart: Vec<(u32, u32)>,
}

/// How many names of a role are gathered into a view; few in tests, so that they see both.
const LARGE: usize = if cfg!(test) { 4 } else { 256 };

impl Holding {
    pub(super) fn merged(&self, key: (usize, KindId)) -> Option<&Names<Held>> {
        self.merged.get(&key)
    }

    pub(super) fn apart(&self) -> &[(u32, u32)] {
        &self.apart
    }
}

impl View {
    pub(super) const fn live(&self) -> &Holding {
        &self.live
    }

    pub(super) const fn dry(&self) -> &Holding {
        &self.dry
    }

    /// Whether a rule gives it anything of a kind, which is named by the place of its platform: also one
    /// in a dry run.
    pub fn knows(&self, index: &Index, key: (usize, KindId)) -> bool {
        [&self.live, &self.dry].into_iter().any(|holding| {
            let role = |(_, role): &(u32, u32)| index.roles.get(usize::try_from(*role).ok()?);
            holding.merged.contains_key(&key)
                || holding.apart.iter().filter_map(role).any(|role| role.contains_key(&key))
        })
    }

    /// About the bytes that it takes.
    pub fn weight(&self) -> usize {
        let names = |it: &Holding| {
            let merged = it.merged.values().map(|names| names.len().saturating_mul(128));
            merged.sum::<usize>().saturating_add(it.apart.len().saturating_mul(8))
        };
        let parts = [names(&self.live), names(&self.dry), self.meant.len().saturating_mul(8), 512];
        parts.into_iter().fold(0, usize::saturating_add)
    }

    /// Whether a denial means the identity.
    pub(super) fn is_meant(&self, denial: u32) -> bool {
        let word = usize::try_from(denial >> 6).ok().and_then(|at| self.meant.get(at));
        word.is_some_and(|word| word >> (denial & 63) & 1 == 1)
    }
}

/// The bindings by whom they are for.
#[derive(Debug)]
pub(super) struct Bindings {
    by_spiffe: HashMap<Box<str>, Vec<u32>>,
    by_token: HashMap<(Box<str>, Box<str>), Vec<u32>>,
    by_group: HashMap<IssuerGroup, Vec<u32>>,
    /// Those that ask for nothing that could be looked up.
    others: Vec<u32>,
}

impl Bindings {
    pub(super) fn new(policy: &Policy) -> Self {
        let mut all = Self {
            by_spiffe: HashMap::new(),
            by_token: HashMap::new(),
            by_group: HashMap::new(),
            others: Vec::new(),
        };
        for (place, binding) in (0_u32..).zip(&policy.bindings) {
            let services =
                binding.subjects.services.iter().filter_map(|it| policy.services.get(*it));
            for line in services.flat_map(|service| &service.lines) {
                match (&line.token, &line.spiffe) {
                    (Some(token), _) => all.by_token.entry(token.clone()).or_default().push(place),
                    (None, Some(id)) => all.by_spiffe.entry(id.clone()).or_default().push(place),
                    (None, None) => all.others.push(place),
                }
            }
            let groups = binding.subjects.groups.iter().filter_map(|it| policy.groups.get(*it));
            for group in groups.flat_map(|group| &group.members) {
                all.by_group.entry(group.clone()).or_default().push(place);
            }
        }
        all
    }

    /// Bindings that may be for a subject, in their order, each once: more than are, but none is left out.
    fn of(&self, subject: &Subject<'_>) -> Vec<u32> {
        let mut found = self.others.clone();
        if let Some(id) = subject.spiffe_id {
            found.extend(self.by_spiffe.get(id).into_iter().flatten());
        }
        if let (Some(issuer), Some(service)) = (subject.issuer, subject.service) {
            let key = (issuer.into(), service.into());
            found.extend(self.by_token.get(&key).into_iter().flatten());
        }
        if let Some(issuer) = subject.issuer {
            for group in subject.groups.unwrap_or_default() {
                let key = IssuerGroup { issuer: issuer.into(), group: (*group).into() };
                found.extend(self.by_group.get(&key).into_iter().flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Index {
    /// What an identity may do.
    pub fn view(&self, subject: &Subject<'_>) -> View {
        let policy = &self.policy;
        let (mut live, mut dry) = (Vec::new(), Vec::new());
        for place in self.subjects.of(subject) {
            let binding = policy.bindings.get(usize::try_from(place).unwrap_or(usize::MAX));
            let Some(binding) = binding else { continue };
            let is_for = subject.is_any_of(&binding.subjects, policy) == Known::Yes;
            if is_for && subject.meets_claims(&binding.conditions) == Known::Yes {
                let of = if binding.dry_run { &mut dry } else { &mut live };
                of.push((place, binding.role, binding.conditions.is_of_the_moment()));
            }
        }
        let mut meant = vec![0_u64; policy.denials.len().div_ceil(64)];
        for (place, denial) in policy.denials.iter().enumerate() {
            let is = is_meant(policy, denial, subject)
                && subject.meets_claims(&denial.conditions) != Known::No;
            if let Some(word) = meant.get_mut(place >> 6).filter(|_| is) {
                *word |= 1 << (place & 63);
            }
        }
        View { live: self.holding(&live), dry: self.holding(&dry), meant }
    }

    /// A role and those that it includes, each once.
    fn with_included(&self, role: usize) -> Vec<usize> {
        let (mut roles, mut seen, mut at) = (vec![role], HashSet::from([role]), 0);
        while let Some(next) = roles.get(at).and_then(|role| self.policy.roles.get(*role)) {
            at = at.saturating_add(1);
            roles.extend(next.includes.iter().filter(|role| seen.insert(**role)));
        }
        roles
    }

    fn holding(&self, bindings: &[(u32, usize, bool)]) -> Holding {
        let mut holding = Holding::default();
        // Of bindings that always hold, the first of a role is all that counts.
        let mut always: BTreeMap<usize, u32> = BTreeMap::new();
        for (binding, role, is_of_the_moment) in bindings {
            if always.contains_key(role) {
                continue;
            }
            if !is_of_the_moment {
                always.insert(*role, *binding);
            }
            let roles = self.with_included(*role);
            let of_role =
                |role: &usize| self.roles.get(*role).into_iter().flat_map(HashMap::values);
            if roles.iter().flat_map(of_role).map(Names::len).sum::<usize>() > LARGE {
                let roles =
                    roles.iter().map(|role| (*binding, u32::try_from(*role).unwrap_or(u32::MAX)));
                holding.apart.extend(roles);
            } else {
                roles
                    .iter()
                    .for_each(|role| add_role(&mut holding.merged, &self.policy, *binding, *role));
            }
        }
        finish(&mut holding.merged);
        holding
    }
}
