//! An issuer whose keys are fetched.

use std::sync::Arc;

use mesh_core::issuer::{Form, Issuer, KeySource, Remote};
use mesh_core::key::algorithm::KeyAlgorithms;
use mesh_core::key::jwks::{JwksError, KeySet};

use super::document::parsed;
use crate::document::Parsed;

/// An issuer whose keys come from a server.
#[derive(Clone, Debug)]
pub struct RemoteIssuer {
    /// Its place in [`mesh_core::issuer::trust::Trust`], and its number in [`Shared`](crate::Shared).
    pub index: usize,
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The issuer that its discovery document must name, byte by byte.
    pub url: Arc<str>,
    /// The form of its tokens, and so the keys that its key set may hold.
    pub form: Form,
    /// The algorithms that its keys may verify.
    pub algorithms: KeyAlgorithms,
    /// Where the keys are, and how often they are asked for.
    pub remote: Arc<Remote>,
}

impl RemoteIssuer {
    /// The issuer at that place; `None` if its keys are in a file.
    #[must_use]
    pub fn of(index: usize, issuer: &Issuer) -> Option<Self> {
        match &issuer.keys {
            KeySource::File(_) | KeySource::None => None,
            KeySource::Remote(remote) => Some(Self {
                index,
                name: (&*issuer.name).into(),
                url: (&*issuer.url).into(),
                form: issuer.form.clone(),
                algorithms: issuer.algorithms,
                remote: Arc::new(remote.clone()),
            }),
        }
    }

    /// Reads the set that its keys are published in.
    pub(super) fn parse(&self, bytes: &[u8]) -> Result<Parsed<KeySet>, JwksError> {
        self.form.read_keys(bytes, self.algorithms).map(parsed)
    }
}
