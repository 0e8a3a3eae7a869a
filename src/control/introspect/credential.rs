//! The authentication of a client: by a secret or by a private key, from a file that may change.

use core::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mesh_core::issuer::{Client, ClientProof, SecretMethod};
use mesh_core::key::algorithm::{Algorithm, Named};
use mesh_core::key::private::{KeyError, PrivateKey};
use mesh_core::key::sign::Signer;
use mesh_core::text::time::UnixTime;
use serde_json::{Map, json};
use tokio::time::Instant;

use super::{add_field, escape};
use crate::file::{Seen, read_capped};

/// Bytes that the file of a credential may have.
pub const MOST_CREDENTIAL: u64 = 64 * 1024;

/// The credential of a client; it is never shown.
pub struct Credential {
    id: Box<str>,
    kind: Kind,
}

enum Kind {
    /// The value of an `Authorization` field.
    Basic(Box<str>),
    Key(Signer),
    /// A secret for the form.
    Post(Box<[u8]>),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Credential {
    /// Reads the contents of a client's file: a secret, without one line end behind it, or a
    /// private key in PEM or as a JWK.
    ///
    /// # Errors
    ///
    /// [`CredentialError`]; it quotes nothing.
    pub fn read(client: &Client, contents: &[u8]) -> Result<Self, CredentialError> {
        let kind = match &client.proof {
            ClientProof::Key(_, algorithm) => Kind::Key(signer(contents, *algorithm)?),
            ClientProof::Secret(_, SecretMethod::Basic) => {
                Kind::Basic(basic(&client.id, secret(contents)?))
            }
            ClientProof::Secret(_, SecretMethod::Post) => Kind::Post(secret(contents)?.into()),
        };
        Ok(Self { id: client.id.clone(), kind })
    }

    /// Adds the client's credential to the form, or returns it as the `Authorization`.
    pub(super) fn prove(
        &self,
        form: &mut String,
        issuer: &str,
        now: UnixTime,
    ) -> Result<Option<Box<str>>, String> {
        let signer = match &self.kind {
            Kind::Basic(authorization) => return Ok(Some(authorization.clone())),
            Kind::Key(signer) => signer,
            Kind::Post(secret) => {
                add_field(form, "client_id", self.id.as_bytes());
                add_field(form, "client_secret", secret);
                return Ok(None);
            }
        };
        let mut id = [0; 16];
        rand::fill(&mut id).map_err(|_| "no random bytes are available".to_owned())?;
        // RFC 7523 section 3. The issuer alone is the audience: no other server may use it.
        let claims = json!({
            "iss": self.id,
            "sub": self.id,
            "aud": issuer,
            "jti": URL_SAFE_NO_PAD.encode(id),
            "iat": now.secs(),
            "exp": now.saturating_add(LIFETIME).secs(),
        });
        let assertion =
            signer.sign(&claims).map_err(|_| "the client's key does not sign".to_owned())?;
        add_field(form, "client_id", self.id.as_bytes());
        add_field(form, "client_assertion_type", ASSERTION_TYPE);
        add_field(form, "client_assertion", assertion.as_bytes());
        Ok(None)
    }
}

const ASSERTION_TYPE: &[u8] = b"urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Seconds until an assertion expires; each request gets a new one.
const LIFETIME: i64 = 60;

/// The signer of the assertions of a client by its private key; `wanted` is the algorithm to sign with,
/// if it is neither the JWK's nor the first that the key is for.
fn signer(contents: &[u8], wanted: Option<Algorithm>) -> Result<Signer, CredentialError> {
    let key = PrivateKey::read(contents)?;
    let named = key.named().map(Named::algorithm);
    // A key that names its use is for nothing else.
    if named.is_some_and(|named| wanted.is_some_and(|wanted| wanted != named)) {
        return Err(CredentialError::Algorithm);
    }
    // A client signs with neither P-521 nor secp256k1, as the error says.
    let own = key.algorithm().algorithm();
    if matches!(own, Algorithm::Es256k | Algorithm::Es512) {
        return Err(CredentialError::Key);
    }
    let mut header = Map::new();
    header.insert("typ".to_owned(), "JWT".into());
    if let Some(kid) = key.kid() {
        header.insert("kid".to_owned(), kid.into());
    }
    Ok(Signer::new(key, wanted.unwrap_or(own), header)?)
}

/// The secret in a file, without one line end behind it.
fn secret(contents: &[u8]) -> Result<&[u8], CredentialError> {
    let secret = contents.strip_suffix(b"\n").unwrap_or(contents);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    if secret.is_empty() {
        return Err(CredentialError::Empty);
    }
    // A file of more than one line is not the one that was meant.
    if secret.iter().any(u8::is_ascii_control) {
        return Err(CredentialError::Control);
    }
    Ok(secret)
}

/// The `Authorization` of RFC 6749 section 2.3.1: both parts are escaped as in a form.
fn basic(id: &str, secret: &[u8]) -> Box<str> {
    let pair = format!("{}:{}", escape(id.as_bytes()), escape(secret));
    format!("Basic {}", STANDARD.encode(pair)).into()
}

/// Why a file is no credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CredentialError {
    /// The key does not sign with the algorithm that was named.
    Algorithm,
    /// A secret with control characters, a line end among them.
    Control,
    /// A secret without a character.
    Empty,
    /// No private key that can be used.
    Key,
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => "the key does not fit the algorithm",
            Self::Control => "the secret holds control characters or several lines",
            Self::Empty => "the secret is empty",
            Self::Key => {
                "no private key: expected RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519, as \
                 PEM or JWK, not encrypted"
            }
        })
    }
}

impl core::error::Error for CredentialError {}

impl From<KeyError> for CredentialError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Member { name: "alg", .. } | KeyError::Unsuitable { .. } => Self::Algorithm,
            _ => Self::Key,
        }
    }
}

/// The file of a credential: the last good one stays in use until a better one is there.
pub(super) struct CredentialFile {
    client: Client,
    file: PathBuf,
    good: Option<Arc<Credential>>,
    /// The file whose contents were judged last.
    seen: Option<Seen>,
    looked: Option<Instant>,
}

impl CredentialFile {
    pub(super) fn new(client: &Client, primed: Option<Arc<Credential>>) -> Self {
        let file = client.proof.file().clone();
        Self { client: client.clone(), file, good: primed, seen: None, looked: None }
    }

    /// The credential, read again if the file has changed; looked for once in a while.
    pub(super) fn current(&mut self) -> Result<Arc<Credential>, String> {
        let now = Instant::now();
        let mut fault = None;
        if self.looked.is_none_or(|looked| now.duration_since(looked) >= INTERVAL) {
            self.looked = Some(now);
            fault = self.look().err();
        }
        match (&self.good, fault) {
            (Some(good), _) => Ok(Arc::clone(good)),
            (None, fault) => {
                // Without a credential the file is looked at each time.
                self.looked = None;
                Err(fault.unwrap_or_else(|| "no client credential".to_owned()))
            }
        }
    }

    fn look(&mut self) -> Result<(), String> {
        if self.seen.as_ref().is_some_and(Seen::is_current) {
            return Ok(());
        }
        let within = |why: &dyn fmt::Display| format!("client credential: {why}");
        let (contents, stamp) =
            read_capped(&self.file, MOST_CREDENTIAL).map_err(|error| within(&error))?;
        self.seen = Some(Seen::after(&self.file, stamp));
        let read = Credential::read(&self.client, &contents).map_err(|error| within(&error))?;
        self.good = Some(Arc::new(read));
        Ok(())
    }
}

/// The time between two looks at the file.
const INTERVAL: core::time::Duration = core::time::Duration::from_secs(1);

#[cfg(test)]
mod tests;
