//! The names that a token can be revoked by.

use super::claim::name;
use crate::refusal::Refusal;
use crate::text::json::Item;

/// The names that a token can be revoked by, besides its subject.
#[derive(Debug)]
pub(super) struct Names {
    token: Option<Box<str>>,
    session: Option<Box<str>>,
    /// Every name of the key that verified it.
    keys: Box<[Box<str>]>,
}

impl Names {
    /// Reads `jti` and `sid`; `keys` are the names of the key that verified the token.
    pub(super) fn of<'k>(
        token: Option<Item<'_>>,
        session: Option<Item<'_>>,
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            token: name(token, "jti")?.map(Into::into),
            session: name(session, "sid")?.map(Into::into),
            keys: keys.map(Into::into).collect(),
        })
    }

    /// `jti`
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// `sid`
    pub(super) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Every name of the key.
    pub(super) fn keys(&self) -> &[Box<str>] {
        &self.keys
    }

    /// About the bytes that they take.
    pub(super) fn weight(&self) -> usize {
        let names = [&self.token, &self.session].into_iter().flatten().chain(&self.keys);
        names.map(|name| name.len().saturating_add(48)).sum()
    }
}
