//! Tokens that are bound to a key, and proofs of it.

use aws_lc_rs::digest::{SHA256, digest};
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

use super::*;
use crate::key::jwks::thumbprint;

mod spent;

/// A client with a key of its own, and a token that is bound to it.
pub(super) struct Client {
    key: Key,
    pub(super) token: String,
}

impl Client {
    pub(super) fn new(issuer: &Key) -> Self {
        Self::bound(issuer, &json!({}))
    }

    /// `confirmation` goes into `cnf` beside the key.
    fn bound(issuer: &Key, confirmation: &Value) -> Self {
        let mut client = Self { key: Key::new("ignored"), token: String::new() };
        let cnf = changed(confirmation, &client.confirmation());
        client.token = issuer.token(&json!({ "cnf": cnf }));
        client
    }

    /// What a token that is bound to the key says of it.
    pub(super) fn confirmation(&self) -> Value {
        let jkt = thumbprint(self.key.jwk.as_object().unwrap()).unwrap();
        json!({ "jkt": BASE64URL.encode(jkt) })
    }

    fn claims(&self) -> Value {
        let ath = BASE64URL.encode(digest(&SHA256, self.token.as_bytes()));
        json!({ "jti": "one", "htm": "GET", "htu": "https://api.example/topics", "iat": NOW, "ath": ath })
    }

    fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.jwk })
    }

    /// A proof whose header and claims are changed as told; `null` removes a member.
    fn proof(&self, header: &Value, claims: &Value) -> String {
        let (header, claims) = (changed(&self.header(), header), changed(&self.claims(), claims));
        self.key.signer.token_with(&header, &claims)
    }

    fn sends(&self, proof: &str) -> Sent {
        sent(&format!("DPoP {}", self.token), &[proof])
    }

    /// A request whose proof says that; `jti` is one of many.
    pub(super) fn says(&self, claims: &Value) -> Sent {
        self.sends(&self.proof(&json!({}), claims))
    }
}

fn sent(authorization: &str, proofs: &[&str]) -> Sent {
    let proofs = proofs.iter().map(|proof| ("dpop", *proof));
    let fields: Vec<_> = [("authorization", authorization)].into_iter().chain(proofs).collect();
    Sent { address: vec![127, 0, 0, 1], ..Sent::of(&fields) }
}

fn server(key: &Key, lines: &[(&str, &[&str])]) -> Server {
    Server::new(key, &[], &[&[&[("mesh_authenticate", &["token"][..])], lines].concat()])
}

#[test]
fn a_bound_token_is_admitted_with_its_proof_and_once() {
    let key = Key::new("k1");
    let (mut server, client) = (server(&key, &[]), Client::new(&key));
    let sent = client.says(&json!({}));
    let admission = server.ask(&sent).unwrap();
    assert_eq!(admission.identity().unwrap().service(), "orders-api");
    assert_eq!(server.reason(&sent), Reason::DpopReplayed);
    server.now.unix = UnixTime::from_secs(NOW + 60);
    assert_eq!(server.reason(&sent), Reason::DpopReplayed);
    server.ask(&client.says(&json!({ "jti": "two" }))).unwrap();
}

#[test]
fn each_way_of_sending_it_otherwise_has_a_reason() {
    let key = Key::new("k1");
    let client = Client::new(&key);
    let proof = &*client.proof(&json!({}), &json!({}));
    let unbound = key.token(&json!({}));
    let (dpop, bearer) = (&*format!("DPoP {}", client.token), &*format!("Bearer {}", client.token));
    let long = format!("{proof}{}", "A".repeat(8_192));
    let cases = [
        (sent(dpop, &[]), Reason::DpopMissing),
        (sent(bearer, &[]), Reason::DpopMissing),
        (sent(bearer, &[proof]), Reason::DpopMissing),
        (sent(&format!("DPoP {unbound}"), &[proof]), Reason::DpopUnbound),
        (sent(dpop, &[proof, proof]), Reason::DpopMalformed),
        (sent(dpop, &[""]), Reason::DpopMalformed),
        (sent(dpop, &[&format!("{proof}, {proof}")]), Reason::DpopMalformed),
        (sent(dpop, &[&long]), Reason::DpopMalformed),
        (sent(dpop, &[&client.token]), Reason::DpopMalformed),
    ];
    let mut server = server(&key, &[]);
    for (sent, reason) in cases {
        assert_eq!(server.reason(&sent), reason);
    }
    server.ask(&sent(&format!("Bearer {unbound}"), &[proof])).unwrap();
    server.ask(&sent(dpop, &[proof])).expect("no refusal uses a proof up");
}

#[test]
fn each_wrong_claim_or_header_of_a_proof_has_a_reason() {
    let key = Key::new("k1");
    let (mut server, client) = (server(&key, &[]), Client::new(&key));
    let none = json!({});
    let claims = [
        (json!({ "htm": "POST" }), Reason::DpopMismatch),
        (json!({ "htm": "get" }), Reason::DpopMismatch),
        (json!({ "htm": null }), Reason::DpopMalformed),
        (json!({ "htu": "https://api.example/other" }), Reason::DpopMismatch),
        (json!({ "htu": "http://api.example/topics" }), Reason::DpopMismatch),
        (json!({ "htu": "/topics" }), Reason::DpopMismatch),
        (json!({ "htu": null }), Reason::DpopMalformed),
        (json!({ "htu": ["https://api.example/topics"] }), Reason::DpopMalformed),
        (json!({ "ath": null }), Reason::DpopMismatch),
        (json!({ "ath": "" }), Reason::DpopMalformed),
        (json!({ "ath": BASE64URL.encode([0; 32]) }), Reason::DpopMismatch),
        (json!({ "jti": null }), Reason::DpopMalformed),
        (json!({ "jti": "" }), Reason::DpopMalformed),
        (json!({ "jti": 5 }), Reason::DpopMalformed),
        (json!({ "jti": "a".repeat(513) }), Reason::DpopMalformed),
        (json!({ "iat": null }), Reason::DpopMalformed),
        (json!({ "iat": "now" }), Reason::DpopMalformed),
        (json!({ "iat": NOW - 61 }), Reason::DpopStale),
        (json!({ "iat": NOW + 11 }), Reason::DpopStale),
        (json!({ "iat": -1 }), Reason::DpopStale),
    ];
    for (claims, reason) in claims {
        assert_eq!(server.reason(&client.says(&claims)), reason, "{claims}");
    }
    let other = Key::new("other");
    let jwk = |member: &str, value: Value| {
        let mut jwk = client.key.jwk.clone();
        jwk[member] = value;
        json!({ "jwk": jwk })
    };
    let headers = [
        (json!({ "typ": "JWT" }), Reason::DpopMalformed),
        (json!({ "typ": "DPoP+JWT" }), Reason::DpopMalformed),
        (json!({ "typ": null }), Reason::DpopMalformed),
        (json!({ "alg": "none" }), Reason::DpopKey),
        (json!({ "alg": "HS256" }), Reason::DpopKey),
        (json!({ "alg": "ES384" }), Reason::DpopKey),
        (json!({ "alg": "RS256" }), Reason::DpopKey),
        (json!({ "alg": null }), Reason::DpopMalformed),
        (json!({ "crit": ["exp"] }), Reason::DpopMalformed),
        (json!({ "b64": false }), Reason::DpopMalformed),
        (json!({ "jwk": null }), Reason::DpopMalformed),
        (json!({ "jwk": "key" }), Reason::DpopMalformed),
        (json!({ "jwk": {} }), Reason::DpopKey),
        (json!({ "jwk": { "kty": "oct", "k": "AAAA" } }), Reason::DpopKey),
        (json!({ "jwk": other.jwk }), Reason::BindingMismatch),
        (jwk("d", "AAAA".into()), Reason::DpopKey),
        (jwk("use", "enc".into()), Reason::DpopKey),
        (jwk("crv", "P-384".into()), Reason::BindingMismatch),
    ];
    for (header, reason) in headers {
        let proof = client.proof(&header, &none);
        assert_eq!(server.reason(&client.sends(&proof)), reason, "{header}");
    }
    for (at, claims) in [json!({ "iat": NOW - 60 }), json!({ "iat": NOW + 10 }), json!({ "x": [] })]
        .into_iter()
        .enumerate()
    {
        let mut claims = claims;
        claims["jti"] = format!("good {at}").into();
        server.ask(&client.says(&claims)).unwrap();
    }
}

#[test]
fn a_signature_of_another_key_or_of_other_claims_is_refused() {
    let key = Key::new("k1");
    let (mut server, client) = (server(&key, &[]), Client::new(&key));
    let [one, two] = ["one", "two"].map(|id| client.proof(&json!({}), &json!({ "jti": id })));
    let part = |proof: &str, at: usize| proof.split('.').nth(at).unwrap().to_owned();
    let mixed = [part(&one, 0), part(&one, 1), part(&two, 2)].join(".");
    assert_eq!(server.reason(&client.sends(&mixed)), Reason::DpopSignatureInvalid);
    let doubled = BASE64URL.encode(r#"{"jti":"a","jti":"b"}"#);
    let mixed = [part(&one, 0), doubled, part(&one, 2)].join(".");
    assert_eq!(server.reason(&client.sends(&mixed)), Reason::DpopMalformed);
    server.ask(&client.sends(&one)).unwrap();
}

#[test]
fn a_location_says_which_tokens_it_takes() {
    let key = Key::new("k1");
    let client = Client::new(&key);
    let unbound = Sent::token(&key.token(&json!({})));
    let mut off = server(&key, &[("mesh_dpop", &["off"])]);
    assert_eq!(off.reason(&client.says(&json!({}))), Reason::BindingUnsupported);
    off.ask(&unbound).unwrap();
    let mut require = server(&key, &[("mesh_dpop", &["require", "max_age=30s"])]);
    assert_eq!(require.reason(&unbound), Reason::DpopUnbound);
    assert_eq!(require.reason(&client.says(&json!({ "iat": NOW - 31 }))), Reason::DpopStale);
    require.ask(&client.says(&json!({ "iat": NOW - 30 }))).unwrap();
}

#[test]
fn a_token_that_is_bound_to_both_needs_both() {
    let key = Key::new("k1");
    let (own, other) = (certificate(&["a.example"]), certificate(&["b.example"]));
    let x5t = json!({ "x5t#S256": BASE64URL.encode(own.thumbprint()) });
    let client = Client::bound(&key, &x5t);
    let mut server = server(&key, &[]);
    let proof = client.proof(&json!({}), &json!({}));
    let sent = client.sends(&proof);
    assert_eq!(server.reason(&sent), Reason::BindingMismatch);
    let with_other = sent.clone().with(&other, ChainVerdict::Verified);
    assert_eq!(server.reason(&with_other), Reason::BindingMismatch);
    let bearer = self::sent(&format!("Bearer {}", client.token), &[&proof])
        .with(&own, ChainVerdict::Verified);
    assert_eq!(server.reason(&bearer), Reason::DpopMissing);
    server.ask(&sent.with(&own, ChainVerdict::Verified)).unwrap();
    for cnf in [json!({ "jkt": "AA" }), json!({ "jkt": 1 }), json!({ "jkt": "", "kid": "a" })] {
        let token = key.token(&json!({ "cnf": cnf }));
        assert_eq!(server.reason(&Sent::token(&token)), Reason::BindingUnsupported, "{cnf}");
    }
}

#[test]
fn the_same_request_is_no_replay_of_itself() {
    let key = Key::new("k1");
    let token: (&str, &[&str]) = ("mesh_authenticate", &["token"]);
    let mut server = Server::new(
        &key,
        &[],
        &[
            &[token],
            &[token, ("mesh_dpop", &["require"])],
            &[token, ("mesh_dpop", &["accept", "max_age=1s"])],
        ],
    );
    let client = Client::new(&key);
    let sent = client.says(&json!({}));
    let mut memo = Memo::default();
    for location in [0, 1, 0, 2] {
        server.ask_in(location, &sent, &mut memo).unwrap();
    }
    assert_eq!(server.reason(&sent), Reason::DpopReplayed);
    // One that was refused stays refused, wherever it goes.
    let mut memo = Memo::default();
    for location in [0, 1, 2] {
        let refusal = server.ask_in(location, &sent, &mut memo).unwrap_err();
        assert_eq!(refusal.reason(), Reason::DpopReplayed);
    }
}

#[test]
fn a_nonce_is_asked_for_and_renewed() {
    let key = Key::new("k1");
    let client = Client::new(&key);
    let mut server = server(&key, &[("mesh_dpop_nonce", &["on", "lifetime=30s"])]);
    let mut ask = |now: i64, jti: &str, nonce: Option<&str>| {
        server.now.unix = UnixTime::from_secs(now);
        let mut claims = json!({ "jti": jti, "iat": now });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        let mut memo = Memo::default();
        let told = server.ask_in(0, &client.says(&claims), &mut memo);
        (told.map(drop).map_err(|refusal| refusal.reason()), memo.nonce().map(str::to_owned))
    };
    let (told, nonce) = ask(NOW, "a", None);
    assert_eq!(told, Err(Reason::DpopNonce));
    let nonce = nonce.unwrap();
    assert_eq!(ask(NOW, "a", Some("made-up")).0, Err(Reason::DpopNonce));
    assert_eq!(ask(NOW, "a", Some(&nonce)), (Ok(()), None));
    let (told, next) = ask(NOW + 30, "b", Some(&nonce));
    assert_eq!(told, Ok(()));
    assert_eq!(ask(NOW + 30, "c", next.as_deref()), (Ok(()), None));
    assert_eq!(ask(NOW + 60, "d", Some(&nonce)).0, Err(Reason::DpopNonce));
    assert_ne!(next.unwrap(), nonce);
}

#[test]
fn the_origin_of_a_location_is_what_clients_see() {
    let key = Key::new("k1");
    let client = Client::new(&key);
    let mut server = server(&key, &[("mesh_dpop_origin", &["https://edge.example:8443"])]);
    assert_eq!(server.reason(&client.says(&json!({}))), Reason::DpopMismatch);
    server.ask(&client.says(&json!({ "htu": "https://EDGE.example:8443/topics" }))).unwrap();
}

#[test]
fn without_room_or_memory_no_proof_is_accepted() {
    let key = Key::new("k1");
    let mut server = server(&key, &[]);
    // Each of a client of its own: one alone does not fill it.
    let told: Vec<_> = (0..10)
        .map(|_| server.ask(&Client::new(&key).says(&json!({}))))
        .map(|told| told.map(drop).map_err(|refusal| refusal.reason()))
        .collect();
    assert_eq!(told[..8], [Ok(()); 8]);
    assert_eq!(told[8..], [Err(Reason::DpopReplayFull); 2]);
}
