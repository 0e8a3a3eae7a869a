//! The rows of a table by their paths.

mod search;

pub(super) use search::Found;

use super::rows::Rows;
use super::table::row::Row;
use super::target::Path;
use super::template::{Affixed, Part, Template};
use crate::text::bytes;
use crate::text::decimal::is_shortest;
use search::{Search, Taken};

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
    /// Its first eight bytes, and its last eight if it has more.
    words: [u64; 2],
    /// See [`key`].
    key: u64,
    text: Box<str>,
    /// Zero if the place is empty: no node leads to the root.
    child: u32,
    /// Whether the segment can be nothing else there, so that there is no other way to go back to.
    is_alone: bool,
}

#[derive(Debug, Default)]
struct Node {
    /// By their text, until all rows are added.
    literals: Vec<(Box<str>, u32)>,
    has_literals: bool,
    /// What a segment may be that is no literal.
    others: Others,
    /// The one that says most first.
    affixed: Vec<Branch>,
    number: Option<u32>,
    parameter: Option<u32>,
    /// Rows that take all segments from here on.
    rest: Rows,
    /// Rows that end here.
    rows: Rows,
}

/// What a segment may be that is no literal.
#[derive(Clone, Copy, Debug, Default)]
enum Others {
    /// Nothing.
    #[default]
    None,
    /// A parameter alone, of this node.
    Parameter(u32),
    /// More.
    Several,
}

/// A parameter with something before or behind it.
#[derive(Debug)]
struct Branch {
    affixed: Affixed,
    child: u32,
    /// Whether the segment can be nothing that says less.
    is_alone: bool,
}

/// How many parameters a template may have.
pub(super) const MAX_PARAMETERS: usize = 12;

impl Router {
    /// Adds a row.
    pub(super) fn add(&mut self, template: &Template, row: u16) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0;
        for part in &template.parts {
            let next = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
            let Some(node) = self.nodes.get_mut(place(at)) else { return };
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
        if let Some(node) = self.nodes.get_mut(place(at)) {
            node.rows.push(row);
        }
    }

    /// To be called when all rows are added.
    pub(super) fn finish(&mut self, rows: &[Row]) {
        self.nodes.shrink_to_fit();
        let count: usize = self.nodes.iter().map(|node| node.literals.len()).sum();
        self.places = vec![Place::default(); count.saturating_mul(2).next_power_of_two()];
        let mask = self.places.len().wrapping_sub(1);
        for (number, node) in (0_u32..).zip(&mut self.nodes) {
            node.rows.finish(rows);
            node.rest.finish(rows);
            node.has_literals = !node.literals.is_empty();
            node.others = node.others();
            node.mark_alone();
            for (text, child) in core::mem::take(&mut node.literals) {
                let words = [bytes::word(text.as_bytes(), 0), last_word(text.as_bytes())];
                let key = key(number, text.len());
                let mut at = first(key, words[0], self.places.len());
                while self.places.get(at).is_some_and(|place| place.child != 0) {
                    at = at.wrapping_add(1) & mask;
                }
                let is_alone = node.is_only_literal(&text);
                if let Some(place) = self.places.get_mut(at) {
                    *place = Place { words, key, text, child, is_alone };
                }
            }
        }
    }

    /// A literal below a node, by its text and its first eight bytes.
    #[inline]
    fn literal(&self, node: u32, text: &[u8], word: u64) -> Option<&Place> {
        let mask = self.places.len().wrapping_sub(1);
        let key = key(node, text.len());
        let mut at = first(key, word, self.places.len());
        while let Some(place) = self.places.get(at).filter(|place| place.child != 0) {
            if place.words[0] == word && place.key == key && place.is_behind(text) {
                return Some(place);
            }
            at = at.wrapping_add(1) & mask;
        }
        None
    }

    /// Asks `take` about the rows of each path that matches, until it takes one of them.
    #[inline]
    pub(super) fn find<T>(
        &self,
        path: &Path<'_>,
        folds: bool,
        found: &mut Found,
        take: impl FnMut(&Rows) -> Taken<T>,
    ) -> Taken<T> {
        Search::new(self, path, folds, found, take).walk(0, 1)
    }
}

impl Place {
    /// Whether it is a text of its length behind the first eight bytes.
    #[inline]
    fn is_behind(&self, text: &[u8]) -> bool {
        match text.len() {
            ..=8 => true,
            9..=16 => self.words[1] == last_word(text),
            _ => *self.text.as_bytes() == *text,
        }
    }
}

impl Node {
    /// The node behind a part, `next` if there is none yet.
    fn child(&mut self, part: &Part, next: u32) -> u32 {
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
                if let Some(known) = self.affixed.iter().find(|known| known.affixed == *affixed) {
                    return known.child;
                }
                self.affixed.push(Branch {
                    affixed: affixed.clone(),
                    child: next,
                    is_alone: false,
                });
                self.affixed.sort_by_key(|known| core::cmp::Reverse(known.affixed.weight()));
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
        self.affixed.first().is_some_and(|known| known.affixed.is_verb())
    }

    /// What a segment may be that is no literal.
    fn others(&self) -> Others {
        let has_more = !self.affixed.is_empty() || self.number.is_some() || !self.rest.is_empty();
        match self.parameter {
            _ if has_more => Others::Several,
            Some(child) => Others::Parameter(child),
            None => Others::None,
        }
    }

    /// Marks the parameters with an affix behind which there is no other way.
    fn mark_alone(&mut self) {
        // Behind a verb that leads nowhere, the request is unknown.
        let is_last = !self.has_verbs()
            && self.number.is_none()
            && self.parameter.is_none()
            && self.rest.is_empty();
        let mut behind = self.affixed.as_mut_slice();
        while let [known, rest @ ..] = behind {
            known.is_alone =
                is_last && !rest.iter().any(|it| it.affixed.overlap(&known.affixed).is_some());
            behind = rest;
        }
    }

    /// Whether a segment of a literal's text can be nothing but the literal here.
    fn is_only_literal(&self, text: &str) -> bool {
        // In tables that fold, a literal is in lower case, and a segment in any.
        let may_be = |known: &Branch| known.affixed.inner(text.as_bytes(), true).is_some();
        let has_other = self.affixed.iter().any(may_be)
            || (self.has_verbs() && text.contains(':'))
            || (self.number.is_some() && is_shortest(text))
            || self.parameter.is_some()
            || !self.rest.is_empty();
        !has_other
    }
}

/// The place of a node.
#[inline]
fn place(node: u32) -> usize {
    usize::try_from(node).unwrap_or(usize::MAX)
}

/// A node and the length of a literal below it.
#[inline]
fn key(node: u32, length: usize) -> u64 {
    u64::from(node) << 40 ^ u64::try_from(length).unwrap_or(u64::MAX)
}

/// Where a literal is looked for first among so many places.
#[inline]
fn first(key: u64, word: u64, places: usize) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    // Of the product, only the highest bits depend on all of the text and on the node.
    let mixed = (word ^ key).wrapping_mul(ODD) >> 32;
    let places = u64::try_from(places).unwrap_or(0);
    usize::try_from(mixed.wrapping_mul(places) >> 32).unwrap_or(0)
}

/// The last eight bytes of a text as a number; zero if it has fewer.
#[inline]
fn last_word(text: &[u8]) -> u64 {
    text.last_chunk().map_or(0, |last| u64::from_le_bytes(*last))
}
