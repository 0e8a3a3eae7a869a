//! The credentials of a request: borrowed and unverified.

use core::cell::OnceCell;
use core::fmt;

use crate::refusal::{Reason, Refusal};
use crate::request::source::{Source, token68};
use crate::request::{Method, Methods, Peer, Request, Scheme};

/// The credentials that a location asked to see.
pub struct Credentials<'r> {
    token: Option<(Scheme, &'r [u8])>,
    /// Its place, among the places that were looked in.
    source: usize,
    /// Whether the token is known to be one token68.
    is_checked: bool,
    request: &'r dyn Request,
    peer: OnceCell<Option<Peer>>,
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("token", &self.bearer().map(<[u8]>::len)).finish()
    }
}

impl<'r> Credentials<'r> {
    /// Finds the credentials that `methods` names, a token in one of `sources`.
    ///
    /// # Errors
    ///
    /// [`Reason::CredentialConflict`] for more than one token, and [`Reason::TokenMalformed`] if
    /// something else is in place of one.
    pub fn extract(
        request: &'r dyn Request,
        methods: Methods,
        sources: &[Source],
    ) -> Result<Self, Refusal> {
        let found = Self::find(request, methods, sources)?;
        found.check()?;
        Ok(found)
    }

    /// As [`Self::extract`], but a token from the only place is not [checked](Self::check) yet: a
    /// token that was verified before is well-formed, and need not be read again.
    ///
    /// # Errors
    ///
    /// As there.
    #[inline(always)]
    pub(crate) fn find(
        request: &'r dyn Request,
        methods: Methods,
        sources: &[Source],
    ) -> Result<Self, Refusal> {
        let (mut token, mut source) = (None, 0);
        let sources = if methods.reads(Method::Token) { sources } else { &[] };
        if let [only] = sources {
            let token = only.find(request)?;
            return Ok(Self { token, source, is_checked: false, request, peer: OnceCell::new() });
        }
        // Of several places, the first that holds anything but a token decides.
        for (at, place) in sources.iter().enumerate() {
            if let Some(found) = place.read(request)? {
                if token.replace(found).is_some() {
                    return Err(Reason::CredentialConflict.into());
                }
                source = at;
            }
        }
        Ok(Self { token, source, is_checked: true, request, peer: OnceCell::new() })
    }

    /// Checks that the text in place of a token is one, by its form.
    ///
    /// # Errors
    ///
    /// [`Reason::TokenMalformed`].
    pub(crate) fn check(&self) -> Result<(), Reason> {
        match self.bearer() {
            Some(token) if !self.is_checked => token68(token).map(drop),
            _ => Ok(()),
        }
    }

    /// The token.
    pub fn bearer(&self) -> Option<&'r [u8]> {
        self.token.map(|(_, token)| token)
    }

    /// How the token was sent.
    pub fn scheme(&self) -> Option<Scheme> {
        self.token.map(|(scheme, _)| scheme)
    }

    /// What the credentials came with.
    pub(crate) const fn request(&self) -> &'r dyn Request {
        self.request
    }

    /// The place of the token, among the places that were looked in.
    pub const fn source(&self) -> usize {
        self.source
    }

    /// The connection's certificate, asked for only if it matters, and once: Nginx asks OpenSSL.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.get_or_init(|| self.request.peer()).as_ref()
    }

    /// Where it came from, for the limit on failures.
    pub(crate) fn address(&self) -> &'r [u8] {
        self.request.address()
    }
}
