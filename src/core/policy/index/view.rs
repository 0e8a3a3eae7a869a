//! What one identity may do.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::denials::Meant;
use super::grants::Held;
use super::lists::Bits;
use super::names::{Gathering, Names};
use super::shared::Weight;
use super::who::Standing;
use super::{Index, Slot, What, at, slot};
use crate::platform::kind::KindId;
use crate::policy::pattern::Pattern;
use crate::policy::subject::Subject;

/// What one identity may do: made once for it, and of no use under another policy.
#[derive(Debug)]
pub struct View {
    standing: Rc<Standing>,
    live: Holding,
    dry: Holding,
    /// Which denials mean it, if they are others than those that mean a stranger.
    meant: Option<Box<Meant>>,
    _weight: Option<Weight>,
}

/// What some bindings give.
#[derive(Debug, Default)]
pub(super) struct Holding {
    /// What small roles grant, in the order of the kinds.
    kinds: Box<[Kind]>,
    /// Roles that are not gathered, in their order, each with its bindings in theirs.
    apart: Box<[Given]>,
}

/// What is held of one kind.
#[derive(Debug)]
pub(super) struct Kind {
    slot: Slot,
    pub(super) names: Names,
    /// By the numbers of the names.
    pub(super) held: Box<[Held]>,
}

/// How many patterns are gathered into a view; few in tests, so that they see both.
const MOST: usize = if cfg!(test) { 6 } else { 2048 };

impl View {
    /// Whether it tells what an identity may do under this policy.
    pub(super) fn is_of(&self, index: &Index) -> bool {
        self.standing.mark == index.mark
    }

    pub(super) fn standing(&self) -> Rc<Standing> {
        Rc::clone(&self.standing)
    }

    pub(super) fn weighed(self, weight: Weight) -> Self {
        Self { _weight: Some(weight), ..self }
    }

    /// Whether a rule gives it anything of a kind, which is named by the place of its platform: also one
    /// in a dry run.
    pub fn knows(&self, index: &Index, (platform, kind): (usize, KindId)) -> bool {
        let slot = slot(&index.firsts, platform, kind);
        [&self.live, &self.dry].into_iter().any(|holding| {
            holding.kinds.iter().any(|it| Some(it.slot) == slot)
                || holding.apart.iter().any(|(role, _)| {
                    let role = index.policy.roles.get(at(*role));
                    let mut grants = role.into_iter().flat_map(|role| &role.grants);
                    grants.any(|grant| {
                        let scope = &grant.scope;
                        scope.platform == platform && scope.kinds.iter().any(|(it, _)| *it == kind)
                    })
                })
        })
    }

    pub(super) const fn live(&self) -> &Holding {
        &self.live
    }

    pub(super) const fn dry(&self) -> &Holding {
        &self.dry
    }

    /// Which denials mean it; `None` if they are those that mean a stranger.
    pub(super) fn meant(&self) -> Option<&Meant> {
        self.meant.as_deref()
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let Self { standing, .. } = self;
        size_of::<Self>()
            .saturating_add(size_of::<Standing>())
            .saturating_add(size_of_val(&*standing.bindings))
            .saturating_add(size_of_val(&*standing.denials))
            .saturating_add(self.live.bytes())
            .saturating_add(self.dry.bytes())
            .saturating_add(self.meant.as_ref().map_or(0, |meant| meant.bytes()))
    }
}

impl Holding {
    /// What is held of a kind.
    #[inline(always)]
    pub(super) fn of_kind(&self, slot: Slot) -> Option<&Kind> {
        let (first, others) = self.kinds.split_first()?;
        // Without a loop: most hold one.
        if first.slot == slot { Some(first) } else { others.iter().find(|it| it.slot == slot) }
    }

    /// Whether it holds nothing.
    pub(super) const fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.apart.is_empty()
    }

    /// The roles that are not gathered, in their order, each with its bindings in theirs.
    pub(super) fn apart(&self) -> &[Given] {
        &self.apart
    }

    /// The bindings of a role that is not gathered, in their order.
    pub(super) fn of_role(&self, role: u32) -> impl Iterator<Item = &Held> {
        let from = self.apart.partition_point(|(it, _)| *it < role);
        let apart = self.apart.get(from..).unwrap_or_default().iter();
        apart.take_while(move |(it, _)| *it == role).map(|(_, held)| held)
    }

    fn bytes(&self) -> usize {
        let of_kinds = self
            .kinds
            .iter()
            .map(|kind| kind.names.bytes().saturating_add(size_of_val(&*kind.held)));
        let sizes = [size_of_val(&*self.kinds), size_of_val(&*self.apart)];
        sizes.into_iter().chain(of_kinds).fold(0, usize::saturating_add)
    }
}

/// A binding of a role: what it gives of the role's own grants.
pub(super) type Given = (u32, Held);

/// What a binding gives of a pattern.
type Of<'p> = (&'p Pattern, Held);

impl Index {
    /// What an identity may do.
    pub fn view(&self, subject: &Subject<'_>) -> View {
        self.view_of(self.standing(subject).into())
    }

    /// What tells the rules that apply to an identity.
    pub(super) fn standing(&self, subject: &Subject<'_>) -> Standing {
        self.who.standing(&self.mark, &self.policy, subject)
    }

    /// What every identity of a standing may do.
    pub(super) fn view_of(&self, standing: Rc<Standing>) -> View {
        let bindings = |is_dry: bool| {
            let bindings = standing.bindings.iter().filter(move |place| {
                let binding = self.policy.bindings.get(at(**place));
                binding.is_some_and(|it| it.dry_run == is_dry)
            });
            self.holding(bindings.copied())
        };
        let (live, dry) = (bindings(false), bindings(true));
        let denials = Some(&*standing.denials).filter(|denials| !denials.is_empty());
        let meant = denials.map(|denials| self.denials.meant(&self.policy, denials).into());
        View { standing, live, dry, meant, _weight: None }
    }

    /// The roles that some bindings give, with those that they include.
    fn given(&self, bindings: impl Iterator<Item = u32>) -> Vec<Given> {
        let mut given = Vec::new();
        // Of bindings that always hold, the first of a role is all that counts; of one that holds at some
        // moments, each role once.
        let mut always = Bits::none(self.policy.roles.len());
        let mut open = Vec::new();
        for binding in bindings {
            let Some(it) = self.policy.bindings.get(at(binding)) else { continue };
            let is_of_the_moment = it.conditions.is_of_the_moment();
            let held = Held { binding, what: u32::MAX, is_of_the_moment };
            let mut now = BTreeSet::new();
            open.push(it.role);
            while let Some(role) = open.pop() {
                let place = u32::try_from(role).unwrap_or(u32::MAX);
                let is_new = !always.holds(place) && !now.contains(&place);
                let Some(it) = self.policy.roles.get(role).filter(|_| is_new) else { continue };
                if is_of_the_moment {
                    now.insert(place);
                } else {
                    always.set(place, true);
                }
                given.push((place, held));
                open.extend(&it.includes);
            }
        }
        given.sort_unstable_by_key(|(role, held)| (*role, held.binding));
        given
    }

    fn holding(&self, bindings: impl Iterator<Item = u32>) -> Holding {
        let given = self.given(bindings);
        let mut roles: Vec<(usize, &[Given])> = given
            .chunk_by(|(one, _), (other, _)| one == other)
            .map(|of_role| {
                let size = of_role.first().map_or(0, |(role, _)| self.grants.size(*role));
                (size.saturating_mul(of_role.len()), of_role)
            })
            .collect();
        // The smallest are gathered.
        roles.sort_by_key(|(size, _)| *size);
        let sums = roles.iter().scan(0_usize, |sum, (size, _)| {
            *sum = sum.saturating_add(*size);
            Some(*sum)
        });
        let few = sums.take_while(|sum| *sum <= MOST).count();
        let (few, many) = roles.split_at_checked(few).unwrap_or_default();
        let mut apart: Vec<Given> =
            many.iter().flat_map(|(_, of_role)| *of_role).copied().collect();
        apart.sort_by_key(|(role, _)| *role);
        Holding { kinds: self.gathered(few), apart: apart.into() }
    }

    /// What some roles give, by kinds.
    fn gathered(&self, roles: &[(usize, &[Given])]) -> Box<[Kind]> {
        let mut kinds: BTreeMap<Slot, (Option<u8>, Vec<Of<'_>>)> = BTreeMap::new();
        for (_, of_role) in roles {
            let Some((role, _)) = of_role.first() else { continue };
            for (slot, separator, pattern, what) in
                self.grants.of_role(&self.policy, &self.firsts, *role)
            {
                let (_, all) = kinds.entry(slot).or_insert_with(|| (separator, Vec::new()));
                let held = of_role.iter().map(|(_, held)| Held { what, ..*held });
                all.extend(held.map(|held| (pattern, held)));
            }
        }
        let kinds = kinds.into_iter().map(|(slot, (separator, mut all))| {
            all.sort_by_key(|(_, held)| held.binding);
            let (names, held) = self.in_order(separator, &all);
            Kind { slot, names, held }
        });
        kinds.collect()
    }

    /// Names, and what is held of each, without what an earlier binding gives anyway.
    fn in_order(&self, separator: Option<u8>, all: &[Of<'_>]) -> (Names, Box<[Held]>) {
        let mut names = Gathering::new(separator);
        for (place, (pattern, _)) in (0_u32..).zip(all) {
            names.add(pattern, place);
        }
        let mut covered = What::nothing();
        let (names, order) = names.finish(&mut |place, is_first| {
            if is_first {
                covered = What::nothing();
            }
            let Some((_, held)) = all.get(at(place)) else { return false };
            let what = self.whats.get(at(held.what));
            let Some(what) = what.filter(|what| !covered.covers(what)) else { return false };
            if !held.is_of_the_moment {
                covered.join(what);
            }
            true
        });
        let held = order.iter().filter_map(|place| all.get(at(*place)).map(|(_, held)| *held));
        (names, held.collect())
    }
}
