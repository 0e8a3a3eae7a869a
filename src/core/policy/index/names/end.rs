//! From which end a text is read.

/// From which of their ends texts are read.
pub(super) trait End {
    /// Eight bytes from a place on as a number, the first one highest, and zeros behind the last.
    fn word(text: &[u8], at: usize) -> u64;

    /// Whether a text begins with another.
    fn begins(text: &[u8], with: &[u8]) -> bool;
}

/// From the first byte on.
#[derive(Debug)]
pub(super) enum Forward {}

/// From the last byte on.
#[derive(Debug)]
pub(super) enum Backward {}

impl End for Forward {
    #[inline(always)]
    fn word(text: &[u8], at: usize) -> u64 {
        let Some((_, rest)) = text.split_at_checked(at) else { return 0 };
        match (rest.first_chunk(), text.last_chunk()) {
            (Some(word), _) => u64::from_be_bytes(*word),
            // Without those that are before it.
            (None, Some(word)) => shift(u64::from_be_bytes(*word), rest.len()),
            (None, None) => {
                shift(rest.iter().fold(0, |word, it| word << 8 | u64::from(*it)), rest.len())
            }
        }
    }

    #[inline(always)]
    fn begins(text: &[u8], with: &[u8]) -> bool {
        text.get(..with.len()).is_some_and(|text| same(text, with))
    }
}

impl End for Backward {
    #[inline(always)]
    fn word(text: &[u8], at: usize) -> u64 {
        let left = text.len().saturating_sub(at);
        let Some((rest, _)) = text.split_at_checked(left) else { return 0 };
        match (rest.last_chunk(), text.first_chunk()) {
            (Some(word), _) => u64::from_le_bytes(*word),
            (None, Some(word)) => shift(u64::from_le_bytes(*word), left),
            (None, None) => {
                shift(rest.iter().rfold(0, |word, it| word << 8 | u64::from(*it)), left)
            }
        }
    }

    #[inline(always)]
    fn begins(text: &[u8], with: &[u8]) -> bool {
        let from = text.len().checked_sub(with.len());
        from.and_then(|from| text.get(from..)).is_some_and(|text| same(text, with))
    }
}

/// Whether two texts are one: most are short.
#[inline(always)]
fn same(one: &[u8], other: &[u8]) -> bool {
    let ends = |text: &[u8]| -> Option<(u64, u64)> {
        let (first, last) = (text.first_chunk()?, text.last_chunk()?);
        Some((u64::from_le_bytes(*first), u64::from_le_bytes(*last)))
    };
    if one.len() > 16 || one.len() != other.len() {
        return one == other;
    }
    match (ends(one), ends(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one.iter().zip(other).all(|(one, other)| one == other),
    }
}

/// The last bytes of a word at its head, and zeros behind them.
fn shift(word: u64, bytes: usize) -> u64 {
    let bits = 8_usize.saturating_sub(bytes).saturating_mul(8);
    u32::try_from(bits).ok().and_then(|bits| word.checked_shl(bits)).unwrap_or(0)
}
