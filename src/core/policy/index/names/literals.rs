//! Texts by their hash.

use super::at;

/// Texts, each once, of which one is found by its hash.
#[derive(Debug, Default)]
pub(super) struct Literals {
    text: Box<[u8]>,
    /// From where to where each text stands.
    spans: Box<[(u32, u32)]>,
    /// A power of two of places: each a few bits of a hash above the number of its text, from one on.
    places: Box<[u32]>,
    /// Bits of the lengths that texts have, by their lower six bits.
    lengths: u64,
}

/// How many bits of a place are a number: a policy has fewer names.
const BITS: u32 = 24;

impl Literals {
    /// Those texts, which differ, by their hashes.
    pub(super) fn new(texts: &[(u64, &str)]) -> Self {
        let size = texts.len().saturating_mul(2).next_power_of_two();
        let mut places = vec![0_u32; if texts.is_empty() { 0 } else { size }];
        let mask = places.len().wrapping_sub(1);
        let mut text = Vec::with_capacity(texts.iter().map(|(_, text)| text.len()).sum());
        let mut spans = Vec::with_capacity(texts.len());
        let lengths = texts.iter().fold(0, |all, (_, text)| all | length(text));
        for ((hash, it), number) in texts.iter().zip(1_u32..) {
            let from = super::number(text.len());
            text.extend_from_slice(it.as_bytes());
            spans.push((from, super::number(text.len())));
            let mut to = first(*hash, mask);
            while places.get(to).is_some_and(|place| *place != 0) {
                to = to.wrapping_add(1) & mask;
            }
            if let Some(place) = places.get_mut(to) {
                *place = tag(*hash) | number;
            }
        }
        Self { text: text.into(), spans: spans.into(), places: places.into(), lengths }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.text
            .len()
            .saturating_add(size_of_val(&*self.spans))
            .saturating_add(size_of_val(&*self.places))
    }

    /// Whether a text may be among them.
    #[inline(always)]
    pub(super) fn may_have(&self, text: &str) -> bool {
        self.lengths & length(text) != 0
    }

    /// The place of a text among them.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, text: &str) -> Option<usize> {
        let mask = self.places.len().wrapping_sub(1);
        let mut to = first(hash, mask);
        loop {
            let place = *self.places.get(to)?;
            if place == 0 {
                return None;
            }
            if place >> BITS << BITS == tag(hash) {
                let found = usize::try_from(place & ((1 << BITS) - 1)).ok()?.checked_sub(1)?;
                if self.text(found) == Some(text.as_bytes()) {
                    return Some(found);
                }
            }
            to = to.wrapping_add(1) & mask;
        }
    }

    #[inline(always)]
    fn text(&self, place: usize) -> Option<&[u8]> {
        let (from, to) = *self.spans.get(place)?;
        self.text.get(at(from)..at(to))
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

/// A hash of a name in a policy, sixteen bytes at a time. Whoever writes the policy chooses what is in the
/// table, and who asks cannot add to it.
#[inline(always)]
pub(super) fn hash(text: &str) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let bytes = text.as_bytes();
    let mut hash = u64::try_from(bytes.len()).unwrap_or(0);
    let (sixteens, _) = bytes.as_chunks();
    match (sixteens, bytes.last_chunk()) {
        // Most names, without a loop.
        ([first], Some(last)) => hash = mix(mix(hash, first), last),
        ([first, second], Some(last)) => hash = mix(mix(mix(hash, first), second), last),
        (sixteens, Some(last)) => {
            hash = mix(sixteens.iter().fold(hash, mix), last);
        }
        (_, None) => {
            let mut last = [0; 16];
            last.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            hash = mix(hash, &last);
        }
    }
    hash.wrapping_mul(ODD) ^ hash >> 32
}

/// Both halves of a product.
#[inline(always)]
fn mix(hash: u64, sixteen: &[u8; 16]) -> u64 {
    const ODDS: (u64, u64) = (0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db);
    let word = u128::from_le_bytes(*sixteen);
    let (low, high) = (half(word), half(word >> 64));
    let product = u128::from(low ^ ODDS.0 ^ hash).wrapping_mul(u128::from(high ^ ODDS.1));
    (half(product) ^ half(product >> 64)).wrapping_add(hash.rotate_left(23))
}

/// The lower half.
fn half(word: u128) -> u64 {
    u64::try_from(word & u128::from(u64::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_found_and_no_other() {
        let text = |length: usize, last: char| format!("{}{last}", "x".repeat(length));
        let texts: Vec<String> =
            (0..70).flat_map(|length| [text(length, 'a'), text(length, 'b')]).collect();
        let hashed: Vec<(u64, &str)> = texts.iter().map(|it| (hash(it), &**it)).collect();
        let all = Literals::new(&hashed);
        for (place, text) in texts.iter().enumerate() {
            assert_eq!(all.find(hash(text), text), Some(place), "{text}");
        }
        for other in (0..70).map(|length| text(length, 'c')).chain([String::new(), text(70, 'a')]) {
            assert_eq!(all.find(hash(&other), &other), None, "{other}");
        }
        assert_eq!(Literals::new(&[]).find(hash("a"), "a"), None);
    }
}
