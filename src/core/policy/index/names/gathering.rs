//! Makes names of patterns.

use std::borrow::Cow;

use super::literals::{Literals, hash};
use super::prefixes::Prefixes;
use super::{Alike, Check, Is, More, NONE, Names, Run, Tails, at, items, number};
use crate::policy::pattern::{Pattern, Rest};

/// How many patterns of one head are looked at one by one; fewer in tests, so that they see both.
const FEW: usize = if cfg!(test) { 2 } else { 8 };

/// Gathers the rules of one kind.
#[derive(Debug)]
pub(in super::super) struct Gathering<'p> {
    separator: Option<u8>,
    is_around: bool,
    all: Vec<u32>,
    literals: Vec<(u64, &'p str, u32)>,
    patterns: Vec<Gathered<'p>>,
}

/// A pattern that is not told by a hash: in the order of the rules.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Gathered<'p> {
    head: Cow<'p, str>,
    rest: Rest<'p>,
    pattern: &'p Pattern,
    rule: u32,
}

impl<'p> Gathering<'p> {
    /// Of a kind whose names have parts, if there is a separator.
    pub(in super::super) const fn new(separator: Option<u8>) -> Self {
        Self {
            separator,
            is_around: false,
            all: Vec::new(),
            literals: Vec::new(),
            patterns: Vec::new(),
        }
    }

    /// As well for [`Names::fold_around`].
    pub(in super::super) fn of_a_tree(separator: u8) -> Self {
        Self { is_around: true, ..Self::new(Some(separator)) }
    }

    /// Adds a rule.
    pub(in super::super) fn add(&mut self, pattern: &'p Pattern, rule: u32) {
        match pattern {
            Pattern::All => self.all.push(rule),
            Pattern::Literal(name) if !self.is_around => {
                self.literals.push((hash(name), name, rule));
            }
            Pattern::Numbers(numbers) => {
                let numbers = numbers.iter().map(|number| (hash(number), &**number, rule));
                self.literals.extend(numbers);
            }
            Pattern::Literal(_) | Pattern::Around(_) | Pattern::Parts(_) => {
                let (mut head, mut rest) = (pattern.head(), pattern.rest());
                // The root has no part but the empty one.
                if matches!(pattern, Pattern::Literal(name) if **name == *"/") {
                    head = Cow::Borrowed("");
                }
                // A head has no zero, which is behind the end of a text.
                if let Some(end) = head.find('\0') {
                    let text = head.get(..end).unwrap_or_default().to_owned();
                    (head, rest) = (Cow::Owned(text), Rest::More);
                }
                self.patterns.push(Gathered { head, rest, pattern, rule });
            }
        }
    }

    /// The names, and of each number the rule that was added.
    ///
    /// Of the rules of one pattern, in the order in which they were added, those are left out that `keeps`
    /// says no to; it is told whether it is the first of its pattern.
    pub(in super::super) fn finish(
        mut self,
        keeps: &mut dyn FnMut(u32, bool) -> bool,
    ) -> (Names, Vec<u32>) {
        let mut rules = Rules { kept: Vec::new(), keeps };
        let all = rules.add(self.all.into_iter()).end;
        self.literals.sort_unstable();
        let mut texts = Vec::new();
        for of_name in self.literals.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
            let first = rules.add(of_name.iter().map(|(.., rule)| *rule)).start;
            texts.extend(of_name.first().map(|(hash, text, _)| (*hash, *text, first)));
        }
        let literals = Literals::new(&texts, rules.next());
        self.patterns.sort_unstable();
        let mut heads = Heads::default();
        for of_head in self.patterns.chunk_by(|one, other| one.head == other.head) {
            heads.add(of_head, &mut rules);
        }
        let ends = heads.ends().filter(|_| all == 0).unwrap_or(NONE);
        let kept = rules.kept;
        let names = Names {
            separator: self.separator,
            all,
            literals,
            has_patterns: all > 0 || !heads.heads.is_empty(),
            heads: Prefixes::new(heads.heads),
            ends,
            mores: heads.mores.into(),
            checks: heads.checks.into(),
            tails: heads.tails.into(),
        };
        (names, kept)
    }
}

/// Rules in the order of their numbers.
struct Rules<'k> {
    kept: Vec<u32>,
    keeps: &'k mut dyn FnMut(u32, bool) -> bool,
}

impl Rules<'_> {
    fn next(&self) -> u32 {
        number(self.kept.len())
    }

    /// Adds the rules of one pattern.
    fn add(&mut self, of_pattern: impl Iterator<Item = u32>) -> Run {
        let from = self.next();
        for (at, rule) in of_pattern.enumerate() {
            if (self.keeps)(rule, at == 0) {
                self.kept.push(rule);
            }
        }
        from..self.next()
    }
}

#[derive(Debug, Default)]
struct Heads<'p> {
    heads: Vec<(&'p [u8], Alike)>,
    mores: Vec<More>,
    checks: Vec<Check>,
    tails: Vec<Tails>,
}

impl<'p> Heads<'p> {
    /// Adds the patterns of one head, which are in order.
    fn add(&mut self, of_head: &'p [Gathered<'_>], rules: &mut Rules<'_>) {
        let Some(first) = of_head.first() else { return };
        let (from, from_check) = (rules.next(), number(self.checks.len()));
        let mut by_end: Vec<(Cow<'_, str>, &[Gathered<'_>])> = Vec::new();
        let alike = |one: &Gathered<'_>, other: &Gathered<'_>| one.pattern == other.pattern;
        let is_many = of_head.chunk_by(alike).count() > FEW;
        for of_pattern in of_head.chunk_by(alike) {
            let tail = of_pattern
                .first()
                .filter(|_| is_many)
                .map(|it| it.pattern.tail())
                .unwrap_or_default();
            if tail.is_empty() || tail.contains('\0') {
                self.check(of_pattern, false, rules);
            } else {
                by_end.push((tail, of_pattern));
            }
        }
        let checks = from_check..number(self.checks.len());
        let tails = (!by_end.is_empty()).then(|| number(self.tails.len()));
        if tails.is_some() {
            by_end.sort_by(|(one, _), (other, _)| one.bytes().rev().cmp(other.bytes().rev()));
            let mut ends = Vec::new();
            for of_end in by_end.chunk_by(|(one, _), (other, _)| one == other) {
                let (from, from_check) = (rules.next(), number(self.checks.len()));
                of_end.iter().for_each(|(_, of_pattern)| self.check(of_pattern, true, rules));
                let checks = from_check..number(self.checks.len());
                let tail = Alike { rules: from..rules.next(), more: self.more(checks, None) };
                ends.extend(of_end.first().map(|(end, _)| (end.as_bytes(), tail)));
            }
            self.tails.push(Tails::new(ends));
        }
        let head = Alike { rules: from..rules.next(), more: self.more(checks, tails) };
        self.heads.push((first.head.as_bytes(), head));
    }

    /// The place of the tails, if they are those of all patterns.
    fn ends(&self) -> Option<u32> {
        let [(head, of_head)] = &*self.heads else { return None };
        let more = self.mores.get(at(of_head.more)).filter(|_| head.is_empty())?;
        more.tails.filter(|_| more.checks.is_empty())
    }

    /// The place of what patterns ask for, which the last checks are.
    fn more(&mut self, checks: Run, tails: Option<u32>) -> u32 {
        if tails.is_none()
            && let [Check { is: Is::Anything, .. }] = items(&self.checks, &checks)
        {
            self.checks.truncate(at(checks.start));
            return NONE;
        }
        self.mores.push(More { checks, tails });
        number(self.mores.len().saturating_sub(1))
    }

    /// Adds the rules of one pattern, which may be found by its end.
    fn check(&mut self, of_pattern: &[Gathered<'_>], is_by_end: bool, rules: &mut Rules<'_>) {
        let Some(first) = of_pattern.first() else { return };
        let rules = rules.add(of_pattern.iter().map(|it| it.rule));
        let is = match first.rest {
            Rest::Anything => Is::Anything,
            Rest::Below => Is::Below,
            Rest::More => Is::More(Box::new(first.pattern.clone())),
            Rest::Nothing => Is::Nothing,
            Rest::Part => Is::Part,
            Rest::Tail(_) if is_by_end => Is::Anything,
            Rest::Tail(tail) => Is::Tail(tail.into()),
        };
        self.checks.push(Check { is, rules });
    }
}
