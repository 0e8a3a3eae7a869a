//! The keys of AWS load balancers, which are fetched one at a time by their names.
//!
//! A load balancer signs its claims about a user by a key on the curve P-256, whose public part is
//! in PEM at a URL that ends in the key's name, a UUID. There is no list of them: a key is asked for
//! when a token names it.

use mesh_core::key::jwks::p256_jwk;
use mesh_core::text::endpoint::Endpoint;
use serde_json::{Value, json};

use super::failure::{Cause, Failure};
use super::fetched::Fetched;
use crate::http::{Client, FetchError, Request};

/// The keys of one region's load balancers.
#[derive(Clone, Debug)]
pub(super) struct Alb {
    base: Endpoint,
    /// Names and JWKs of the keys in force, oldest first.
    keys: Vec<(Box<str>, Value)>,
    /// The keys of the document that was fetched last.
    offered: Vec<(Box<str>, Value)>,
}

impl Alb {
    /// Goes on with the keys of the document in force.
    pub(super) fn new(base: Endpoint, published: Option<&[u8]>) -> Self {
        let document = published.and_then(|document| mesh_core::text::json::parse(document).ok());
        let jwks = document.as_ref().and_then(|it| it.get("keys")?.as_array());
        let keys = jwks.into_iter().flatten().filter_map(|jwk| {
            let kid = jwk.get("kid")?.as_str()?;
            Self::is_name(kid).then(|| (kid.into(), jwk.clone()))
        });
        Self { base, keys: keys.take(MAX_KEYS).collect(), offered: Vec::new() }
    }

    /// Whether a token may name a key so: any other name could lead to another place.
    pub(super) fn is_name(kid: &str) -> bool {
        kid.len() == 36
            && kid.bytes().enumerate().all(|(place, byte)| match place {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            })
    }

    /// Whether no key is known.
    pub(super) const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Asks for the keys that are known, and for some that are wanted.
    pub(super) async fn fetch(
        &mut self,
        client: &Client,
        wanted: &[Box<str>],
    ) -> Result<Fetched, Failure> {
        let mut keys = Vec::new();
        let known = self.keys.iter().map(|(kid, _)| kid);
        let new = wanted.iter().filter(|kid| self.keys.iter().all(|(known, _)| known != *kid));
        for kid in known.chain(new.take(MAX_NEW)) {
            let url = format!("{}{kid}", self.base);
            if let Some(jwk) = ask(client, kid, &url).await? {
                keys.push((kid.clone(), jwk));
            }
        }
        let excess = keys.len().saturating_sub(MAX_KEYS);
        keys.drain(..excess);
        if keys.is_empty() {
            // A store that has lost all of them is asked again without a token's wish: a token that
            // names a key in force wishes for nothing.
            return match self.is_empty() {
                true => Ok(Fetched::Nothing),
                false => Err(Failure::of(Cause::Gone, &self.base)),
            };
        }
        self.offered = keys;
        let jwks: Vec<&Value> = self.offered.iter().map(|(_, jwk)| jwk).collect();
        let document = json!({ "keys": jwks }).to_string().into_bytes();
        Ok(Fetched::Document { document, url: self.base.as_str().into(), fresh: None })
    }

    pub(super) fn accept(&mut self) {
        self.keys = core::mem::take(&mut self.offered);
    }
}

/// The key of that name; `None` if the server has none.
async fn ask(client: &Client, kid: &str, url: &str) -> Result<Option<Value>, Failure> {
    let endpoint: Endpoint = url.parse().map_err(|_| Failure::of(FetchError::Request, url))?;
    let request = Request { accept: "*/*", max_bytes: MAX_PEM, ..Request::get(&endpoint) };
    match client.send(&request).await {
        Ok(answer) => match p256_jwk(kid, &answer.body) {
            Some(jwk) => Ok(Some(jwk)),
            None => Err(Failure::of(Cause::Pem, url)),
        },
        // A store of objects says 403 if the client may not list its contents.
        Err(FetchError::Status(status)) if matches!(status.as_u16(), 403 | 404) => Ok(None),
        Err(error) => Err(Failure::of(error, url)),
    }
}

/// Keys that are kept.
const MAX_KEYS: usize = 16;
/// Keys that one fetch asks for beside those it has.
const MAX_NEW: usize = 4;
/// Bytes of one key: its PEM has about 180.
const MAX_PEM: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const KID: &str = "0a1b2c3d-4e5f-6789-abcd-ef0123456789";

    #[test]
    fn name_is_a_uuid_in_lower_case() {
        assert!(Alb::is_name(KID));
        for kid in [
            "",
            "a",
            &KID.to_uppercase(),
            KID.trim_start_matches('0'),
            &format!("{KID}0"),
            "0a1b2c3d-4e5f-6789-abcd-ef012345678/",
            "0a1b2c3d/../../../..-abcd-ef01234567",
            "0a1b2c3d04e5f-6789-abcd-ef0123456789",
            "0a1b2c3d-4e5f-6789-abcd-ef012345678é",
        ] {
            assert!(!Alb::is_name(kid), "{kid}");
        }
    }

    #[test]
    fn keys_in_force_are_gone_on_with() {
        let document = json!({ "keys": [{ "kid": KID, "kty": "EC" }, { "kid": "other" }, 1] });
        let base: Endpoint = "https://keys.example/".parse().unwrap();
        let alb = Alb::new(base.clone(), Some(document.to_string().as_bytes()));
        assert_eq!(alb.keys.len(), 1);
        assert_eq!(&*alb.keys[0].0, KID);
        assert!(Alb::new(base, Some(b"[")).keys.is_empty());
    }
}
