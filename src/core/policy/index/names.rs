//! Rules by the names that they are about.

mod end;
mod gathering;
mod literals;
mod prefixes;

use core::ops::Range;

use super::{at, items};
use crate::policy::pattern::Pattern;
use crate::text::bytes;
use end::{Backward, Forward, same};
pub(super) use gathering::Gathering;
use literals::Literals;
use prefixes::{Key, Prefixes};

/// Rules by the names that they are about, of one kind.
///
/// Rules are numbered so that those of one pattern follow each other, and so do those of one head: what a
/// name leads to is a few runs of rules.
#[derive(Debug)]
pub(super) struct Names {
    /// What divides the parts of a name, if the kind is a tree.
    separator: Option<u8>,
    /// How many rules are about everything: they are the first.
    all: u32,
    literals: Literals,
    /// Whether rules are about anything but literals.
    has_patterns: bool,
    /// What patterns begin with.
    heads: Prefixes<Forward, Alike>,
    /// The place of the tails, if they are those of all patterns: none begins with anything.
    ends: u32,
    mores: Box<[More]>,
    checks: Box<[Check]>,
    /// What patterns of one head end with, if there are many.
    tails: Box<[Tails]>,
}

/// Numbers of rules.
pub(super) type Run = Range<u32>;

/// Patterns that begin alike, and those of them that end alike.
#[derive(Debug)]
struct Alike {
    rules: Run,
    /// The place of what they ask for besides; there is none if it is one pattern that asks for nothing.
    more: u32,
}

/// What patterns that begin alike ask for besides.
#[derive(Debug)]
struct More {
    /// Those that are looked at one by one.
    checks: Run,
    /// The place of those that are found by their ends.
    tails: Option<u32>,
}

/// Patterns of one head by what they end with.
type Tails = Prefixes<Backward, Alike>;

/// A pattern behind its head.
#[derive(Debug)]
struct Check {
    is: Is,
    rules: Run,
}

#[derive(Debug)]
enum Is {
    Anything,
    Below,
    More(Box<Pattern>),
    Nothing,
    Part,
    Tail(Box<str>),
}

/// What a name leads to: one run of rules, which may be empty, or several: see [`Names::fold`].
///
/// Two numbers, which a function answers in registers: if there are several runs, the end is before the start.
#[derive(Clone, Copy)]
pub(super) struct Found {
    start: u32,
    end: u32,
}

impl Found {
    const NOTHING: Self = Self { start: 0, end: 0 };
    const SEVERAL: Self = Self { start: 1, end: 0 };

    #[inline(always)]
    const fn one(run: &Run) -> Self {
        Self { start: run.start, end: run.end }
    }

    /// The only rule, as that of most names is.
    #[inline(always)]
    pub(super) fn only(self) -> Option<u32> {
        (self.end.wrapping_sub(self.start) == 1).then_some(self.start)
    }

    /// The one run; `None` if there are several.
    #[inline(always)]
    pub(super) fn run(self) -> Option<Run> {
        (self.start <= self.end).then_some(self.start..self.end)
    }
}

/// What comes of a name: taken on from one run of rules to the next, in any order.
type Take<'t> = &'t mut dyn FnMut(u32, Run) -> u32;

impl Names {
    /// The rules about everything, and those that hold a name if there is one.
    #[inline(always)]
    pub(super) fn find(&self, name: Option<&str>) -> Found {
        match name {
            None => Found::one(&(0..self.all)),
            Some(name) if self.literals.may_hold(name) => self.of_literals(name),
            Some(name) => self.of_patterns(name),
        }
    }

    /// As [`Self::find`] of a name that may be a literal. Not inlined: it has the registers for itself, as it
    /// calls what is rare only at its end.
    #[inline(never)]
    fn of_literals(&self, name: &str) -> Found {
        match self.literals.at_once(name) {
            Some(None) => self.of_patterns(name),
            Some(Some(run)) if !self.has_patterns => Found::one(&run),
            _ => self.of_both(name),
        }
    }

    /// As [`Self::of_literals`], if patterns may hold the name besides, or one comparison does not tell.
    #[inline(never)]
    fn of_both(&self, name: &str) -> Found {
        let run = self.literals.find(name);
        if run.is_empty() {
            return self.of_patterns(name);
        }
        match self.all == 0 && self.heads.longest(self.seen(name).as_bytes()).is_none() {
            true => Found::one(&run),
            false => Found::SEVERAL,
        }
    }

    /// As [`Self::find`] of a name that is no literal. Not inlined, as [`Self::of_literals`].
    #[inline(never)]
    fn of_patterns(&self, name: &str) -> Found {
        if let Some(tails) = self.tails.get(at(self.ends)) {
            return of_tails(tails, self.seen(name));
        }
        match self.heads.at_once(self.seen(name).as_bytes()) {
            Some(Some(key)) => self.of_longest(key, name),
            Some(None) => Found::one(&(0..self.all)),
            None => self.of_others(name),
        }
    }

    /// As [`Self::of_patterns`], if one look does not tell the head.
    #[inline(never)]
    fn of_others(&self, name: &str) -> Found {
        match self.heads.longest(self.seen(name).as_bytes()) {
            Some(key) => self.of_longest(key, name),
            None => Found::one(&(0..self.all)),
        }
    }

    /// As [`Self::of_patterns`], of the longest head that a name begins with.
    #[inline(always)]
    fn of_longest(&self, head: &Key<Alike>, name: &str) -> Found {
        if self.all > 0 || !head.is_alone() {
            return Found::SEVERAL;
        }
        match head.value.more {
            NONE => Found::one(&head.value.rules),
            _ => self.of_head(head, name),
        }
    }

    /// As [`Self::find`] of a name that begins with a head, if nothing else may hold it. Not inlined: most
    /// patterns ask for nothing behind their head.
    #[inline(never)]
    fn of_head(&self, head: &Key<Alike>, name: &str) -> Found {
        let Some(more) = self.mores.get(at(head.value.more)) else { return Found::NOTHING };
        let rest = self.seen(name).get(head.len()..).unwrap_or_default();
        match more.tails.and_then(|tails| self.tails.get(at(tails))) {
            Some(tails) if more.checks.is_empty() => of_tails(tails, rest),
            Some(_) => Found::SEVERAL,
            None => match items(&self.checks, &more.checks) {
                [check] if self.holds(check, (name, rest)) => Found::one(&check.rules),
                [_] => Found::NOTHING,
                _ => Found::SEVERAL,
            },
        }
    }

    /// A name as patterns see it.
    #[inline(always)]
    fn seen<'n>(&self, name: &'n str) -> &'n str {
        if self.separator.is_some() { in_tree(name) } else { name }
    }

    /// Takes something on over the rules about everything, and those that hold a name.
    #[cold]
    pub(super) fn fold(&self, name: Option<&str>, mut it: u32, take: Take<'_>) -> u32 {
        if self.all > 0 {
            it = take(it, 0..self.all);
        }
        let Some(name) = name else { return it };
        if self.literals.may_hold(name) {
            let run = self.literals.find(name);
            if !run.is_empty() {
                it = take(it, run);
            }
        }
        let text = self.seen(name);
        match self.heads.longest(text.as_bytes()) {
            Some(key) => self.fold_heads(key, (name, text), it, take),
            None => it,
        }
    }

    /// Over the patterns of some heads, from the longest on.
    fn fold_heads(
        &self,
        longest: &Key<Alike>,
        (name, text): (&str, &str),
        mut it: u32,
        take: Take<'_>,
    ) -> u32 {
        let mut next = Some(longest);
        while let Some(key) = next {
            next = self.heads.parent(key);
            let Some(more) = self.mores.get(at(key.value.more)) else {
                it = take(it, key.value.rules.clone());
                continue;
            };
            let rest = text.get(key.len()..).unwrap_or_default();
            if !more.checks.is_empty() {
                it = self.fold_checks(&more.checks, (name, rest), it, take);
            }
            // What the pattern begins with is no part of its end.
            let tails = more.tails.and_then(|tails| self.tails.get(at(tails)));
            let mut end = tails.and_then(|tails| tails.longest(rest.as_bytes()));
            while let Some(key) = end {
                it = match self.mores.get(at(key.value.more)) {
                    None => take(it, key.value.rules.clone()),
                    Some(more) => self.fold_checks(&more.checks, (name, rest), it, take),
                };
                end = tails.and_then(|tails| tails.parent(key));
            }
        }
        it
    }

    fn fold_checks(
        &self,
        checks: &Run,
        (name, rest): (&str, &str),
        mut it: u32,
        take: Take<'_>,
    ) -> u32 {
        for check in items(&self.checks, checks) {
            if self.holds(check, (name, rest)) {
                it = take(it, check.rules.clone());
            }
        }
        it
    }

    /// Whether a pattern holds a name, of which `rest` is behind the pattern's head.
    #[inline(always)]
    fn holds(&self, check: &Check, (name, rest): (&str, &str)) -> bool {
        match &check.is {
            Is::Anything => true,
            Is::Below => rest.bytes().next().is_some_and(|it| Some(it) == self.separator),
            Is::More(pattern) => pattern.holds(Some(name)),
            Is::Nothing => rest.is_empty(),
            Is::Part => self
                .separator
                .is_none_or(|separator| bytes::place(rest.as_bytes(), 0, separator) == rest.len()),
            Is::Tail(tail) => rest.ends_with(&**tail),
        }
    }

    /// Takes something on over rules that may be about a name, or about what is above or below it: over more
    /// than are, but none is left out. They are those of [`Gathering::of_a_tree`].
    pub(super) fn fold_around(&self, name: &str, mut it: u32, take: Take<'_>) -> u32 {
        if self.all > 0 {
            it = take(it, 0..self.all);
        }
        // The root is above everything, as nothing is.
        let name = in_tree(name).as_bytes();
        // What begins as a rule of which the head lies above, whatever the pattern holds.
        let mut next = self.heads.longest(name);
        while let Some(key) = next {
            if key.len() < name.len() {
                it = take(it, key.value.rules.clone());
            }
            next = self.heads.parent(key);
        }
        let mut below = self.heads.below(name);
        if let Some(first) = below.next() {
            let last = below.next_back().unwrap_or(first);
            it = take(it, first.rules.start..last.rules.end);
        }
        it
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let tails = self.tails.iter().map(Tails::bytes);
        let sizes = [
            self.literals.bytes(),
            self.heads.bytes(),
            size_of_val(&*self.mores),
            size_of_val(&*self.checks),
            size_of_val(&*self.tails),
        ];
        sizes.into_iter().chain(tails).fold(0, usize::saturating_add)
    }
}

/// The rules of the patterns of a head that end as what is behind it does.
#[inline(never)]
fn of_tails(tails: &Tails, rest: &str) -> Found {
    match tails.at_once(rest.as_bytes()) {
        Some(Some(end)) => of_end(end),
        Some(None) => Found::NOTHING,
        None => of_other_tails(tails, rest),
    }
}

/// As [`of_tails`], if one look does not tell the end.
#[inline(never)]
fn of_other_tails(tails: &Tails, rest: &str) -> Found {
    tails.longest(rest.as_bytes()).map_or(Found::NOTHING, of_end)
}

#[inline(always)]
fn of_end(end: &Key<Alike>) -> Found {
    match end.is_alone() && end.value.more == NONE {
        true => Found::one(&end.value.rules),
        false => Found::SEVERAL,
    }
}

/// A name as the patterns of a tree see it: the root has no part but the empty one that every path begins
/// with.
fn in_tree(name: &str) -> &str {
    if name == "/" { "" } else { name }
}

/// In place of a place, that there is none.
const NONE: u32 = u32::MAX;

fn number(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
