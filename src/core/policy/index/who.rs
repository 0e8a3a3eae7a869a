//! Rules by whom they are for.

use core::cmp::Ordering;

use super::Mark;
use super::lists::{Bits, Lists};
use crate::policy::model::{IssuerGroup, Policy, ServiceLine, Subjects};
use crate::policy::subject::{Known, Subject};

/// Rules by whom they are for.
#[derive(Debug)]
pub(super) struct Who {
    /// Members of groups, by their groups and their places there, in the order of issuer and name.
    members: Box<[(u32, u32)]>,
    /// Lines of services with a token, in the order of issuer and service.
    tokens: Box<[(u32, u32)]>,
    /// Lines of services with a SPIFFE ID alone, in its order.
    ids: Box<[(u32, u32)]>,
    bindings_of_groups: Lists,
    bindings_of_services: Lists,
    /// Denials that name a group or a service, whom they are for or whom not.
    denials_of_groups: Lists,
    denials_of_services: Lists,
    /// Denials that name a group.
    denials_by_group: Box<[u32]>,
    /// Denials that ask for claims.
    denials_by_claim: Box<[u32]>,
}

/// What a subject is, and the rules that are for it.
///
/// Whoever has the same standing may do the same.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Standing {
    pub(super) mark: Mark,
    /// In order.
    pub(super) bindings: Box<[u32]>,
    /// Denials of which it differs from a stranger whether they mean it, in order.
    pub(super) denials: Box<[u32]>,
}

/// The services and groups of a policy that a subject is.
struct Is<'s> {
    subject: &'s Subject<'s>,
    services: Bits,
    groups: Bits,
}

impl Who {
    pub(super) fn new(policy: &Policy) -> Self {
        let mut members = places(policy.groups.iter().map(|group| group.members.len()));
        members.sort_by(|one, other| {
            let of = |at| member(policy, at).map(|it| (&it.issuer, &it.group));
            of(one).cmp(&of(other))
        });
        let mut tokens = places(policy.services.iter().map(|service| service.lines.len()));
        let mut ids = tokens.clone();
        tokens.retain(|at| line(policy, at).is_some_and(|line| line.token.is_some()));
        tokens.sort_by(|one, other| {
            let of = |at| line(policy, at).map(|line| &line.token);
            of(one).cmp(&of(other))
        });
        ids.retain(|at| {
            line(policy, at).is_some_and(|line| line.token.is_none() && line.spiffe.is_some())
        });
        ids.sort_by(|one, other| {
            let of = |at| line(policy, at).map(|line| &line.spiffe);
            of(one).cmp(&of(other))
        });
        let bindings = || (0_u32..).zip(&policy.bindings).map(|(at, it)| (at, [&it.subjects; 1]));
        let denials =
            || (0_u32..).zip(&policy.denials).map(|(at, it)| (at, [&it.subjects, &it.unless]));
        let has_groups =
            |subjects: &[&Subjects; 2]| subjects.iter().any(|it| !it.groups.is_empty());
        let by_group = denials().filter(|(_, subjects)| has_groups(subjects));
        let by_claim = (0_u32..).zip(&policy.denials);
        let by_claim = by_claim.filter(|(_, it)| !it.conditions.claims.is_empty());
        Self {
            members: members.into(),
            tokens: tokens.into(),
            ids: ids.into(),
            bindings_of_groups: lists(policy.groups.len(), bindings(), |it| &it.groups),
            bindings_of_services: lists(policy.services.len(), bindings(), |it| &it.services),
            denials_of_groups: lists(policy.groups.len(), denials(), |it| &it.groups),
            denials_of_services: lists(policy.services.len(), denials(), |it| &it.services),
            denials_by_group: by_group.map(|(at, _)| at).collect(),
            denials_by_claim: by_claim.map(|(at, _)| at).collect(),
        }
    }

    /// What a subject is.
    pub(super) fn standing(&self, mark: &Mark, policy: &Policy, subject: &Subject<'_>) -> Standing {
        let mut is = Is {
            subject,
            services: Bits::none(policy.services.len()),
            groups: Bits::none(policy.groups.len()),
        };
        let (mut bindings, mut denials) = (Vec::new(), self.denials_by_claim.to_vec());
        for (service, _) in self.lines_of(policy, subject) {
            let place = usize::try_from(*service).unwrap_or(usize::MAX);
            let is_it = policy.services.get(place).is_some_and(|it| subject.is_service(it));
            if is_it && !is.services.holds(*service) {
                is.services.set(*service, true);
                bindings.extend(self.bindings_of_services.of(place));
                denials.extend(self.denials_of_services.of(place));
            }
        }
        for (group, _) in self.members_of(policy, subject) {
            if !is.groups.holds(*group) {
                let place = usize::try_from(*group).unwrap_or(usize::MAX);
                is.groups.set(*group, true);
                bindings.extend(self.bindings_of_groups.of(place));
                denials.extend(self.denials_of_groups.of(place));
            }
        }
        if subject.groups.is_none() {
            denials.extend(&self.denials_by_group);
        }
        bindings.sort_unstable();
        bindings.dedup();
        bindings.retain(|place| {
            let place = usize::try_from(*place).unwrap_or(usize::MAX);
            let binding = policy.bindings.get(place);
            binding.is_some_and(|it| subject.meets_claims(&it.conditions) == Known::Yes)
        });
        denials.sort_unstable();
        denials.dedup();
        denials.retain(|place| is.is_meant(policy, *place) != is_stranger_meant(policy, *place));
        Standing { mark: mark.clone(), bindings: bindings.into(), denials: denials.into() }
    }

    /// The lines that may be a subject's.
    fn lines_of<'w>(
        &'w self,
        policy: &Policy,
        subject: &Subject<'_>,
    ) -> impl Iterator<Item = &'w (u32, u32)> + use<'w> {
        let of_token = subject.issuer.zip(subject.service).map(|asked| {
            equal(&self.tokens, |at| {
                let token = line(policy, at).and_then(|line| line.token.as_ref());
                token.map(|(issuer, service)| (&**issuer, &**service).cmp(&asked))
            })
        });
        let of_id = subject.spiffe_id.map(|asked| {
            equal(&self.ids, |at| {
                let id = line(policy, at).and_then(|line| line.spiffe.as_deref());
                id.map(|id| id.cmp(asked))
            })
        });
        of_token.unwrap_or_default().iter().chain(of_id.unwrap_or_default())
    }

    /// The members of groups that a subject is in.
    fn members_of<'w>(
        &'w self,
        policy: &'w Policy,
        subject: &Subject<'w>,
    ) -> impl Iterator<Item = &'w (u32, u32)> {
        let issuer = subject.issuer;
        let groups = subject.groups.filter(|_| issuer.is_some()).unwrap_or_default();
        groups.iter().flat_map(move |group| {
            let asked = (issuer.unwrap_or_default(), *group);
            equal(&self.members, |at| {
                member(policy, at).map(|it| (&*it.issuer, &*it.group).cmp(&asked))
            })
        })
    }
}

impl Is<'_> {
    /// Whether a denial means the subject, whatever the moment: see [`is_meant`].
    ///
    /// [`is_meant`]: crate::policy::plain::is_meant
    fn is_meant(&self, policy: &Policy, denial: u32) -> bool {
        let denial = policy.denials.get(usize::try_from(denial).unwrap_or(usize::MAX));
        denial.is_some_and(|it| {
            (it.subjects.is_empty() || self.any_of(policy, &it.subjects) != Known::No)
                && self.any_of(policy, &it.unless) != Known::Yes
                && self.subject.meets_claims(&it.conditions) != Known::No
        })
    }

    fn any_of(&self, policy: &Policy, subjects: &Subjects) -> Known {
        let number = |place: &usize| u32::try_from(*place).unwrap_or(u32::MAX);
        let is_any = subjects.services.iter().any(|it| self.services.holds(number(it)))
            || subjects.groups.iter().any(|it| self.groups.holds(number(it)));
        if is_any {
            return Known::Yes;
        }
        if self.subject.groups.is_some() {
            return Known::No;
        }
        let groups = subjects.groups.iter().filter_map(|place| policy.groups.get(*place));
        let known = groups.flat_map(|group| &group.members).map(|it| self.subject.is_in(it));
        known.fold(Known::No, Known::or)
    }
}

/// Whether a denial means a subject that is in nothing that the policy names.
pub(super) fn is_stranger_meant(policy: &Policy, denial: u32) -> bool {
    let denial = policy.denials.get(usize::try_from(denial).unwrap_or(usize::MAX));
    denial.is_some_and(|it| it.subjects.is_empty())
}

/// Each place of lists of such lengths.
fn places(lengths: impl Iterator<Item = usize>) -> Vec<(u32, u32)> {
    let number = |length| u32::try_from(length).unwrap_or(u32::MAX);
    (0..)
        .zip(lengths)
        .flat_map(|(list, length)| (0..number(length)).map(move |at| (list, at)))
        .collect()
}

fn member<'p>(policy: &'p Policy, (group, at): &(u32, u32)) -> Option<&'p IssuerGroup> {
    let group = policy.groups.get(usize::try_from(*group).ok()?)?;
    group.members.get(usize::try_from(*at).ok()?)
}

fn line<'p>(policy: &'p Policy, (service, at): &(u32, u32)) -> Option<&'p ServiceLine> {
    let service = policy.services.get(usize::try_from(*service).ok()?)?;
    service.lines.get(usize::try_from(*at).ok()?)
}

/// Those in the middle of a list in order that are equal to what is asked for.
fn equal<T>(list: &[T], compare: impl Fn(&T) -> Option<Ordering>) -> &[T] {
    let from = list.partition_point(|it| compare(it).is_some_and(Ordering::is_lt));
    let rest = list.get(from..).unwrap_or_default();
    let count = rest.iter().take_while(|it| compare(it) == Some(Ordering::Equal)).count();
    rest.get(..count).unwrap_or_default()
}

/// Rules by the services or groups that they name.
fn lists<'p, const N: usize>(
    count: usize,
    rules: impl Iterator<Item = (u32, [&'p Subjects; N])>,
    of: impl Fn(&'p Subjects) -> &'p [usize],
) -> Lists {
    let mut items = Vec::new();
    for (rule, subjects) in rules {
        let places = subjects.into_iter().flat_map(&of);
        items.extend(places.map(|place| (u32::try_from(*place).unwrap_or(u32::MAX), rule)));
    }
    items.sort_unstable();
    items.dedup();
    Lists::new(count, items)
}
