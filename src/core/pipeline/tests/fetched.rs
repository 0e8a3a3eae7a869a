//! Keys that come from a server: how long they are valid, and what is wished for.

use super::*;

fn server(key: &Key) -> Server {
    let issuer: [(&str, &[&str]); 2] =
        [("jwks", &["https://idp.example/keys"]), ("max_stale", &["1h"])];
    let server = Server::new(key, &issuer, &[&[("mesh_authenticate", &["any"])]]);
    server.trust.replace_fetched(0, key.set(), UnixTime::from_secs(NOW));
    server
}

#[test]
fn a_token_that_was_verified_is_refused_once_its_keys_are_stale() {
    let key = Key::new("a");
    let mut server = server(&key);
    let sent = Sent::token(&key.token(&json!({ "exp": NOW + 100_000 })));
    server.ask(&sent).unwrap();
    server.now.unix = UnixTime::from_secs(NOW + 3_600);
    server.ask(&sent).unwrap();
    server.now.unix = UnixTime::from_secs(NOW + 3_601);
    let refusal = server.ask(&sent).unwrap_err();
    assert_eq!(refusal.reason(), Reason::KeysUnavailable);
    assert_eq!(refusal.fields(), [("Retry-After", "5".to_owned())]);
    server.trust.confirm(0, UnixTime::from_secs(NOW + 3_601));
    server.ask(&sent).unwrap();
}

#[test]
fn a_token_by_a_key_that_is_not_there_leaves_a_wish() {
    let (key, other) = (Key::new("a"), Key::new("b"));
    let mut server = server(&key);
    let wish = Some(Wish { issuer: 0, kid: "b".into() });
    let sent = Sent::token(&other.token(&json!({})));
    assert_eq!(server.reason(&sent), Reason::UnknownKey);
    assert_eq!(server.wish, wish);
    server.trust.withdraw(0);
    assert_eq!(server.reason(&sent), Reason::KeysUnavailable);
    assert_eq!(server.wish, wish);
    server.trust.replace_fetched(0, other.set(), UnixTime::from_secs(NOW));
    server.ask(&sent).unwrap();
    assert_eq!(server.wish, None);
}
