//! Texts in order, of which the longest is found that another begins or ends with.

use core::marker::PhantomData;

use super::end::End;
use super::{NONE, at, number};

/// Texts in order, each once.
///
/// A tree over the words of eight bytes in which they differ, of which each is found by its hash: a search
/// looks at a few words, and compares one text at its end.
#[derive(Debug)]
pub(super) struct Prefixes<E, V> {
    text: Box<[u8]>,
    keys: Box<[Key<V>]>,
    nodes: Box<[Node]>,
    /// A power of two of places, and by how much a hash is to be shifted to be one.
    places: Box<[Place]>,
    shift: u32,
    /// A first word, and its bits that are the same in all texts.
    begin: (u64, u64),
    end: PhantomData<E>,
}

/// One of the texts.
#[derive(Debug)]
pub(super) struct Key<V> {
    /// Where its text stands, and how long it is.
    from: u32,
    len: u32,
    /// The longest other that it begins with; [`NONE`] if there is none.
    parent: u32,
    /// Its first bytes, and zeros behind the last.
    word: u64,
    pub(super) value: V,
}

/// Texts that share their beginning.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// How many bytes they share.
    depth: u32,
    /// The first of them.
    first: u32,
    /// Bits of how many bytes of the next word texts do not have: 0 to 7.
    lacks: u32,
}

/// What is behind a word of a node.
#[derive(Clone, Copy, Debug)]
struct Place {
    word: u64,
    /// Above three bits of how many bytes the word lacks, the number of the node.
    of: u32,
    /// The text with the word; the number of a node if there are several, under [`SEVERAL`].
    to: u32,
}

/// Of a place: that it leads to a node.
const SEVERAL: u32 = 1 << 31;

const EMPTY: Place = Place { word: 0, of: NONE, to: NONE };

/// How many bytes two texts share.
fn common<E: End>(one: &[u8], other: &[u8]) -> usize {
    let most = one.len().min(other.len());
    let mut at = 0_usize;
    while at < most {
        let differ = E::word(one, at) ^ E::word(other, at);
        if differ != 0 {
            let same = usize::try_from(differ.leading_zeros() >> 3).unwrap_or(0);
            return at.saturating_add(same).min(most);
        }
        at = at.saturating_add(8);
    }
    most
}

/// A word without its last bytes: up to 7.
#[inline(always)]
fn cut(word: u64, lacks: u32) -> u64 {
    let bits = lacks << 3 & 63;
    word >> bits << bits
}

/// Where a word of a node is looked for first, of so many places.
#[inline(always)]
fn first(word: u64, of: u32, shift: u32) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = (word ^ u64::from(of)).wrapping_mul(ODD);
    usize::try_from(mixed.wrapping_shr(shift)).unwrap_or(0)
}

impl<E: End, V> Prefixes<E, V> {
    /// Those texts, which are in order as they are read, of which none is there twice, and none holds a zero
    /// byte.
    pub(super) fn new(keys: Vec<(&[u8], V)>) -> Self {
        let texts: Vec<&[u8]> = keys.iter().map(|(text, _)| *text).collect();
        let mut tree = Tree { nodes: Vec::new(), places: Vec::new() };
        // Groups of keys: from one to another, how much they share, and the place that they are behind.
        let mut groups = vec![(0, keys.len(), 0, None)];
        while let Some(group) = groups.pop() {
            tree.add::<E>(&texts, group, &mut groups);
        }
        let mut text = Vec::with_capacity(texts.iter().map(|text| text.len()).sum());
        let mut open: Vec<(u32, &[u8])> = Vec::new();
        let keys = keys.into_iter().zip(0_u32..).map(|((key, value), place)| {
            while open.pop_if(|(_, last)| !E::begins(key, last)).is_some() {}
            let parent = open.last().map_or(NONE, |(at, _)| *at);
            open.push((place, key));
            let from = number(text.len());
            text.extend_from_slice(key);
            let word = E::word(key, 0);
            Key { from, len: number(key.len()), parent, word, value }
        });
        let keys: Box<[Key<V>]> = keys.collect();
        let (places, shift) = tree.hashed();
        let begin = keys.first().map_or(0, |key| key.word);
        let depth = tree.nodes.first().map_or(0, |root| at(root.depth));
        let lacks = 8_usize.saturating_sub(depth);
        let same = if lacks < 8 { cut(u64::MAX, number(lacks)) } else { 0 };
        Self {
            keys,
            text: text.into(),
            shift,
            places,
            nodes: tree.nodes.into(),
            begin: (begin, same),
            end: PhantomData,
        }
    }

    /// The longest that a text begins with, or that there is none, if one look tells it; without a call.
    #[inline(always)]
    pub(super) fn at_once(&self, text: &[u8]) -> Option<Option<&Key<V>>> {
        let Some(root) = self.nodes.first() else { return Some(None) };
        let found = match root.lacks {
            0 => root.first,
            lacks => {
                let lacks = lacks.trailing_zeros();
                let word = cut(E::whole_word(text, at(root.depth))?, lacks);
                // The number of the root is 0.
                let place = self.places.get(first(word, lacks, self.shift))?;
                if place.word != word || place.of != lacks {
                    return self.begins_otherwise(text).then_some(None);
                }
                place.to
            }
        };
        // None is at the place of a node.
        let key = self.keys.get(at(found))?;
        let is_right = match 8_usize.checked_sub(key.len()) {
            Some(8) => true,
            Some(lacks) => cut(E::whole_word(text, 0)? ^ key.word, number(lacks)) == 0,
            None => E::begins(text, self.text(key)?),
        };
        match is_right {
            true => Some(Some(key)),
            false => (key.parent == NONE).then_some(None),
        }
    }

    /// Whether a text lacks what all of the texts begin with, as its first word tells.
    #[inline(always)]
    fn begins_otherwise(&self, text: &[u8]) -> bool {
        let (begin, same) = self.begin;
        E::whole_word(text, 0).is_some_and(|word| (word ^ begin) & same != 0)
    }

    /// The longest that a text begins with.
    #[inline(always)]
    pub(super) fn longest(&self, text: &[u8]) -> Option<&Key<V>> {
        let root = self.nodes.first()?;
        let (alike, from) = match root.lacks {
            0 => (root.first, u32::MAX),
            _ => self.alike(root, text),
        };
        let key = self.keys.get(at(alike))?;
        let is_right = match 8_usize.checked_sub(key.len()) {
            Some(8) => true,
            // A text has no zero in place of one of its bytes.
            Some(lacks) => cut(E::word(text, 0) ^ key.word, number(lacks)) == 0,
            // What is not in the first word is in the one that was found.
            None if from <= 8 && key.len() <= at(from).saturating_add(8) => {
                E::word(text, 0) == key.word
            }
            None => E::word(text, 0) == key.word && E::begins(text, self.text(key)?),
        };
        match is_right {
            true => Some(key),
            false if key.parent == NONE => None,
            false => self.above(key, text),
        }
    }

    /// One with which a text shares more than with any other, if it begins with one of them; and from where
    /// on it has the same bytes as that one.
    #[inline(always)]
    fn alike(&self, root: &Node, text: &[u8]) -> (u32, u32) {
        let mask = self.places.len().wrapping_sub(1);
        let (mut node, mut number) = (root, 0);
        'node: loop {
            let word = E::word(text, at(node.depth));
            let mut lacks = node.lacks;
            // The longest first.
            while lacks != 0 {
                let lack = lacks.trailing_zeros();
                lacks &= lacks.wrapping_sub(1);
                let (word, of) = (cut(word, lack), number << 3 | lack);
                let mut place = first(word, of, self.shift);
                while let Some(it) = self.places.get(place) {
                    if it.word == word && it.of == of {
                        number = it.to ^ SEVERAL;
                        match self.nodes.get(at(number)).filter(|_| it.to >= SEVERAL) {
                            Some(next) => node = next,
                            None => return (it.to, node.depth),
                        }
                        continue 'node;
                    }
                    if it.of == NONE {
                        break;
                    }
                    place = place.wrapping_add(1) & mask;
                }
            }
            return (node.first, NONE);
        }
    }

    /// The longest of those that a text begins with, and that another text does.
    #[cold]
    fn above<'k>(&'k self, mut key: &'k Key<V>, text: &[u8]) -> Option<&'k Key<V>> {
        let shared = common::<E>(text, self.text(key)?);
        while key.len() > shared {
            key = self.parent(key)?;
        }
        Some(key)
    }

    /// The longest other that a text begins with.
    #[inline]
    pub(super) fn parent(&self, key: &Key<V>) -> Option<&Key<V>> {
        self.keys.get(at(key.parent))
    }

    /// The values of the texts that begin with another.
    pub(super) fn below(&self, text: &[u8]) -> impl DoubleEndedIterator<Item = &V> {
        let of = |key: &Key<V>| self.text(key);
        let from = self.keys.partition_point(|key| of(key).is_some_and(|it| it < text));
        let below = self.keys.get(from..).unwrap_or_default();
        let count = below.partition_point(|key| of(key).is_some_and(|it| it.starts_with(text)));
        below.get(..count).unwrap_or_default().iter().map(|key| &key.value)
    }

    fn text(&self, key: &Key<V>) -> Option<&[u8]> {
        self.text.get(at(key.from)..)?.get(..key.len())
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let sizes = [
            size_of_val(&*self.text),
            size_of_val(&*self.keys),
            size_of_val(&*self.nodes),
            size_of_val(&*self.places),
        ];
        sizes.into_iter().fold(0, usize::saturating_add)
    }
}

impl<V> Key<V> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        at(self.len)
    }

    /// Whether it begins with none of the others.
    #[inline(always)]
    pub(super) const fn is_alone(&self) -> bool {
        self.parent == NONE
    }
}

struct Tree {
    nodes: Vec<Node>,
    /// One after the other.
    places: Vec<Place>,
}

/// From which key to which, how many bytes they share, and the place that they are behind.
type Group = (usize, usize, usize, Option<usize>);

impl Tree {
    /// Adds the node of a group, and to the groups those that it leads to.
    fn add<E: End>(&mut self, keys: &[&[u8]], group: Group, groups: &mut Vec<Group>) {
        let (from, to, shared, behind) = group;
        let keys = keys.get(from..to).unwrap_or_default();
        let (Some(begin), Some(end)) = (keys.first(), keys.last()) else { return };
        let depth = common::<E>(begin, end).max(shared);
        let node = number(self.nodes.len());
        if let Some(place) = behind.and_then(|behind| self.places.get_mut(behind)) {
            place.to = SEVERAL | node;
        }
        let mut all_lacks = 0;
        let begin = self.places.len();
        for (key, it) in (from..).zip(keys) {
            let length = it.len().saturating_sub(depth).min(8);
            // It is the first of them, and is found if nothing longer is.
            if length == 0 {
                continue;
            }
            let lacks = number(8_usize.saturating_sub(length));
            all_lacks |= 1 << lacks;
            let (word, of) = (cut(E::word(it, depth), lacks), node << 3 | lacks);
            let last = self
                .places
                .iter()
                .enumerate()
                .next_back()
                .filter(|(at, last)| *at >= begin && last.word == word && last.of == of);
            match last.map(|(at, _)| at) {
                None => self.places.push(Place { word, of, to: number(key) }),
                Some(place) => match groups.last_mut() {
                    Some((_, to, _, of)) if *of == Some(place) => *to = key.saturating_add(1),
                    _ => {
                        let from = key.saturating_sub(1);
                        let shared = depth.saturating_add(8);
                        groups.push((from, key.saturating_add(1), shared, Some(place)));
                    }
                },
            }
        }
        self.nodes.push(Node { depth: number(depth), first: number(from), lacks: all_lacks });
    }

    /// The places by their hashes, and by how much these are shifted.
    fn hashed(&self) -> (Box<[Place]>, u32) {
        // At least two, so that a hash is shifted by less than its bits.
        let size = self.places.len().saturating_mul(3).div_ceil(2).next_power_of_two().max(2);
        let (mask, shift) = (size.wrapping_sub(1), 64_u32.saturating_sub(size.ilog2()));
        let mut hashed = vec![EMPTY; size];
        for place in &self.places {
            let mut at = first(place.word, place.of, shift);
            while hashed.get(at).is_some_and(|it| it.of != NONE) {
                at = at.wrapping_add(1) & mask;
            }
            if let Some(it) = hashed.get_mut(at) {
                *it = *place;
            }
        }
        (hashed.into(), shift)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::end::{Backward, Forward};
    use super::*;

    /// All that a text begins with, the longest first.
    fn found<E: End>(all: &Prefixes<E, u32>, text: &[u8]) -> Vec<u32> {
        let first = all.longest(text);
        if let Some(told) = all.at_once(text) {
            assert_eq!(told.map(|key| key.value), first.map(|key| key.value), "at once");
        }
        core::iter::successors(first, |key| all.parent(key)).map(|key| key.value).collect()
    }

    fn numbered<'k>(keys: &[&'k [u8]]) -> Vec<(&'k [u8], u32)> {
        keys.iter().copied().zip(0..).collect()
    }

    proptest! {
        #[test]
        fn those_that_a_text_begins_or_ends_with_are_found(
            keys in prop::collection::btree_set("[ab]{0,3}(aaaaaaaa|aaaaaaab){0,3}[abc\u{ff}]{0,9}", 0..40),
            text in "[ab]{0,3}(aaaaaaaa|aaaaaaab){0,3}[abc\u{ff}]{0,9}",
        ) {
            let text = text.as_bytes();
            let all_keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
            let all = Prefixes::<Forward, _>::new(numbered(&all_keys));
            let of = |keys: &dyn Fn(&[u8]) -> bool| {
                (0..).zip(&all_keys).filter(|(_, key)| keys(key)).map(|(at, _)| at).collect()
            };
            let mut expected: Vec<u32> = of(&|key| text.starts_with(key));
            expected.reverse();
            prop_assert_eq!(&found(&all, text), &expected);
            let below: Vec<u32> = all.below(text).copied().collect();
            prop_assert_eq!(below, of(&|key| key.starts_with(text)));
            // And read from behind.
            let behind = |text: &[u8]| text.iter().rev().copied().collect::<Vec<u8>>();
            let reversed: Vec<Vec<u8>> = all_keys.iter().map(|key| behind(key)).collect();
            let keys: Vec<&[u8]> = reversed.iter().map(|key| &**key).collect();
            prop_assert_eq!(found(&Prefixes::<Backward, _>::new(numbered(&keys)), &behind(text)), expected);
        }
    }
}
