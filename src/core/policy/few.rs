//! Some things, of which one takes no memory of its own.

use core::ops::{Deref, DerefMut};

/// Some things in their order. Most lists of a policy hold one: it lies in the list itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Few<T>(Held<T>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Held<T> {
    One(T),
    /// Any other number.
    Many(Box<[T]>),
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Held::Many(Box::default()))
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(list: Vec<T>) -> Self {
        match <[T; 1]>::try_from(list) {
            Ok([it]) => Self(Held::One(it)),
            Err(list) => Self(Held::Many(list.into())),
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Held::One(it) => core::slice::from_ref(it),
            Held::Many(all) => all,
        }
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Held::One(it) => core::slice::from_mut(it),
            Held::Many(all) => all,
        }
    }
}

impl<'f, T> IntoIterator for &'f Few<T> {
    type Item = &'f T;
    type IntoIter = core::slice::Iter<'f, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_every_length_hold_what_they_are_made_of() {
        for list in [vec![], vec![1], vec![1, 2], vec![1, 2, 3]] {
            let mut few = Few::from(list.clone());
            assert_eq!((&*few, &few), (&*list, &Few::from(list.clone())));
            few.iter_mut().for_each(|it| *it = 0);
            assert!(few.iter().all(|it| *it == 0));
        }
        assert_eq!((Few::<usize>::default().len(), size_of::<Few<usize>>()), (0, 16));
    }
}
