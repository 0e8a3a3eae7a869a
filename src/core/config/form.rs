//! The kind of issuer that a block describes, from the lines that say so.

use super::{ConfigError, RawIssuer};
use crate::issuer::{Form, TENANT};
use crate::text::json::Pointer;

impl RawIssuer {
    /// The claim that names the audience in tokens without `aud`.
    pub(super) fn audience_claim(&self) -> Result<Option<Pointer>, ConfigError> {
        let Some(claim) = &self.audience_claim else { return Ok(None) };
        let name = &self.name;
        let refused = |why: &str| {
            let message = format!("mesh_issuer \"{name}\" cannot have \"audience_claim\": {why}");
            Err(ConfigError::at(&self.place, message))
        };
        if self.alb.is_some() {
            return refused("the client is the audience of a load balancer's token");
        }
        if self.trust_domain.is_some() {
            return refused("a JWT-SVID always has \"aud\"");
        }
        Ok(Some(claim.clone()))
    }

    /// The issuer's URL and the form of its tokens, which depend on each other.
    pub(super) fn form(&self) -> Result<(Box<str>, Form), ConfigError> {
        let refused = |what: &str| {
            let name = &self.name;
            ConfigError::at(&self.place, format!("mesh_issuer \"{name}\" {what}"))
        };
        let kinds = [
            ("alb", self.alb.is_some()),
            ("spiffe_trust_domain", self.trust_domain.is_some()),
            ("tenants", self.tenants.is_some()),
        ];
        let mut kinds = kinds.iter().filter(|(_, is_set)| *is_set);
        if let (Some((one, _)), Some((other, _))) = (kinds.next(), kinds.next()) {
            return Err(refused(&format!("has both \"{one}\" and \"{other}\"")));
        }
        // These keys sign for the load balancers of all customers, whatever those have them say.
        if self.alb_keys.is_some() && self.alb.is_none() {
            return Err(refused("has \"alb_keys\" without \"alb\""));
        }
        if let Some(domain) = &self.trust_domain {
            // A trust domain without a URL has its own SPIFFE ID as its URL.
            let url = self.url.clone().unwrap_or_else(|| format!("spiffe://{domain}").into());
            return match url.contains(TENANT) {
                true => {
                    Err(refused(&format!("has \"{TENANT}\" in its issuer, and no \"tenants\"")))
                }
                false => Ok((url, Form::Spiffe(domain.clone()))),
            };
        }
        let url = self.url.clone().ok_or_else(|| refused("has no \"issuer\""))?;
        let is_template = url.contains(TENANT);
        let form = match (&self.tenants, &self.alb) {
            (Some(tenants), _) if is_template => Form::Tenants(tenants.as_slice().into()),
            (Some(_), _) => {
                return Err(refused(&format!(
                    "has \"tenants\", and no \"{TENANT}\" in its issuer"
                )));
            }
            (None, _) if is_template => {
                return Err(refused(&format!(
                    "has \"{TENANT}\" in its issuer, and no \"tenants\""
                )));
            }
            (None, Some(_)) if self.jwks.is_none() && self.alb_keys.is_none() => {
                return Err(refused(
                    "has \"alb\", and no \"alb_keys\" or \"jwks\" with the keys of load balancers",
                ));
            }
            (None, Some(signers)) => Form::LoadBalancer(signers.as_slice().into()),
            (None, None) => Form::Plain,
        };
        Ok((url, form))
    }
}
