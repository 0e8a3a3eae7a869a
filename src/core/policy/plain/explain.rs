//! Why a policy decides as it does.

use super::{Asked, Asks, Bears, about, allows_action, bears, grants_it, is_meant};
use crate::policy::model::{Binding, Denial, Policy};
use crate::policy::subject::{Known, Subject};
use crate::text::time::UnixTime;

/// What a rule says of one resource, or of the whole request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step<'p> {
    /// The rule.
    pub rule: &'p str,
    /// Whether it is a denial.
    pub is_denial: bool,
    /// The resource, by its place in the request.
    pub resource: usize,
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
    /// The request is for a list, in which what it denies may show.
    Shows,
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
            Self::Shows => "what it denies may show in the list",
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
            Self::DryRun | Self::Shows => 6,
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
        for (place, asks) in asked.resources.iter().enumerate() {
            let why = match bears(policy, denial, asked, asks) {
                Bears::Not => continue,
                bears => why_denied(policy, denial, bears, subject, now),
            };
            steps.push(Step { rule: &denial.name, is_denial: true, resource: place, why });
        }
    }
    for (place, asks) in asked.resources.iter().enumerate() {
        let step = |binding: &'p Binding| {
            let why = why_not(policy, binding, subject, asked, asks, now);
            Step { rule: &binding.name, is_denial: false, resource: place, why }
        };
        let mut near: Vec<Step<'p>> = policy.bindings.iter().map(step).collect();
        near.retain(|step| step.why != Why::Kind);
        // The first that holds it, then the nearest; those that come equally near in their order.
        near.sort_by_key(|step| core::cmp::Reverse(step.why.nearness()));
        let holds = near.iter().take_while(|step| step.why == Why::Holds).count();
        near.drain(1.min(holds)..holds);
        steps.extend(near.into_iter().take(NEAREST));
    }
    steps
}

/// How many bindings are told of a resource.
const NEAREST: usize = 3;

fn why_denied(
    policy: &Policy,
    denial: &Denial,
    bears: Bears,
    subject: &Subject<'_>,
    now: UnixTime,
) -> Why {
    if subject.is_any_of(&denial.unless, policy) == Known::Yes {
        Why::Excepted
    } else if !is_meant(policy, denial, subject) {
        Why::Subject
    } else if subject.meets(&denial.conditions, now) == Known::No {
        Why::Condition
    } else if denial.dry_run {
        Why::DryRun
    } else if bears == Bears::Shows {
        Why::Shows
    } else {
        Why::Holds
    }
}

fn why_not(
    policy: &Policy,
    binding: &Binding,
    subject: &Subject<'_>,
    asked: &Asked<'_>,
    asks: &Asks<'_>,
    now: UnixTime,
) -> Why {
    let what = policy.grants(binding.role).map(|grant| {
        let scope = &grant.scope;
        let Some((table, patterns)) = about(policy, scope, asked, asks) else { return Why::Kind };
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
    match (subject.is_any_of(&binding.subjects, policy), subject.meets(&binding.conditions, now)) {
        (Known::No, _) => Why::Subject,
        (Known::Unknown, _) => Why::SubjectUnknown,
        (_, Known::No) => Why::Condition,
        (_, Known::Unknown) => Why::ConditionUnknown,
        (Known::Yes, Known::Yes) if binding.dry_run => Why::DryRun,
        (Known::Yes, Known::Yes) => Why::Holds,
    }
}
