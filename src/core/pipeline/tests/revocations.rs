use super::*;
use crate::issuer::revocation::Revocations;
use crate::issuer::trust::Revoked;

pub(super) fn list(entries: &Value) -> Revoked {
    let text = json!({ "version": 1, "revoked": entries }).to_string();
    let find = |name: &str| (name == "idp").then_some(0);
    Revoked::Listed(Arc::new(Revocations::parse(text.as_bytes(), find).unwrap()))
}

/// A server with an empty list.
fn server(key: &Key, issuer: &[(&str, &[&str])]) -> Server {
    let server = Server::new(key, issuer, &[&[("mesh_authenticate", &["token"])]]);
    server.trust.revoke(list(&json!([])));
    server
}

#[test]
fn a_cached_token_is_revoked_by_each_of_its_names() {
    let key = Key::new("k1");
    let mut server = server(&key, &[]);
    let mine = Sent::token(&key.token(&json!({ "jti": "t1", "sid": "o1" })));
    let others = Sent::token(&key.token(&json!({ "jti": "t2", "sid": "o2", "sub": "etl" })));
    server.ask(&mine).unwrap();
    server.ask(&others).unwrap();
    assert_eq!(server.cache.len(), 2);
    for entry in [
        json!({ "jti": "t1" }),
        json!({ "sid": "o1" }),
        json!({ "sub": "orders-api" }),
        json!({ "sub": "orders-api", "issuer": "idp" }),
        json!({ "sub": "orders-api", "before": NOW - 60 }),
    ] {
        server.trust.revoke(list(&json!([entry])));
        assert_eq!(server.reason(&mine), Reason::TokenRevoked, "{entry}");
        server.ask(&others).unwrap();
    }
    server.trust.revoke(list(&json!([{ "kid": "k1" }])));
    assert_eq!(server.reason(&mine), Reason::TokenRevoked);
    assert_eq!(server.reason(&others), Reason::TokenRevoked);
    server.trust.revoke(list(&json!([{ "sub": "orders-api", "before": NOW - 61 }])));
    server.ask(&mine).unwrap();
    assert_eq!(server.cache.len(), 2, "no signature is verified twice for it");
}

#[test]
fn a_revoked_key_counts_for_tokens_that_do_not_name_it() {
    let key = Key::new("k1");
    let mut server = server(&key, &[]);
    let claims = json!({ "iss": "https://idp.example", "aud": "api", "sub": "a", "exp": NOW + 1 });
    let unnamed = key.signer.token(None, &claims);
    server.ask(&Sent::token(&unnamed)).unwrap();
    server.trust.revoke(list(&json!([{ "kid": "k1" }])));
    assert_eq!(server.reason(&Sent::token(&unnamed)), Reason::TokenRevoked);
    assert_eq!(server.reason(&Sent::token(&key.token(&json!({})))), Reason::TokenRevoked);
}

#[test]
fn a_numbered_token_is_revoked_by_its_digits_and_a_list_of_names_is_none() {
    let key = Key::new("k1");
    let mut server = server(&key, &[]);
    server.trust.revoke(list(&json!([{ "jti": "77" }, { "sid": "true" }])));
    for claims in [json!({ "jti": 77 }), json!({ "jti": "77" }), json!({ "sid": true })] {
        assert_eq!(server.reason(&Sent::token(&key.token(&claims))), Reason::TokenRevoked);
    }
    for claims in [json!({ "jti": ["77"] }), json!({ "sid": {} })] {
        assert_eq!(server.reason(&Sent::token(&key.token(&claims))), Reason::ClaimMalformed);
    }
    for claims in [json!({ "jti": "077" }), json!({ "jti": "" }), json!({})] {
        server.ask(&Sent::token(&key.token(&claims))).unwrap();
    }
}

#[test]
fn an_entry_outlives_the_leeway_of_the_token_that_it_names() {
    let key = Key::new("k1");
    let mut server = server(&key, &[("leeway", &["2m"])]);
    let sent = Sent::token(&key.token(&json!({ "jti": "t" })));
    let until_exp = json!([{ "jti": "t", "until": NOW + 600 }]);
    server.trust.revoke(list(&until_exp));
    for (now, reason) in [(719, Reason::TokenRevoked), (720, Reason::TokenExpired)] {
        server.now.unix = UnixTime::from_secs(NOW + now);
        assert_eq!(server.reason(&sent), reason, "{now}");
    }
}

#[test]
fn without_a_last_good_list_no_token_is_believed() {
    let key = Key::new("k1");
    let mut server = server(&key, &[]);
    let sent = Sent::token(&key.token(&json!({})));
    server.ask(&sent).unwrap();
    server.trust.revoke(Revoked::Unknown);
    let refusal = server.ask(&sent).unwrap_err();
    assert_eq!(refusal.reason(), Reason::RevocationsUnavailable);
    assert!(!refusal.is_failure(), "it is not the client's");
    server.trust.replace(0, key.set());
    assert_eq!(server.reason(&sent), Reason::RevocationsUnavailable, "new keys do not help");
    server.trust.revoke(list(&json!([])));
    server.ask(&sent).unwrap();
}

#[test]
fn new_keys_leave_the_list_as_it_is() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let mut server = server(&old, &[]);
    server.trust.revoke(list(&json!([{ "jti": "t" }])));
    server.trust.replace(0, new.set());
    let sent = Sent::token(&new.token(&json!({ "jti": "t" })));
    assert_eq!(server.reason(&sent), Reason::TokenRevoked);
    server.trust.revoke(list(&json!([])));
    server.ask(&sent).unwrap();
}

#[test]
fn a_certificate_is_not_revoked_by_its_name() {
    let key = Key::new("k1");
    let mut server = Server::new(&key, &[], &[&[("mesh_authenticate", &["any"])]]);
    server.trust.revoke(list(&json!([{ "sub": "orders.example" }])));
    let peer = certificate(&["orders.example"]);
    server.ask(&Sent::default().with(&peer, ChainVerdict::Verified)).unwrap();
}
