//! The issuer of a token, and the rules that its form adds to those of RFC 7519.
//!
//! Values that are read before the signature is verified choose a key set and nothing else.

use crate::claims::Claims;
use crate::issuer::trust::Trust;
use crate::issuer::{Form, Issuer, TENANT};
use crate::key::jws::{CompactJws, Headers, JwsError};
use crate::peer::spiffe::SpiffeId;
use crate::refusal::{Detail, Reason, Refusal};
use crate::text::json::{Document, Item};

/// The envelope of a token, and whether it is written as only load balancers may.
pub(super) struct Envelope<'t> {
    pub(super) jws: CompactJws<'t>,
    is_padded: bool,
}

impl<'t> Envelope<'t> {
    /// Takes a token apart.
    pub(super) fn open(token: &'t [u8], trust: &Trust, known: &Headers) -> Result<Self, Reason> {
        let (jws, is_padded) = match CompactJws::parse_among(token, known) {
            // Load balancers write base64url with padding, which no other issuer may.
            Err(JwsError::Malformed) if trust.load_balancers().next().is_some() => {
                (CompactJws::parse_padded(token)?, true)
            }
            strict => (strict?, false),
        };
        Ok(Self { jws, is_padded })
    }
}

/// The claims of a token with the issuer that it names.
pub(super) struct Origin<'c> {
    /// The claims, unverified; for a load balancer's token with the claims in its header.
    pub(super) claims: Claims<'c>,
    /// The issuer's index in [`Trust`].
    pub(super) index: usize,
}

impl<'c> Origin<'c> {
    /// Finds the issuer of a token; `header` is there if it has a `signer`.
    pub(super) fn of(
        envelope: &Envelope<'_>,
        header: Option<Item<'c>>,
        mut claims: Claims<'c>,
        trust: &Trust,
    ) -> Result<Self, Refusal> {
        if let Some(header) = header
            && let Some(signer) = member(header, "signer").and_then(Item::as_str)
            && let Some(index) = load_balancer(header, &claims, signer, trust)?
        {
            take_from_header(header, &mut claims)?;
            return Ok(Self { claims, index });
        }
        if envelope.is_padded {
            return Err(Reason::TokenMalformed.into());
        }
        let index = match claims.issuer {
            Some(url) => url.as_str().and_then(|url| trust.find(url)),
            // A JWT-SVID names its issuer by its subject alone.
            None => spiffe_id(&claims).and_then(|id| trust.find_trust_domain(id.trust_domain())),
        };
        Ok(Self { claims, index: index.ok_or(Reason::IssuerRefused)? })
    }

    /// Checks what the form of the issuer asks for, and that the key which has verified the
    /// signature is one for this `iss`, if the key says for which it is.
    pub(super) fn check(
        &self,
        jws: &CompactJws<'_>,
        issuer: &Issuer,
        key_issuer: Option<&str>,
    ) -> Result<(), Refusal> {
        let text = |name: &str| self.claims.text(name);
        match &issuer.form {
            Form::LoadBalancer(_) | Form::Plain => {}
            Form::Spiffe(domain) => {
                // JWT-SVID section 3.1: `sub` is the SPIFFE ID of the workload.
                let id = spiffe_id(&self.claims).filter(|id| !id.path().is_empty());
                if !id.is_some_and(|id| domain.contains(&id)) {
                    let subject = text("sub").unwrap_or_default();
                    return Err(Reason::SpiffeIdRefused.about(Detail::named("sub", subject)));
                }
                // Section 2.3.
                if !matches!(jws.typ(), None | Some("JWT" | "JOSE")) {
                    return Err(Reason::TypeRefused.into());
                }
            }
            Form::Tenants(tenants) => {
                let tenant = text("tid").filter(|tid| tenants.iter().any(|it| **it == **tid));
                let url = tenant.map(|tenant| issuer.url.replace(TENANT, tenant));
                if url.is_none() || url.as_deref() != text("iss") {
                    return Err(Reason::IssuerRefused.into());
                }
            }
        }
        match key_issuer {
            Some(key_issuer) if !is_for(key_issuer, text("iss"), text("tid")) => {
                Err(Reason::IssuerRefused.into())
            }
            _ => Ok(()),
        }
    }
}

/// The index of the issuer that a token names, by a reading of its own.
pub(super) fn index_of(token: &[u8], trust: &Trust) -> Option<usize> {
    let envelope = Envelope::open(token, trust, &Headers::default()).ok()?;
    let payload = Document::parse(envelope.jws.unverified_payload()).ok()?;
    let header = envelope.jws.signed_by().map(Document::parse).transpose().ok()?;
    let header = header.as_ref().map(Document::root);
    Origin::of(&envelope, header, Claims::of(payload.root()), trust).ok().map(|it| it.index)
}

/// A member of a header; one that is `null` is not there.
fn member<'c>(header: Item<'c>, name: &str) -> Option<Item<'c>> {
    header.get(name).filter(|member| !member.is_null())
}

/// The load balancer that signed a token with `signer` in its header; `None` if no load balancer
/// passes on claims of that `iss`, and so the token is of another issuer.
fn load_balancer(
    header: Item<'_>,
    claims: &Claims<'_>,
    signer: &str,
    trust: &Trust,
) -> Result<Option<usize>, Refusal> {
    let url = claims.issuer.or_else(|| member(header, "iss")).and_then(Item::as_str);
    let passing = |(_, issuer): &(usize, &Issuer)| Some(&*issuer.url) == url;
    let mut balancers = trust.load_balancers().filter(passing).peekable();
    if balancers.peek().is_none() {
        return Ok(None);
    }
    let signs = |(_, issuer): &(usize, &Issuer)| match &issuer.form {
        Form::LoadBalancer(signers) => signers.iter().any(|it| **it == *signer),
        Form::Plain | Form::Spiffe(_) | Form::Tenants(_) => false,
    };
    let refused = || Reason::SignerRefused.about(Detail::named("signer", signer));
    let (index, _) = balancers.find(signs).ok_or_else(refused)?;
    Ok(Some(index))
}

/// A load balancer puts `iss`, `exp` and the client that it has authenticated into the header, and
/// no `aud` anywhere: the client is the audience. What is said twice must be the same.
fn take_from_header<'c>(header: Item<'c>, claims: &mut Claims<'c>) -> Result<(), Refusal> {
    if !claims.is_object() {
        return Err(Reason::TokenMalformed.into());
    }
    for (name, claim) in [("iss", &mut claims.issuer), ("exp", &mut claims.expires)] {
        match (member(header, name), &claim) {
            (Some(said), Some(again)) if said != *again => {
                return Err(Reason::ClaimMalformed.about(Detail::Claim(name)));
            }
            (Some(said), None) => *claim = Some(said),
            _ => {}
        }
    }
    claims.audience = member(header, "client");
    Ok(())
}

fn spiffe_id(claims: &Claims<'_>) -> Option<SpiffeId> {
    SpiffeId::parse(claims.subject?.as_str()?).ok()
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
