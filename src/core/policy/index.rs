//! The index of a policy: decides as [`plain`](super::plain) does, without a look at every rule.
//!
//! What an identity may do is gathered once, in a [`View`]: a decision looks at the view and at the
//! denials that name the resource, never at a list of bindings. [`Index::verdict`] takes no memory.

mod denials;
mod grants;
mod lists;
mod names;
mod shared;
mod view;
mod what;
mod who;

#[cfg(test)]
mod tests;

use core::hash::{Hash, Hasher};
use core::net::IpAddr;
use std::sync::Arc;

use super::model::{Conditions, Policy};
use super::plain::{Asked, Asks, Decision, Verdict, once};
use super::subject::{Known, meets_now};
use crate::platform::kind::KindId;
use crate::platform::name::Form;
use crate::text::time::UnixTime;
use denials::Denials;
use grants::{Granted, Grants, Held};
use names::{Found, Run};
pub use shared::Shared;
use view::Holding;
pub use view::View;
use what::{What, Whats};
use who::Who;

/// A policy with its index.
#[derive(Debug)]
pub struct Index {
    policy: Policy,
    /// Of each platform the number of its first kind: kinds are numbered through.
    firsts: Box<[usize]>,
    whats: Box<[What]>,
    grants: Grants,
    denials: Denials,
    who: Who,
    /// What tells this index from every other, for as long as there are views of it.
    mark: Mark,
}

/// What tells an index from others.
#[derive(Clone, Debug)]
struct Mark(Arc<()>);

impl PartialEq for Mark {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Mark {}

impl Hash for Mark {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// The number of a kind among those of all platforms.
type Slot = usize;

/// When and from where it is asked.
#[derive(Clone, Copy)]
struct Moment<'a> {
    address: &'a Option<IpAddr>,
    now: UnixTime,
}

impl Moment<'_> {
    fn meets(&self, conditions: &Conditions) -> Known {
        meets_now(conditions, *self.address, self.now)
    }
}

/// One resource, as it is looked for.
///
/// What is not inlined takes a copy: else it is in registers.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    asked: &'a Asked<'a>,
    asks: &'a Asks<'a>,
    slot: Slot,
    moment: Moment<'a>,
}

impl Index {
    /// Makes the index.
    pub fn new(policy: Policy) -> Self {
        let (mut firsts, mut count) = (Vec::new(), 0_usize);
        for table in &policy.tables {
            firsts.push(count);
            count = count.saturating_add(table.kinds().iter().count());
        }
        let firsts: Box<[Slot]> = firsts.into();
        let mut whats = Whats::default();
        let kinds = Slots { policy: &policy, firsts: &firsts, count };
        let grants = Grants::new(&kinds, &mut whats);
        let denials = Denials::new(&kinds, &mut whats);
        let who = Who::new(&policy);
        let whats = whats.finish();
        Self { policy, firsts, whats, grants, denials, who, mark: Mark(Arc::new(())) }
    }

    /// The policy.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Decides about what an identity asks for, from an address, and tells of rules in a dry run. A view of
    /// another index holds nothing.
    pub fn decide(
        &self,
        view: &View,
        address: Option<IpAddr>,
        asked: &Asked<'_>,
        now: UnixTime,
    ) -> Decision<'_> {
        if !view.is_of(self) {
            return Decision::default();
        }
        let moment = Moment { address: &address, now };
        let (mut denial, mut bindings, mut dry) = (None, Vec::new(), Vec::new());
        let mut is_held = !asked.resources.is_empty();
        for asks in asked.resources {
            match self.judge(view, asked, asks, moment) {
                Judged::Denied(place) => denial = denial.min(Some(place)).or(Some(place)),
                Judged::Held(place) => bindings.push(place),
                Judged::Not => {
                    is_held = false;
                    let wanted = self.wanted(asked, asks, moment);
                    dry.extend(wanted.and_then(|it| self.first_binding(view.dry(), it)));
                }
            }
        }
        if let Some(place) = denial {
            return self.denied(place).into();
        }
        let rule = bindings.first().and_then(|place| self.binding(*place));
        let mut noted: Vec<&str> =
            dry.into_iter().filter_map(|it| self.binding(it)).map(|name| &**name).collect();
        let Some(rule) = rule.filter(|_| is_held) else {
            return Decision { noted: once(noted), ..Decision::default() };
        };
        if self.denials.has_dry() {
            let wanted = asked.resources.iter().filter_map(|it| self.wanted(asked, it, moment));
            noted.extend(self.denials.dry(self, view.meant(), wanted));
        }
        let bindings: Vec<usize> = once(bindings).into_iter().map(at).collect();
        let verdict = Verdict::Allowed(rule);
        Decision { verdict, bindings: bindings.into(), noted: once(noted) }
    }

    /// As [`Self::decide`], if that is about one resource and no rule in a dry run has a say: nearly always.
    #[inline]
    pub fn verdict(
        &self,
        view: &View,
        address: Option<IpAddr>,
        asked: &Asked<'_>,
        now: UnixTime,
    ) -> Option<Verdict<'_>> {
        let [asks] = asked.resources else { return None };
        if !view.is_of(self) {
            return Some(Verdict::Default);
        }
        match self.judge(view, asked, asks, Moment { address: &address, now }) {
            Judged::Denied(place) => Some(self.denied(place)),
            Judged::Held(place) if !self.denials.has_dry() => {
                Some(self.binding(place).map_or(Verdict::Default, Verdict::Allowed))
            }
            Judged::Not if view.dry().is_empty() => Some(Verdict::Default),
            Judged::Held(_) | Judged::Not => None,
        }
    }

    /// What there is to say of one resource.
    #[inline(always)]
    fn judge(&self, view: &View, asked: &Asked<'_>, asks: &Asks<'_>, moment: Moment<'_>) -> Judged {
        let Some(wanted) = self.wanted(asked, asks, moment) else { return Judged::Not };
        if self.denials.mean_any(view.meant(), &wanted)
            && let Some(place) = self.denials.first(self, view.meant(), wanted)
        {
            return Judged::Denied(place);
        }
        self.first_binding(view.live(), wanted).map_or(Judged::Not, Judged::Held)
    }

    fn denied(&self, place: u32) -> Verdict<'_> {
        let denial = self.policy.denials.get(at(place));
        denial.map_or(Verdict::Default, |it| Verdict::Denied(&it.name))
    }

    /// The name of a binding.
    fn binding(&self, place: u32) -> Option<&Arc<str>> {
        self.policy.bindings.get(at(place)).map(|binding| &binding.name)
    }

    fn wanted<'a>(
        &self,
        asked: &'a Asked<'a>,
        asks: &'a Asks<'a>,
        moment: Moment<'a>,
    ) -> Option<Wanted<'a>> {
        let slot = slot(&self.firsts, asked.platform, asks.kind)?;
        Some(Wanted { asked, asks, slot, moment })
    }

    /// The first binding that holds a resource.
    #[inline(always)]
    fn first_binding(&self, holding: &Holding, wanted: Wanted<'_>) -> Option<u32> {
        let mut first = u32::MAX;
        if let Some(kind) = holding.of_kind(wanted.slot) {
            first = self.first_gathered(kind, wanted);
        }
        if !holding.apart().is_empty()
            && let Some(kind) = self.grants.of_kind(wanted.slot)
        {
            first = self.first_apart(holding, first, kind, wanted);
        }
        (first < u32::MAX).then_some(first)
    }

    /// The first binding of the roles that are gathered.
    #[inline(always)]
    fn first_gathered(&self, kind: &view::Kind, wanted: Wanted<'_>) -> u32 {
        let found = kind.names.find(wanted.asks.name);
        match found.only().and_then(|it| kind.held.get(at(it))) {
            Some(it) if self.is_held(it, &wanted) => it.binding,
            Some(_) => u32::MAX,
            None => self.first_of_many(kind, found, wanted),
        }
    }

    /// As [`Self::first_gathered`]. Not inlined: most names are held by one binding.
    #[inline(never)]
    fn first_of_many(&self, kind: &view::Kind, found: Found, wanted: Wanted<'_>) -> u32 {
        let mut take = |first, run: Run| self.first_held(first, items(&kind.held, &run), wanted);
        match found.run() {
            Some(run) => take(u32::MAX, run),
            None => kind.names.fold(wanted.asks.name, u32::MAX, &mut take),
        }
    }

    /// The first binding of some in their order that holds what is wanted, or the one that was found if that
    /// is before it.
    fn first_held(&self, first: u32, bindings: &[Held], wanted: Wanted<'_>) -> u32 {
        let mut before = bindings.iter().take_while(|it| it.binding < first);
        before.find(|it| self.is_held(it, &wanted)).map_or(first, |it| it.binding)
    }

    /// The first binding of the roles that are not gathered, or the one that was found.
    #[inline(always)]
    fn first_apart(
        &self,
        holding: &Holding,
        first: u32,
        kind: &grants::Kind,
        wanted: Wanted<'_>,
    ) -> u32 {
        let found = kind.names.find(wanted.asks.name);
        match found.only().and_then(|it| kind.granted.get(at(it))) {
            Some(it) if self.holds(it.what, &wanted) => match holding.apart().first() {
                Some((role, held)) if *role == it.role && !held.is_of_the_moment => {
                    first.min(held.binding)
                }
                _ => self.first_of_role(holding, first, *it, wanted),
            },
            Some(_) => first,
            None => self.first_apart_of_many(holding, first, (kind, found), wanted),
        }
    }

    /// As [`Self::first_apart`]. Not inlined: most names are granted by one role.
    #[inline(never)]
    fn first_apart_of_many(
        &self,
        holding: &Holding,
        first: u32,
        (kind, found): (&grants::Kind, Found),
        wanted: Wanted<'_>,
    ) -> u32 {
        let mut take = |first, run: Run| {
            self.first_of_roles(holding, first, items(&kind.granted, &run), wanted)
        };
        match found.run() {
            Some(run) => take(first, run),
            None => kind.names.fold(wanted.asks.name, first, &mut take),
        }
    }

    /// The first binding of some roles, which are in their order and grant something of a name, or the one
    /// that was found.
    fn first_of_roles(
        &self,
        holding: &Holding,
        mut first: u32,
        granted: &[Granted],
        wanted: Wanted<'_>,
    ) -> u32 {
        // The shorter list is gone through, and the longer one searched.
        if granted.len() >> 3 <= holding.apart().len() {
            for it in granted {
                first = self.first_of_role(holding, first, *it, wanted);
            }
            return first;
        }
        for of_role in holding.apart().chunk_by(|(one, _), (other, _)| one == other) {
            let role = of_role.first().map_or(u32::MAX, |(role, _)| *role);
            let from = granted.partition_point(|it| it.role < role);
            let of_role = granted.get(from..).unwrap_or_default();
            let mut of_role = of_role.iter().take_while(|it| it.role == role);
            if let Some(it) = of_role.find(|it| self.holds(it.what, &wanted)) {
                first = self.first_of_role(holding, first, *it, wanted);
            }
        }
        first
    }

    /// The first binding of a role that grants something of a name, or the one that was found if that is
    /// before it. Not inlined: most hold one role apart, by a binding that always holds.
    #[inline(never)]
    fn first_of_role(
        &self,
        holding: &Holding,
        first: u32,
        granted: Granted,
        wanted: Wanted<'_>,
    ) -> u32 {
        if !self.holds(granted.what, &wanted) {
            return first;
        }
        let mut before = holding.of_role(granted.role).take_while(|it| it.binding < first);
        let found =
            before.find(|it| !it.is_of_the_moment || self.is_in_force(it.binding, wanted.moment));
        found.map_or(first, |it| it.binding)
    }

    #[inline(always)]
    fn is_held(&self, held: &Held, wanted: &Wanted<'_>) -> bool {
        self.holds(held.what, wanted)
            && (!held.is_of_the_moment || self.is_in_force(held.binding, wanted.moment))
    }

    /// Whether what a rule is about is wanted.
    #[inline(always)]
    fn holds(&self, what: u32, wanted: &Wanted<'_>) -> bool {
        let what = self.whats.get(at(what));
        what.is_some_and(|what| what.holds(wanted))
    }

    #[cold]
    fn is_in_force(&self, binding: u32, moment: Moment<'_>) -> bool {
        let binding = self.policy.bindings.get(at(binding));
        binding.is_some_and(|it| moment.meets(&it.conditions) == Known::Yes)
    }
}

/// What there is to say of one resource.
enum Judged {
    /// This denial refuses it.
    Denied(u32),
    /// This binding holds it.
    Held(u32),
    /// No binding does.
    Not,
}

/// The numbers of a policy's kinds.
struct Slots<'p> {
    policy: &'p Policy,
    firsts: &'p [Slot],
    /// How many there are.
    count: usize,
}

impl Slots<'_> {
    fn of(&self, platform: usize, kind: KindId) -> Option<Slot> {
        slot(self.firsts, platform, kind)
    }

    /// What divides the names of a kind.
    fn separator(&self, platform: usize, kind: KindId) -> Option<u8> {
        let kind = self.policy.tables.get(platform)?.kinds().get(kind);
        kind.map(|kind| kind.form).and_then(Form::separator)
    }
}

fn slot(firsts: &[Slot], platform: usize, kind: KindId) -> Option<Slot> {
    firsts.get(platform)?.checked_add(usize::from(kind.0))
}

/// A place in a list.
fn at(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// The items of a run.
fn items<'a, T>(all: &'a [T], run: &Run) -> &'a [T] {
    all.get(at(run.start)..at(run.end)).unwrap_or_default()
}
