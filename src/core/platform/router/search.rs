//! The way of a path through the tree.

use super::{Branch, MAX_PARAMETERS, Node, Others, Place, Router, place};
use crate::platform::Refused;
use crate::platform::rows::Rows;
use crate::platform::target::{Path, Segment, Span, hides_a_colon};
use crate::text::bytes;
use crate::text::decimal::is_shortest;

/// What was taken of a path, if something was.
pub(super) type Taken<T> = Result<Option<T>, Refused<'static>>;

/// How often a search may go back, which a table with a reason to does a few times.
const MAX_STEPS: u32 = 4096;

/// Where the values of a template's parameters stand.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::platform) struct Found {
    spans: [Span; MAX_PARAMETERS],
    len: u8,
    /// Where a spanning parameter stands, which is the last one.
    rest: Option<Span>,
}

impl Found {
    /// Where a parameter stands, by its place in the template.
    pub(in crate::platform) fn span(&self, place: u8) -> Option<Span> {
        match place < self.len {
            true => self.spans.get(usize::from(place)).copied(),
            false => self.rest,
        }
    }

    /// Whether a parameter spans segments.
    pub(in crate::platform) const fn is_rest(&self, place: u8) -> bool {
        place >= self.len
    }

    /// Adds a parameter; `false` if there is no room for it.
    #[inline]
    fn push(&mut self, span: Span) -> bool {
        let place = self.spans.get_mut(usize::from(self.len));
        place.is_some_and(|place| {
            *place = span;
            self.len = self.len.wrapping_add(1);
            true
        })
    }
}

pub(super) struct Search<'a, 'r, F> {
    router: &'a Router,
    /// The path, decoded, without a final slash.
    text: &'a [u8],
    others: &'a [Segment<'r>],
    folds: bool,
    steps: u32,
    found: &'a mut Found,
    take: F,
}

impl<'a, 'r, T, F: FnMut(&Rows) -> Taken<T>> Search<'a, 'r, F> {
    /// A search that begins.
    #[inline]
    pub(super) fn new(
        router: &'a Router,
        path: &'a Path<'r>,
        folds: bool,
        found: &'a mut Found,
        take: F,
    ) -> Self {
        let (text, others) = (path.text(), path.others());
        Self { router, text, others, folds, steps: 0, found, take }
    }

    /// Goes on from a node with the segment at a place of the text, and back if nothing comes of it.
    fn go(&mut self, node: u32, at: usize) -> Taken<T> {
        self.steps = self.steps.wrapping_add(1);
        if self.steps > MAX_STEPS {
            return Err(Refused::Ambiguous("the path may be too many operations"));
        }
        let len = self.found.len;
        let taken = self.walk(node, at)?;
        if taken.is_none() {
            self.found.len = len;
        }
        Ok(taken)
    }

    /// Goes on as long as there is one way.
    pub(super) fn walk(&mut self, mut number: u32, mut at: usize) -> Taken<T> {
        let router = self.router;
        loop {
            let Some(node) = router.nodes.get(place(number)) else { return Ok(None) };
            if at > self.text.len() {
                return if node.rows.is_empty() { Ok(None) } else { (self.take)(&node.rows) };
            }
            let (to, word) = self.segment(at);
            let next = to.wrapping_add(1);
            match self.literal(number, node, (at, to), word) {
                Some(literal) if literal.is_alone => {
                    (number, at) = (literal.child, next);
                    continue;
                }
                Some(literal) => {
                    if let Some(taken) = self.go(literal.child, next)? {
                        return Ok(Some(taken));
                    }
                }
                None => {}
            }
            match node.others {
                Others::None => return Ok(None),
                Others::Parameter(child) if to > at => {
                    if !self.found.push(Span::new(at, to)) {
                        return Ok(None);
                    }
                    (number, at) = (child, next);
                    continue;
                }
                Others::Parameter(_) | Others::Several => {}
            }
            match self.others(node, at, to)? {
                Way::On(child) => (number, at) = (child, next),
                Way::Taken(taken) => return Ok(Some(taken)),
                Way::None => return Ok(None),
            }
        }
    }

    /// Where the segment ends that begins at a place of the text, and its first eight bytes.
    #[inline]
    fn segment(&self, at: usize) -> (usize, u64) {
        match self.others.is_empty() {
            true => bytes::until(self.text, at, b'/'),
            false => self.other_segment(at),
        }
    }

    /// The same of a path that is not plain.
    #[inline(never)]
    fn other_segment(&self, at: usize) -> (usize, u64) {
        let to = self.other(at).map_or(at, |segment| usize::from(segment.span.to));
        (to, bytes::word(self.text.get(..to).unwrap_or_default(), at))
    }

    /// The segment at a place of the text, if the path is not plain.
    fn other(&self, at: usize) -> Option<Segment<'r>> {
        self.others.iter().find(|segment| usize::from(segment.span.from) == at).copied()
    }

    /// The literal that a segment is.
    #[inline]
    fn literal(
        &self,
        number: u32,
        node: &Node,
        (at, to): (usize, usize),
        word: u64,
    ) -> Option<&'a Place> {
        if !node.has_literals {
            return None;
        }
        let text = self.text.get(at..to)?;
        match self.folds {
            false => self.router.literal(number, text, word),
            true => self.folded_literal(number, text, word),
        }
    }

    /// The same in lower case.
    #[inline(never)]
    fn folded_literal(&self, number: u32, text: &[u8], word: u64) -> Option<&'a Place> {
        if bytes::has_upper(text) {
            let text = text.to_ascii_lowercase();
            return self.router.literal(number, &text, bytes::word(&text, 0));
        }
        self.router.literal(number, text, word)
    }

    /// What a segment may be if it is no literal, or nothing came of it.
    #[inline(never)]
    fn others(&mut self, node: &Node, at: usize, to: usize) -> Result<Way<T>, Refused<'static>> {
        let text = self.text.get(at..to).unwrap_or_default();
        let raw = self.other(at).map(|segment| segment.raw);
        let next = to.wrapping_add(1);
        for Branch { affixed, child, is_alone } in &node.affixed {
            let Some(inner) = affixed.inner(text, self.folds) else { continue };
            // A verb is split off before the name is decoded.
            if affixed.is_verb() && raw.is_some_and(|raw| affixed.inner(raw, self.folds).is_none())
            {
                return Err(Refused::Ambiguous("a colon of the path is escaped"));
            }
            let from = at.wrapping_add(affixed.prefix.len());
            let span = Span::new(from, from.wrapping_add(inner.len()));
            if *is_alone {
                return Ok(self.on(*child, span));
            }
            if let Some(taken) = self.with(*child, next, span)? {
                return Ok(Way::Taken(taken));
            }
        }
        if text.is_empty() {
            return self.rest(node, at);
        }
        if node.has_verbs() && text.contains(&b':') {
            return match raw.is_some_and(|raw| hides_a_colon(text, raw)) {
                true => Err(Refused::Ambiguous("a colon of the path is escaped")),
                // Another verb.
                false => Err(Refused::Unknown),
            };
        }
        let span = Span::new(at, to);
        if let Some(child) = node.number.filter(|_| is_shortest(text))
            && let Some(taken) = self.with(child, next, span)?
        {
            return Ok(Way::Taken(taken));
        }
        match node.parameter {
            Some(child) if node.rest.is_empty() => Ok(self.on(child, span)),
            Some(child) => match self.with(child, next, span)? {
                Some(taken) => Ok(Way::Taken(taken)),
                None => self.rest(node, at),
            },
            None => self.rest(node, at),
        }
    }

    /// The only way, with a parameter.
    fn on(&mut self, child: u32, span: Span) -> Way<T> {
        if self.found.push(span) { Way::On(child) } else { Way::None }
    }

    /// One of several ways, with a parameter.
    fn with(&mut self, child: u32, next: usize, span: Span) -> Taken<T> {
        let len = self.found.len;
        let taken = if self.found.push(span) { self.go(child, next)? } else { None };
        if taken.is_none() {
            self.found.len = len;
        }
        Ok(taken)
    }

    fn rest(&mut self, node: &Node, at: usize) -> Result<Way<T>, Refused<'static>> {
        // It is empty at neither end.
        let is_empty = |segment: Segment<'_>| segment.span.from == segment.span.to;
        let mut ends = self.other(at).into_iter().chain(self.others.last().copied());
        if node.rest.is_empty() || ends.any(is_empty) {
            return Ok(Way::None);
        }
        self.found.rest = Some(Span::new(at.saturating_sub(1), self.text.len()));
        let taken = (self.take)(&node.rest)?;
        if taken.is_none() {
            self.found.rest = None;
        }
        Ok(taken.map_or(Way::None, Way::Taken))
    }
}

/// Where a search goes on.
enum Way<T> {
    /// From this node, with the next segment; there is no other way.
    On(u32),
    /// No more: this was taken.
    Taken(T),
    /// Nowhere.
    None,
}
