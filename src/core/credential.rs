//! What arrived with a request: borrowed, unverified, believed by nobody.

use core::cell::OnceCell;
use core::fmt;
use std::rc::Rc;

use crate::refusal::{Reason, Refusal};
use crate::x509::{CertificateError, ChainVerdict, PeerCertificate};

/// What the shell answers about one request. Each answer is computed when it is asked for.
pub trait Request {
    /// The `Authorization` fields.
    fn authorization(&self) -> Field<'_>;

    /// The fields of another name, which is given in lower case.
    fn field(&self, name: &str) -> Field<'_>;

    /// The method, as it was sent.
    fn method(&self) -> &[u8];

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
    /// There are several, whatever their values.
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

/// The credentials that a location asked to see.
pub struct Credentials<'r> {
    bearer: Option<&'r [u8]>,
    request: &'r dyn Request,
    peer: OnceCell<Option<Peer>>,
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("bearer", &self.bearer.map(<[u8]>::len)).finish()
    }
}

impl<'r> Credentials<'r> {
    /// Finds the credentials that `methods` names.
    ///
    /// # Errors
    ///
    /// [`Reason::CredentialConflict`] for several `Authorization` fields, and
    /// [`Reason::TokenMalformed`] for a `Bearer` without one token68 (RFC 6750 section 2.1).
    pub fn extract(request: &'r dyn Request, methods: Methods) -> Result<Self, Refusal> {
        let bearer = if methods.token {
            match request.authorization() {
                Field::Absent => None,
                Field::One(value) => bearer(value)?,
                Field::Several => return Err(Reason::CredentialConflict.into()),
            }
        } else {
            None
        };
        Ok(Self { bearer, request, peer: OnceCell::new() })
    }

    /// The token of `Authorization: Bearer`.
    pub const fn bearer(&self) -> Option<&'r [u8]> {
        self.bearer
    }

    /// The connection's certificate, asked for where it matters, and once: Nginx asks OpenSSL.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.get_or_init(|| self.request.peer()).as_ref()
    }

    /// Whether anything of what `methods` names was presented.
    pub(crate) fn is_any(&self, methods: Methods) -> bool {
        self.bearer.is_some() || (methods.certificate && self.peer().is_some())
    }

    /// Where it came from, for the limit on failures.
    pub(crate) fn address(&self) -> &'r [u8] {
        self.request.address()
    }
}

/// The token of an `Authorization` value; another scheme is no token.
fn bearer(value: &[u8]) -> Result<Option<&[u8]>, Reason> {
    let value = value.trim_ascii();
    // The scheme is a token of RFC 9110 section 5.6.2.
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let scheme_end = value.iter().position(|byte| !is_tchar(byte)).unwrap_or(value.len());
    let Some((scheme, rest)) = value.split_at_checked(scheme_end) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Ok(None);
    }
    // After a tab or a comma, a lenient reader upstream would see a token that we did not.
    if rest.first().is_some_and(|byte| *byte != b' ') {
        return Err(Reason::TokenMalformed);
    }
    let token = rest.trim_ascii_start();
    // In bytes, and without a way out at the first: so the compiler takes 16 at a time.
    let others = token.iter().fold(0, |any, byte| any | u8::from(!is_token68(*byte)));
    if token.is_empty() || others != 0 {
        return Err(Reason::TokenMalformed);
    }
    Ok(Some(token))
}

/// A byte of the token68 of RFC 9110 section 11.2; a comma or a space would mean a second
/// credential.
const fn is_token68(byte: u8) -> bool {
    // `+`, `-`, `.`, `/` and the digits are neighbours, but for the comma among them.
    byte.is_ascii_alphabetic()
        | (matches!(byte, b'+'..=b'9') & (byte != b','))
        | matches!(byte, b'=')
        | matches!(byte, b'_')
        | matches!(byte, b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_or_foreign_authorization_is_no_token() {
        for value in
            [&b""[..], b"B", b"Beare", b"Basic dTpw", b"BearerX a", b"Token x", b"\0", b"\xff"]
        {
            assert_eq!(bearer(value), Ok(None), "{value:?}");
        }
    }

    #[test]
    fn the_scheme_folds_case_and_may_be_followed_by_several_spaces() {
        for value in [&b"Bearer a.b.c"[..], b"bearer a.b.c", b"BEARER   a.b.c "] {
            assert_eq!(bearer(value), Ok(Some(&b"a.b.c"[..])));
        }
    }

    #[test]
    fn a_bearer_without_one_token_is_malformed() {
        for value in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer a b",
            b"Bearer a,b",
            b"Bearer a\x00",
            b"Bearer\ta.b.c",
            b"Bearer,a.b.c",
            b"Bearer=a.b.c",
            b"Bearer \xff",
        ] {
            assert_eq!(bearer(value), Err(Reason::TokenMalformed), "{value:?}");
        }
    }

    #[test]
    fn a_token_is_of_letters_digits_and_seven_marks() {
        for byte in 0..=u8::MAX {
            let is = byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
            assert_eq!(is_token68(byte), is, "{byte:#x}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(value in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = bearer(&value);
        }
    }
}
