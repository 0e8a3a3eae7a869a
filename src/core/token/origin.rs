//! Whose a token is, and the rules that the form of its issuer adds to those of RFC 7519.
//!
//! What is read here before the signature is verified chooses a key set and nothing else.

use serde_json::Value;

use crate::issuer::{Form, Issuer, TENANT};
use crate::jws::{CompactJws, JwsError};
use crate::refusal::Reason;
use crate::spiffe::SpiffeId;
use crate::trust::Trust;

/// A token with the issuer that it says it is of.
pub(super) struct Origin<'t> {
    pub(super) jws: CompactJws<'t>,
    /// The claims, unverified; for a load balancer's token with what stands in its header.
    pub(super) claims: Value,
    /// The issuer's index in [`Trust`].
    pub(super) index: usize,
}

impl<'t> Origin<'t> {
    /// Takes a token apart and finds its issuer.
    pub(super) fn of(token: &'t [u8], trust: &Trust) -> Result<Self, Reason> {
        let (jws, is_padded) = match CompactJws::parse(token) {
            // Load balancers write base64url with padding, which nobody else may.
            Err(JwsError::Malformed) if trust.load_balancers().next().is_some() => {
                (CompactJws::parse_padded(token)?, true)
            }
            strict => (strict?, false),
        };
        let mut claims = crate::json::parse(jws.unverified_payload())?;
        if let Some(signer) = jws.member("signer").and_then(Value::as_str)
            && let Some(index) = load_balancer(&jws, &claims, signer, trust)?
        {
            take_from_header(&jws, &mut claims)?;
            return Ok(Self { jws, claims, index });
        }
        if is_padded {
            return Err(Reason::TokenMalformed);
        }
        let index = match claims.get("iss") {
            Some(url) => url.as_str().and_then(|url| trust.find(url)),
            // A JWT-SVID says by its subject alone whose it is.
            None => spiffe_id(&claims).and_then(|id| trust.find_trust_domain(id.trust_domain())),
        };
        Ok(Self { jws, claims, index: index.ok_or(Reason::IssuerRefused)? })
    }

    /// Checks what the form of the issuer asks for, and that the key which has verified the
    /// signature is one for this `iss`, where the key says for which it is.
    pub(super) fn check(&self, issuer: &Issuer, key_issuer: Option<&str>) -> Result<(), Reason> {
        let text = |name: &str| self.claims.get(name).and_then(Value::as_str);
        match &issuer.form {
            Form::LoadBalancer(_) | Form::Plain => {}
            Form::Spiffe(domain) => {
                // JWT-SVID section 3.1: `sub` is the SPIFFE ID of the workload.
                let id = spiffe_id(&self.claims).filter(|id| !id.path().is_empty());
                if !id.is_some_and(|id| domain.contains(&id)) {
                    return Err(Reason::SpiffeIdRefused);
                }
                // Section 2.3.
                if !matches!(self.jws.typ(), None | Some("JWT" | "JOSE")) {
                    return Err(Reason::TypeRefused);
                }
            }
            Form::Tenants(tenants) => {
                let tenant = text("tid").filter(|tid| tenants.iter().any(|it| **it == **tid));
                let url = tenant.map(|tenant| issuer.url.replace(TENANT, tenant));
                if url.is_none() || url.as_deref() != text("iss") {
                    return Err(Reason::IssuerRefused);
                }
            }
        }
        match key_issuer {
            Some(key_issuer) if !is_for(key_issuer, text("iss"), text("tid")) => {
                Err(Reason::IssuerRefused)
            }
            _ => Ok(()),
        }
    }
}

/// The load balancer that a token with `signer` in its header is of; none where no load balancer
/// passes on what that `iss` says, and so the token is somebody else's.
fn load_balancer(
    jws: &CompactJws<'_>,
    claims: &Value,
    signer: &str,
    trust: &Trust,
) -> Result<Option<usize>, Reason> {
    let url = claims.get("iss").or_else(|| jws.member("iss")).and_then(Value::as_str);
    let passing = |(_, issuer): &(usize, &Issuer)| Some(&*issuer.url) == url;
    let mut balancers = trust.load_balancers().filter(passing).peekable();
    if balancers.peek().is_none() {
        return Ok(None);
    }
    let signs = |(_, issuer): &(usize, &Issuer)| match &issuer.form {
        Form::LoadBalancer(signers) => signers.iter().any(|it| **it == *signer),
        Form::Plain | Form::Spiffe(_) | Form::Tenants(_) => false,
    };
    let (index, _) = balancers.find(signs).ok_or(Reason::SignerRefused)?;
    Ok(Some(index))
}

/// A load balancer puts `iss`, `exp` and the client that it has authenticated into the header, and
/// no `aud` anywhere: the client is the audience. What is said twice must be the same.
fn take_from_header(jws: &CompactJws<'_>, claims: &mut Value) -> Result<(), Reason> {
    let claims = claims.as_object_mut().ok_or(Reason::TokenMalformed)?;
    for name in ["iss", "exp"] {
        match (jws.member(name), claims.get(name)) {
            (Some(said), Some(again)) if said != again => return Err(Reason::ClaimMalformed),
            (Some(said), None) => {
                claims.insert(name.to_owned(), said.clone());
            }
            _ => {}
        }
    }
    match jws.member("client") {
        Some(client) => claims.insert("aud".to_owned(), client.clone()),
        None => claims.remove("aud"),
    };
    Ok(())
}

fn spiffe_id(claims: &Value) -> Option<SpiffeId> {
    SpiffeId::parse(claims.get("sub")?.as_str()?).ok()
}

/// Whether a key that says for which issuer it is may verify a token with that `iss` and `tid`.
///
/// Entra ID publishes keys of all tenants together, and says by the key's `issuer` whether one is for
/// all, by [`TENANT`], or for one. It says so in the terms of version 2, also of the keys that sign
/// tokens of version 1.
fn is_for(key_issuer: &str, url: Option<&str>, tenant: Option<&str>) -> bool {
    let Some(url) = url else { return false };
    let Some(tenant) = tenant else { return key_issuer == url };
    let key_issuer = key_issuer.replace(TENANT, tenant);
    let is_version_1 = url == format!("https://sts.windows.net/{tenant}/");
    key_issuer == url
        || is_version_1 && key_issuer == format!("https://login.microsoftonline.com/{tenant}/v2.0")
}
