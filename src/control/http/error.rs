//! Why a fetch failed.

use core::fmt;
use std::io;

use http::StatusCode;

use super::fault::TlsFault;
use crate::file::ReadError;

/// Why a fetch failed.
///
/// The text never holds bytes of a server, and stays the same while the cause does, but for a
/// status; the caller that logs it says what was fetched.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FetchError {
    /// No authorities to judge the server by.
    Authorities(String),
    /// No address of the host takes a connection.
    Connect(io::ErrorKind),
    /// The answer is encoded, though nothing asked for it.
    Encoding,
    /// The answer ended before its end.
    Incomplete,
    /// The answer is not HTTP/1, or its head is too large.
    Malformed,
    /// The answer sends elsewhere.
    Redirect(StatusCode),
    /// The request cannot be written: a header would hold bytes that no header may.
    Request,
    /// The host's name leads to no address.
    Resolve,
    /// The server refuses.
    Status(StatusCode),
    /// It took too long.
    Timeout(Stage),
    /// The handshake failed, or the certificate is not trusted.
    Tls(TlsFault),
    /// The answer has more than this many bytes.
    TooLarge(usize),
}

impl FetchError {
    /// One short word that never changes, for the log and the metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Authorities(_) => "authorities",
            Self::Connect(_) => "connect",
            Self::Encoding => "encoding",
            Self::Incomplete => "incomplete",
            Self::Malformed => "malformed",
            Self::Redirect(_) => "redirect",
            Self::Request => "request",
            Self::Resolve => "resolve",
            Self::Status(_) => "status",
            Self::Timeout(_) => "timeout",
            Self::Tls(_) => "tls",
            Self::TooLarge(_) => "too_large",
        }
    }

    /// The fault that the connection reports once it is made.
    pub(super) fn of_answer(error: &hyper::Error) -> Self {
        if let Some(fault) = TlsFault::within(error) {
            return Self::Tls(fault);
        }
        if error.is_parse() {
            return Self::Malformed;
        }
        if error.is_user() {
            return Self::Request;
        }
        Self::Incomplete
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorities(why) => f.write_str(why),
            Self::Connect(kind) => write!(f, "cannot connect: {kind}"),
            Self::Encoding => f.write_str("the answer has a Content-Encoding, none was asked for"),
            Self::Incomplete => f.write_str("the connection ended before the answer did"),
            Self::Malformed => f.write_str("the answer is not HTTP/1, or its head is too large"),
            Self::Redirect(status) => {
                write!(f, "the answer is a redirect ({}), which is not followed", status.as_u16())
            }
            Self::Request => f.write_str("the request holds bytes that no header may"),
            Self::Resolve => f.write_str("the name of the host leads to no address"),
            Self::Status(status) => write!(f, "the server answers {}", status.as_u16()),
            Self::Timeout(stage) => write!(f, "timed out {stage}"),
            Self::Tls(fault) => write!(f, "{fault}"),
            Self::TooLarge(max) => write!(f, "the answer is larger than {max} bytes"),
        }
    }
}

impl core::error::Error for FetchError {}

/// The stage that a fetch was waiting for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// The rest of the answer.
    Answer,
    /// A connection.
    Connect,
    /// The address.
    Resolve,
    /// The TLS handshake.
    Tls,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answer => "waiting for the answer",
            Self::Connect => "connecting",
            Self::Resolve => "resolving the name of the host",
            Self::Tls => "in the TLS handshake",
        })
    }
}

impl From<ReadError> for FetchError {
    fn from(error: ReadError) -> Self {
        Self::Authorities(format!("cannot use the trusted certificates: {error}"))
    }
}
