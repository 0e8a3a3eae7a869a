//! Asking an issuer's server for its keys.

use mesh_core::issuer::Entry;
use mesh_core::key::jwks::MAX_BYTES;
use mesh_core::text::endpoint::Endpoint;
use tokio::time::Instant;

use super::alb::Alb;
use super::bearer::bearer_for;
use super::discovery::keys_url;
use super::failure::Failure;
use super::fetched::Fetched;
use super::issuer::RemoteIssuer;
use crate::http::{Client, Request};

/// The source of one issuer's keys, and the memory of its last answer.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Keys by their names, one at a time.
    Alb(Alb),
    /// A JWK set.
    Set(Box<Set>),
}

impl Source {
    /// The source of an issuer for which `published` is in force.
    pub(super) fn new(entry: &Entry, published: Option<&[u8]>) -> Self {
        match entry {
            Entry::AlbKeys(base) => Self::Alb(Alb::new(base.clone(), published)),
            Entry::Discovery(_) | Entry::Jwks(_) => Self::Set(Box::default()),
        }
    }

    /// Whether a fetch could bring that key at all.
    pub(super) fn may_have(&self, kid: &str) -> bool {
        match self {
            Self::Alb(_) => Alb::is_name(kid),
            Self::Set(_) => true,
        }
    }

    /// Whether there is nothing to ask for but the wanted keys.
    pub(super) const fn is_idle(&self) -> bool {
        match self {
            Self::Alb(alb) => alb.is_empty(),
            Self::Set(_) => false,
        }
    }

    /// Asks; `wanted` are the names of keys that are not there, most wanted first.
    pub(super) async fn fetch(
        &mut self,
        client: &Client,
        issuer: &RemoteIssuer,
        wanted: &[Box<str>],
    ) -> Result<Fetched, Failure> {
        match self {
            Self::Alb(alb) => alb.fetch(client, wanted).await,
            Self::Set(set) => set.fetch(client, issuer).await,
        }
    }

    /// The document in force is to be sent again, even if it is unchanged.
    pub(super) fn forget(&mut self) {
        match self {
            Self::Alb(_) => {}
            Self::Set(set) => set.etag = None,
        }
    }

    /// The document that was fetched last is in force.
    pub(super) fn accept(&mut self) {
        match self {
            Self::Alb(alb) => alb.accept(),
            Self::Set(set) => set.etag = set.offered.take(),
        }
    }
}

/// A JWK set at a URL that the configuration or a discovery document names.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    /// The URL of the keys by the discovery document, and until when that is fresh.
    found: Option<(Endpoint, Instant)>,
    /// The `ETag` of the document in force, and its URL.
    etag: Option<(Endpoint, Box<str>)>,
    /// The `ETag` of the document that was fetched last.
    offered: Option<(Endpoint, Box<str>)>,
}

impl Set {
    async fn fetch(&mut self, client: &Client, issuer: &RemoteIssuer) -> Result<Fetched, Failure> {
        self.offered = None;
        let url = match &issuer.remote.entry {
            Entry::Discovery(url) => self.discover(client, issuer, url).await?,
            Entry::AlbKeys(url) | Entry::Jwks(url) => url.clone(),
        };
        let answer = self.ask(client, issuer, &url).await;
        if answer.is_err() {
            // The keys may have moved.
            self.found = None;
        }
        answer
    }

    async fn ask(
        &mut self,
        client: &Client,
        issuer: &RemoteIssuer,
        url: &Endpoint,
    ) -> Result<Fetched, Failure> {
        let known = self.etag.as_ref().filter(|(of, _)| of == url).map(|(_, etag)| &**etag);
        let bearer = bearer_for(&issuer.remote, url).map_err(|error| Failure::of(error, url))?;
        let request =
            Request { etag: known, authorization: bearer.as_deref(), ..keys_request(url) };
        let answer = client.send(&request).await.map_err(|error| Failure::of(error, url))?;
        if answer.is_unchanged() {
            self.offered = self.etag.clone();
            return Ok(Fetched::Same { fresh: answer.max_age });
        }
        self.offered = answer.etag.map(|etag| (url.clone(), etag));
        let url = url.as_str().into();
        Ok(Fetched::Document { document: answer.body, url, fresh: answer.max_age })
    }

    /// The URL of the keys, by the discovery document or by its last answer while that is fresh.
    async fn discover(
        &mut self,
        client: &Client,
        issuer: &RemoteIssuer,
        url: &Endpoint,
    ) -> Result<Endpoint, Failure> {
        let now = Instant::now();
        if let Some((found, until)) = &self.found
            && now < *until
        {
            return Ok(found.clone());
        }
        self.found = None;
        let bearer = bearer_for(&issuer.remote, url).map_err(|error| Failure::of(error, url))?;
        let request = Request { authorization: bearer.as_deref(), ..discovery_request(url) };
        let answer = client.send(&request).await.map_err(|error| Failure::of(error, url))?;
        let found = keys_url(&answer.body, &issuer.url, url);
        let found = found.map_err(|fault| Failure::of(fault, url))?;
        let fresh = answer.max_age.unwrap_or_default().min(issuer.remote.refresh);
        self.found = now.checked_add(fresh).map(|until| (found.clone(), until));
        Ok(found)
    }
}

/// Asks for a discovery document.
pub const fn discovery_request(url: &Endpoint) -> Request<'_> {
    Request { max_bytes: MAX_DISCOVERY, ..Request::get(url) }
}

/// Asks for a JWK set.
pub const fn keys_request(url: &Endpoint) -> Request<'_> {
    Request {
        accept: "application/jwk-set+json, application/json",
        max_bytes: MAX_BYTES,
        ..Request::get(url)
    }
}

/// Bytes that a discovery document may have.
const MAX_DISCOVERY: usize = 256 * 1024;
