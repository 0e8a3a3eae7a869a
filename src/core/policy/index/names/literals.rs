//! Texts by their hash.

use super::{Run, at, same};

/// Texts, each once with its rules, of which one is found by its hash.
#[derive(Debug, Default)]
pub(super) struct Literals {
    text: Box<[u8]>,
    /// Where each text begins, and the number of its first rule; at the end those of what follows.
    starts: Box<[(u32, u32)]>,
    /// A power of two of places: each a few bits of a hash above the number of its text, from one on.
    places: Box<[u32]>,
    /// Bits of the lengths that texts have, by their lower six bits.
    lengths: u64,
}

/// How many bits of a place are a number: a policy has fewer names.
const BITS: u32 = 24;

impl Literals {
    /// Those texts, which differ, by their hashes, each with its first rule; and the rule that follows the
    /// last one.
    pub(super) fn new(texts: &[(u64, &str, u32)], end: u32) -> Self {
        let size = texts.len().saturating_mul(2).next_power_of_two();
        let mut places = vec![0_u32; if texts.is_empty() { 0 } else { size }];
        let mask = places.len().wrapping_sub(1);
        let mut text = Vec::with_capacity(texts.iter().map(|(_, text, _)| text.len()).sum());
        let mut starts = Vec::with_capacity(texts.len().saturating_add(1));
        let lengths = texts.iter().fold(0, |all, (_, text, _)| all | length(text));
        for ((hash, it, rule), number) in texts.iter().zip(1_u32..) {
            starts.push((super::number(text.len()), *rule));
            text.extend_from_slice(it.as_bytes());
            let mut to = first(*hash, mask);
            while places.get(to).is_some_and(|place| *place != 0) {
                to = to.wrapping_add(1) & mask;
            }
            if let Some(place) = places.get_mut(to) {
                *place = tag(*hash) | number;
            }
        }
        starts.push((super::number(text.len()), end));
        Self { text: text.into(), starts: starts.into(), places: places.into(), lengths }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.text
            .len()
            .saturating_add(size_of_val(&*self.starts))
            .saturating_add(size_of_val(&*self.places))
    }

    /// Whether one is as long as a text: if not, it is none of them.
    #[inline(always)]
    pub(super) fn may_hold(&self, text: &str) -> bool {
        self.lengths & length(text) != 0
    }

    /// The rules of a text, or that it is none of them, if one comparison of sixteen bytes or more tells it;
    /// without a call.
    #[inline(always)]
    pub(super) fn at_once(&self, text: &str) -> Option<Option<Run>> {
        if text.len() < 16 {
            return None;
        }
        let hash = hash(text);
        match self.like(hash, first(hash, self.mask())) {
            None => Some(None),
            Some((_, place)) => self.run(place, text).map(Some),
        }
    }

    /// The rules of a text; none if it is none of them.
    pub(super) fn find(&self, text: &str) -> Run {
        let hash = hash(text);
        let mut from = first(hash, self.mask());
        while let Some((to, place)) = self.like(hash, from) {
            if let Some(run) = self.run(place, text) {
                return run;
            }
            from = to.wrapping_add(1);
        }
        0..0
    }

    #[inline(always)]
    const fn mask(&self) -> usize {
        self.places.len().wrapping_sub(1)
    }

    /// The first place, from one on, of which the hash may be this one.
    #[inline(always)]
    fn like(&self, hash: u64, from: usize) -> Option<(usize, u32)> {
        let mut to = from & self.mask();
        loop {
            match *self.places.get(to)? {
                0 => return None,
                place if place >> BITS << BITS == tag(hash) => return Some((to, place)),
                _ => to = to.wrapping_add(1) & self.mask(),
            }
        }
    }

    /// The rules of a place, if its text is this one.
    #[inline(always)]
    fn run(&self, place: u32, text: &str) -> Option<Run> {
        let number = at(place & ((1 << BITS) - 1));
        let ((from, rule), (to, end)) =
            (self.starts.get(number.wrapping_sub(1))?, self.starts.get(number)?);
        same(self.text.get(at(*from)..at(*to))?, text.as_bytes()).then_some(*rule..*end)
    }
}

/// The bit of a text's length.
#[inline(always)]
fn length(text: &str) -> u64 {
    1_u64.wrapping_shl(u32::try_from(text.len() & 63).unwrap_or(0))
}

/// The place to look at first: the upper half of a hash is the better one.
fn first(hash: u64, mask: usize) -> usize {
    usize::try_from(hash >> 32).unwrap_or(0) & mask
}

/// The bits of a hash that a place holds.
fn tag(hash: u64) -> u32 {
    u32::try_from(hash & 0xff).unwrap_or(0) << BITS
}

/// A hash of a name in a policy. Whoever writes the policy chooses what is in the table, and who asks cannot
/// add to it.
#[inline(always)]
pub(super) fn hash(text: &str) -> u64 {
    crate::text::hash::hash(0, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_found_and_no_other() {
        let text = |length: usize, last: char| format!("{}{last}", "x".repeat(length));
        let texts: Vec<String> =
            (0..70).flat_map(|length| [text(length, 'a'), text(length, 'b')]).collect();
        let hashed: Vec<(u64, &str, u32)> =
            texts.iter().zip(0..).map(|(it, rule)| (hash(it), &**it, rule)).collect();
        let all = Literals::new(&hashed, 140);
        for (text, rule) in texts.iter().zip(0..) {
            assert_eq!(all.find(text), rule..rule + 1, "{text}");
            let told = all.at_once(text);
            assert!(told.is_none_or(|told| told == Some(rule..rule + 1)), "{text}");
        }
        for other in (0..70).map(|length| text(length, 'c')).chain([String::new(), text(70, 'a')]) {
            assert_eq!(all.find(&other), 0..0, "{other}");
            assert!(all.at_once(&other).is_none_or(|told| told.is_none()), "{other}");
        }
        assert_eq!(Literals::new(&[], 0).find("a"), 0..0);
    }
}
