//! Why a policy decides as it does.

use super::{Asked, Asks, allows_action, denies, grants_it, is_denied};
use crate::policy::model::{Binding, Policy};
use crate::policy::subject::{Known, Subject};
use crate::text::time::UnixTime;

/// What a rule says of one resource, or of the whole request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step<'p> {
    /// The rule.
    pub rule: &'p str,
    /// The resource, by its place in the request; `None` for a denial, which looks at all of them.
    pub resource: Option<usize>,
    /// What it says.
    pub why: Why,
}

/// Why a rule decides, or does not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// It holds.
    Holds,
    /// It would hold, but is in a dry run.
    DryRun,
    /// It is about other names.
    Name,
    /// It does not have the action.
    Action,
    /// It has the action only by `*`, which does not hold this one.
    Named,
    /// It is about another kind or platform.
    Kind,
    /// It is for others.
    Subject,
    /// Whether the subject is meant is not known.
    SubjectUnknown,
    /// A condition does not hold.
    Condition,
    /// Whether a condition holds is not known.
    ConditionUnknown,
    /// The subject is excepted.
    Excepted,
}

impl Why {
    /// For people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Holds => "it holds",
            Self::DryRun => "it would hold, but is in a dry run",
            Self::Name => "it is about other names",
            Self::Action => "it does not have the action",
            Self::Named => "\"*\" does not hold this action: the grant must name it",
            Self::Kind => "it is about other kinds",
            Self::Subject => "it is for others",
            Self::SubjectUnknown => "the groups of the subject are not known",
            Self::Condition => "one of its conditions does not hold",
            Self::ConditionUnknown => "one of its conditions is not known to hold",
            Self::Excepted => "the subject is excepted",
        }
    }

    /// How near a rule came to deciding.
    const fn nearness(self) -> u8 {
        match self {
            Self::Kind => 0,
            Self::Subject | Self::Excepted => 1,
            Self::Name => 2,
            Self::Action | Self::Named => 3,
            Self::SubjectUnknown => 4,
            Self::Condition | Self::ConditionUnknown => 5,
            Self::DryRun => 6,
            Self::Holds => 7,
        }
    }
}

/// Each denial that is about the request, and for each resource the binding that holds it, or those that
/// come nearest to it.
pub fn explain<'p>(
    policy: &'p Policy,
    subject: &Subject<'_>,
    asked: &Asked<'_>,
    now: UnixTime,
) -> Vec<Step<'p>> {
    let mut steps = Vec::new();
    for denial in &policy.denials {
        if !asked.resources.iter().any(|asks| denies(policy, &denial.scope, asked, asks)) {
            continue;
        }
        let why = if is_denied(policy, denial, subject, asked, now) {
            if denial.dry_run { Why::DryRun } else { Why::Holds }
        } else if subject.is_any_of(&denial.unless, &policy.services) == Known::Yes {
            Why::Excepted
        } else if subject.meets(&denial.conditions, now) == Known::No {
            Why::Condition
        } else {
            Why::Subject
        };
        steps.push(Step { rule: &denial.name, resource: None, why });
    }
    for (place, asks) in asked.resources.iter().enumerate() {
        let whys =
            policy.bindings.iter().map(|it| (it, why_not(policy, it, subject, asked, asks, now)));
        let mut whys: Vec<_> = whys.filter(|(_, why)| *why != Why::Kind).collect();
        if let Some((binding, why)) = whys.iter().find(|(_, why)| *why == Why::Holds) {
            steps.push(Step { rule: &binding.name, resource: Some(place), why: *why });
            continue;
        }
        whys.sort_by_key(|(_, why)| core::cmp::Reverse(why.nearness()));
        let nearest = whys.iter().take(3);
        steps.extend(nearest.map(|(it, why)| Step {
            rule: &it.name,
            resource: Some(place),
            why: *why,
        }));
    }
    steps
}

fn why_not(
    policy: &Policy,
    binding: &Binding,
    subject: &Subject<'_>,
    asked: &Asked<'_>,
    asks: &Asks<'_>,
    now: UnixTime,
) -> Why {
    let grants =
        policy.roles.get(binding.role).map(|role| role.grants.as_slice()).unwrap_or_default();
    let what = grants.iter().map(|grant| {
        let scope = &grant.scope;
        let patterns = scope.kinds.iter().find(|(kind, _)| *kind == asks.kind);
        let table = policy.tables.get(scope.platform).filter(|_| scope.platform == asked.platform);
        let (Some((_, patterns)), Some(table)) = (patterns, table) else { return Why::Kind };
        if grants_it(policy, scope, asked, asks) {
            Why::Holds
        } else if !patterns.iter().any(|pattern| pattern.holds(asks.name)) {
            Why::Name
        } else if scope.is_any && !allows_action(table, scope, asked, asks) {
            Why::Named
        } else {
            Why::Action
        }
    });
    let what = what.max_by_key(|why| why.nearness()).unwrap_or(Why::Kind);
    if what != Why::Holds {
        return what;
    }
    match (
        subject.is_any_of(&binding.subjects, &policy.services),
        subject.meets(&binding.conditions, now),
    ) {
        (Known::No, _) => Why::Subject,
        (Known::Unknown, _) => Why::SubjectUnknown,
        (_, Known::No) => Why::Condition,
        (_, Known::Unknown) => Why::ConditionUnknown,
        (Known::Yes, Known::Yes) if binding.dry_run => Why::DryRun,
        (Known::Yes, Known::Yes) => Why::Holds,
    }
}
