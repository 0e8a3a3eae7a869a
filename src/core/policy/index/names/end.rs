//! From which end a text is read.

/// From which of their ends texts are read.
pub(super) trait End {
    /// Eight bytes from a place on as a number, the first one highest, and zeros behind the last.
    fn word(text: &[u8], at: usize) -> u64;

    /// The same, if there are eight.
    fn whole_word(text: &[u8], at: usize) -> Option<u64>;

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
        Self::whole_word(text, at).unwrap_or_else(|| last(text, at))
    }

    #[inline(always)]
    fn whole_word(text: &[u8], at: usize) -> Option<u64> {
        let word = text.get(at..at.saturating_add(8))?.first_chunk()?;
        Some(u64::from_be_bytes(*word))
    }

    #[inline(always)]
    fn begins(text: &[u8], with: &[u8]) -> bool {
        text.get(..with.len()).is_some_and(|text| same(text, with))
    }
}

impl End for Backward {
    #[inline(always)]
    fn word(text: &[u8], at: usize) -> u64 {
        Self::whole_word(text, at).unwrap_or_else(|| first(text, text.len().saturating_sub(at)))
    }

    #[inline(always)]
    fn whole_word(text: &[u8], at: usize) -> Option<u64> {
        let left = text.len().checked_sub(at)?;
        let word = text.get(left.checked_sub(8)?..left)?.first_chunk()?;
        Some(u64::from_le_bytes(*word))
    }

    #[inline(always)]
    fn begins(text: &[u8], with: &[u8]) -> bool {
        let from = text.len().checked_sub(with.len());
        from.and_then(|from| text.get(from..)).is_some_and(|text| same(text, with))
    }
}

/// Whether two texts are one, sixteen bytes at a time: most are short.
#[inline(always)]
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    let ends = |text: &[u8]| -> Option<(u64, u64)> {
        let (first, last) = (text.first_chunk()?, text.last_chunk()?);
        Some((u64::from_le_bytes(*first), u64::from_le_bytes(*last)))
    };
    if one.len() != other.len() {
        return false;
    }
    match (one.last_chunk::<16>(), other.last_chunk::<16>()) {
        (Some(last), Some(other_last)) => {
            last == other_last
                && match (one.as_chunks::<16>().0, other.as_chunks::<16>().0) {
                    // Most names, without a loop.
                    ([one], [other]) => one == other,
                    ([one, two], [other, another]) => one == other && two == another,
                    (one, other) => one.iter().zip(other).all(|(one, other)| one == other),
                }
        }
        _ => match (ends(one), ends(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one.iter().zip(other).all(|(one, other)| one == other),
        },
    }
}

/// Less than a word at the end of a text. Not inlined: most texts are longer.
#[inline(never)]
fn last(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    let word = match text.last_chunk() {
        // Without those that are before it.
        Some(word) => u64::from_be_bytes(*word),
        None => rest.iter().fold(0, |word, it| word << 8 | u64::from(*it)),
    };
    shift(word, rest.len())
}

/// Less than a word at the beginning of a text, as it is read from behind.
#[inline(never)]
fn first(text: &[u8], left: usize) -> u64 {
    let word = match text.first_chunk() {
        // Without those that are behind it.
        Some(word) => u64::from_le_bytes(*word),
        None => {
            let rest = text.get(..left).unwrap_or_default();
            rest.iter().rfold(0, |word, it| word << 8 | u64::from(*it))
        }
    };
    shift(word, left)
}

/// The last bytes of a word at its head, and zeros behind them.
fn shift(word: u64, bytes: usize) -> u64 {
    let bits = 8_usize.saturating_sub(bytes).saturating_mul(8);
    u32::try_from(bits).ok().and_then(|bits| word.checked_shl(bits)).unwrap_or(0)
}
