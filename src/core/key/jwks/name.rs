//! How a token names the key that signed it.

/// The members of a token's header that name a key (RFC 7515, sections 4.1.4, 4.1.7 and 4.1.8).
///
/// They are unverified: they choose among the keys of one issuer, and nothing else.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct KeyName<'n> {
    /// `kid`; if it is there, the others are not looked at.
    pub kid: Option<&'n str>,
    /// `x5t`
    pub x5t: Option<&'n str>,
    /// `x5t#S256`
    pub x5t_s256: Option<&'n str>,
}

impl<'n> KeyName<'n> {
    /// The one name by which the key is asked for.
    #[must_use]
    pub fn text(&self) -> Option<&'n str> {
        self.kid.or(self.x5t_s256).or(self.x5t)
    }
}
