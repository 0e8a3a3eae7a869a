//! The metadata of a protected resource (RFC 9728).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::config::place::{ConfigError, Place};
use crate::issuer::Issuer;
use crate::key::algorithm::{Algorithm, ED25519};
use crate::proof::Mode;
use crate::request::Method;
use crate::stage::authenticate::Authentication;
use crate::text::endpoint::{Endpoint, EndpointError};

/// A `mesh_resource` line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RawProtected {
    /// The resource identifier.
    pub url: Identifier,
    /// `scope=`
    pub scopes: Vec<Box<str>>,
    /// `name=`
    pub name: Option<Box<str>>,
    /// `documentation=`
    pub documentation: Option<Endpoint>,
    /// Its place in the configuration.
    pub place: Place,
}

/// A resource identifier: a URL without a fragment (RFC 9728 section 1.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identifier(Endpoint);

impl Identifier {
    /// Reads one, over TLS or on this host.
    ///
    /// # Errors
    ///
    /// As for an [`Endpoint`]; and for text that cannot be in a header field.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
        if !text.bytes().all(is_plain) {
            return Err(EndpointError::Malformed);
        }
        text.parse().map(Self)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URL of its metadata: the well-known path between the host and the rest, whose slash is
    /// dropped if nothing but a query follows it (RFC 9728 section 3.1).
    pub fn metadata_url(&self) -> String {
        let text = self.as_str();
        let host = text.find("://").map_or(0, |at| at.saturating_add(3));
        let is_end = |at: &usize| matches!(text.as_bytes().get(*at), Some(b'/' | b'?'));
        let end = (host..text.len()).find(is_end).unwrap_or(text.len());
        let (origin, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        let rest = match rest.strip_prefix('/') {
            Some(after) if after.is_empty() || after.starts_with('?') => after,
            _ => rest,
        };
        format!("{origin}/.well-known/oauth-protected-resource{rest}")
    }
}

/// All resources of a configuration, by identifier.
#[derive(Debug, Default)]
pub struct ProtectedResources(Vec<Protected>);

/// A resource, as the locations that carry its name protect it.
#[derive(Debug)]
struct Protected {
    raw: RawProtected,
    metadata_url: Arc<str>,
    /// Whether a location that reads tokens carries the name.
    is_protected: bool,
    /// The issuers that any of them believes.
    issuers: Vec<usize>,
    takes_dpop: bool,
    needs_dpop: bool,
    asks_certificates: bool,
}

impl ProtectedResources {
    /// Notes a location that reads tokens and carries the name of a resource, and returns where its
    /// metadata is.
    ///
    /// # Errors
    ///
    /// When another line describes the same resource in another way.
    pub(crate) fn protect(
        &mut self,
        raw: &RawProtected,
        authentication: &Authentication,
    ) -> Result<Arc<str>, ConfigError> {
        let index = self.index(raw)?;
        let Some(resource) = self.0.get_mut(index) else { return Ok(Arc::default()) };
        let mode = authentication.dpop.mode;
        resource.needs_dpop =
            mode == Mode::Require && (resource.needs_dpop || !resource.is_protected);
        resource.takes_dpop |= mode != Mode::Off;
        resource.asks_certificates |= authentication.methods.reads(Method::Certificate);
        resource.is_protected = true;
        resource.issuers.extend(authentication.accept.iter().map(|accept| accept.issuer));
        Ok(Arc::clone(&resource.metadata_url))
    }

    /// The number of a resource; its parameters may be in one of its lines or in all.
    ///
    /// # Errors
    ///
    /// When another line describes the same resource in another way.
    pub(crate) fn index(&mut self, raw: &RawProtected) -> Result<usize, ConfigError> {
        let Some(index) = self.0.iter().position(|known| known.raw.url == raw.url) else {
            self.0.push(Protected {
                raw: raw.clone(),
                metadata_url: raw.url.metadata_url().into(),
                is_protected: false,
                issuers: Vec::new(),
                takes_dpop: false,
                needs_dpop: false,
                asks_certificates: false,
            });
            return Ok(self.0.len().saturating_sub(1));
        };
        let Some(known) = self.0.get_mut(index).map(|known| &mut known.raw) else {
            return Ok(index);
        };
        if known.is_bare() {
            *known = raw.clone();
        }
        if !raw.is_bare() && !raw.says_what(known) {
            let (url, place) = (raw.url.as_str(), &known.place);
            let message =
                format!("mesh_resource \"{url}\" has other parameters than the one in {place}");
            return Err(ConfigError::at(&raw.place, message));
        }
        Ok(index)
    }

    /// The metadata document of a resource; `None` if no location protects it.
    pub fn document(&self, index: usize, issuers: &[Issuer]) -> Option<String> {
        self.0.get(index).filter(|it| it.is_protected).map(|it| it.document(issuers).to_string())
    }
}

impl RawProtected {
    fn is_bare(&self) -> bool {
        self.scopes.is_empty() && self.name.is_none() && self.documentation.is_none()
    }

    fn says_what(&self, other: &Self) -> bool {
        self.scopes == other.scopes
            && self.name == other.name
            && self.documentation == other.documentation
    }
}

impl Protected {
    /// RFC 9728 section 2, in the order of the configuration.
    fn document(&self, issuers: &[Issuer]) -> Value {
        let believed = issuers.iter().enumerate();
        let believed = believed.filter(|(index, _)| self.issuers.contains(index));
        let servers: Vec<_> =
            believed.flat_map(|(_, issuer)| issuer.authorization_servers()).collect();
        let mut members = Map::new();
        let mut say = |name: &str, value: Value| members.insert(name.to_owned(), value);
        say("resource", self.raw.url.as_str().into());
        if !servers.is_empty() {
            say("authorization_servers", json!(servers));
        }
        say("bearer_methods_supported", json!(["header"]));
        say("dpop_bound_access_tokens_required", self.needs_dpop.into());
        say("tls_client_certificate_bound_access_tokens", self.asks_certificates.into());
        if self.takes_dpop {
            let names = Algorithm::ALL.into_iter().map(Algorithm::as_str).chain([ED25519]);
            say("dpop_signing_alg_values_supported", names.collect());
        }
        if !self.raw.scopes.is_empty() {
            say("scopes_supported", json!(self.raw.scopes));
        }
        if let Some(name) = &self.raw.name {
            say("resource_name", (&**name).into());
        }
        if let Some(documentation) = &self.raw.documentation {
            say("resource_documentation", documentation.as_str().into());
        }
        Value::Object(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_servers_are_those_that_a_client_can_ask_for_a_token() {
        const TENANT: [&str; 2] =
            ["8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "f8cdef31-a31e-4b4a-93e4-5f571e91255a"];
        let (audience, jwks) = (("audience", &["api"][..]), ("jwks", &["k.json"][..]));
        let plain = |url| [("issuer", url), audience, jwks];
        let main = testing::issuers(&[
            ("plain", &plain(&["https://idp.example/a"])),
            ("historic", &plain(&["accounts.example"])),
            ("here", &plain(&["http://127.0.0.1:8080"])),
            ("query", &plain(&["https://idp.example/?a"])),
            (
                "entra",
                &[
                    ("issuer", &["https://login.example/{tenantid}/v2.0"]),
                    ("tenants", &TENANT),
                    ("jwks", &["https://login.example/keys"]),
                    audience,
                ],
            ),
            ("mesh", &[("spiffe_trust_domain", &["mesh.example"]), audience, jwks]),
        ]);
        let servers = |named: &[&str]| {
            let index = |name: &&str| main.issuers.iter().position(|it| *it.name == **name);
            let resource = Protected {
                raw: RawProtected {
                    url: Identifier::parse("https://api.example").unwrap(),
                    scopes: Vec::new(),
                    name: None,
                    documentation: None,
                    place: Place::default(),
                },
                metadata_url: Arc::default(),
                is_protected: true,
                issuers: named.iter().filter_map(index).collect(),
                takes_dpop: false,
                needs_dpop: false,
                asks_certificates: false,
            };
            resource.document(&main.issuers).get("authorization_servers").cloned()
        };
        let [one, other] = TENANT.map(|tenant| format!("https://login.example/{tenant}/v2.0"));
        assert_eq!(
            servers(&["entra", "mesh", "plain", "historic", "here", "query"]),
            Some(json!(["https://idp.example/a", one, other]))
        );
        assert_eq!(servers(&["mesh", "here"]), None);
    }

    #[test]
    fn the_well_known_path_goes_between_host_and_path() {
        let base = "/.well-known/oauth-protected-resource";
        for (url, expected) in [
            ("https://api.example", format!("https://api.example{base}")),
            ("https://api.example/", format!("https://api.example{base}")),
            ("https://api.example:8443/kafka", format!("https://api.example:8443{base}/kafka")),
            ("https://api.example/kafka/", format!("https://api.example{base}/kafka/")),
            ("https://api.example/a/b?c=/d", format!("https://api.example{base}/a/b?c=/d")),
            ("https://api.example/?c", format!("https://api.example{base}?c")),
            ("https://api.example?c", format!("https://api.example{base}?c")),
            ("http://[::1]:80/a", format!("http://[::1]:80{base}/a")),
        ] {
            assert_eq!(Identifier::parse(url).unwrap().metadata_url(), expected);
        }
    }

    #[test]
    fn an_identifier_is_a_url_that_fits_into_a_header() {
        for url in [
            "http://api.example/",
            "https://api.example/#a",
            "https://u@api.example/",
            "ftp://api.example/",
            "https://api.example/\"",
            "https://api.example/\\",
            "https://api.example/ü",
            "https://api.example/a b",
            "api.example",
            "",
        ] {
            assert!(Identifier::parse(url).is_err(), "{url}");
        }
    }
}
