//! What was found in a body.

use super::BodyError;

/// What was found in a body, by the places of what was wanted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Extract {
    values: Vec<Vec<Box<str>>>,
    /// Bits of what is there and not null.
    there: u128,
    has_other: bool,
    bytes: usize,
    count: usize,
}

/// Bytes that are kept of one body.
const MAX_BYTES: usize = 64 * 1024;

/// Values that are kept of one body.
const MAX_VALUES: usize = 1000;

/// Bytes that the allocator adds to a small text.
const ALLOCATION: usize = 16;

impl Extract {
    pub(super) fn new(places: usize) -> Self {
        Self { values: vec![Vec::new(); places], ..Self::default() }
    }

    /// How many bytes of memory it takes, about: a value takes more than its text.
    pub fn size(&self) -> usize {
        let of_places = self.values.len().saturating_mul(size_of::<Vec<Box<str>>>());
        let of_values = self.count.saturating_mul(size_of::<Box<str>>().saturating_add(ALLOCATION));
        self.bytes.saturating_add(of_places).saturating_add(of_values)
    }

    /// How many bytes of a value may be kept still.
    pub(super) const fn room(&self) -> usize {
        MAX_BYTES.saturating_sub(self.bytes)
    }

    pub(super) fn keep(&mut self, place: usize, value: &str) -> Result<(), BodyError> {
        self.set_there(place);
        self.bytes = self.bytes.saturating_add(value.len());
        self.count = self.count.saturating_add(1);
        if self.bytes > MAX_BYTES || self.count > MAX_VALUES {
            return Err(BodyError::TooLarge);
        }
        if let Some(values) = self.values.get_mut(place) {
            values.push(value.into());
        }
        Ok(())
    }

    pub(super) fn set_there(&mut self, place: usize) {
        self.there |= 1_u128.checked_shl(u32::try_from(place).unwrap_or(128)).unwrap_or(0);
    }

    pub(super) const fn set_other(&mut self) {
        self.has_other = true;
    }

    /// A value of what was wanted in that place: the first, the next, and so on.
    pub fn value(&self, place: usize, at: usize) -> Option<&str> {
        self.values.get(place)?.get(at).map(|value| &**value)
    }

    /// Whether what was wanted in that place is there and not null.
    pub fn is_there(&self, place: usize) -> bool {
        let bit = u32::try_from(place).ok().and_then(|place| 1_u128.checked_shl(place));
        bit.is_some_and(|bit| self.there & bit != 0)
    }

    /// Whether a member at the top that was not named is there and not null.
    pub const fn has_other(&self) -> bool {
        self.has_other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_short_values_take_more_than_their_text() {
        let mut extract = Extract::new(1);
        for _ in 0..MAX_VALUES {
            extract.keep(0, "7").unwrap();
        }
        assert!(extract.size() > 16 * MAX_VALUES, "{}", extract.size());
        assert!(extract.size() < MAX_BYTES);
        assert_eq!(extract.keep(0, "7"), Err(BodyError::TooLarge));
    }
}
