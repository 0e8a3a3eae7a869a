use core::ops::{Deref, DerefMut};
use core::slice;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, SanType};
use serde_json::{Value, json};

use super::*;
use crate::claims::Kept;
use crate::config::Resolver;
use crate::identity::Attribute;
use crate::issuer::trust::Trust;
use crate::key::jwks::KeySet;
use crate::peer::x509::{ChainVerdict, PeerCertificate};
use crate::platform::table::Table;
use crate::testing::keys::{Signer, key_set, with};
use crate::testing::{self, Lines, NOW, Proven, Sent, Worker, Zone, changed};
use crate::text::time::{Tick, UnixTime};
use crate::token::{TokenCache, Wish};

mod cache;
mod certificates;
mod claims;
mod fetched;
mod introspection;
mod issuers;
mod limits;
mod policies;
mod proofs;
mod revocations;
mod settings;
mod waiting;

/// An issuer's key, with its name and its public half.
struct Key {
    kid: &'static str,
    signer: Signer,
    jwk: Value,
}

impl Key {
    fn new(kid: &'static str) -> Self {
        let signer = Signer::p256();
        Self { kid, jwk: with(&signer.jwk(kid), "alg", "ES256"), signer }
    }

    fn set(&self) -> KeySet {
        key_set(slice::from_ref(&self.jwk))
    }

    /// A token with this header, in which `alg` and `kid` are usual.
    fn sign_under(&self, header: &Value, claims: &Value) -> String {
        let usual = json!({ "alg": "ES256", "kid": self.kid });
        self.signer.token_with(&changed(&usual, header), claims)
    }

    fn sign(&self, claims: &Value) -> String {
        self.signer.token(Some(self.kid), claims)
    }

    /// A token with good claims, changed as told; `null` removes a claim.
    fn token(&self, changes: &Value) -> String {
        let claims = json!({ "iss": "https://idp.example", "aud": "api", "sub": "orders-api",
            "iat": NOW - 60, "exp": NOW + 600, "groups": ["eng", "ops"], "scope": "read" });
        self.sign(&changed(&claims, changes))
    }
}

/// A configuration, and a worker under it.
struct Server {
    locations: Vec<Location>,
    worker: Worker,
    /// What the last request waits for.
    wanted: Option<Need>,
    /// The tables that the words of policies are of.
    tables: Vec<Arc<Table>>,
}

impl Deref for Server {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.worker
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Worker {
        &mut self.worker
    }
}

impl Server {
    /// Each element is a location as typed; the issuer may have lines more than it needs.
    fn new(key: &Key, issuer: &[(&str, &[&str])], locations: &[&[(&str, &[&str])]]) -> Self {
        let usual: &[(&str, &[&str])] =
            &[("issuer", &["https://idp.example"]), ("audience", &["api"])];
        let file: &[(&str, &[&str])] = &[("jwks", &["x"])];
        let names_keys = issuer.iter().any(|(name, _)| *name == "jwks");
        let usual = &[usual, if names_keys { &[] } else { file }].concat();
        let lines = [usual.as_slice(), issuer].concat();
        Self::of(&[("idp", &lines, json!({ "keys": [key.jwk] }))], locations)
    }

    /// Each issuer is its name, its lines as typed, and the key set that it publishes.
    fn of(issuers: &[(&str, Lines<'_>, Value)], locations: &[Lines<'_>]) -> Self {
        let blocks: Vec<_> = issuers.iter().map(|(name, lines, _)| (*name, *lines)).collect();
        let main = testing::issuers(&blocks);
        let published = main.issuers.iter().zip(issuers).map(|(issuer, (.., set))| {
            let (set, skipped) = issuer.read_keys(set.to_string().as_bytes()).unwrap();
            assert_eq!(skipped, []);
            Some(set)
        });
        let keys = published.collect();
        let mut resolver = Resolver::new(&main);
        let locations = locations.iter().map(|lines| {
            let raw = testing::location(lines);
            resolver.resolve(&raw, &mut |_| None).unwrap().unwrap()
        });
        let locations = locations.collect();
        let platforms = resolver.platforms();
        let tables = if platforms.policies().is_empty() { Vec::new() } else { platforms.tables() };
        let trust = Trust::new(main.issuers, resolver.into_kept(), keys);
        Self { locations, worker: Worker::new(Arc::new(trust)), wanted: None, tables }
    }

    fn tokens(key: &Key) -> Self {
        Self::new(key, &[], &[&[("mesh_authenticate", &["token"])]])
    }

    fn ask_in(
        &mut self,
        location: usize,
        sent: &Sent,
        memo: &mut Memo,
    ) -> Result<Admission, Refusal> {
        let location = &self.locations[location];
        let outcome = self.worker.work(|worker| evaluate(sent, location, memo, worker));
        let (found, need) = outcome.without_waiting();
        self.wanted = need;
        found
    }

    fn identify(&mut self, sent: &Sent, memo: &mut Memo) -> Result<Rc<Identity>, Refusal> {
        let rules = &self.locations[0].authentication;
        let found = self.worker.work(|worker| identify(sent, rules, memo, worker));
        found.map_err(|stop| match stop {
            Stop::Refused(refusal) => refusal,
            Stop::Waits(need) => need.unmet().into(),
        })
    }

    fn ask(&mut self, sent: &Sent) -> Result<Admission, Refusal> {
        self.ask_in(0, sent, &mut Memo::default())
    }

    fn reason(&mut self, sent: &Sent) -> Reason {
        match self.ask(sent) {
            Ok(admission) => panic!("admitted {admission:?}"),
            Err(refusal) => refusal.reason(),
        }
    }
}

fn certificate(names: &[&str]) -> PeerCertificate {
    certificate_with(names, |_| {})
}

fn certificate_with(
    names: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> PeerCertificate {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.contains("://") {
            true => SanType::URI((*name).try_into().unwrap()),
            false => SanType::DnsName((*name).try_into().unwrap()),
        })
        .collect();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    change(&mut params);
    let key = rcgen::KeyPair::generate().unwrap();
    PeerCertificate::parse(params.self_signed(&key).unwrap().pem().as_bytes()).unwrap()
}

fn exported(admission: &Admission) -> Vec<(&'static str, String)> {
    admission.exports().map(|(field, value)| (field.name, value.into_owned())).collect()
}

#[test]
fn a_good_token_is_admitted_and_its_identity_exported() {
    let key = Key::new("k1");
    let mut server = Server::new(
        &key,
        &[("groups_claim", &["/groups"])],
        &[&[("mesh_authenticate", &["token"])]],
    );
    let admission = server.ask(&Sent::token(&key.token(&json!({})))).unwrap();
    assert_eq!(
        exported(&admission),
        [
            ("X-Mesh-Service", "orders-api".to_owned()),
            ("X-Mesh-Principal", "orders-api".to_owned()),
            ("X-Mesh-Issuer", "idp".to_owned()),
            ("X-Mesh-Method", "token".to_owned()),
            ("X-Mesh-Groups", "[\"eng\",\"ops\"]".to_owned()),
        ]
    );
    assert_eq!(admission.rule(), "no-policy");
}

#[test]
fn another_key_of_the_same_name_or_a_changed_byte_is_refused() {
    let (key, forger) = (Key::new("k1"), Key::new("k1"));
    let mut server = Server::tokens(&key);
    assert_eq!(server.reason(&Sent::token(&forger.token(&json!({})))), Reason::SignatureInvalid);
    let token = key.token(&json!({}));
    let (head, rest) = token.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let other = key.token(&json!({ "sub": "admin" }));
    let payload = other.split('.').nth(1).unwrap();
    assert_eq!(
        server.reason(&Sent::token(&format!("{head}.{payload}.{signature}"))),
        Reason::SignatureInvalid
    );
    assert_eq!(server.cache.len(), 0);
}

#[test]
fn an_absent_or_doubled_credential_is_told_apart() {
    let key = Key::new("k1");
    let mut server = Server::tokens(&key);
    assert_eq!(server.reason(&Sent::default()), Reason::CredentialMissing);
    let doubled = Sent::token(&key.token(&json!({}))).and("authorization", "Basic dTpw");
    assert_eq!(server.reason(&doubled), Reason::CredentialConflict);
    let basic = Sent::of(&[("authorization", "Basic dTpw")]);
    assert_eq!(server.reason(&basic), Reason::CredentialMissing);
}

#[test]
fn duplicate_members_are_refused_wherever_they_are() {
    let key = Key::new("k1");
    let mut server = Server::tokens(&key);
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = r#"{"iss":"https://idp.example","sub":"a","\u0073ub":"b"}"#;
    let token = format!("{}.{}.{}", part(r#"{"alg":"ES256","kid":"k1"}"#), part(claims), part("x"));
    assert_eq!(server.reason(&Sent::token(&token)), Reason::TokenDuplicateMember);
    let header = r#"{"alg":"ES256","alg":"none"}"#;
    let token = format!("{}.{}.{}", part(header), part("{}"), part("x"));
    assert_eq!(server.reason(&Sent::token(&token)), Reason::TokenDuplicateMember);
}
