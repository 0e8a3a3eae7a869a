//! The rows of a table by their paths.

use super::Refused;
use super::target::Segment;
use super::template::{Affixed, Part, Template};
use crate::text::decimal::is_shortest;

/// A tree over segments: at each place the one that says most is tried first, and left again if
/// nothing comes of it.
#[derive(Debug, Default)]
pub(super) struct Router {
    nodes: Vec<Node>,
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
    pub(super) segment: usize,
    pub(super) from: usize,
    pub(super) to: usize,
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

    /// Asks `take` about the rows of each path that matches, until it takes one: whether it does.
    pub(super) fn find(&self, segments: &[Segment<'_>], folds: bool, take: Take<'_>) -> Verdict {
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

    fn literal(&self, text: &str, folds: bool) -> Option<usize> {
        let place = match folds && text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => {
                let text = text.to_ascii_lowercase();
                self.literals.binary_search_by(|(known, _)| known.as_ref().cmp(text.as_str()))
            }
            false => self.literals.binary_search_by(|(known, _)| known.as_ref().cmp(text)),
        };
        self.literals.get(place.ok()?).map(|(_, child)| *child)
    }
}

struct Search<'a, 'r> {
    router: &'a Router,
    segments: &'a [Segment<'r>],
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
        let Some(node) = self.router.nodes.get(node) else { return Ok(false) };
        let Some(segment) = self.segments.get(at) else {
            return if node.rows.is_empty() { Ok(false) } else { (self.take)(&node.rows, found) };
        };
        let next = at.saturating_add(1);
        let text = &*segment.text;
        if let Some(child) = node.literal(text, self.folds)
            && self.go(child, next, found)?
        {
            return Ok(true);
        }
        for (affixed, child) in &node.affixed {
            if let Some(inner) = affixed.inner(text, self.folds) {
                // A verb is split off before the name is decoded.
                if affixed.is_verb() && affixed.inner(segment.raw, self.folds).is_none() {
                    return Err(Refused::Ambiguous("a colon of the path is escaped"));
                }
                let from = affixed.prefix.len();
                let span = Span { segment: at, from, to: from.saturating_add(inner.len()) };
                if self.with(*child, next, span, found)? {
                    return Ok(true);
                }
            }
        }
        if text.is_empty() {
            return self.rest(node, at, found);
        }
        if node.has_verbs() && text.contains(':') {
            return match segment.hides_a_colon() {
                true => Err(Refused::Ambiguous("a colon of the path is escaped")),
                // Another verb.
                false => Err(Refused::Unknown),
            };
        }
        let span = Span { segment: at, from: 0, to: text.len() };
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
        let rest = self.segments.get(at..).unwrap_or_default();
        // It is empty at neither end.
        let mut ends = rest.first().into_iter().chain(rest.last());
        if node.rest.is_empty() || ends.any(|segment| segment.text.is_empty()) {
            return Ok(false);
        }
        found.rest = Some(at);
        let taken = (self.take)(&node.rest, found);
        found.rest = None;
        taken
    }
}
