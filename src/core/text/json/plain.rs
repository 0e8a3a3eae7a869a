//! Runs of a text that need no second look, eight bytes at a time.

/// Where, from `at` on, a plain run of a text ends: at a quote, a backslash or a control character,
/// or at the end of the bytes.
pub(super) fn plain(bytes: &[u8], mut at: usize) -> usize {
    let mut rest = bytes.get(at..).unwrap_or_default();
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let found = ends(u64::from_le_bytes(*chunk));
        if found != 0 {
            // The lowest bit that is set is right, whatever the borrows did above it.
            return at.saturating_add((found.trailing_zeros() >> 3) as usize);
        }
        (rest, at) = (behind, at.saturating_add(8));
    }
    let tail = rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'));
    at.saturating_add(tail.unwrap_or(rest.len()))
}

/// The top bit of each byte that ends a plain run.
const fn ends(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = ONES << 7;
    const fn below(word: u64, bound: u64) -> u64 {
        word.wrapping_sub(bound) & !word
    }
    let quote = below(word ^ (ONES.wrapping_mul(b'"' as u64)), ONES);
    let backslash = below(word ^ (ONES.wrapping_mul(b'\\' as u64)), ONES);
    let control = below(word, ONES.wrapping_mul(0x20));
    (quote | backslash | control) & TOPS
}
