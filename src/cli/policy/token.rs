//! Who asks, by a token.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use mesh_core::issuer::Form;
use mesh_core::key::algorithm::KeyAlgorithms;
use mesh_core::peer::spiffe::TrustDomain;
use mesh_core::policy::Policy;
use mesh_core::text::json::Pointer;
use mesh_core::text::time::UnixTime;

use super::case::Told;
use super::identity::Described;
use crate::judge::{Judged, Rules, by_keys, judge};
use crate::{error::Failure, input};

/// A token, and how its issuer names who has it.
#[derive(Args, Debug)]
pub(super) struct Token {
    /// Who asks, by a token: it is verified as by `token verify`
    #[arg(long, value_name = "TOKEN|-", requires = "jwks", conflicts_with = "identity")]
    token: Option<String>,

    /// The key set of the token's issuer
    #[arg(long, value_name = "FILE", requires = "token")]
    jwks: Option<PathBuf>,

    /// The name of the token's issuer in the policy [default: the only one that it names]
    #[arg(long, value_name = "NAME", requires = "token")]
    issuer: Option<String>,

    /// The claim that names the service, as `service_claim` of mesh_issuer
    #[arg(long, value_name = "POINTER", default_value = "/sub", requires = "token")]
    service_claim: Pointer,

    /// The claim that lists the groups, as `groups_claim` of mesh_issuer
    #[arg(long, value_name = "POINTER", default_value = "/groups", requires = "token")]
    groups_claim: Pointer,

    /// The trust domain of JWT-SVIDs, as `spiffe_trust_domain` of mesh_issuer
    #[arg(long, value_name = "NAME", value_parser = trust_domain, requires = "token")]
    spiffe_trust_domain: Option<TrustDomain>,
}

fn trust_domain(name: &str) -> Result<TrustDomain, String> {
    TrustDomain::parse(name).map_err(|error| error.to_string())
}

/// The difference of the clocks that is tolerated, in seconds, as in mesh_issuer.
const LEEWAY: i64 = 30;

impl Token {
    /// Who has the token at a time, or that it is refused; None if there is none.
    ///
    /// # Errors
    /// If a file or standard input cannot be read, or the issuer has no name.
    pub(super) fn verified(
        &self,
        policy: &Policy,
        at: UnixTime,
    ) -> Result<Option<Result<Described, Told>>, Failure> {
        let (Some(token), Some(jwks)) = (&self.token, &self.jwks) else { return Ok(None) };
        let issuer = self.issuer_in(policy)?;
        let token = input::token(Some(token))?;
        let domain = self.spiffe_trust_domain.clone();
        let is_svid = domain.is_some();
        let form = domain.map_or(Form::Plain, Form::Spiffe);
        let algorithms = KeyAlgorithms::OWN;
        let Judged { verdict, claims, notes } = by_keys(jwks, &form, algorithms, |keys| {
            let rules = Rules {
                jwks: jwks.clone(),
                url: None,
                audiences: Vec::new(),
                audience_claim: None,
                algorithms,
                leeway: LEEWAY,
                form: form.clone(),
                service_claim: self.service_claim.clone(),
                groups_claim: Some(self.groups_claim.clone()),
            };
            judge(&token, rules, keys, at)
        })?;
        Ok(Some(match verdict {
            Ok(token) => Ok(Described::of_token(&token, claims.as_ref(), issuer, is_svid)),
            Err(reason) => Err(Told::of_token(reason, &notes)),
        }))
    }

    /// The name of the token's issuer in the policy.
    fn issuer_in(&self, policy: &Policy) -> Result<String, Failure> {
        if let Some(issuer) = &self.issuer {
            return Ok(issuer.clone());
        }
        let lines = policy.services.iter().flat_map(|service| &service.lines);
        let of_services = lines.filter_map(|line| Some(&*line.token.as_ref()?.0));
        let members = policy.groups.iter().flat_map(|group| &group.members);
        let named: BTreeSet<&str> =
            of_services.chain(members.map(|member| &*member.issuer)).collect();
        let names: Vec<&str> = named.into_iter().collect();
        match names.as_slice() {
            // The policy knows nobody by a token.
            [] => Ok(String::new()),
            [only] => Ok((*only).to_owned()),
            _ => Err(Failure::Usage(format!(
                "name the token's issuer by --issuer: the policy names {}",
                names.join(", ")
            ))),
        }
    }
}
