//! The names of a document: what they are the places of, and where they were met first.

use super::fault::At;
use super::texts::Texts;

/// Names that are given in one place and used in others, in any order.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Texts,
    /// Of each name.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Where it is given, or else where it was used first.
    at: At,
    is_given: bool,
}

impl Names {
    /// The place of a name that is used at `at`.
    pub(super) fn used(&mut self, name: &str, at: At) -> usize {
        let place = self.names.number(name);
        if place == self.entries.len() {
            self.entries.push(Entry { at, is_given: false });
        }
        place
    }

    /// The place of a name that is given at `at`; `None` if it has been given already.
    pub(super) fn given(&mut self, name: &str, at: At) -> Option<usize> {
        let place = self.used(name, at);
        let entry = self.entries.get_mut(place).filter(|entry| !entry.is_given)?;
        (entry.is_given, entry.at) = (true, at);
        Some(place)
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Each name, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.names.len()).filter_map(|place| self.names.get(place))
    }

    /// The names that are given.
    pub(super) fn all_given(&self) -> impl Iterator<Item = &str> {
        self.iter().zip(&self.entries).filter(|(_, entry)| entry.is_given).map(|(name, _)| name)
    }

    /// The names that are used, and given nowhere.
    pub(super) fn missing(&self) -> impl Iterator<Item = (&str, At)> {
        let missing = self.iter().zip(&self.entries).filter(|(_, entry)| !entry.is_given);
        missing.map(|(name, entry)| (name, entry.at))
    }

    /// Where the name of a place is given.
    pub(super) fn at(&self, place: usize) -> At {
        self.entries.get(place).map_or(At::START, |entry| entry.at)
    }
}
