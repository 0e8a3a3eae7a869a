//! What the bytes of a text are: sixteen at a time, by comparisons that a processor makes at once.

/// How many bytes are looked at together.
const MANY: usize = 16;

/// What the bytes of a text are together: the bits that `of` says of each, which compares and does not
/// branch.
#[inline]
pub(crate) fn together(bytes: &[u8], of: impl Fn(u8) -> u8) -> u8 {
    pairs_together(bytes, bytes, |byte, _| of(byte))
}

/// The same of each byte of a text and the one at its place in another, which is as long.
#[inline]
pub(crate) fn pairs_together(one: &[u8], other: &[u8], of: impl Fn(u8, u8) -> u8) -> u8 {
    let mut all = [0; MANY];
    let (ones, rest) = one.as_chunks();
    for (one, other) in ones.iter().zip(other.as_chunks().0) {
        add(&mut all, one, other, &of);
    }
    match (rest.is_empty(), one.last_chunk(), other.last_chunk()) {
        (true, _, _) => {}
        // What is left of sixteen, and what was seen before it.
        (_, Some(one), Some(other)) => add(&mut all, one, other, &of),
        _ => add(&mut all, &filled(one), &filled(other), &of),
    }
    let all = u128::from_ne_bytes(all);
    let all = [64, 32, 16, 8].into_iter().fold(all, |all, half| all | all >> half);
    all.to_le_bytes().first().copied().unwrap_or(0)
}

#[inline(always)]
fn add(all: &mut [u8; MANY], one: &[u8; MANY], other: &[u8; MANY], of: &impl Fn(u8, u8) -> u8) {
    for (all, (one, other)) in all.iter_mut().zip(one.iter().zip(other)) {
        *all |= of(*one, *other);
    }
}

/// A text of fewer than sixteen bytes, filled up with its first one.
fn filled(few: &[u8]) -> [u8; MANY] {
    let mut all = [few.first().copied().unwrap_or_default(); MANY];
    if let Some(head) = all.get_mut(..few.len()) {
        head.copy_from_slice(few);
    }
    all
}

/// Whether all bytes are what `is_other` says: zero for such a byte.
#[inline]
pub(crate) fn all(bytes: &[u8], is_other: impl Fn(u8) -> u8) -> bool {
    together(bytes, is_other) == 0
}

/// Eight bytes of a text from a place on as a number, the first one lowest; zeros are behind its end.
#[inline]
pub(crate) fn word(text: &[u8], from: usize) -> u64 {
    match text.get(from..).and_then(<[u8]>::first_chunk) {
        Some(word) => u64::from_le_bytes(*word),
        None => last_word(text, from),
    }
}

/// The same of fewer bytes than eight.
#[inline(never)]
fn last_word(text: &[u8], from: usize) -> u64 {
    let lacks = from.saturating_add(8).saturating_sub(text.len());
    match (text.last_chunk(), u32::try_from(lacks.saturating_mul(8))) {
        (Some(last), Ok(lacks)) => u64::from_le_bytes(*last).checked_shr(lacks).unwrap_or(0),
        _ => {
            let rest = text.get(from..).unwrap_or_default();
            rest.iter().rfold(0, |word, byte| word << 8 | u64::from(*byte))
        }
    }
}

/// The place of a byte that is not zero, from another place on; the end of the text if it is not there.
#[inline]
pub(crate) fn place(text: &[u8], mut from: usize, wanted: u8) -> usize {
    let (words, rest) = text.get(from..).unwrap_or_default().as_chunks();
    for word in words {
        if let Some((ahead, _)) = first(u64::from_le_bytes(*word), wanted) {
            return from.wrapping_add(ahead);
        }
        from = from.wrapping_add(8);
    }
    let last = if rest.is_empty() { None } else { first(last_word(text, from), wanted) };
    last.map_or(text.len(), |(ahead, _)| from.wrapping_add(ahead))
}

/// The same, and as a number the eight bytes before it; zeros are behind the last of them.
#[inline]
pub(crate) fn until(text: &[u8], from: usize, wanted: u8) -> (usize, u64) {
    let word = word(text, from);
    match first(word, wanted) {
        Some((ahead, before)) => (from.wrapping_add(ahead), word & before),
        None => (place(text, from.wrapping_add(8), wanted), word),
    }
}

/// The place of the first byte in a word that is another one, and the bits of those before it.
#[inline]
fn first(word: u64, wanted: u8) -> Option<(usize, u64)> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let other = word ^ ONES.wrapping_mul(u64::from(wanted));
    // The high bit of the first byte that is zero, and of none before it.
    let found = other.wrapping_sub(ONES) & !other & ONES << 7;
    let before = ((found & found.wrapping_neg()) >> 7).wrapping_sub(1);
    (found != 0).then_some((usize::try_from(found.trailing_zeros() >> 3).unwrap_or(0), before))
}

/// Whether a text has a letter of ASCII in upper case.
pub(crate) fn has_upper(text: &[u8]) -> bool {
    !all(text, |byte| u8::from(byte.wrapping_sub(b'A') < 26))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_what_its_letters_are(text in "[ -\u{ff}\u{1}/]{0,60}") {
            let bytes = text.as_bytes();
            prop_assert_eq!(has_upper(bytes), bytes.iter().any(u8::is_ascii_uppercase));
            let mut places = Vec::new();
            let mut from = 0;
            while from < bytes.len() {
                from = place(bytes, from, b'/');
                places.push(from);
                from = from.saturating_add(1);
            }
            places.retain(|at| *at < bytes.len());
            let expected: Vec<usize> = text.match_indices('/').map(|(at, _)| at).collect();
            prop_assert_eq!(places, expected);
        }

        #[test]
        fn bytes_have_together_what_each_has(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let expected = bytes.iter().fold(0, |all, byte| all | byte);
            prop_assert_eq!(together(&bytes, |byte| byte), expected);
            let behind = bytes.get(1..).unwrap_or_default();
            let pairs = || bytes.iter().zip(behind);
            let expected = pairs().fold(0, |all, (one, other)| all | (one & other));
            let before = &bytes[..behind.len()];
            prop_assert_eq!(pairs_together(before, behind, |one, other| one & other), expected);
        }

        #[test]
        fn a_word_is_of_eight_bytes(bytes in prop::collection::vec(any::<u8>(), 0..30), from in 0..40_usize) {
            let rest = bytes.get(from..).unwrap_or_default();
            let mut expected = rest.to_vec();
            expected.resize(8, 0);
            prop_assert_eq!(&word(&bytes, from).to_le_bytes()[..], &expected[..]);
        }

        #[test]
        fn what_is_before_a_byte_ends_there(bytes in "[ab/\\x01]{0,40}", from in 0..20_usize) {
            let bytes = bytes.as_bytes();
            let rest = bytes.get(from..).unwrap_or_default();
            let before = rest.split(|byte| *byte == b'/').next().unwrap_or_default();
            prop_assume!(from <= bytes.len());
            prop_assert_eq!(until(bytes, from, b'/'), (from.saturating_add(before.len()), word(before, 0)));
        }
    }
}
