//! What a worker keeps of verified tokens, and how much of it.

use super::*;

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
fn the_bound_of_the_cache_holds_what_its_tokens_are_exported_as() {
    let key = Key::new("k1");
    let issuer: &[(&str, &[&str])] = &[("groups_claim", &["/groups"])];
    let mut server = Server::new(&key, issuer, &[&[("mesh_authenticate", &["token"])]]);
    for number in 0..40 {
        // Each byte of the names is exported as three, each character of the groups as six.
        let name = "\u{e9}".repeat(200 + number);
        let claims = json!({ "sub": format!("{name}{number}"), "groups": [name, "g"] });
        let token = Sent::token(&key.token(&claims));
        for _ in 0..2 {
            assert!(exported(&server.ask(&token).unwrap()).len() >= 4);
            assert!(server.ask(&token).unwrap().rendered().unwrap().text().len() > 2_000);
        }
        let [bytes, counted, taken, most] = server.cache.recount();
        assert_eq!(bytes, counted, "what comes and goes is counted alike");
        assert!(taken <= bytes, "{taken} bytes are taken, {bytes} are counted");
        assert!(bytes <= most, "{bytes} bytes are more than {most}");
    }
    assert!(!server.cache.is_empty() && server.cache.len() < 8, "the bound is reached");
}
