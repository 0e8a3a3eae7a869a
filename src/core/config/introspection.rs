//! The lines of a `mesh_issuer` block about introspection.

use core::time::Duration;
use std::path::PathBuf;

use super::{ConfigError, RawIssuer};
use crate::issuer::{Client, ClientProof, Introspection, SecretMethod};
use crate::key::algorithm::Algorithm;
use crate::text::endpoint::Endpoint;

/// The directives of a `mesh_issuer` block that begin with `introspection`, as typed.
#[derive(Debug, Default)]
pub struct RawIntrospection {
    /// `introspection`: whom to ask, and whether about signed tokens too.
    pub endpoint: Option<(Endpoint, bool)>,
    /// `introspection_client`
    pub client: Option<RawClient>,
    /// `introspection_cache`
    pub cache: Option<Duration>,
    /// `introspection_negative`
    pub negative: Option<Duration>,
    /// `introspection_timeout`
    pub timeout: Option<Duration>,
    /// `introspection_signed`
    pub signed: Option<bool>,
    /// `introspection_audience`: whether an answer needs one.
    pub needs_audience: Option<bool>,
}

/// `introspection_client`, as typed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RawClient {
    /// The client's name.
    pub id: Box<str>,
    /// `secret=`
    pub secret: Option<PathBuf>,
    /// `key=`
    pub key: Option<PathBuf>,
    /// `algorithm=`
    pub algorithm: Option<Algorithm>,
    /// `method=`
    pub method: Option<SecretMethod>,
}

impl RawIntrospection {
    /// Whether the issuer is asked about tokens.
    pub(super) const fn is_meant(&self) -> bool {
        self.endpoint.is_some()
    }

    /// Whether keys verify neither tokens nor answers, unless some are named.
    pub(super) fn needs_no_keys(&self) -> bool {
        self.is_meant() && self.signed != Some(true)
    }
}

impl RawIssuer {
    /// How the issuer is asked about tokens; `None` if it is not.
    pub(super) fn introspection(&self) -> Result<Option<Introspection>, ConfigError> {
        let raw = &self.introspection;
        let refused = |what: &str| {
            let name = &self.name;
            Err(ConfigError::at(&self.place, format!("mesh_issuer \"{name}\" {what}")))
        };
        let Some((endpoint, always)) = raw.endpoint.clone() else {
            let set = [
                ("introspection_client", raw.client.is_some()),
                ("introspection_cache", raw.cache.is_some()),
                ("introspection_negative", raw.negative.is_some()),
                ("introspection_timeout", raw.timeout.is_some()),
                ("introspection_signed", raw.signed.is_some()),
                ("introspection_audience", raw.needs_audience.is_some()),
            ];
            return match set.iter().find(|(_, is_set)| *is_set) {
                Some((word, _)) => refused(&format!("has \"{word}\" without \"introspection\"")),
                None => Ok(None),
            };
        };
        if self.tenants.is_some() || self.alb.is_some() || self.trust_domain.is_some() {
            return refused("has \"introspection\", which is for an issuer with one URL");
        }
        let Some(client) = &raw.client else {
            return refused("has \"introspection\" without \"introspection_client\"");
        };
        let proof = match (&client.secret, &client.key) {
            (Some(secret), None) if client.algorithm.is_none() => {
                ClientProof::Secret(secret.clone(), client.method.unwrap_or_default())
            }
            (None, Some(key)) if client.method.is_none() => {
                ClientProof::Key(key.clone(), client.algorithm)
            }
            _ => {
                return refused(
                    "needs either secret= or key= in \"introspection_client\", method= with secret= \
                     alone, and algorithm= with key= alone",
                );
            }
        };
        Ok(Some(Introspection {
            endpoint,
            client: Client { id: client.id.clone(), proof },
            always,
            cache: raw.cache.unwrap_or(Duration::from_secs(60)),
            negative: raw.negative.unwrap_or(Duration::from_secs(10)),
            timeout: raw.timeout.unwrap_or(Duration::from_secs(5)),
            signed: raw.signed.unwrap_or(false),
            needs_audience: raw.needs_audience.unwrap_or(true),
            trusted_certificate: self.trusted_certificate.clone(),
        }))
    }
}
