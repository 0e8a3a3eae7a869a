//! Where the keys of an issuer come from, by what its block says.

use core::time::Duration;

use super::ConfigError;
use super::raw::{RawIssuer, RawJwks};
use crate::issuer::{Entry, KeySource, Remote, TENANT};
use crate::text::endpoint::{Endpoint, EndpointError};

impl RawIssuer {
    /// Where the keys come from: without `jwks`, from where the discovery document says.
    pub(super) fn key_source(&self) -> Result<KeySource, ConfigError> {
        let refused = |what: &str| {
            let name = &self.name;
            ConfigError::at(&self.place, format!("mesh_issuer \"{name}\" {what}"))
        };
        let lines = self.about_keys();
        let mut lines = lines.iter().filter(|(_, is_set)| *is_set).map(|(word, _)| *word);
        if let Some(RawJwks::File(file)) = &self.jwks {
            if let Some(word) = lines.find(|word| *word != "algorithms") {
                let message =
                    format!("has a file for its \"jwks\", to which \"{word}\" does not apply");
                return Err(refused(&message));
            }
            return Ok(KeySource::File(file.clone()));
        }
        if self.jwks.is_none()
            && self.discovery.is_none()
            && self.alb_keys.is_none()
            && self.introspection.needs_no_keys()
        {
            if let Some(word) = lines.next() {
                let message = format!("fetches no keys, so \"{word}\" does not apply");
                return Err(refused(&message));
            }
            return Ok(KeySource::None);
        }
        let entry = match (&self.jwks, &self.discovery, &self.alb_keys) {
            (Some(RawJwks::Server(url)), None, None) => Entry::Jwks(url.clone()),
            (None, Some(url), None) => Entry::Discovery(url.clone()),
            (None, None, Some(url)) => Entry::AlbKeys(url.clone()),
            // The document at the template's own URL belongs to no tenant.
            (Some(RawJwks::File(_)) | None, None, None) if self.tenants.is_some() => {
                return Err(refused(&format!(
                    "has \"{TENANT}\" in its issuer, and no \"discovery\" or \"jwks\" to ask for \
                     its keys"
                )));
            }
            (Some(RawJwks::File(_)) | None, None, None) => {
                Entry::Discovery(self.well_known().map_err(|error| {
                    refused(&format!("has no \"jwks\", and its issuer {error}: it cannot be asked"))
                })?)
            }
            (Some(_), Some(_), _) => return Err(refused("has both \"jwks\" and \"discovery\"")),
            (Some(_), None, Some(_)) => return Err(refused("has both \"jwks\" and \"alb_keys\"")),
            (None, Some(_), Some(_)) => {
                return Err(refused("has both \"discovery\" and \"alb_keys\""));
            }
        };
        let refresh = self.refresh.unwrap_or(Duration::from_secs(300));
        let min_refresh = self.min_refresh.unwrap_or(Duration::from_secs(10));
        let max_stale = self.max_stale.unwrap_or(Duration::from_secs(86_400));
        if min_refresh > refresh {
            return Err(refused("has a \"min_refresh\" over its \"refresh\""));
        }
        if refresh > max_stale {
            return Err(refused("has a \"refresh\" over its \"max_stale\""));
        }
        if self.jwks_bearer.is_some() {
            if self.alb_keys.is_some() {
                return Err(refused("has \"alb_keys\", to which \"jwks_bearer\" does not apply"));
            }
            if !entry.url().is_secure() {
                return Err(refused("has a \"jwks_bearer\", which is sent only over https"));
            }
        }
        let trusted_certificate = self.trusted_certificate.clone();
        Ok(KeySource::Remote(Remote {
            entry,
            refresh,
            min_refresh,
            max_stale,
            trusted_certificate,
            bearer: self.jwks_bearer.clone(),
        }))
    }

    /// The lines that are about keys beside `jwks`, and whether each is set.
    fn about_keys(&self) -> [(&'static str, bool); 8] {
        // All fields: a line that is added does not compile before it is told what it is about.
        let Self {
            discovery,
            alb_keys,
            refresh,
            min_refresh,
            max_stale,
            jwks_bearer,
            trusted_certificate,
            algorithms,
            introspection,
            name: _,
            place: _,
            url: _,
            audiences: _,
            audience_claim: _,
            jwks: _,
            leeway: _,
            max_lifetime: _,
            token_type: _,
            service_claim: _,
            service_arn: _,
            tenants: _,
            alb: _,
            trust_domain: _,
            groups_claim: _,
        } = self;
        [
            ("discovery", discovery.is_some()),
            ("alb_keys", alb_keys.is_some()),
            ("refresh", refresh.is_some()),
            ("min_refresh", min_refresh.is_some()),
            ("max_stale", max_stale.is_some()),
            ("jwks_bearer", jwks_bearer.is_some()),
            // The issuer may be asked about tokens under it as well.
            ("trusted_certificate", trusted_certificate.is_some() && !introspection.is_meant()),
            ("algorithms", algorithms.is_some()),
        ]
    }

    /// OpenID Connect Discovery 1.0 section 4: the path is appended to the issuer's, whose slash at
    /// the end is left out.
    fn well_known(&self) -> Result<Endpoint, EndpointError> {
        let issuer = self.url.as_deref().unwrap_or_default();
        issuer.parse::<Endpoint>()?;
        if issuer.contains('?') {
            return Err(EndpointError::Malformed);
        }
        let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
        format!("{issuer}/.well-known/openid-configuration").parse()
    }
}
