use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{CertificateParams, SanType};
use serde_json::{Value, json};

use super::*;
use crate::config::{Place, RawLocation, RawMain, Resolver};
use crate::credential::{Authorization, Peer};
use crate::directive::{ISSUER, LOCATION, MAIN, read};
use crate::identity::Attribute;
use crate::jwks::KeySet;
use crate::limit::{Bucket, Header as ZoneHeader, Table};
use crate::time::{Now, Tick, UnixTime};
use crate::token::TokenCache;
use crate::trust::Trust;
use crate::x509::{ChainVerdict, PeerCertificate};

const NOW: i64 = 1_800_000_000;

/// An issuer's key, with the private half.
struct Key {
    kid: &'static str,
    signer: EncodingKey,
    jwk: Value,
}

impl Key {
    fn new(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let (x, y) = (&point[1..33], &point[33..65]);
        Self {
            kid,
            signer: EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref()),
            jwk: json!({ "kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256",
                "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) }),
        }
    }

    fn set(&self) -> KeySet {
        let document = json!({ "keys": [self.jwk] }).to_string();
        KeySet::parse(document.as_bytes(), crate::algorithm::AlgorithmSet::DEFAULT).unwrap().0
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.to_owned());
        encode(&header, claims, &self.signer).unwrap()
    }

    /// A token with good claims, changed as told; `null` removes a claim.
    fn token(&self, changes: &Value) -> String {
        let mut claims = json!({ "iss": "https://idp.example", "aud": "api", "sub": "orders-api",
            "iat": NOW - 60, "exp": NOW + 600, "groups": ["eng", "ops"], "scope": "read" });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        self.sign(&claims)
    }
}

/// What a client sends.
#[derive(Default)]
struct Sent {
    authorization: Vec<String>,
    peer: Option<Peer>,
    address: Vec<u8>,
}

impl Sent {
    fn token(token: &str) -> Self {
        Self {
            authorization: vec![format!("Bearer {token}")],
            address: vec![127, 0, 0, 1],
            peer: None,
        }
    }

    fn with(mut self, certificate: &PeerCertificate, verdict: ChainVerdict) -> Self {
        self.peer = Some(Peer { verdict, certificate: Ok(Rc::new(certificate.clone())) });
        self
    }
}

impl Request for Sent {
    fn authorization(&self) -> Authorization<'_> {
        match self.authorization.as_slice() {
            [] => Authorization::Absent,
            [one] => Authorization::One(one.as_bytes()),
            _ => Authorization::Several,
        }
    }

    fn peer(&self) -> Option<Peer> {
        self.peer.clone()
    }

    fn address(&self) -> &[u8] {
        &self.address
    }

    fn variable(&self, _: usize) -> Option<&[u8]> {
        None
    }
}

/// A configuration with one issuer, and a worker under it.
struct Server {
    trust: Arc<Trust>,
    locations: Vec<Location>,
    cache: TokenCache,
    header: ZoneHeader,
    buckets: Vec<Bucket>,
    now: Now,
}

impl Server {
    /// Each element is a location as typed; the issuer may have lines more than it needs.
    fn new(key: &Key, issuer: &[(&str, &[&str])], locations: &[&[(&str, &[&str])]]) -> Self {
        let place = Place::default();
        let mut main = RawMain::default();
        read(MAIN, &mut main, "mesh_issuer", &["idp"], &place).unwrap();
        let open = main.open.as_mut().unwrap();
        for (name, word) in [("issuer", "https://idp.example"), ("audience", "api"), ("jwks", "x")]
        {
            read(ISSUER, open, name, &[word], &place).unwrap();
        }
        for (name, words) in issuer {
            read(ISSUER, open, name, words, &place).unwrap();
        }
        main.close_issuer().unwrap();
        let mut resolver = Resolver::new(&main);
        let locations = locations.iter().map(|lines| {
            let mut raw = RawLocation::default();
            for (name, words) in *lines {
                read(LOCATION, &mut raw, name, words, &place).unwrap();
            }
            resolver.resolve(&raw, &mut |_| None).unwrap().unwrap()
        });
        let locations = locations.collect();
        Self {
            trust: Arc::new(Trust::new(
                main.issuers,
                resolver.into_pointers(),
                vec![Some(key.set())],
            )),
            locations,
            cache: TokenCache::with_capacity(8),
            header: ZoneHeader::default(),
            buckets: (0..64).map(|_| Bucket::default()).collect(),
            now: Now { unix: UnixTime::from_secs(NOW), tick: Tick::from_millis(1_000_000) },
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
        let table = Table::open(&self.header, &self.buckets, [1, 2]).unwrap();
        let mut worker = Worker {
            trust: &self.trust,
            snapshot: &self.trust.load(),
            cache: &mut self.cache,
            table: Some(table),
            now: self.now,
            noted: None,
        };
        evaluate(sent, &self.locations[location], memo, &mut worker)
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
        assert!(server.cache.len() <= 2, "eight of 1.5 KB, or two of 6 KB");
    }
    for number in 0..20 {
        server.ask(&Sent::token(&key.token(&json!({ "sub": format!("t{number}") })))).unwrap();
    }
    assert!(server.cache.len() > 4);
    let sent = Sent::token(&key.token(&json!({ "filler": "x".repeat(11_000) })));
    server.ask(&sent).unwrap();
    server.ask(&sent).unwrap();
    assert_eq!(server.cache.len(), 0, "too large to be kept at all");
}

#[test]
fn many_small_claims_weigh_what_they_take() {
    let key = Key::new("k1");
    let mut server = Server::tokens(&key);
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
    let mut doubled = Sent::token(&key.token(&json!({})));
    doubled.authorization.push("Basic dTpw".to_owned());
    assert_eq!(server.reason(&doubled), Reason::CredentialConflict);
    let mut basic = Sent::default();
    basic.authorization.push("Basic dTpw".to_owned());
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
fn a_certificate_is_an_identity_when_nginx_verified_it_for_this_server() {
    let key = Key::new("k1");
    let mut server = Server::new(&key, &[], &[&[("mesh_authenticate", &["certificate"])]]);
    let svid = certificate(&["spiffe://prod.example/ns/shop/sa/orders"]);
    let admission = server.ask(&Sent::default().with(&svid, ChainVerdict::Verified)).unwrap();
    assert_eq!(
        exported(&admission),
        [
            ("X-Mesh-Service", "spiffe://prod.example/ns/shop/sa/orders".to_owned()),
            ("X-Mesh-Principal", "spiffe://prod.example/ns/shop/sa/orders".to_owned()),
            ("X-Mesh-Spiffe-Id", "spiffe://prod.example/ns/shop/sa/orders".to_owned()),
            ("X-Mesh-Method", "certificate".to_owned()),
        ]
    );
    let identity = admission.identity().unwrap();
    assert_eq!(identity.attribute(Attribute::TrustDomain).unwrap(), "prod.example");
    for (verdict, reason) in [
        (ChainVerdict::Failed, Reason::CertificateUnverified),
        (ChainVerdict::Foreign, Reason::CertificateMisdirected),
    ] {
        assert_eq!(server.reason(&Sent::default().with(&svid, verdict)), reason);
    }
    assert_eq!(server.reason(&Sent::default()), Reason::CertificateMissing);
    assert_eq!(
        server.reason(&Sent::token(&key.token(&json!({})))),
        Reason::CertificateMissing,
        "a token is not read where it is not named"
    );
    server.now.unix = UnixTime::from_secs(4_000_000_000);
    assert_eq!(
        server.reason(&Sent::default().with(&svid, ChainVerdict::Verified)),
        Reason::CertificateExpired
    );
}

#[test]
fn a_kind_of_name_that_is_not_configured_is_no_identity() {
    let key = Key::new("k1");
    let spiffe_only: &[(&str, &[&str])] =
        &[("mesh_authenticate", &["certificate"]), ("mesh_certificate_name", &["spiffe"])];
    let mut server = Server::new(&key, &[], &[spiffe_only]);
    let dns = certificate(&["orders.example"]);
    assert_eq!(
        server.reason(&Sent::default().with(&dns, ChainVerdict::Verified)),
        Reason::CertificateNameless
    );
}

#[test]
fn with_any_one_is_enough_and_whatever_is_presented_must_verify() {
    let key = Key::new("k1");
    let mut server = Server::new(&key, &[], &[&[("mesh_authenticate", &["any"])]]);
    let dns = certificate(&["orders.example"]);
    let good = key.token(&json!({ "sub": "tokens-own" }));
    let bad = key.token(&json!({ "exp": 1 }));
    server.ask(&Sent::token(&good)).unwrap();
    server.ask(&Sent::default().with(&dns, ChainVerdict::Verified)).unwrap();
    let both = server.ask(&Sent::token(&good).with(&dns, ChainVerdict::Verified)).unwrap();
    let identity = both.identity().unwrap();
    assert_eq!(identity.service(), "tokens-own", "the principal is the token's");
    assert_eq!(identity.attribute(Attribute::Method).unwrap(), "token certificate");
    assert_eq!(server.reason(&Sent::default()), Reason::CredentialMissing);
    assert_eq!(
        server.reason(&Sent::token(&bad).with(&dns, ChainVerdict::Verified)),
        Reason::TokenExpired
    );
    assert_eq!(
        server.reason(&Sent::token(&good).with(&dns, ChainVerdict::Failed)),
        Reason::CertificateUnverified
    );
}

#[test]
fn both_are_needed_where_both_are_named() {
    let key = Key::new("k1");
    let mut server = Server::new(&key, &[], &[&[("mesh_authenticate", &["token", "certificate"])]]);
    let dns = certificate(&["orders.example"]);
    let token = key.token(&json!({}));
    assert_eq!(server.reason(&Sent::token(&token)), Reason::CertificateMissing);
    assert_eq!(
        server.reason(&Sent::default().with(&dns, ChainVerdict::Verified)),
        Reason::CredentialMissing
    );
    server.ask(&Sent::token(&token).with(&dns, ChainVerdict::Verified)).unwrap();
}

#[test]
fn a_bound_token_needs_its_certificate_on_the_connection() {
    let key = Key::new("k1");
    let mut server = Server::tokens(&key);
    let (own, other) = (certificate(&["a.example"]), certificate(&["b.example"]));
    let thumbprint = URL_SAFE_NO_PAD.encode(own.thumbprint());
    let token = key.token(&json!({ "cnf": { "x5t#S256": thumbprint } }));
    assert_eq!(server.reason(&Sent::token(&token)), Reason::BindingMismatch);
    server.ask(&Sent::token(&token).with(&own, ChainVerdict::Verified)).unwrap();
    // RFC 8705 section 3: the chain need not be trusted, the key's possession is what counts.
    server.ask(&Sent::token(&token).with(&own, ChainVerdict::Failed)).unwrap();
    assert_eq!(
        server.reason(&Sent::token(&token).with(&other, ChainVerdict::Verified)),
        Reason::BindingMismatch
    );
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
    server.ask(&Sent::token(&key.token(&json!({ "level": 3 })))).unwrap();
    for changes in [
        json!({}),
        json!({ "level": 33 }),
        json!({ "level": null }),
        json!({ "level": { "3": 3 } }),
        json!({ "level": 3, "scope": "read write" }),
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
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("k1".to_owned());
    header.typ = Some("application/AT+jwt".to_owned());
    let claims = json!({ "iss": "https://idp.example", "aud": "api", "sub": "a", "exp": NOW + 1 });
    server.ask(&Sent::token(&encode(&header, &claims, &key.signer).unwrap())).unwrap();
}

#[test]
fn a_limit_refuses_its_owner_and_nobody_else() {
    let key = Key::new("k1");
    let location: &[(&str, &[&str])] =
        &[("mesh_authenticate", &["token"]), ("mesh_limit", &["calls", "rate=1r/m", "burst=2"])];
    let mut server = Server::new(&key, &[], &[location]);
    let (a, b) = (key.token(&json!({})), key.token(&json!({ "sub": "other" })));
    for left in [2, 1, 0] {
        assert_eq!(server.ask(&Sent::token(&a)).unwrap().remaining(), Some(left));
    }
    let refusal = server.ask(&Sent::token(&a)).unwrap_err();
    assert_eq!(refusal.reason(), Reason::Limited);
    assert_eq!(refusal.status(503), 503);
    server.ask(&Sent::token(&b)).unwrap();
    server.now.tick = Tick::from_millis(1_000_000 + 60_000);
    server.ask(&Sent::token(&a)).unwrap();
    assert_eq!(server.reason(&Sent::token(&a)), Reason::Limited);
}

#[test]
fn a_redirect_verifies_and_charges_once_and_decides_anew() {
    let key = Key::new("k1");
    let limit: (&str, &[&str]) = ("mesh_limit", &["calls", "rate=1r/m", "burst=1"]);
    let token: (&str, &[&str]) = ("mesh_authenticate", &["token"]);
    let mut server = Server::new(
        &key,
        &[],
        &[
            &[token, limit],
            &[token, limit, ("mesh_require_claim", &["/scope", "admin"])],
            &[("mesh_authenticate", &["certificate"]), limit],
        ],
    );
    let mut memo = Memo::default();
    let sent = Sent::token(&key.token(&json!({})));
    server.ask_in(0, &sent, &mut memo).unwrap();
    // The credential is gone, and the token forgotten: only the memo can know.
    server.cache = TokenCache::with_capacity(8);
    let gone = Sent::default();
    assert_eq!(server.ask_in(0, &gone, &mut memo).unwrap().remaining(), Some(1));
    assert_eq!(
        server.ask_in(1, &gone, &mut memo).unwrap_err().reason(),
        Reason::ClaimRefused,
        "decided anew"
    );
    assert_eq!(
        server.ask_in(2, &gone, &mut memo).unwrap_err().reason(),
        Reason::CertificateMissing,
        "other settings authenticate anew"
    );
    let mut next = Memo::default();
    assert_eq!(server.ask_in(0, &sent, &mut next).unwrap().remaining(), Some(0));
}

#[test]
fn failures_are_charged_to_the_address_and_gate_what_is_unknown() {
    let key = Key::new("k1");
    let location: &[(&str, &[&str])] =
        &[("mesh_authenticate", &["token"]), ("mesh_failure_limit", &["rate=1r/m", "burst=1"])];
    let mut server = Server::new(&key, &[], &[location]);
    let known = Sent::token(&key.token(&json!({ "sub": "neighbour" })));
    server.ask(&known).unwrap();
    for _ in 0..10 {
        assert_eq!(server.reason(&Sent::default()), Reason::CredentialMissing, "not a failure");
    }
    let bad = Sent::token(&key.token(&json!({ "exp": 1 })));
    assert_eq!(server.reason(&bad), Reason::TokenExpired);
    assert_eq!(server.reason(&Sent::token("x")), Reason::TokenMalformed);
    let fresh = Sent::token(&key.token(&json!({ "sub": "fresh" })));
    assert_eq!(server.reason(&fresh), Reason::FailureLimited);
    server.ask(&known).unwrap();
    let mut elsewhere = Sent::token(&key.token(&json!({ "sub": "fresh" })));
    elsewhere.address = vec![127, 0, 0, 2];
    server.ask(&elsewhere).unwrap();
}

#[test]
fn a_request_without_a_credential_is_never_past_the_limit_on_failures() {
    let key = Key::new("k1");
    let location: &[(&str, &[&str])] =
        &[("mesh_authenticate", &["any"]), ("mesh_failure_limit", &["rate=1r/m"])];
    let mut server = Server::new(&key, &[], &[location]);
    let bad = Sent::token(&key.token(&json!({ "exp": 1 })));
    assert_eq!(server.reason(&bad), Reason::TokenExpired);
    assert_eq!(server.reason(&Sent::token("x")), Reason::FailureLimited);
    let nothing = Sent { address: vec![127, 0, 0, 1], ..Sent::default() };
    assert_eq!(server.reason(&nothing), Reason::CredentialMissing);
    let dns = certificate(&["orders.example"]);
    let certified = Sent { address: vec![127, 0, 0, 1], ..Sent::default() };
    assert_eq!(server.reason(&certified.with(&dns, ChainVerdict::Failed)), Reason::FailureLimited);
}

#[test]
fn a_known_token_alone_passes_the_limit_on_failures_where_a_certificate_would_do() {
    let key = Key::new("k1");
    let location: &[(&str, &[&str])] =
        &[("mesh_authenticate", &["any"]), ("mesh_failure_limit", &["rate=1r/m"])];
    let mut server = Server::new(&key, &[], &[location]);
    let known = Sent::token(&key.token(&json!({ "sub": "neighbour" })));
    server.ask(&known).unwrap();
    assert_eq!(server.reason(&Sent::token("x")), Reason::TokenMalformed);
    assert_eq!(server.reason(&Sent::token("x")), Reason::FailureLimited);
    server.ask(&known).unwrap();
    let dns = certificate(&["orders.example"]);
    assert_eq!(server.reason(&known.with(&dns, ChainVerdict::Failed)), Reason::FailureLimited);
}

#[test]
fn a_strict_limit_on_failures_is_not_that_of_another_location() {
    let key = Key::new("k1");
    let token: (&str, &[&str]) = ("mesh_authenticate", &["token"]);
    let mut server = Server::new(
        &key,
        &[],
        &[
            &[token, ("mesh_failure_limit", &["rate=1r/m"])],
            &[token, ("mesh_failure_limit", &["rate=100r/s", "burst=50"])],
        ],
    );
    for reason in [Reason::TokenMalformed, Reason::FailureLimited] {
        assert_eq!(server.reason(&Sent::token("x")), reason);
    }
    let refusal = server.ask_in(1, &Sent::token("x"), &mut Memo::default()).unwrap_err();
    assert_eq!(refusal.reason(), Reason::TokenMalformed);
}

#[test]
fn a_request_is_charged_for_one_failure_however_often_it_is_redirected() {
    let key = Key::new("k1");
    let failures: (&str, &[&str]) = ("mesh_failure_limit", &["rate=1r/m", "burst=1"]);
    let mut server = Server::new(
        &key,
        &[],
        &[
            &[("mesh_authenticate", &["token"]), failures],
            &[("mesh_authenticate", &["any"]), failures],
        ],
    );
    let mut memo = Memo::default();
    for location in [0, 1] {
        let refusal = server.ask_in(location, &Sent::token("x"), &mut memo).unwrap_err();
        assert_eq!(refusal.reason(), Reason::TokenMalformed);
    }
    assert_eq!(server.reason(&Sent::token("x")), Reason::TokenMalformed, "one is left");
    assert_eq!(server.reason(&Sent::token("x")), Reason::FailureLimited);
}

#[test]
fn a_dry_run_notes_what_it_would_refuse_and_exports_nothing_unverified() {
    let key = Key::new("k1");
    let limit: (&str, &[&str]) = ("mesh_limit", &["calls", "rate=1r/m"]);
    let failures: (&str, &[&str]) = ("mesh_failure_limit", &["rate=1r/m"]);
    let token: (&str, &[&str]) = ("mesh_authenticate", &["token"]);
    let mut server = Server::new(
        &key,
        &[],
        &[
            &[token, limit, failures, ("mesh_dry_run", &["limit"])],
            &[token, limit, ("mesh_dry_run", &["all"])],
        ],
    );
    let good = Sent::token(&key.token(&json!({})));
    let bad = Sent::token(&key.token(&json!({ "exp": 1 })));
    assert!(server.ask(&good).unwrap().would_refuse().is_none());
    let noted = server.ask(&good).unwrap();
    assert_eq!(noted.would_refuse().unwrap().reason(), Reason::Limited);
    assert_eq!(exported(&noted).len(), 4, "the identity is verified");
    for _ in 0..4 {
        assert_eq!(server.reason(&bad), Reason::TokenExpired, "limits alone are dry");
    }
    let fresh = Sent::token(&key.token(&json!({ "sub": "fresh" })));
    let noted = server.ask(&fresh).unwrap();
    assert_eq!(noted.would_refuse().unwrap().reason(), Reason::FailureLimited);
    assert_eq!(noted.identity().unwrap().service(), "fresh");

    let noted = server.ask_in(1, &bad, &mut Memo::default()).unwrap();
    assert_eq!(noted.would_refuse().unwrap().reason(), Reason::TokenExpired);
    assert!(noted.identity().is_none());
    assert_eq!(exported(&noted), []);
    assert_eq!(noted.rule(), "dry-run");
}

#[test]
fn an_issuer_without_keys_is_unavailable_and_not_a_failure() {
    let key = Key::new("k1");
    let mut server = Server::tokens(&key);
    let issuers = server.trust.issuers().to_vec();
    server.trust = Arc::new(Trust::new(issuers, Vec::new(), vec![None]));
    let refusal = server.ask(&Sent::token(&key.token(&json!({})))).unwrap_err();
    assert_eq!(refusal.reason(), Reason::KeysUnavailable);
    assert_eq!(refusal.status(429), 503);
    assert!(!refusal.is_failure());
}
