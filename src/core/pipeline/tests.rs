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
use crate::limit::{Bucket, Header as ZoneHeader, Table};
use crate::peer::x509::{ChainVerdict, PeerCertificate};
use crate::proof::{Memory, MemoryBucket, MemoryHeader, Proofs, Secrets, ShareBucket};
use crate::testing::keys::{Signer, key_set, with};
use crate::testing::{self, Lines, NOW, NoHost, Sent, changed};
use crate::text::time::{Now, Tick, UnixTime};
use crate::token::introspection::Introspections;
use crate::token::{TokenCache, Wish};

mod cache;
mod certificates;
mod fetched;
mod introspection;
mod issuers;
mod limits;
mod proofs;
mod revocations;
mod settings;

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
        key_set(&[self.jwk.clone()])
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
    trust: Arc<Trust>,
    locations: Vec<Location>,
    cache: TokenCache,
    introspections: Introspections,
    header: ZoneHeader,
    buckets: Vec<Bucket>,
    proofs: (MemoryHeader, Vec<MemoryBucket>, Vec<ShareBucket>),
    /// What the last request waits for.
    wanted: Option<Need>,
    now: Now,
    /// What the last request wished for.
    wish: Option<Wish>,
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
        Self {
            trust: Arc::new(Trust::new(main.issuers, resolver.into_kept(), keys)),
            locations,
            cache: TokenCache::with_capacity(8),
            introspections: Introspections::default(),
            header: ZoneHeader::default(),
            buckets: (0..64).map(|_| Bucket::default()).collect(),
            wanted: None,
            proofs: (MemoryHeader::default(), vec![MemoryBucket::default()], Vec::new()),
            now: Now { unix: UnixTime::from_secs(NOW), tick: Tick::from_millis(1_000_000) },
            wish: None,
        }
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
        let outcome =
            self.work(|locations, worker| evaluate(sent, &locations[location], memo, worker));
        let (found, need) = outcome.without_waiting();
        self.wanted = need;
        found
    }

    fn identify(&mut self, sent: &Sent, memo: &mut Memo) -> Result<Rc<Identity>, Refusal> {
        self.work(|locations, worker| identify(sent, &locations[0].authentication, memo, worker))
            .map_err(|stop| match stop {
                Stop::Refused(refusal) => refusal,
                Stop::Waits(need) => need.unmet().into(),
            })
    }

    fn work<T>(&mut self, work: impl FnOnce(&[Location], &mut WorkerState<'_>) -> T) -> T {
        let table = Table::open(&self.header, &self.buckets, [1, 2], &NoHost).unwrap();
        let secrets = Secrets { seed: [1, 2], nonces: [3; 4] };
        let (header, buckets, shares) = &self.proofs;
        let memory = Memory::begin(header, buckets, shares, &secrets, 60, NOW - 1_000).unwrap();
        let open = || Some(memory);
        let mut worker = WorkerState {
            proofs: Proofs::new(Some(&open)),
            trust: &self.trust,
            snapshot: &self.trust.load(),
            cache: &mut self.cache,
            introspections: &mut self.introspections,
            table: Some(table),
            now: self.now,
            noted: None,
            wish: None,
        };
        let answer = work(&self.locations, &mut worker);
        self.wish = worker.wish;
        answer
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
fn each_wrong_claim_has_a_reason_of_its_own() {
    let key = Key::new("k1");
    let issuer: &[(&str, &[&str])] = &[("max_lifetime", &["1h"]), ("leeway", &["10s"])];
    let mut server = Server::new(&key, issuer, &[&[("mesh_authenticate", &["token"])]]);
    let cases = [
        (json!({ "iss": "https://other.example" }), Reason::IssuerRefused),
        (json!({ "iss": "https://idp.example/" }), Reason::IssuerRefused),
        (json!({ "iss": ["https://idp.example"] }), Reason::IssuerRefused),
        (json!({ "iss": null }), Reason::IssuerRefused),
        (json!({ "aud": "other" }), Reason::AudienceRefused),
        (json!({ "aud": ["b", "c"] }), Reason::AudienceRefused),
        (json!({ "aud": [] }), Reason::AudienceRefused),
        (json!({ "aud": null }), Reason::AudienceRefused),
        (json!({ "aud": ["api", 1] }), Reason::ClaimMalformed),
        (json!({ "aud": { "api": true } }), Reason::ClaimMalformed),
        (json!({ "exp": NOW - 10 }), Reason::TokenExpired),
        (json!({ "exp": 0 }), Reason::TokenExpired),
        (json!({ "exp": -1 }), Reason::TokenExpired),
        (json!({ "exp": null }), Reason::ExpiryMissing),
        (json!({ "exp": "2030" }), Reason::ClaimMalformed),
        (json!({ "exp": 1e300 }), Reason::ClaimMalformed),
        (json!({ "exp": true }), Reason::ClaimMalformed),
        (json!({ "nbf": NOW + 11 }), Reason::TokenNotYetValid),
        (json!({ "nbf": [] }), Reason::ClaimMalformed),
        (json!({ "iat": null }), Reason::LifetimeExceeded),
        (json!({ "iat": NOW - 3001 }), Reason::LifetimeExceeded),
        (json!({ "iat": NOW + 11 }), Reason::LifetimeExceeded),
        (json!({ "sub": null }), Reason::ServiceMissing),
        (json!({ "sub": "" }), Reason::ClaimMalformed),
        (json!({ "sub": 7 }), Reason::ClaimMalformed),
        (json!({ "cnf": {} }), Reason::BindingUnsupported),
        (json!({ "cnf": "x" }), Reason::BindingUnsupported),
        (json!({ "cnf": { "jkt": "x" } }), Reason::BindingUnsupported),
        (json!({ "cnf": { "x5t#S256": "x" } }), Reason::BindingUnsupported),
        (json!({ "cnf": { "x5t#S256": "A".repeat(43), "jkt": "y" } }), Reason::BindingUnsupported),
        (json!({ "cnf": { "x5t#S256": "A".repeat(43) } }), Reason::BindingMismatch),
    ];
    for (changes, reason) in cases {
        assert_eq!(server.reason(&Sent::token(&key.token(&changes))), reason, "{changes}");
    }
    for admitted in
        [json!({ "exp": NOW - 9 }), json!({ "nbf": NOW + 10 }), json!({ "aud": ["x", "api"] })]
    {
        assert!(server.ask(&Sent::token(&key.token(&admitted))).is_ok(), "{admitted}");
    }
}

#[test]
fn the_signature_is_cached_and_the_claims_are_not() {
    let key = Key::new("k1");
    let mut server = Server::tokens(&key);
    let sent = Sent::token(&key.token(&json!({})));
    server.ask(&sent).unwrap();
    assert_eq!(server.cache.len(), 1);
    server.now.unix = UnixTime::from_secs(NOW + 629);
    server.ask(&sent).unwrap();
    server.now.unix = UnixTime::from_secs(NOW + 630);
    assert_eq!(server.reason(&sent), Reason::TokenExpired);
    assert_eq!(server.cache.len(), 1);
}

#[test]
fn a_replaced_key_set_counts_at_once_for_cached_tokens_too() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let mut server = Server::tokens(&old);
    let sent = Sent::token(&old.token(&json!({})));
    server.ask(&sent).unwrap();
    server.trust.replace(0, new.set());
    assert_eq!(server.reason(&sent), Reason::UnknownKey);
    server.ask(&Sent::token(&new.token(&json!({})))).unwrap();
    server.trust.replace(0, old.set());
    server.ask(&sent).unwrap();
}

#[test]
fn the_cache_forgets_the_token_that_was_used_longest_ago() {
    let key = Key::new("k1");
    let mut server = Server::tokens(&key);
    for number in 0..20 {
        server.ask(&Sent::token(&key.token(&json!({ "sub": format!("s{number}") })))).unwrap();
        assert!(server.cache.len() <= 8);
    }
}

#[test]
fn large_tokens_make_the_cache_keep_fewer() {
    let key = Key::new("k1");
    let mut server = Server::tokens(&key);
    for number in 0..4 {
        let claims = json!({ "sub": format!("s{number}"), "filler": "x".repeat(4_000) });
        server.ask(&Sent::token(&key.token(&claims))).unwrap();
        assert!(server.cache.len() <= 2, "eight of 2 KB, or two of 6 KB");
    }
    for number in 0..20 {
        server.ask(&Sent::token(&key.token(&json!({ "sub": format!("t{number}") })))).unwrap();
    }
    assert!(server.cache.len() > 4);
    let sent = Sent::token(&key.token(&json!({ "filler": "x".repeat(11_600) })));
    server.ask(&sent).unwrap();
    server.ask(&sent).unwrap();
    assert_eq!(server.cache.len(), 0, "too large to be kept at all");
}

#[test]
fn many_small_claims_weigh_what_they_take() {
    let key = Key::new("k1");
    let own: Lines<'_> =
        &[("mesh_authenticate", &["token"]), ("mesh_accept", &["idp", "audience=api"])];
    let mut server = Server::new(&key, &[], &[own]);
    for number in 0..4 {
        let mut audiences = vec!["x"; 500];
        audiences.push("api");
        let claims = json!({ "sub": format!("s{number}"), "aud": audiences });
        server.ask(&Sent::token(&key.token(&claims))).unwrap();
        assert_eq!(server.cache.len(), 0, "a token of 3 KB whose audiences take 24 KB");
    }
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

#[test]
fn required_claims_must_all_hold() {
    let key = Key::new("k1");
    let location: &[(&str, &[&str])] = &[
        ("mesh_authenticate", &["any"]),
        ("mesh_require_claim", &["/scope", "write", "read"]),
        ("mesh_require_claim", &["/groups", "ops"]),
        ("mesh_require_claim", &["/level", "3"]),
    ];
    let mut server = Server::new(&key, &[], &[location]);
    for scope in ["read", "openid read", "write openid"] {
        let changes = json!({ "level": 3, "scope": scope });
        server.ask(&Sent::token(&key.token(&changes))).unwrap();
    }
    for changes in [
        json!({}),
        json!({ "level": 33 }),
        json!({ "level": null }),
        json!({ "level": { "3": 3 } }),
        json!({ "level": 3, "scope": "reader rewrite" }),
        json!({ "level": 3, "groups": ["operators"] }),
        json!({ "level": 3, "groups": null }),
    ] {
        let sent = Sent::token(&key.token(&changes));
        assert_eq!(server.reason(&sent), Reason::ClaimRefused, "{changes}");
    }
    let dns = certificate(&["orders.example"]);
    let sent = Sent::default().with(&dns, ChainVerdict::Verified);
    assert_eq!(server.reason(&sent), Reason::ClaimRefused, "a certificate has no claims");
}

#[test]
fn the_audiences_of_a_location_replace_those_of_the_issuer() {
    let key = Key::new("k1");
    let location: &[(&str, &[&str])] =
        &[("mesh_authenticate", &["token"]), ("mesh_accept", &["idp", "audience=kafka"])];
    let mut server = Server::new(&key, &[], &[location]);
    assert_eq!(server.reason(&Sent::token(&key.token(&json!({})))), Reason::AudienceRefused);
    server.ask(&Sent::token(&key.token(&json!({ "aud": "kafka" })))).unwrap();
}

#[test]
fn a_token_type_is_compared_as_a_media_type() {
    let key = Key::new("k1");
    let mut server =
        Server::new(&key, &[("token_type", &["at+jwt"])], &[&[("mesh_authenticate", &["token"])]]);
    assert_eq!(server.reason(&Sent::token(&key.token(&json!({})))), Reason::TypeRefused);
    let header = json!({ "typ": "application/AT+jwt" });
    let claims = json!({ "iss": "https://idp.example", "aud": "api", "sub": "a", "exp": NOW + 1 });
    server.ask(&Sent::token(&key.sign_under(&header, &claims))).unwrap();
}
