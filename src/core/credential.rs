//! What arrived with a request: borrowed, unverified, believed by nobody.

use core::cell::OnceCell;
use core::fmt;
use std::rc::Rc;

use crate::dpop::Target;
use crate::refusal::{Reason, Refusal};
use crate::source::{Source, token68};
use crate::x509::{CertificateError, ChainVerdict, PeerCertificate};

/// What the shell answers about one request. Each answer is computed when it is asked for.
pub trait Request {
    /// The `Authorization` fields.
    fn authorization(&self) -> Field<'_>;

    /// The fields of another name, which is given in lower case, and of those that
    /// [fold to it](crate::reserved::folds_to).
    fn field(&self, name: &str) -> Field<'_>;

    /// The method, as it was sent.
    fn method(&self) -> &[u8];

    /// Where it was sent, as it came and before anything was rewritten.
    fn target(&self) -> Target<'_>;

    /// The certificate that the peer presented on this connection, parsed once a connection.
    fn peer(&self) -> Option<Peer>;

    /// The client's address as limits see it: 4 bytes, or the first 8 of an IPv6 address (its
    /// network: one host has all of a /64), or none on a Unix socket.
    fn address(&self) -> &[u8];

    /// The value of the variable with that index, for `mesh_limit key=$variable`.
    fn variable(&self, index: usize) -> Option<&[u8]>;
}

/// The header fields of one name in a request.
#[derive(Clone, Copy, Debug)]
pub enum Field<'r> {
    /// There is none.
    Absent,
    /// The value of the only one.
    One(&'r [u8]),
    /// There are several, whatever their values; or one, in a spelling that Nginx's variables do not
    /// show: a key of a cache that names the variable would be the same for every caller.
    Several,
}

/// The peer's certificate and what Nginx says of its chain.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Nginx's verdict, made by the settings of the server that did the handshake.
    pub verdict: ChainVerdict,
    /// The leaf, or why it cannot be read.
    pub certificate: Result<Rc<PeerCertificate>, CertificateError>,
}

/// The ways of proving an identity that a location reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Methods {
    /// A bearer token (RFC 6750).
    pub token: bool,
    /// A peer certificate.
    pub certificate: bool,
    /// `any`: one of them is enough; otherwise all are needed.
    pub any: bool,
}

/// How a token was sent: the scheme of the `Authorization` field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// `Bearer` (RFC 6750 section 2.1), or in a place without a scheme.
    Bearer,
    /// `DPoP`, beside a proof (RFC 9449 section 7.1).
    Dpop,
}

impl Scheme {
    /// The scheme of an `Authorization` value, and what follows it; another scheme is no token.
    pub fn of(value: &[u8]) -> Option<(Self, &[u8])> {
        // Nearly all come so: what is looked at below is found by one comparison.
        if let Some((b"Bearer", rest @ [b' ', .., last])) = value.split_first_chunk()
            && !last.is_ascii_whitespace()
        {
            return Some((Self::Bearer, rest));
        }
        let value = value.trim_ascii();
        // The scheme is a token of RFC 9110 section 5.6.2.
        let is_tchar =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let end = value.iter().position(|byte| !is_tchar(byte)).unwrap_or(value.len());
        let (scheme, rest) = value.split_at_checked(end)?;
        if scheme.eq_ignore_ascii_case(BEARER) {
            Some((Self::Bearer, rest))
        } else if scheme.eq_ignore_ascii_case(b"DPoP") {
            Some((Self::Dpop, rest))
        } else {
            None
        }
    }
}

const BEARER: &[u8] = b"Bearer";

/// The credentials that a location asked to see.
pub struct Credentials<'r> {
    token: Option<(Scheme, &'r [u8])>,
    /// Where it stood, among the places that were looked in.
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
    /// [`Reason::CredentialConflict`] for more than one token, and [`Reason::TokenMalformed`] for
    /// what stands in place of one and is none.
    pub fn extract(
        request: &'r dyn Request,
        methods: Methods,
        sources: &[Source],
    ) -> Result<Self, Refusal> {
        let found = Self::find(request, methods, sources)?;
        found.check()?;
        Ok(found)
    }

    /// As [`Self::extract`], but that a token from the only place is still to be [checked](Self::check):
    /// one that was verified before is well-formed, and every byte of it would be looked at again.
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) fn find(
        request: &'r dyn Request,
        methods: Methods,
        sources: &[Source],
    ) -> Result<Self, Refusal> {
        let (mut token, mut source) = (None, 0);
        let sources = if methods.token { sources } else { &[] };
        // Of several places, the first that holds something else than a token speaks.
        let is_checked = sources.len() != 1;
        for (at, place) in sources.iter().enumerate() {
            let found = if is_checked { place.read(request) } else { place.find(request) };
            if let Some(found) = found? {
                if token.replace(found).is_some() {
                    return Err(Reason::CredentialConflict.into());
                }
                source = at;
            }
        }
        Ok(Self { token, source, is_checked, request, peer: OnceCell::new() })
    }

    /// Whether what stands in place of a token is one, by its form.
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

    /// Where the token stood, among the places that were looked in.
    pub const fn source(&self) -> usize {
        self.source
    }

    /// The connection's certificate, asked for where it matters, and once: Nginx asks OpenSSL.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.get_or_init(|| self.request.peer()).as_ref()
    }

    /// Whether anything of what `methods` names was presented.
    pub(crate) fn is_any(&self, methods: Methods) -> bool {
        self.token.is_some() || (methods.certificate && self.peer().is_some())
    }

    /// Where it came from, for the limit on failures.
    pub(crate) fn address(&self) -> &'r [u8] {
        self.request.address()
    }
}
