//! Denials by the names that they are about.

use super::lists::{Bits, Lists};
use super::names::{Gathering, Names, Run};
use super::who::is_stranger_meant;
use super::{Index, Moment, Slots, Wanted, What, Whats, at};
use crate::platform::kind::Actions;
use crate::policy::model::Policy;
use crate::policy::pattern::Pattern;
use crate::policy::plain::reaches_around;
use crate::policy::subject::Known;

/// The denials of a policy.
#[derive(Debug)]
pub(super) struct Denials {
    kinds: Box<[Option<Kind>]>,
    rules: Box<[Rule]>,
    /// The rules of each denial.
    of: Lists,
    of_strangers: Meant,
    has_dry: bool,
    /// Of each platform, actions that reach what is above and below a place, and those that do so unless it
    /// is a list that is asked for.
    reaching: Box<[(Actions, Actions)]>,
}

/// Which rules mean a subject.
#[derive(Clone, Debug)]
pub(super) struct Meant {
    live: Bits,
    dry: Bits,
    /// Of each kind, whether a live one means it.
    kinds: Box<[bool]>,
}

/// The denials of one kind.
#[derive(Debug)]
struct Kind {
    names: Names,
    /// The numbers of its rules.
    from: u32,
    to: u32,
    /// One rule of each denial, in their order.
    each: Box<[u32]>,
    /// What divides the parts of a name.
    separator: Option<u8>,
}

/// A denial of one pattern.
#[derive(Clone, Copy, Debug)]
struct Rule {
    denial: u32,
    what: u32,
    /// The places of its kind in the denial, and of its pattern there.
    pattern: (u32, u32),
    is_of_the_moment: bool,
}

impl Meant {
    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let Self { live, dry, kinds } = self;
        live.bytes().saturating_add(dry.bytes()).saturating_add(kinds.len())
    }
}

impl Denials {
    pub(super) fn new(slots: &Slots<'_>, whats: &mut Whats) -> Self {
        let policy = slots.policy;
        let mut of_kinds: Vec<Vec<(u8, &Pattern, Rule)>> = vec![Vec::new(); slots.count];
        for (denial, it) in (0_u32..).zip(&policy.denials) {
            let what = whats.place(What::of_denial(&it.scope));
            let is_of_the_moment = it.conditions.is_of_the_moment();
            for (place, (kind, patterns)) in (0_u32..).zip(&it.scope.kinds) {
                let slot = slots.of(it.scope.platform, *kind);
                let Some(of_kind) = slot.and_then(|slot| of_kinds.get_mut(slot)) else { continue };
                let separator = slots.separator(it.scope.platform, *kind).unwrap_or(0);
                of_kind.extend((0_u32..).zip(patterns).map(|(at, pattern)| {
                    let pattern_at = (place, at);
                    (
                        separator,
                        pattern,
                        Rule { denial, what, pattern: pattern_at, is_of_the_moment },
                    )
                }));
            }
        }
        let mut rules: Vec<Rule> = Vec::new();
        let kinds = of_kinds.iter().map(|of_kind| {
            let (separator, ..) = of_kind.first()?;
            let separator = Some(*separator).filter(|it| *it > 0);
            let mut names = separator.map_or(Gathering::new(None), Gathering::of_a_tree);
            for (place, (_, pattern, _)) in (0_u32..).zip(of_kind) {
                names.add(pattern, place);
            }
            let (names, order) = names.finish(&mut |_, _| true);
            let from = u32::try_from(rules.len()).unwrap_or(u32::MAX);
            let ordered =
                order.iter().filter_map(|it| of_kind.get(at(*it)).map(|(.., rule)| *rule));
            let begin = rules.len();
            rules.extend(ordered);
            let mut each: Vec<(u32, u32)> = (from..)
                .zip(rules.get(begin..).unwrap_or_default())
                .map(|(number, rule)| (rule.denial, number))
                .collect();
            each.sort_unstable();
            each.dedup_by_key(|(denial, _)| *denial);
            let each = each.into_iter().map(|(_, number)| number).collect();
            let to = u32::try_from(rules.len()).unwrap_or(u32::MAX);
            Some(Kind { names, from, to, each, separator })
        });
        let kinds = kinds.collect();
        let of = (0_u32..).zip(&rules).map(|(number, rule)| (rule.denial, number)).collect();
        let mut all = Self {
            kinds,
            of: Lists::new(policy.denials.len(), of),
            of_strangers: Meant {
                live: Bits::none(rules.len()),
                dry: Bits::none(0),
                kinds: vec![false; slots.count].into(),
            },
            has_dry: policy.denials.iter().any(|denial| denial.dry_run),
            reaching: reaching(policy),
            rules: rules.into(),
        };
        if all.has_dry {
            all.of_strangers.dry = Bits::none(all.rules.len());
        }
        let mut meant = all.of_strangers.clone();
        for (denial, it) in (0_u32..).zip(&policy.denials) {
            all.mean(&mut meant, denial, it.dry_run, is_stranger_meant(policy, denial));
        }
        all.note_kinds(&mut meant);
        all.of_strangers = meant;
        all
    }

    /// Sets whether a denial means a subject.
    fn mean(&self, meant: &mut Meant, denial: u32, is_dry: bool, is: bool) {
        let bits = if is_dry { &mut meant.dry } else { &mut meant.live };
        self.of.of(at(denial)).iter().for_each(|rule| bits.set(*rule, is));
    }

    /// The rules that mean a subject of whom some denials differ from a stranger.
    pub(super) fn meant(&self, policy: &Policy, differing: &[u32]) -> Meant {
        let mut meant = self.of_strangers.clone();
        for denial in differing {
            let Some(it) = policy.denials.get(at(*denial)) else { continue };
            self.mean(&mut meant, *denial, it.dry_run, !is_stranger_meant(policy, *denial));
        }
        self.note_kinds(&mut meant);
        meant
    }

    fn note_kinds(&self, meant: &mut Meant) {
        for (is_meant, kind) in meant.kinds.iter_mut().zip(&self.kinds) {
            let rules = kind.as_ref().map(|kind| kind.from..kind.to);
            *is_meant = rules.is_some_and(|rules| meant.live.first(&rules).is_some());
        }
    }

    /// Whether one is in a dry run.
    pub(super) const fn has_dry(&self) -> bool {
        self.has_dry
    }

    /// Whether a denial of what is wanted means a subject.
    #[inline(always)]
    pub(super) fn mean_any(&self, meant: Option<&Meant>, wanted: &Wanted<'_>) -> bool {
        let kinds = &meant.unwrap_or(&self.of_strangers).kinds;
        kinds.get(wanted.slot).copied().unwrap_or_default()
    }

    /// The first denial that refuses what is wanted.
    #[inline(never)]
    pub(super) fn first(
        &self,
        index: &Index,
        meant: Option<&Meant>,
        wanted: Wanted<'_>,
    ) -> Option<u32> {
        let kind = self.kinds.get(wanted.slot)?.as_ref()?;
        let meant = &meant.unwrap_or(&self.of_strangers).live;
        if let (Some(name), None) = (wanted.asks.name, kind.separator) {
            let found = kind.names.find(Some(name));
            if let Some(only) = found.only() {
                let place = kind.from.saturating_add(only);
                let rule = self.rules.get(at(place)).filter(|_| meant.holds(place))?;
                return rule.refuses(index, &wanted).then_some(rule.denial);
            }
            if found.run().is_some_and(|run| run.is_empty()) {
                return None;
            }
        }
        self.first_of_several(index, meant, wanted, kind)
    }

    /// As [`Self::first`]. Not inlined: most names are denied by one rule, or by none.
    #[inline(never)]
    fn first_of_several(
        &self,
        index: &Index,
        meant: &Bits,
        wanted: Wanted<'_>,
        kind: &Kind,
    ) -> Option<u32> {
        let judge = Judge { denials: self, index, wanted: &wanted, meant, kind };
        let first = judge.fold(u32::MAX, &mut |first, denial| first.min(denial));
        (first < u32::MAX).then_some(first)
    }

    /// The names of the denials in a dry run that would refuse something of what is wanted.
    pub(super) fn dry<'p, 'w>(
        &self,
        index: &'p Index,
        meant: Option<&Meant>,
        wanted: impl Iterator<Item = Wanted<'w>>,
    ) -> Vec<&'p str> {
        let mut denials = Vec::new();
        let meant = &meant.unwrap_or(&self.of_strangers).dry;
        for wanted in wanted {
            let Some(Some(kind)) = self.kinds.get(wanted.slot) else { continue };
            let judge = Judge { denials: self, index, wanted: &wanted, meant, kind };
            judge.fold(u32::MAX, &mut |_, denial| {
                denials.push(denial);
                u32::MAX
            });
        }
        denials.sort_unstable();
        let denials = denials.into_iter().filter_map(|place| index.policy.denials.get(at(place)));
        denials.map(|denial| &*denial.name).collect()
    }

    /// Whether what is above and below a place is reached.
    fn reaches(&self, wanted: &Wanted<'_>) -> bool {
        let reaching = self.reaching.get(wanted.asked.platform);
        reaching.is_some_and(|(always, unless_list)| {
            let action = wanted.asks.action;
            always.holds(action) || (!wanted.asked.is_list && unless_list.holds(action))
        })
    }
}

impl Kind {
    fn run(&self, run: &Run) -> Run {
        self.from.saturating_add(run.start)..self.from.saturating_add(run.end)
    }
}

impl Rule {
    /// Whether it refuses what is wanted, if it is about the name and means the subject.
    #[inline(always)]
    fn refuses(&self, index: &Index, wanted: &Wanted<'_>) -> bool {
        index.holds(self.what, wanted)
            && (!self.is_of_the_moment || self.is_now(index, wanted.moment))
    }

    #[cold]
    fn is_now(&self, index: &Index, moment: Moment<'_>) -> bool {
        let denial = index.policy.denials.get(at(self.denial));
        denial.is_some_and(|it| moment.meets(&it.conditions) != Known::No)
    }
}

/// Judges the denials of a kind.
struct Judge<'a> {
    denials: &'a Denials,
    index: &'a Index,
    wanted: &'a Wanted<'a>,
    meant: &'a Bits,
    kind: &'a Kind,
}

/// Takes something on over denials that refuse: from which denial on none is asked about any more.
trait Take: FnMut(u32, u32) -> u32 {}

impl<F: FnMut(u32, u32) -> u32> Take for F {}

impl Judge<'_> {
    #[inline(always)]
    fn fold(&self, end: u32, take: &mut impl Take) -> u32 {
        let Self { wanted, kind, .. } = self;
        let names = &kind.names;
        let Some(name) = wanted.asks.name else { return self.all(end, take) };
        if let Some(separator) = kind.separator.filter(|_| self.denials.reaches(wanted)) {
            return names.fold_around(name, end, &mut |end, run| {
                self.around(end, &run, (name, char::from(separator)), take)
            });
        }
        match names.find(Some(name)).run() {
            Some(run) => self.run(end, &run, take),
            None => names.fold(Some(name), end, &mut |end, run| self.run(end, &run, take)),
        }
    }

    /// Of all resources: whatever a denial is about, and if a list is asked for, what is about everything.
    #[inline(never)]
    fn all(&self, mut end: u32, take: &mut impl Take) -> u32 {
        if self.wanted.asked.is_list {
            return self.kind.names.fold(None, end, &mut |end, run| self.run(end, &run, take));
        }
        // They are in the order of the denials.
        for rule in self.kind.each.iter().filter(|rule| self.meant.holds(**rule)) {
            let Some(next) = self.rule(end, *rule, take) else { break };
            end = next;
        }
        end
    }

    /// Over the rules of one pattern, which holds the name.
    #[inline(always)]
    fn run(&self, end: u32, run: &Run, take: &mut impl Take) -> u32 {
        let run = self.kind.run(run);
        // Most names.
        if run.end.wrapping_sub(run.start) == 1 {
            let is_meant = self.meant.holds(run.start);
            return if is_meant { self.rule(end, run.start, take).unwrap_or(end) } else { end };
        }
        self.several(end, run, take)
    }

    /// As [`Self::run`]. Not inlined: most names are denied by one rule.
    #[inline(never)]
    fn several(&self, mut end: u32, mut run: Run, take: &mut impl Take) -> u32 {
        while let Some(rule) = self.meant.first(&run) {
            let Some(next) = self.rule(end, rule, take) else { break };
            (end, run.start) = (next, rule.saturating_add(1));
        }
        end
    }

    /// Over rules that may be about a name.
    fn around(&self, mut end: u32, run: &Run, name: (&str, char), take: &mut impl Take) -> u32 {
        let mut run = self.kind.run(run);
        while let Some(rule) = self.meant.first(&run) {
            let pattern = self.denials.rules.get(at(rule)).and_then(|rule| self.pattern(rule));
            if pattern.is_some_and(|it| it.touches(name.0, name.1)) {
                end = self.rule(end, rule, take).unwrap_or(end);
            }
            run.start = rule.saturating_add(1);
        }
        end
    }

    /// Takes a rule, of which the name and the subject are right, if it refuses; `None` if neither it nor a
    /// later denial is asked about.
    #[inline(always)]
    fn rule(&self, end: u32, rule: u32, take: &mut impl Take) -> Option<u32> {
        let rule = self.denials.rules.get(at(rule)).filter(|it| it.denial < end)?;
        let is_right = rule.refuses(self.index, self.wanted);
        Some(if is_right { take(end, rule.denial) } else { end })
    }

    fn pattern(&self, rule: &Rule) -> Option<&Pattern> {
        let (kind, pattern) = rule.pattern;
        let denial = self.index.policy.denials.get(at(rule.denial))?;
        denial.scope.kinds.get(at(kind))?.1.get(at(pattern))
    }
}

fn reaching(policy: &Policy) -> Box<[(Actions, Actions)]> {
    let of = |words: &dyn Fn(&str) -> bool| {
        policy
            .tables
            .iter()
            .map(|table| {
                let kinds = table.kinds();
                let actions = kinds.words(Actions::ALL).filter(|word| words(word));
                let actions = actions.filter_map(|word| kinds.action(word));
                actions.fold(Actions::NONE, |all, action| all.and(Actions::of(action)))
            })
            .collect::<Vec<_>>()
    };
    let always = of(&|word| reaches_around(word, true));
    let unless_list = of(&|word| reaches_around(word, false));
    always.into_iter().zip(unless_list).collect()
}
