//! How an issuer is asked about a token that only it can read (RFC 7662).

use core::fmt;
use core::time::Duration;
use std::path::PathBuf;

use crate::key::algorithm::Algorithm;
use crate::text::endpoint::Endpoint;

/// How an issuer is asked about a token that only it can read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Introspection {
    /// The URL to ask.
    pub endpoint: Endpoint,
    /// The client that asks.
    pub client: Client,
    /// Whether it is asked about its signed tokens too.
    pub always: bool,
    /// How long an answer is cached at most if the token is active.
    pub cache: Duration,
    /// How long an answer is cached if the token is refused.
    pub negative: Duration,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// Whether answers are signed (RFC 9701).
    pub signed: bool,
    /// Whether an answer must have `aud`.
    pub needs_audience: bool,
    /// The file of the authorities that the server's certificate must come from; `None` means those
    /// of the system.
    pub trusted_certificate: Option<PathBuf>,
}

/// The client that asks, as the issuer knows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Client {
    /// The client's name at the issuer.
    pub id: Box<str>,
    /// How it proves that.
    pub proof: ClientProof,
}

/// How a client proves who it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientProof {
    /// `private_key_jwt` (RFC 7523 section 2.2): the file of a private key, and the algorithm if it
    /// is not the one that the key is for.
    Key(PathBuf, Option<Algorithm>),
    /// The file of a secret (RFC 6749 section 2.3.1), and how it is sent.
    Secret(PathBuf, SecretMethod),
}

/// How a client sends its secret.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SecretMethod {
    /// `client_secret_basic`: in the `Authorization` field.
    #[default]
    Basic,
    /// `client_secret_post`: in the form, for servers that take it nowhere else.
    Post,
}

impl ClientProof {
    /// The file that holds it.
    pub const fn file(&self) -> &PathBuf {
        match self {
            Self::Key(file, _) | Self::Secret(file, _) => file,
        }
    }
}

/// A token, and the issuer to ask about it: the key that an answer is remembered under.
#[derive(Clone, Eq, PartialEq)]
pub struct Question {
    /// The issuer's index in [`Trust`](crate::issuer::trust::Trust).
    pub issuer: usize,
    /// The token.
    pub token: Box<[u8]>,
}

/// Shows no credential.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
