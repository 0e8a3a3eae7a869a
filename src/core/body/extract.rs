//! What was found in a body.

use core::ops::Range;

use super::BodyError;

/// What was found in a body, by the places of what was wanted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Extract {
    /// All values, one behind the other.
    text: String,
    places: Places,
}

/// What is being found in a body: its values are UTF-8, which is checked of all of them at once.
#[derive(Debug)]
pub(super) struct Kept {
    text: Vec<u8>,
    places: Places,
    count: usize,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Places {
    /// Where the values of each place lie in the text.
    values: Vec<Vec<Range<usize>>>,
    /// Bits of what is there and not null.
    there: u128,
    has_other: bool,
}

/// Bytes that are kept of one body.
const MAX_BYTES: usize = 64 * 1024;

/// Bytes that most bodies stay below.
const USUAL: usize = 256;

/// Values that are kept of one body.
const MAX_VALUES: usize = 1000;

impl Kept {
    pub(super) fn new(places: usize) -> Self {
        let values = vec![Vec::new(); places];
        Self { text: Vec::new(), places: Places { values, ..Places::default() }, count: 0 }
    }

    /// How many bytes of memory it takes, about.
    pub(super) fn size(&self) -> usize {
        self.text.capacity().saturating_add(self.places.size())
    }

    /// How many bytes of a value may be kept still.
    pub(super) const fn room(&self) -> usize {
        MAX_BYTES.saturating_sub(self.text.len())
    }

    pub(super) fn keep(&mut self, place: usize, value: &[u8]) -> Result<(), BodyError> {
        self.set_there(place);
        self.count = self.count.saturating_add(1);
        if value.len() > self.room() || self.count > MAX_VALUES {
            return Err(BodyError::TooLarge);
        }
        let from = self.text.len();
        if from == 0 {
            // Most values fit, so that the text does not grow with each of them.
            self.text.reserve(USUAL);
        }
        self.text.extend_from_slice(value);
        if let Some(values) = self.places.values.get_mut(place) {
            values.push(from..self.text.len());
        }
        Ok(())
    }

    pub(super) fn set_there(&mut self, place: usize) {
        self.places.there |= 1_u128.checked_shl(u32::try_from(place).unwrap_or(128)).unwrap_or(0);
    }

    pub(super) const fn set_other(&mut self) {
        self.places.has_other = true;
    }

    pub(super) fn finish(self) -> Result<Extract, BodyError> {
        let mut text = String::from_utf8(self.text).map_err(|_| BodyError::Malformed)?;
        text.shrink_to_fit();
        // Each value is whole by itself: two of them that make one letter together are none.
        let is_whole = |range: &Range<usize>| text.get(range.clone()).is_some();
        match self.places.values.iter().flatten().all(is_whole) {
            true => Ok(Extract { text, places: self.places }),
            false => Err(BodyError::Malformed),
        }
    }
}

impl Places {
    fn size(&self) -> usize {
        let ranges = self.values.iter().map(|ranges| ranges.capacity().saturating_mul(RANGE));
        let of_places = self.values.len().saturating_mul(size_of::<Vec<Range<usize>>>());
        ranges.fold(of_places, usize::saturating_add)
    }
}

/// Bytes that a value takes beside its text.
const RANGE: usize = size_of::<Range<usize>>();

impl Extract {
    /// How many bytes of memory it takes, about: a value takes more than its text.
    pub fn size(&self) -> usize {
        self.text.capacity().saturating_add(self.places.size())
    }

    /// A value of what was wanted in that place: the first, the next, and so on.
    pub fn value(&self, place: usize, at: usize) -> Option<&str> {
        self.text.get(self.places.values.get(place)?.get(at)?.clone())
    }

    /// Whether what was wanted in that place is there and not null.
    pub fn is_there(&self, place: usize) -> bool {
        let bit = u32::try_from(place).ok().and_then(|place| 1_u128.checked_shl(place));
        bit.is_some_and(|bit| self.places.there & bit != 0)
    }

    /// Whether a member at the top that was not named is there and not null.
    pub const fn has_other(&self) -> bool {
        self.places.has_other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_short_values_take_more_than_their_text() {
        let mut kept = Kept::new(1);
        for _ in 0..MAX_VALUES {
            kept.keep(0, b"7").unwrap();
        }
        assert!(kept.size() > 16 * MAX_VALUES, "{}", kept.size());
        assert!(kept.size() < MAX_BYTES);
        assert_eq!(kept.keep(0, b"7"), Err(BodyError::TooLarge));
        let extract = kept.finish().unwrap();
        assert!(extract.size() > 16 * MAX_VALUES, "{}", extract.size());
        assert!(extract.size() < MAX_BYTES);
    }

    #[test]
    fn values_that_make_a_letter_together_are_malformed() {
        let mut kept = Kept::new(2);
        kept.keep(0, b"a\xc3").unwrap();
        kept.keep(1, b"\xa9b").unwrap();
        assert_eq!(kept.finish(), Err(BodyError::Malformed));
        let mut kept = Kept::new(2);
        kept.keep(0, "a\u{e9}".as_bytes()).unwrap();
        kept.keep(1, b"").unwrap();
        let extract = kept.finish().unwrap();
        assert_eq!((extract.value(0, 0), extract.value(1, 0)), (Some("a\u{e9}"), Some("")));
    }
}
