//! Rules by the names that they are about.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

use crate::policy::pattern::Pattern;

/// Rules by the names that they are about, of one kind.
#[derive(Clone, Debug)]
pub(super) struct Names<T> {
    /// What divides the parts of a name, if the kind is a tree.
    separator: Option<u8>,
    literals: HashMap<Box<str>, Vec<T>, BuildHasherDefault<NameHasher>>,
    /// Rules about everything.
    all: Vec<T>,
    /// Rules about patterns, by what the pattern begins with, in order.
    heads: Vec<Head<T>>,
    /// Rules about literals of a tree, in order: for what is above and below.
    places: Vec<(Box<str>, T)>,
    /// How many rules there are.
    count: usize,
}

#[derive(Clone, Debug)]
struct Head<T> {
    text: Box<str>,
    /// The longest other head that this one begins with.
    parent: Option<usize>,
    patterns: Vec<(Pattern, T)>,
    /// If there are many: patterns by what they end with, read from behind.
    tails: Vec<Tail<T>>,
}

#[derive(Clone, Debug)]
struct Tail<T> {
    /// From its last byte on.
    text: Box<[u8]>,
    /// The longest other tail that this one begins with.
    parent: Option<usize>,
    rules: Vec<T>,
}

/// How many patterns of one head are looked at one by one.
const FEW: usize = 8;

impl<T> Names<T> {
    pub(super) fn new(separator: Option<u8>) -> Self {
        Self {
            separator,
            literals: HashMap::default(),
            all: Vec::new(),
            heads: Vec::new(),
            places: Vec::new(),
            count: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// To be called when all are added.
    pub(super) fn finish(&mut self) {
        self.heads.sort_by(|one, other| one.text.cmp(&other.text));
        self.heads.dedup_by(|later, first| {
            let is_one = later.text == first.text;
            if is_one {
                first.patterns.append(&mut later.patterns);
            }
            is_one
        });
        let parents = parents(self.heads.iter().map(|head| head.text.as_bytes()));
        for (head, parent) in self.heads.iter_mut().zip(parents) {
            head.parent = parent;
            head.divide();
        }
        self.places.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
}

impl<T> Head<T> {
    /// If there are many patterns, those with one asterisk are kept by their ends.
    fn divide(&mut self) {
        if self.patterns.len() <= FEW {
            return;
        }
        let mut tails: Vec<Tail<T>> = Vec::new();
        let mut others = Vec::new();
        for (pattern, rule) in core::mem::take(&mut self.patterns) {
            match pattern.tail() {
                Some(tail) => {
                    let text = tail.bytes().rev().collect();
                    tails.push(Tail { text, parent: None, rules: vec![rule] });
                }
                None => others.push((pattern, rule)),
            }
        }
        tails.sort_by(|one, other| one.text.cmp(&other.text));
        tails.dedup_by(|later, first| {
            let is_one = later.text == first.text;
            if is_one {
                first.rules.append(&mut later.rules);
            }
            is_one
        });
        let parents = parents(tails.iter().map(|tail| &*tail.text));
        tails.iter_mut().zip(parents).for_each(|(tail, parent)| tail.parent = parent);
        self.patterns = others;
        self.tails = tails;
    }
}

/// Of each of some texts, which are in order, the longest other that it begins with.
fn parents<'t>(texts: impl Iterator<Item = &'t [u8]>) -> Vec<Option<usize>> {
    let mut open: Vec<(usize, &[u8])> = Vec::new();
    let mut parents = Vec::new();
    for (at, text) in texts.enumerate() {
        while open.pop_if(|(_, last)| !text.starts_with(last)).is_some() {}
        parents.push(open.last().map(|(at, _)| *at));
        open.push((at, text));
    }
    parents
}

impl<T: Clone> Names<T> {
    pub(super) fn add(&mut self, pattern: &Pattern, rule: T) {
        self.count = self.count.saturating_add(1);
        match pattern {
            Pattern::All => self.all.push(rule),
            Pattern::Literal(name) => {
                if self.separator.is_some() {
                    self.places.push((name.clone(), rule.clone()));
                }
                self.literals.entry(name.clone()).or_default().push(rule);
            }
            Pattern::Numbers(numbers) => {
                for number in numbers {
                    self.literals.entry(number.clone()).or_default().push(rule.clone());
                }
            }
            Pattern::Around(_) | Pattern::Parts { .. } => {
                let patterns = vec![(pattern.clone(), rule)];
                let text = pattern.head().into();
                self.heads.push(Head { text, parent: None, patterns, tails: Vec::new() });
            }
        }
    }
}

impl<T> Names<T> {
    /// Gives each rule that holds a name to `take`; `None` is all of the kind.
    pub(super) fn each(&self, name: Option<&str>, take: &mut dyn FnMut(&T)) {
        self.all.iter().for_each(&mut *take);
        let Some(name) = name else { return };
        if let Some(rules) = self.literals.get(name) {
            rules.iter().for_each(&mut *take);
        }
        let mut at = self.last_head(name);
        while let Some(head) = at.and_then(|at| self.heads.get(at)) {
            if name.starts_with(&*head.text) {
                head.patterns
                    .iter()
                    .filter(|(it, _)| it.holds(Some(name)))
                    .for_each(|(_, rule)| take(rule));
                head.each_tail(name, take);
            }
            at = head.parent;
        }
    }

    /// Gives each rule to `take` that may be about a name, or about what is above or below it: more than
    /// are, but none is left out.
    pub(super) fn each_around(&self, name: &str, take: &mut dyn FnMut(&T)) {
        self.each(Some(name), take);
        if self.separator.is_none() {
            return;
        }
        // The root is above everything, as nothing is.
        let name = if name == "/" { "" } else { name };
        // What begins as a rule of which the head lies above, whatever the pattern holds.
        let mut at = self.last_head(name);
        while let Some(head) = at.and_then(|at| self.heads.get(at)) {
            if name.starts_with(&*head.text) {
                head.patterns.iter().for_each(|(_, rule)| take(rule));
                head.tails.iter().flat_map(|tail| &tail.rules).for_each(&mut *take);
            }
            at = head.parent;
        }
        let from = self.heads.partition_point(|head| *head.text < *name);
        let below = self.heads.get(from..).unwrap_or_default().iter();
        for head in below.take_while(|head| head.text.starts_with(name)) {
            head.patterns.iter().for_each(|(_, rule)| take(rule));
            head.tails.iter().flat_map(|tail| &tail.rules).for_each(&mut *take);
        }
        let from = self.places.partition_point(|(place, _)| **place < *name);
        let below = self.places.get(from..).unwrap_or_default().iter();
        below.take_while(|(place, _)| place.starts_with(name)).for_each(|(_, rule)| take(rule));
        // Each place above, which is the name up to one of its separators.
        let separators = name.bytes().enumerate().filter(|(_, byte)| Some(*byte) == self.separator);
        for above in separators.filter_map(|(at, _)| name.get(..at)) {
            let above = if above.is_empty() { "/" } else { above };
            self.literals.get(above).into_iter().flatten().for_each(&mut *take);
        }
    }

    /// The greatest head that is not behind a name.
    fn last_head(&self, name: &str) -> Option<usize> {
        self.heads.partition_point(|head| *head.text <= *name).checked_sub(1)
    }
}

impl<T> Head<T> {
    fn each_tail(&self, name: &str, take: &mut dyn FnMut(&T)) {
        if self.tails.is_empty() {
            return;
        }
        // What the pattern begins with is no part of its end.
        let rest = name.get(self.text.len()..).unwrap_or_default();
        let behind: Vec<u8> = rest.bytes().rev().collect();
        let mut at = self.tails.partition_point(|tail| *tail.text <= *behind).checked_sub(1);
        while let Some(tail) = at.and_then(|at| self.tails.get(at)) {
            if behind.starts_with(&tail.text) {
                tail.rules.iter().for_each(&mut *take);
            }
            at = tail.parent;
        }
    }
}

/// A hash of the names in a policy, eight bytes at a time. Whoever writes the policy chooses what is in the
/// table, and who asks cannot add to it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NameHasher(u64);

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(ODD);
        let (eights, rest) = bytes.as_chunks::<8>();
        for eight in eights {
            self.0 = mix(self.0, u64::from_le_bytes(*eight));
        }
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.0 = mix(self.0, u64::from_le_bytes(last));
        self.0 ^= self.0 >> 32;
    }
}
