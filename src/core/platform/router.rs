//! The rows of a table by their paths.

use core::ops::Range;

use super::Refused;
use super::target::{Segments, word};
use super::template::{Affixed, Part, Template};
use crate::text::bytes;
use crate::text::decimal::is_shortest;

/// A tree over segments: at each place the one that says most is tried first, and left again if
/// nothing comes of it.
#[derive(Debug, Default)]
pub(super) struct Router {
    nodes: Vec<Node>,
    /// A power of two of places: each a literal below a node.
    places: Vec<Place>,
}

/// A literal segment below a node.
#[derive(Clone, Debug, Default)]
struct Place {
    /// Its first bytes.
    word: u64,
    text: Box<str>,
    node: usize,
    /// Zero if the place is empty: no node leads to the root.
    child: usize,
}

#[derive(Debug, Default)]
struct Node {
    /// By their text.
    literals: Vec<(Box<str>, usize)>,
    /// The one that says most first.
    affixed: Vec<(Affixed, usize)>,
    number: Option<usize>,
    parameter: Option<usize>,
    /// Rows that take all segments from here on.
    rest: Vec<u16>,
    /// Rows that end here.
    rows: Vec<u16>,
}

/// Whether a row was taken.
type Verdict = Result<bool, Refused<'static>>;

/// Asked about the rows of a path: whether it takes one of them.
type Take<'a> = &'a mut dyn FnMut(&[u16], &Found) -> Verdict;

/// How many parameters a template may have.
pub(super) const MAX_PARAMETERS: usize = 12;

/// How often a search may go back, which a table with a reason to does a few times.
const MAX_STEPS: u32 = 4096;

/// Where a parameter's value stands: from and to which byte of a decoded segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    segment: u16,
    from: u16,
    to: u16,
}

impl Span {
    fn new(segment: usize, from: usize, to: usize) -> Self {
        // A path is no longer: see `MAX_PATH`.
        let number = |it| u16::try_from(it).unwrap_or(u16::MAX);
        Self { segment: number(segment), from: number(from), to: number(to) }
    }

    /// The place of the segment.
    pub(super) fn segment(self) -> usize {
        usize::from(self.segment)
    }

    /// The bytes of it.
    pub(super) fn bytes(self) -> Range<usize> {
        usize::from(self.from)..usize::from(self.to)
    }
}

/// Where the values of a template's parameters stand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    spans: [Span; MAX_PARAMETERS],
    len: usize,
    /// From which segment on a spanning parameter stands.
    pub(super) rest: Option<usize>,
}

impl Found {
    /// Of each parameter that stands in one segment, in the template's order.
    pub(super) fn spans(&self) -> &[Span] {
        self.spans.get(..self.len).unwrap_or_default()
    }
}

impl Router {
    /// Adds a row.
    pub(super) fn add(&mut self, template: &Template, row: u16) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0;
        for part in &template.parts {
            let next = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return };
            let known = match part {
                Part::Rest => {
                    node.rest.push(row);
                    return;
                }
                part => node.child(part, next),
            };
            if known == next {
                self.nodes.push(Node::default());
            }
            at = known;
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.rows.push(row);
        }
    }

    /// To be called when all rows are added.
    pub(super) fn finish(&mut self) {
        let count: usize = self.nodes.iter().map(|node| node.literals.len()).sum();
        self.places = vec![Place::default(); count.saturating_mul(2).next_power_of_two()];
        let mask = self.places.len().wrapping_sub(1);
        for (node, it) in self.nodes.iter().enumerate() {
            for (text, child) in &it.literals {
                let word = word(text);
                let mut at = first(node, word, text.len()) & mask;
                while self.places.get(at).is_some_and(|place| place.child != 0) {
                    at = at.wrapping_add(1) & mask;
                }
                if let Some(place) = self.places.get_mut(at) {
                    *place = Place { word, text: text.clone(), node, child: *child };
                }
            }
        }
    }

    /// The node of a literal below another.
    #[inline]
    fn literal(&self, node: usize, text: &str, word: u64) -> Option<usize> {
        let mask = self.places.len().wrapping_sub(1);
        let mut at = first(node, word, text.len()) & mask;
        while let Some(place) = self.places.get(at).filter(|place| place.child != 0) {
            let is_short = text.len() <= 8;
            if place.word == word
                && place.node == node
                && place.text.len() == text.len()
                && (is_short || *place.text == *text)
            {
                return Some(place.child);
            }
            at = at.wrapping_add(1) & mask;
        }
        None
    }

    /// Asks `take` about the rows of each path that matches, until it takes one: whether it does.
    pub(super) fn find(&self, segments: &Segments<'_>, folds: bool, take: Take<'_>) -> Verdict {
        let mut found = Found::default();
        let mut search = Search { router: self, segments, folds, steps: 0, take };
        search.go(0, 0, &mut found)
    }
}

impl Node {
    /// The node behind a part, `next` if there is none yet.
    fn child(&mut self, part: &Part, next: usize) -> usize {
        match part {
            Part::Literal(text) => {
                match self.literals.binary_search_by(|(known, _)| known.as_ref().cmp(text)) {
                    Ok(place) => self.literals.get(place).map_or(next, |(_, child)| *child),
                    Err(place) => {
                        self.literals.insert(place, (text.clone(), next));
                        next
                    }
                }
            }
            Part::Affixed(affixed) => {
                if let Some((_, child)) = self.affixed.iter().find(|(known, _)| known == affixed) {
                    return *child;
                }
                self.affixed.push((affixed.clone(), next));
                self.affixed.sort_by_key(|(affixed, _)| core::cmp::Reverse(affixed.weight()));
                next
            }
            Part::Parameter { is_number: true } => *self.number.get_or_insert(next),
            Part::Parameter { is_number: false } | Part::Rest => {
                *self.parameter.get_or_insert(next)
            }
        }
    }

    /// Whether a segment with a colon may be a parameter with a verb here.
    fn has_verbs(&self) -> bool {
        self.affixed.first().is_some_and(|(affixed, _)| affixed.is_verb())
    }

    /// Whether a segment can be nothing but a literal here, so that there is no other way to go back to.
    fn is_literal(&self) -> bool {
        let Self { literals, affixed, number, parameter, rest, rows: _ } = self;
        !literals.is_empty()
            && affixed.is_empty()
            && number.is_none()
            && parameter.is_none()
            && rest.is_empty()
    }

    /// The node behind a parameter, if a segment that is no literal can be nothing else here.
    fn only_parameter(&self) -> Option<usize> {
        let Self { affixed, number, parameter, rest, literals: _, rows: _ } = self;
        parameter.filter(|_| affixed.is_empty() && number.is_none() && rest.is_empty())
    }
}

/// Where a literal is looked for first.
#[inline]
fn first(node: usize, word: u64, length: usize) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let of = |it: usize| u64::try_from(it).unwrap_or(0);
    let mixed = (word ^ of(node) << 40 ^ of(length)).wrapping_mul(ODD);
    usize::try_from(mixed >> 32).unwrap_or(0)
}

struct Search<'a, 'r> {
    router: &'a Router,
    segments: &'a Segments<'r>,
    folds: bool,
    steps: u32,
    take: Take<'a>,
}

impl Search<'_, '_> {
    fn go(&mut self, node: usize, at: usize, found: &mut Found) -> Verdict {
        self.steps = self.steps.saturating_add(1);
        if self.steps > MAX_STEPS {
            return Err(Refused::Ambiguous("the path may be too many operations"));
        }
        let (mut number, mut at, len) = (node, at, found.len);
        let (node, text) = loop {
            let Some(node) = self.router.nodes.get(number) else {
                found.len = len;
                return Ok(false);
            };
            let Some(text) = self.segments.text(at) else {
                let taken =
                    if node.rows.is_empty() { Ok(false) } else { (self.take)(&node.rows, found) };
                found.len = len;
                return taken;
            };
            let literal = match (node.literals.is_empty(), self.folds && bytes::has_upper(text)) {
                (true, _) => None,
                (_, true) => {
                    let text = text.to_ascii_lowercase();
                    self.router.literal(number, &text, word(&text))
                }
                (_, false) => self.router.literal(number, text, self.segments.word(at, text)),
            };
            match literal {
                Some(child) if node.is_literal() => {
                    (number, at) = (child, at.saturating_add(1));
                }
                Some(child) => {
                    if self.go(child, at.saturating_add(1), found)? {
                        return Ok(true);
                    }
                    break (node, text);
                }
                None => match node.only_parameter() {
                    // There is no other way either.
                    Some(child) if !text.is_empty() => {
                        let Some(place) = found.spans.get_mut(found.len) else {
                            found.len = len;
                            return Ok(false);
                        };
                        *place = Span::new(at, 0, text.len());
                        found.len = found.len.saturating_add(1);
                        (number, at) = (child, at.saturating_add(1));
                    }
                    _ => break (node, text),
                },
            }
        };
        let taken = self.others((node, text), at, found);
        found.len = len;
        taken
    }

    /// What a segment may be where it is no literal, or nothing came of it.
    fn others(&mut self, (node, text): (&Node, &str), at: usize, found: &mut Found) -> Verdict {
        let next = at.saturating_add(1);
        for (affixed, child) in &node.affixed {
            if let Some(inner) = affixed.inner(text, self.folds) {
                // A verb is split off before the name is decoded.
                if affixed.is_verb()
                    && self
                        .segments
                        .raw(at)
                        .is_some_and(|raw| affixed.inner(raw, self.folds).is_none())
                {
                    return Err(Refused::Ambiguous("a colon of the path is escaped"));
                }
                let from = affixed.prefix.len();
                let span = Span::new(at, from, from.saturating_add(inner.len()));
                if self.with(*child, next, span, found)? {
                    return Ok(true);
                }
            }
        }
        if text.is_empty() {
            return self.rest(node, at, found);
        }
        if node.has_verbs() && text.contains(':') {
            return match self.segments.hides_a_colon(at) {
                true => Err(Refused::Ambiguous("a colon of the path is escaped")),
                // Another verb.
                false => Err(Refused::Unknown),
            };
        }
        let span = Span::new(at, 0, text.len());
        if let Some(child) = node.number.filter(|_| is_shortest(text))
            && self.with(child, next, span, found)?
        {
            return Ok(true);
        }
        if let Some(child) = node.parameter
            && self.with(child, next, span, found)?
        {
            return Ok(true);
        }
        self.rest(node, at, found)
    }

    fn with(&mut self, child: usize, next: usize, span: Span, found: &mut Found) -> Verdict {
        let Some(place) = found.spans.get_mut(found.len) else { return Ok(false) };
        *place = span;
        found.len = found.len.saturating_add(1);
        let taken = self.go(child, next, found);
        found.len = found.len.saturating_sub(1);
        taken
    }

    fn rest(&mut self, node: &Node, at: usize, found: &mut Found) -> Verdict {
        if node.rest.is_empty() {
            return Ok(false);
        }
        // It is empty at neither end.
        let ends = [at, self.segments.len().saturating_sub(1)];
        if ends.into_iter().any(|end| self.segments.text(end).is_none_or(str::is_empty)) {
            return Ok(false);
        }
        found.rest = Some(at);
        let taken = (self.take)(&node.rest, found);
        found.rest = None;
        taken
    }
}
