//! A request as the shell shows it.

use core::net::IpAddr;
use std::rc::Rc;

use super::{Target, Upstream};
use crate::peer::x509::{CertificateError, ChainVerdict, PeerCertificate};

/// The shell's answers about a connection: a stream has no more. Each answer is computed when it is
/// asked for.
pub trait Connection {
    /// The certificate that the peer presented on this connection, parsed once per connection.
    fn peer(&self) -> Option<Peer>;

    /// The client's address as limits see it: 4 bytes, or the first 8 of an IPv6 address (its
    /// network: one host has all of a /64); empty on a Unix socket.
    fn address(&self) -> &[u8];

    /// The client's address as rules see it; `None` on a Unix socket.
    fn ip(&self) -> Option<IpAddr>;

    /// The value of the variable with that index, for `mesh_limit key=$variable`.
    fn variable(&self, index: usize) -> Option<&[u8]>;
}

/// The shell's answers about one request on a connection.
pub trait Request: Connection {
    /// The `Authorization` fields.
    fn authorization(&self) -> Field<'_>;

    /// The fields of another name, which is given in lower case, and of those that
    /// [fold to it](crate::text::reserved::folds_to).
    fn field(&self, name: &str) -> Field<'_>;

    /// The method, as it was sent.
    fn method(&self) -> &[u8];

    /// Where it was sent, before anything was rewritten.
    fn target(&self) -> Target<'_>;

    /// What of it goes upstream.
    fn upstream(&self) -> Upstream<'_>;
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
    #[inline]
    pub fn of(value: &[u8]) -> Option<(Self, &[u8])> {
        // Nearly all come so: what is looked at below is found by one comparison.
        match value.split_first_chunk() {
            Some((b"Bearer", rest @ [b' ', .., last])) if !last.is_ascii_whitespace() => {
                Some((Self::Bearer, rest))
            }
            _ => Self::of_any(value),
        }
    }

    #[inline(never)]
    fn of_any(value: &[u8]) -> Option<(Self, &[u8])> {
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
