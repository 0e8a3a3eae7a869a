//! A token issuer's settings, frozen with the configuration.

use core::time::Duration;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::claims::Claims;
use crate::key::algorithm::KeyAlgorithms;
use crate::key::jwks::{JwksError, KeySet, SkippedKey};
use crate::peer::arn::Role;
use crate::peer::spiffe::TrustDomain;
use crate::text::endpoint::Endpoint;
use crate::text::json::Pointer;

mod asked;
pub mod revocation;
pub mod trust;

pub use asked::{Client, ClientProof, Introspection, Question, SecretMethod};

/// A token issuer as `mesh_issuer` describes it.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The name in the configuration, by which `mesh_accept` refers to it.
    pub name: Box<str>,
    /// The required `iss`, compared byte by byte (RFC 7519 section 4.1.1); for [`Form::Tenants`]
    /// with [`TENANT`] in it.
    pub url: Box<str>,
    /// The form of its tokens, beyond RFC 7519.
    pub form: Form,
    /// The audiences of which `aud` must hold one, if `mesh_accept` names none.
    pub audiences: Box<[Box<str>]>,
    /// The claim that replaces `aud` in a token without `aud`.
    pub audience_claim: Option<Pointer>,
    /// The algorithms that its keys may verify.
    pub algorithms: KeyAlgorithms,
    /// Seconds by which clocks may differ.
    pub leeway: i64,
    /// The most seconds from `iat` to `exp`.
    pub max_lifetime: Option<i64>,
    /// The required `typ` of the header (RFC 8725 section 3.11).
    pub token_type: Option<Box<str>>,
    /// The claims that name the service: the first that is there.
    pub service_claim: Box<[Pointer]>,
    /// Whether that claim is the ARN of an AWS role, from which the service is made.
    pub service_arn: bool,
    /// The claim that lists the groups.
    pub groups_claim: Option<Pointer>,
    /// Where the JWK set comes from.
    pub keys: KeySource,
    /// How it is asked about tokens that only it can read.
    pub introspection: Option<Introspection>,
}

/// How an issuer's tokens are told from those of others, and the rules that they add.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Form {
    /// Claims about a user that AWS load balancers with these ARNs put in `x-amzn-oidc-data`; `iss`
    /// is the issuer that told the load balancer.
    LoadBalancer(Box<[Box<str>]>),
    /// `iss` is the issuer's URL.
    Plain,
    /// JWT-SVIDs: `sub` is a SPIFFE ID of the trust domain, and `iss` may be left out.
    Spiffe(TrustDomain),
    /// `iss` is the issuer's URL with the token's own `tid` in it, which is one of these.
    Tenants(Box<[Box<str>]>),
}

/// The placeholder for the tenant in the URL of an issuer with many (Entra ID).
pub const TENANT: &str = "{tenantid}";

impl Issuer {
    /// Every `iss` that its tokens may have.
    pub fn urls(&self) -> Vec<Box<str>> {
        match &self.form {
            Form::LoadBalancer(_) | Form::Plain | Form::Spiffe(_) => vec![self.url.clone()],
            Form::Tenants(tenants) => {
                tenants.iter().map(|tenant| self.url.replace(TENANT, tenant).into()).collect()
            }
        }
    }

    /// The servers that are asked for its keys or about its tokens.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let keys = match &self.keys {
            KeySource::File(_) | KeySource::None => None,
            KeySource::Remote(remote) => Some(remote.entry.url()),
        };
        keys.into_iter().chain(self.introspection.as_ref().map(|it| &it.endpoint))
    }

    /// The authorization servers that a client can get its tokens from, by their issuer identifiers
    /// (RFC 8414 section 2); the names of other issuers are left out.
    pub(crate) fn authorization_servers(&self) -> Vec<Box<str>> {
        match &self.form {
            Form::LoadBalancer(_) | Form::Spiffe(_) => Vec::new(),
            Form::Plain | Form::Tenants(_) => {
                let mut urls = self.urls();
                urls.retain(|url| url.starts_with("https://") && !url.contains(['?', '#']));
                urls
            }
        }
    }

    /// What both would be chosen by, if a token could belong to either.
    pub(crate) fn shares(&self, other: &Self) -> Option<String> {
        match (&self.form, &other.form) {
            (Form::LoadBalancer(ours), Form::LoadBalancer(theirs)) => {
                let signer = ours.iter().find(|signer| theirs.contains(signer))?;
                (self.url == other.url).then(|| format!("\"{signer}\" for \"{}\"", self.url))
            }
            (Form::LoadBalancer(_), _) | (_, Form::LoadBalancer(_)) => None,
            (Form::Spiffe(ours), Form::Spiffe(theirs)) if ours == theirs => {
                Some(format!("trust domain \"{ours}\""))
            }
            _ => {
                let theirs = other.urls();
                let url = self.urls().into_iter().find(|url| theirs.contains(url))?;
                Some(format!("issuer \"{url}\""))
            }
        }
    }

    /// The service that claims name; `None` if the claim is absent or malformed.
    pub(crate) fn service<'c>(&self, claims: &Claims<'c>) -> Option<Cow<'c, str>> {
        let mut named = self.service_claim.iter().filter_map(|claim| claims.resolve(claim));
        let name = named.next()?.as_str().filter(|text| !text.is_empty())?;
        match self.service_arn {
            true => Some(Role::parse(name).ok()?.service().into()),
            false => Some(name.into()),
        }
    }

    /// Parses the set that its keys are published in.
    ///
    /// # Errors
    ///
    /// As [`KeySet::parse`].
    pub fn read_keys(&self, bytes: &[u8]) -> Result<(KeySet, Vec<SkippedKey>), JwksError> {
        self.form.read_keys(bytes, self.algorithms)
    }
}

impl Form {
    /// As [`Issuer::read_keys`], for an issuer of this form that signs by `algorithms`.
    ///
    /// # Errors
    ///
    /// As [`KeySet::parse`].
    pub fn read_keys(
        &self,
        bytes: &[u8],
        algorithms: KeyAlgorithms,
    ) -> Result<(KeySet, Vec<SkippedKey>), JwksError> {
        match self {
            Self::Spiffe(_) => KeySet::parse_bundle(bytes, algorithms),
            Self::LoadBalancer(_) | Self::Plain | Self::Tenants(_) => {
                KeySet::parse(bytes, algorithms)
            }
        }
    }
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeySource {
    /// A file, watched by every worker.
    File(PathBuf),
    /// Nowhere: the issuer is asked about every token of its own.
    None,
    /// A server, asked by one worker for all.
    Remote(Remote),
}

impl KeySource {
    /// Whether there are no keys to have.
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// How keys are fetched from a server, and how long they are valid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remote {
    /// The URL that is asked first.
    pub entry: Entry,
    /// Time between two fetches.
    pub refresh: Duration,
    /// The least time between two fetches, whatever asks for them.
    pub min_refresh: Duration,
    /// How long the last good keys are valid if no fetch succeeds.
    pub max_stale: Duration,
    /// The file of the authorities that the server's certificate must come from; `None` means those
    /// of the system.
    pub trusted_certificate: Option<PathBuf>,
    /// The file of the token that the server requires.
    pub bearer: Option<PathBuf>,
}

impl Remote {
    /// The file of the token for a request to that URL: only for the server that the configuration
    /// names, and only over TLS. A discovery document may lead to another one.
    pub fn bearer_for(&self, url: &Endpoint) -> Option<&Path> {
        let own = self.entry.url();
        let is_own = url.is_secure() && url.host() == own.host() && url.port() == own.port();
        self.bearer.as_deref().filter(|_| is_own)
    }
}

/// The URL that is asked first for an issuer's keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry {
    /// The public keys of AWS load balancers. A key that a token names is fetched from this URL,
    /// which ends in a slash, with the key's name appended.
    AlbKeys(Endpoint),
    /// The discovery document (OpenID Connect Discovery 1.0 section 4), which must name the issuer
    /// exactly and says where the JWK set is.
    Discovery(Endpoint),
    /// The JWK set itself.
    Jwks(Endpoint),
}

impl Entry {
    /// What it is, in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::AlbKeys(_) => "alb_keys",
            Self::Discovery(_) => "discovery",
            Self::Jwks(_) => "jwks",
        }
    }

    /// The URL in the configuration, or the one that follows from it.
    pub const fn url(&self) -> &Endpoint {
        match self {
            Self::AlbKeys(url) | Self::Discovery(url) | Self::Jwks(url) => url,
        }
    }
}

/// An issuer that a location believes, and for which audiences.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accept {
    /// The issuer's index in [`crate::issuer::trust::Trust`].
    pub issuer: usize,
    /// The audiences instead of the issuer's own.
    pub audiences: Option<Box<[Box<str>]>>,
}

/// Whether a text is a GUID as Entra ID writes a tenant: lower case, in five groups.
pub fn is_guid(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => is_digit(byte),
        })
}

/// Whether a text is the ARN of an application load balancer:
/// `arn:PARTITION:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID`.
pub fn is_load_balancer(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts.as_slice() else {
        return false;
    };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let resource = resource.strip_prefix("loadbalancer/app/").unwrap_or_default();
    *arn == "arn"
        && partition.starts_with("aws")
        && *service == "elasticloadbalancing"
        && !region.is_empty()
        && is_account
        && resource.split('/').count() == 2
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}
