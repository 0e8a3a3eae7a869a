//! Texts by their numbers.

use core::hash::BuildHasher as _;
use std::hash::RandomState;

/// Texts, each once, numbered as they come.
///
/// They lie one behind the other: to let them go leaves no holes between what stays of the document.
#[derive(Debug, Default)]
pub(super) struct Texts {
    all: String,
    /// Where each text ends.
    ends: Vec<usize>,
    /// A power of two of places: each the number of a text, from one on; zero if there is none.
    places: Vec<usize>,
    state: RandomState,
}

impl Texts {
    /// The number of a text, which it gets if it is new.
    pub(super) fn number(&mut self, text: &str) -> usize {
        // At most half of the places are taken.
        if self.places.len() <= self.ends.len().saturating_mul(2) {
            self.grow();
        }
        let place = self.place(text);
        match self.places.get_mut(place) {
            Some(number) if *number == 0 => {
                self.all.push_str(text);
                self.ends.push(self.all.len());
                *number = self.ends.len();
                number.saturating_sub(1)
            }
            number => number.map_or(0, |number| number.saturating_sub(1)),
        }
    }

    /// The text of a number.
    pub(super) fn get(&self, number: usize) -> Option<&str> {
        let end = self.ends.get(number)?;
        let from = number.checked_sub(1).and_then(|before| self.ends.get(before)).unwrap_or(&0);
        self.all.get(*from..*end)
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// The place of a text, or the one that it gets.
    fn place(&self, text: &str) -> usize {
        let mask = self.places.len().wrapping_sub(1);
        let mut place = usize::try_from(self.state.hash_one(text) >> 32).unwrap_or(0) & mask;
        while let Some(number) = self.places.get(place).and_then(|number| number.checked_sub(1)) {
            if self.get(number) == Some(text) {
                break;
            }
            place = place.wrapping_add(1) & mask;
        }
        place
    }

    fn grow(&mut self) {
        self.places = vec![0; self.places.len().saturating_mul(2).max(16)];
        for number in 0..self.len() {
            let place = self.get(number).map(|text| self.place(text));
            if let Some(place) = place.and_then(|place| self.places.get_mut(place)) {
                *place = number.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_one_number() {
        let mut texts = Texts::default();
        for round in 0..2 {
            for number in 0..1000 {
                let text = "x".repeat(number % 7) + &number.to_string();
                assert_eq!(texts.number(&text), number, "{round}");
                assert_eq!(texts.get(number), Some(&*text));
            }
            assert_eq!(texts.len(), 1000);
        }
        assert_eq!((texts.number(""), texts.get(1000), texts.get(1001)), (1000, Some(""), None));
    }
}
