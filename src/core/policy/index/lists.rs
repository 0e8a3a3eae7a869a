//! Lists of numbers, one after the other.

use super::names::Run;

/// Lists of numbers, by their places.
#[derive(Debug, Default)]
pub(super) struct Lists {
    ends: Box<[u32]>,
    items: Box<[u32]>,
}

impl Lists {
    /// Of so many lists those items, each with the place of its list; they keep their order.
    pub(super) fn new(count: usize, mut items: Vec<(u32, u32)>) -> Self {
        items.sort_by_key(|(list, _)| *list);
        let end = |list: usize| {
            items.partition_point(|(it, _)| usize::try_from(*it).is_ok_and(|it| it <= list))
        };
        let ends = (0..count).map(|list| u32::try_from(end(list)).unwrap_or(u32::MAX)).collect();
        Self { ends, items: items.iter().map(|(_, item)| *item).collect() }
    }

    /// The list of a place.
    pub(super) fn of(&self, list: usize) -> &[u32] {
        let end = |at: usize| self.ends.get(at).and_then(|end| usize::try_from(*end).ok());
        let from = list.checked_sub(1).map_or(Some(0), end);
        from.zip(end(list)).and_then(|(from, to)| self.items.get(from..to)).unwrap_or_default()
    }
}

/// A set of numbers below a bound.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Bits(Box<[u64]>);

impl Bits {
    /// None of so many.
    pub(super) fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)].into())
    }

    pub(super) fn set(&mut self, at: u32, is: bool) {
        let word = usize::try_from(at >> 6).ok().and_then(|at| self.0.get_mut(at));
        if let Some(word) = word {
            let bit = 1 << (at & 63);
            *word = if is { *word | bit } else { *word & !bit };
        }
    }

    #[inline(always)]
    pub(super) fn holds(&self, at: u32) -> bool {
        let word = usize::try_from(at >> 6).ok().and_then(|at| self.0.get(at));
        word.is_some_and(|word| word >> (at & 63) & 1 == 1)
    }

    /// The first of a run that is in the set.
    #[inline(always)]
    pub(super) fn first(&self, run: &Run) -> Option<u32> {
        let (from, to) = (run.start >> 6, run.end.div_ceil(64));
        let words = self.0.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)?;
        let mut before = u64::MAX.wrapping_shl(run.start);
        for (at, word) in (from..).zip(words) {
            let word = word & before;
            if word != 0 {
                let found = (at << 6).saturating_add(word.trailing_zeros());
                return (found < run.end).then_some(found);
            }
            before = u64::MAX;
        }
        None
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
}
