//! How a key is found among many: by its names, and by being the only one.

use core::cmp::Ordering;

use super::{Key, KeyLookupError, KeyName};
use crate::key::algorithm::Algorithm;

/// Places of keys, sorted for binary search.
#[derive(Debug)]
pub(super) struct Index {
    /// By the text of a name, then by its kind, then by the place.
    names: Box<[Name]>,
    /// By thumbprint, then by the place.
    thumbprints: Box<[usize]>,
    /// For each algorithm the only key that fits it.
    only: [Only; Algorithm::ALL.len()],
}

#[derive(Clone, Copy, Debug)]
struct Name {
    kind: Kind,
    position: usize,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    Kid,
    X5t,
    X5tS256,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Kid, Self::X5t, Self::X5tS256];

    fn of(self, key: &Key) -> Option<&str> {
        match self {
            Self::Kid => key.names.kid.as_deref(),
            Self::X5t => key.names.x5t.as_deref(),
            Self::X5tS256 => key.names.x5t_s256.as_deref(),
        }
    }
}

impl Name {
    fn text<'k>(&self, keys: &'k [Key]) -> &'k str {
        keys.get(self.position).and_then(|key| self.kind.of(key)).unwrap_or_default()
    }
}

/// Which key is meant if the token names none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Only {
    Nothing,
    /// One key, which may be there more than once.
    One(usize),
    Several,
}

impl Index {
    pub(super) fn of(keys: &[Key]) -> Self {
        let mut names: Vec<Name> = (keys.iter().enumerate())
            .flat_map(|(position, key)| {
                let is_there = move |kind: &Kind| kind.of(key).is_some();
                Kind::ALL.into_iter().filter(is_there).map(move |kind| Name { kind, position })
            })
            .collect();
        names.sort_unstable_by(|one, other| {
            one.text(keys)
                .cmp(other.text(keys))
                .then(one.kind.cmp(&other.kind))
                .then(one.position.cmp(&other.position))
        });
        let mut thumbprints: Vec<usize> = (0..keys.len()).collect();
        thumbprints.sort_by_key(|position| keys.get(*position).map(|key| key.thumbprint));
        let mut only = [Only::Nothing; Algorithm::ALL.len()];
        for (algorithm, only) in Algorithm::ALL.into_iter().zip(&mut only) {
            *only = only_key(keys, algorithm);
        }
        Self { names: names.into(), thumbprints: thumbprints.into(), only }
    }

    /// The place of a token's key, and whether it is certain.
    pub(super) fn find(
        &self,
        keys: &[Key],
        name: KeyName<'_>,
        algorithm: Algorithm,
    ) -> Result<(usize, bool), KeyLookupError> {
        if let Some(kid) = name.kid {
            let found = self.named(keys, kid, &[Kind::Kid], algorithm)?;
            return found.map(|it| (it, true)).ok_or(KeyLookupError::UnknownKey);
        }
        let others = [(Kind::X5tS256, name.x5t_s256), (Kind::X5t, name.x5t)];
        let others = || others.into_iter().filter_map(|(kind, text)| Some((kind, text?)));
        for (kind, text) in others() {
            if let Some(found) = self.named(keys, text, &[kind, Kind::Kid], algorithm)? {
                return Ok((found, true));
            }
        }
        let at = Algorithm::ALL.into_iter().position(|it| it == algorithm);
        let Some(Only::One(only)) = at.and_then(|at| self.only.get(at)) else {
            return Err(KeyLookupError::UnknownKey);
        };
        let is_another =
            |(kind, _): (Kind, &str)| keys.get(*only).is_some_and(|key| kind.of(key).is_some());
        if others().any(is_another) {
            return Err(KeyLookupError::UnknownKey);
        }
        Ok((*only, others().next().is_none()))
    }

    pub(super) fn has(&self, keys: &[Key], name: &str) -> bool {
        !self.range(keys, name).is_empty()
    }

    /// The places of all entries that are the same key.
    pub(super) fn twins<'k>(
        &'k self,
        keys: &'k [Key],
        thumbprint: &'k [u8; 32],
    ) -> impl Iterator<Item = usize> + use<'k> {
        let of = |position: &usize| keys.get(*position).map(|key| &key.thumbprint);
        let first = self.thumbprints.partition_point(|it| of(it) < Some(thumbprint));
        let from = self.thumbprints.get(first..).unwrap_or_default().iter();
        from.take_while(move |it| of(it) == Some(thumbprint)).copied()
    }

    /// The key with one of these kinds of name that verifies `algorithm`; `None` if none has it.
    fn named(
        &self,
        keys: &[Key],
        text: &str,
        kinds: &[Kind],
        algorithm: Algorithm,
    ) -> Result<Option<usize>, KeyLookupError> {
        let named = self.range(keys, text).iter().filter(|name| kinds.contains(&name.kind));
        let mut named = named.map(|name| name.position).peekable();
        if named.peek().is_none() {
            return Ok(None);
        }
        let fits = |position: &usize| {
            keys.get(*position).is_some_and(|key| key.verifying(algorithm).is_some())
        };
        match only_of(keys, named.filter(fits)) {
            Only::Nothing => Err(KeyLookupError::AlgorithmRefused),
            Only::One(position) => Ok(Some(position)),
            // No kid is ambiguous: this is an x5t of several keys.
            Only::Several => Err(KeyLookupError::UnknownKey),
        }
    }

    fn range(&self, keys: &[Key], text: &str) -> &[Name] {
        let count =
            |most: Ordering| self.names.partition_point(|name| name.text(keys).cmp(text) <= most);
        self.names.get(count(Ordering::Less)..count(Ordering::Equal)).unwrap_or_default()
    }
}

fn only_key(keys: &[Key], algorithm: Algorithm) -> Only {
    let fitting = keys.iter().enumerate().filter(|(_, key)| key.verifying(algorithm).is_some());
    only_of(keys, fitting.map(|(position, _)| position))
}

/// The first of these places, if all have the same key.
fn only_of(keys: &[Key], mut places: impl Iterator<Item = usize>) -> Only {
    let Some(first) = places.next() else { return Only::Nothing };
    let is_same = |place: usize| match (keys.get(first), keys.get(place)) {
        (Some(one), Some(other)) => one.is_twin_of(other),
        _ => false,
    };
    if places.all(is_same) { Only::One(first) } else { Only::Several }
}
