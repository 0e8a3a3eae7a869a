//! The plain reading of a policy: each rule in turn, as the manual states it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::few::Few;
use super::model::{Binding, Denial, Policy, Scope};
use super::pattern::Pattern;
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
    /// Whether its row says that `*` does not hold it: see
    /// [`Route::is_named`](crate::platform::Route::is_named).
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
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Decision<'p> {
    /// The name of the rule that decides, or why the request is refused.
    pub verdict: Verdict<'p>,
    /// If it is allowed, the first binding of each resource, by its place among the bindings and each
    /// once: the roles whose limits are charged.
    pub bindings: Few<usize>,
    /// The rules in a dry run that would have decided otherwise.
    pub noted: Vec<&'p str>,
}

impl<'p> From<Verdict<'p>> for Decision<'p> {
    /// A refusal.
    fn from(verdict: Verdict<'p>) -> Self {
        Self { verdict, ..Self::default() }
    }
}

/// Whether a request is allowed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Verdict<'p> {
    /// By the binding of its first resource.
    Allowed(&'p Arc<str>),
    /// By a denial.
    Denied(&'p Arc<str>),
    /// Because no binding holds one of its resources.
    #[default]
    Default,
}

impl<'p> Verdict<'p> {
    /// The name of the rule.
    pub fn rule(self) -> &'p str {
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
    let denied = |is_dry: bool| {
        let denials = policy.denials.iter().filter(move |it| it.dry_run == is_dry);
        denials.filter(|it| is_denied(policy, it, subject, asked, now)).map(|it| &it.name)
    };
    if let Some(rule) = denied(false).next() {
        let verdict = Verdict::Denied(rule);
        return Decision { verdict, ..Decision::default() };
    }
    let first = |asks: &Asks<'_>, is_dry: bool| {
        let mut bindings =
            policy.bindings.iter().enumerate().filter(|(_, it)| it.dry_run == is_dry);
        bindings.find(|(_, it)| is_held(policy, it, subject, asked, asks, now))
    };
    let (mut bindings, mut noted) = (Vec::new(), Vec::new());
    let mut is_held = !asked.resources.is_empty();
    for asks in asked.resources {
        match first(asks, false) {
            Some((place, _)) => bindings.push(place),
            None => {
                is_held = false;
                noted.extend(first(asks, true).map(|(_, binding)| &*binding.name));
            }
        }
    }
    let rule = bindings.first().and_then(|place| policy.bindings.get(*place)).filter(|_| is_held);
    let verdict = rule.map_or(Verdict::Default, |binding| Verdict::Allowed(&binding.name));
    if verdict.is_allowed() {
        noted.extend(denied(true).map(|rule| &**rule));
    } else {
        bindings.clear();
    }
    Decision { verdict, bindings: once(bindings).into(), noted: once(noted) }
}

/// Each of them once, in their order.
pub(super) fn once<T: Copy + Ord>(mut list: Vec<T>) -> Vec<T> {
    if list.len() < 2 {
        return list;
    }
    let mut seen = BTreeSet::new();
    list.retain(|it| seen.insert(*it));
    list
}

/// Whether a denial refuses the request: nothing that is not known is to the advantage of the subject.
fn is_denied(
    policy: &Policy,
    denial: &Denial,
    subject: &Subject<'_>,
    asked: &Asked<'_>,
    now: UnixTime,
) -> bool {
    let about =
        || asked.resources.iter().any(|it| bears(policy, denial, asked, it) == Bears::Holds);
    is_meant(policy, denial, subject)
        && subject.meets(&denial.conditions, now) != Known::No
        && about()
}

/// Whether a subject is among those that a denial means.
pub(super) fn is_meant(policy: &Policy, denial: &Denial, subject: &Subject<'_>) -> bool {
    let is_for_all = denial.subjects.is_empty();
    let is_named = is_for_all || subject.is_any_of(&denial.subjects, policy) != Known::No;
    let is_excepted = subject.is_any_of(&denial.unless, policy) == Known::Yes;
    is_named && !is_excepted
}

/// What a denial has to do with a resource.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bears {
    /// Nothing: it is of another kind, action or name.
    Not,
    /// The answer is a list, in which what is denied may show.
    Shows,
    /// It refuses it.
    Holds,
}

/// What a denial has to do with a resource.
pub(super) fn bears(policy: &Policy, denial: &Denial, asked: &Asked<'_>, asks: &Asks<'_>) -> Bears {
    let scope = &denial.scope;
    let patterns = scope.kinds.iter().filter(|(kind, _)| *kind == asks.kind);
    let mut patterns = patterns.flat_map(|(_, patterns)| patterns);
    let Some(table) = policy.tables.get(asked.platform) else { return Bears::Holds };
    if scope.platform != asked.platform || !denies_action(scope, asked, asks) {
        return Bears::Not;
    }
    let kind = table.kinds().get(asks.kind);
    let tree = kind.and_then(|kind| kind.form.separator()).map(char::from);
    let reaches = reaches_around(table.kinds().word(asks.action), asked.is_list);
    let is = |holds: bool| if holds { Bears::Holds } else { Bears::Not };
    match (asks.name, tree) {
        (None, _) if asked.is_list => {
            match (patterns.next(), patterns.any(|it| *it == Pattern::All)) {
                (None, _) => Bears::Not,
                (Some(first), any) => {
                    if any || *first == Pattern::All {
                        Bears::Holds
                    } else {
                        Bears::Shows
                    }
                }
            }
        }
        (None, _) => is(patterns.next().is_some()),
        (Some(name), Some(separator)) if reaches => {
            is(patterns.any(|it| it.touches(name, separator)))
        }
        (Some(name), _) => is(patterns.any(|it| it.holds(Some(name)))),
    }
}

/// Whether a denial is about what would be done: without actions or with `*`, about everything.
fn denies_action(scope: &Scope, asked: &Asked<'_>, asks: &Asks<'_>) -> bool {
    let says_nothing = scope.actions.is_empty() && scope.operations.is_empty();
    scope.is_any
        || says_nothing
        || scope.actions.holds(asks.action)
        || scope.operations.contains(&asked.operation)
}

/// Whether an operation reaches what is above and below the place that it names: it changes, deletes,
/// manages, exports or vends it. What only lists, runs or uses a place does not.
pub(super) fn reaches_around(action: &str, is_list: bool) -> bool {
    match action {
        "run" | "use" | "consume" | "produce" | "get" | "head" | "options" => false,
        "read" | "describe" => !is_list,
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
    subject.is_any_of(&binding.subjects, policy) == Known::Yes
        && subject.meets(&binding.conditions, now) == Known::Yes
        && policy.grants(binding.role).any(|grant| grants_it(policy, &grant.scope, asked, asks))
}

/// The table of a grant and its patterns of a resource's kind, if it is about the kind.
fn about<'p>(
    policy: &'p Policy,
    scope: &'p Scope,
    asked: &Asked<'_>,
    asks: &Asks<'_>,
) -> Option<(&'p Table, &'p [Pattern])> {
    let table = policy.tables.get(scope.platform).filter(|_| scope.platform == asked.platform)?;
    let (_, patterns) = scope.kinds.iter().find(|(kind, _)| *kind == asks.kind)?;
    Some((table, patterns))
}

/// Whether a grant is about a resource.
pub(super) fn grants_it(
    policy: &Policy,
    scope: &Scope,
    asked: &Asked<'_>,
    asks: &Asks<'_>,
) -> bool {
    let Some((table, patterns)) = about(policy, scope, asked, asks) else { return false };
    let is_named = patterns.iter().any(|pattern| pattern.holds(asks.name));
    is_named && allows_action(table, scope, asked, asks)
}

/// Whether a grant is about what would be done.
pub(super) fn allows_action(
    table: &Table,
    scope: &Scope,
    asked: &Asked<'_>,
    asks: &Asks<'_>,
) -> bool {
    let named = table.kinds().get(asks.kind).map_or(Actions::NONE, |kind| kind.named);
    let is_dangerous = asked.is_named || named.holds(asks.action);
    scope.actions.holds(asks.action)
        || scope.operations.contains(&asked.operation)
        || (scope.is_any && !is_dangerous)
}
