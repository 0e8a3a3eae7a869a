//! A key that a token asked for.

use crate::issuer::{Issuer, KeySource};

/// A key that a token named and its issuer is not known to publish: it may have been published since.
///
/// The token is unverified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wish {
    /// The issuer's index in [`crate::issuer::trust::Trust`]; its keys come from a server.
    pub issuer: usize,
    /// The `kid`, or the `x5t` of a token without one: visible ASCII, and short.
    pub kid: Box<str>,
}

impl Wish {
    /// Bytes that a `kid` may have to be wished for; a SHA-256 in hexadecimal has 64. Longer ones come
    /// with the next refresh.
    pub const MAX: usize = 127;

    pub(crate) fn of(issuer: usize, settings: &Issuer, kid: Option<&str>) -> Option<Self> {
        let kid = kid.filter(|kid| Self::is_modest(kid))?;
        let is_fetched = matches!(settings.keys, KeySource::Remote(_));
        is_fetched.then(|| Self { issuer, kid: kid.into() })
    }

    /// Whether a `kid` can be wished for.
    pub fn is_modest(kid: &str) -> bool {
        (1..=Self::MAX).contains(&kid.len()) && kid.bytes().all(|byte| byte.is_ascii_graphic())
    }
}
