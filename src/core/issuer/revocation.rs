//! What is revoked before its end: tokens, subjects, sessions and keys.
//!
//! A list is read once and never changes. A look-up costs the same however long it is, and
//! allocates nothing. See [`Revocations::parse`] for its form.

use core::hash::BuildHasher as _;
use std::hash::RandomState;

use crate::text::time::UnixTime;

mod error;
mod parse;

pub use error::{Fault, RevocationError};

/// Bytes that a list may have.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Entries that a list may have. A full one is read in some 30 ms: the thread that reads it can be
/// asked to stop meanwhile.
pub const MAX_ENTRIES: usize = 100_000;

/// Bytes that a name may have: as many as a token, so that no token holds a longer one.
pub const MAX_NAME_BYTES: usize = crate::key::jws::CompactJws::MAX;

/// The kinds of revocation.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// `jti`: one token (RFC 7519 section 4.1.7).
    Token,
    /// `sub`: all tokens about a subject, or those that were issued up to some time.
    Subject,
    /// `sid`: all tokens of a session (OpenID Connect Front-Channel Logout 1.0 section 3).
    Session,
    /// `kid`: all tokens that a key has signed.
    Key,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Token, Self::Subject, Self::Session, Self::Key];

    /// The member of an entry, and the claim or the header's member that it is compared with.
    pub const fn member(self) -> &'static str {
        match self {
            Self::Key => "kid",
            Self::Session => "sid",
            Self::Subject => "sub",
            Self::Token => "jti",
        }
    }
}

/// A list of revocations.
#[derive(Debug)]
pub struct Revocations {
    hashes: RandomState,
    /// The names, one behind the other: dropping a list frees three blocks, however long it is.
    names: Box<str>,
    entries: Box<[Entry]>,
    /// Open addressing: a number of an entry from 1, 0 if there is none. At least half is free.
    slots: Box<[u32]>,
    count: usize,
}

/// One entry of a list.
#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: Kind,
    /// The issuer's index from 1, 0 for every issuer.
    scope: u32,
    start: u32,
    len: u32,
    hash: u32,
    /// The last `iat` that it applies to.
    before: i64,
    /// The first time at which it applies no more.
    until: i64,
}

/// The names that a token can be revoked by.
#[derive(Clone, Copy, Debug)]
pub struct Revocable<'t> {
    /// The index of its issuer in [`crate::issuer::trust::Trust`].
    pub issuer: usize,
    /// `jti`
    pub token: Option<&'t str>,
    /// `sub`
    pub subject: Option<&'t str>,
    /// `sid`
    pub session: Option<&'t str>,
    /// The names of the key that verified it.
    pub keys: &'t [Box<str>],
    /// `iat`, rounded up to whole seconds.
    pub issued_at: Option<i64>,
}

impl Revocations {
    /// Whether a token is revoked at `now`, a time before its own end: entries whose `until` has
    /// passed do not apply.
    pub fn cover(&self, token: &Revocable<'_>, now: UnixTime) -> bool {
        if self.count == 0 {
            return false;
        }
        let scope = scope(Some(token.issuer));
        let names = [
            (Kind::Token, token.token),
            (Kind::Subject, token.subject),
            (Kind::Session, token.session),
        ];
        let names = names.into_iter().filter_map(|(kind, name)| Some((kind, name?)));
        let keys = token.keys.iter().map(|key| (Kind::Key, &**key));
        names.chain(keys).any(|(kind, name)| {
            self.entries(kind, name).any(|entry| {
                (entry.scope == 0 || entry.scope == scope)
                    && now.secs() < entry.until
                    // Without `iat`, its age is unknown.
                    && token.issued_at.is_none_or(|issued_at| issued_at <= entry.before)
            })
        })
    }

    /// How many entries there are; two of the same kind, name and issuer are one.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// How many of them are of a kind.
    pub fn count_of(&self, kind: Kind) -> usize {
        self.listed().filter(|entry| entry.kind == kind).count()
    }

    /// How many of them apply no more at `now`.
    pub fn count_over(&self, now: UnixTime) -> usize {
        self.listed().filter(|entry| now.secs() >= entry.until).count()
    }

    fn listed(&self) -> impl Iterator<Item = &Entry> {
        (0..self.slots.len()).filter_map(|slot| self.at(slot))
    }

    /// The entries of that name, whichever issuer they are for.
    fn entries(&self, kind: Kind, name: &str) -> impl Iterator<Item = &Entry> {
        let hash = self.hash(kind, name);
        self.probe(hash).map_while(|slot| self.at(slot)).filter(move |entry| {
            entry.hash == hash && entry.kind == kind && self.name(entry) == Some(name)
        })
    }

    /// The slots where entries with that hash may be, in turn.
    fn probe(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len().saturating_sub(1);
        (0..self.slots.len()).map(move |step| (hash as usize).wrapping_add(step) & mask)
    }

    fn at(&self, slot: usize) -> Option<&Entry> {
        let number = self.slots.get(slot)?.checked_sub(1)?;
        self.entries.get(number as usize)
    }

    fn name(&self, entry: &Entry) -> Option<&str> {
        let start = entry.start as usize;
        self.names.get(start..start.checked_add(entry.len as usize)?)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a part of a hash is a hash")]
    fn hash(&self, kind: Kind, name: &str) -> u32 {
        self.hashes.hash_one((kind, name)) as u32
    }

    /// Makes what was read ready to be asked.
    fn index(names: String, entries: Vec<Entry>) -> Self {
        let room = entries.len().saturating_mul(2).next_power_of_two();
        let mut list = Self {
            hashes: RandomState::new(),
            names: names.into(),
            entries: entries.into(),
            slots: vec![0; room].into(),
            count: 0,
        };
        for number in 0..list.entries.len() {
            list.insert(number);
        }
        list
    }

    fn insert(&mut self, number: usize) {
        let Some(mut entry) = self.entries.get(number).copied() else { return };
        let hash = self.name(&entry).map(|name| self.hash(entry.kind, name));
        entry.hash = hash.unwrap_or_default();
        let is_same = |other: &Entry| {
            (other.hash, other.kind, other.scope) == (entry.hash, entry.kind, entry.scope)
                && self.name(other) == self.name(&entry)
        };
        let slot = self.probe(entry.hash).find(|slot| self.at(*slot).is_none_or(is_same));
        let Some(place) = slot.and_then(|slot| self.slots.get_mut(slot)) else { return };
        // Named twice, it is revoked for as long and as far as either says.
        let (target, is_new) = match place.checked_sub(1) {
            Some(known) => (known as usize, false),
            None => (number, true),
        };
        if is_new {
            *place = u32::try_from(number.saturating_add(1)).unwrap_or_default();
            self.count = self.count.saturating_add(1);
        }
        if let Some(target) = self.entries.get_mut(target) {
            target.hash = entry.hash;
            target.before = target.before.max(entry.before);
            target.until = target.until.max(entry.until);
        }
    }
}

/// How an entry notes its issuer.
fn scope(issuer: Option<usize>) -> u32 {
    issuer.map_or(0, |issuer| u32::try_from(issuer).map_or(u32::MAX, |it| it.saturating_add(1)))
}

#[cfg(test)]
mod tests;
