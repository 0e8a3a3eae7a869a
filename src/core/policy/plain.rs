//! The plain reading of a policy: each rule in turn, as the manual states it.

use super::model::{Binding, Denial, Policy, Scope};
use super::subject::{Known, Subject};
use crate::platform::kind::{ActionId, Actions, KindId};
use crate::platform::table::{OperationId, Table};
use crate::text::time::UnixTime;

mod explain;

#[cfg(test)]
mod tests;

pub use explain::{Step, Why, explain};

/// The rule of what no grant holds.
pub const DEFAULT: &str = "default";

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The platform, by its place among the policy's tables.
    pub platform: usize,
    /// The operation.
    pub operation: OperationId,
    /// Whether its answer holds names and settings, and no contents.
    pub is_list: bool,
    /// Whether its row says that `*` does not hold it.
    pub is_named: bool,
    /// What it names: at least one.
    pub resources: &'a [Asks<'a>],
}

/// A resource that is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asks<'a> {
    /// What it is.
    pub kind: KindId,
    /// What would be done.
    pub action: ActionId,
    /// Its name; `None` for all.
    pub name: Option<&'a str>,
}

/// What a policy says of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision<'p> {
    /// The name of the rule that decides, or why the request is refused.
    pub verdict: Verdict<'p>,
    /// The rules in a dry run that would have decided otherwise.
    pub noted: Vec<&'p str>,
}

/// Whether a request is allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict<'p> {
    /// By the binding of its first resource.
    Allowed(&'p str),
    /// By a denial.
    Denied(&'p str),
    /// Because no binding holds one of its resources.
    Default,
}

impl<'p> Verdict<'p> {
    /// The name of the rule.
    pub const fn rule(self) -> &'p str {
        match self {
            Self::Allowed(rule) | Self::Denied(rule) => rule,
            Self::Default => DEFAULT,
        }
    }

    /// Whether the request passes.
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// Decides.
///
/// Denials come first, over every resource, and win whatever the order of the document. Then each
/// resource needs a binding; the rule is the first binding of the first resource.
pub fn decide<'p>(
    policy: &'p Policy,
    subject: &Subject<'_>,
    asked: &Asked<'_>,
    now: UnixTime,
) -> Decision<'p> {
    let mut noted = Vec::new();
    let denied = |is_dry: bool| {
        let denials = policy.denials.iter().filter(move |it| it.dry_run == is_dry);
        denials.filter(|it| is_denied(policy, it, subject, asked, now)).map(|it| &*it.name)
    };
    if let Some(rule) = denied(false).next() {
        return Decision { verdict: Verdict::Denied(rule), noted };
    }
    let held = |asks: &Asks<'_>, is_dry: bool| {
        let mut bindings = policy.bindings.iter().filter(|it| it.dry_run == is_dry);
        bindings.find(|it| is_held(policy, it, subject, asked, asks, now)).map(|it| &*it.name)
    };
    let mut verdict = None;
    let mut is_refused = asked.resources.is_empty();
    for asks in asked.resources {
        match (held(asks, false), held(asks, true)) {
            (Some(rule), _) => verdict = verdict.or(Some(rule)),
            (None, would) => {
                is_refused = true;
                noted.extend(would);
            }
        }
    }
    let verdict = verdict.filter(|_| !is_refused).map_or(Verdict::Default, Verdict::Allowed);
    if verdict.is_allowed() {
        noted.extend(denied(true));
    }
    noted.dedup();
    Decision { verdict, noted }
}

/// Whether a denial holds the request.
fn is_denied(
    policy: &Policy,
    denial: &Denial,
    subject: &Subject<'_>,
    asked: &Asked<'_>,
    now: UnixTime,
) -> bool {
    let services = &policy.services;
    let is_meant =
        denial.subjects.is_empty() || subject.is_any_of(&denial.subjects, services) != Known::No;
    // An exception holds for certain or not at all.
    let is_excepted = subject.is_any_of(&denial.unless, services) == Known::Yes;
    let is_now = subject.meets(&denial.conditions, now) != Known::No;
    let is_what = || asked.resources.iter().any(|asks| denies(policy, &denial.scope, asked, asks));
    is_meant && !is_excepted && is_now && is_what()
}

/// Whether what a denial is about is a resource.
fn denies(policy: &Policy, scope: &Scope, asked: &Asked<'_>, asks: &Asks<'_>) -> bool {
    if scope.platform != asked.platform {
        return false;
    }
    let Some(table) = policy.tables.get(scope.platform) else { return true };
    let says_nothing = scope.actions.is_empty() && scope.operations.is_empty();
    let is_action = scope.is_any
        || says_nothing
        || scope.actions.holds(asks.action)
        || scope.operations.contains(&asked.operation);
    let patterns =
        scope.kinds.iter().find(|(kind, _)| *kind == asks.kind).map(|(_, patterns)| patterns);
    let Some(patterns) = patterns.filter(|_| is_action) else { return false };
    let form = table.kinds().get(asks.kind).map(|kind| kind.form);
    let tree = form.and_then(crate::platform::name::Form::separator).map(char::from);
    patterns.iter().any(|pattern| match (asks.name, tree) {
        (None, _) => !asked.is_list || pattern.holds(None),
        (Some(_), Some(separator)) if reaches_around(table, asked, asks.action) => {
            pattern.touches(asks.name, separator)
        }
        (Some(_), _) => pattern.holds(asks.name),
    })
}

/// Whether an operation reaches what is above and below the place that it names: it changes, deletes,
/// manages, exports or vends it.
fn reaches_around(table: &Table, asked: &Asked<'_>, action: ActionId) -> bool {
    match table.kinds().word(action) {
        "run" | "use" | "consume" | "produce" => false,
        "read" | "describe" => !asked.is_list,
        _ => true,
    }
}

/// Whether a binding holds a resource.
fn is_held(
    policy: &Policy,
    binding: &Binding,
    subject: &Subject<'_>,
    asked: &Asked<'_>,
    asks: &Asks<'_>,
    now: UnixTime,
) -> bool {
    let is_subject = subject.is_any_of(&binding.subjects, &policy.services) == Known::Yes;
    let is_now = subject.meets(&binding.conditions, now) == Known::Yes;
    let role = policy.roles.get(binding.role);
    let mut grants = role.into_iter().flat_map(|role| &role.grants);
    is_subject && is_now && grants.any(|grant| grants_it(policy, &grant.scope, asked, asks))
}

/// Whether a grant is about a resource.
pub(super) fn grants_it(
    policy: &Policy,
    scope: &Scope,
    asked: &Asked<'_>,
    asks: &Asks<'_>,
) -> bool {
    let Some(table) =
        policy.tables.get(scope.platform).filter(|_| scope.platform == asked.platform)
    else {
        return false;
    };
    let patterns =
        scope.kinds.iter().find(|(kind, _)| *kind == asks.kind).map(|(_, patterns)| patterns);
    let is_named =
        patterns.is_some_and(|patterns| patterns.iter().any(|pattern| pattern.holds(asks.name)));
    is_named && allows_action(table, scope, asked, asks)
}

/// Whether a grant is about what would be done.
fn allows_action(table: &Table, scope: &Scope, asked: &Asked<'_>, asks: &Asks<'_>) -> bool {
    let named = table.kinds().get(asks.kind).map_or(Actions::NONE, |kind| kind.named);
    let is_dangerous = asked.is_named || named.holds(asks.action);
    scope.actions.holds(asks.action)
        || scope.operations.contains(&asked.operation)
        || (scope.is_any && !is_dangerous)
}
