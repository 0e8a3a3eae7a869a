//! Requests that have waited for their body: what depends on time is asked again, and a proof is not.

use super::introspection::ASKED;
use super::proofs::Client;
use super::*;
use crate::need::Entry;

const BODY: BodyRead =
    BodyRead { entry: Entry { table: 0, line: 1 }, found: Err(Reason::BodyMalformed) };

/// A server that takes proofs of a second.
fn server(key: &Key, issuer: Lines<'_>) -> Server {
    let dpop: (&str, &[&str]) = ("mesh_dpop", &["accept", "max_age=1s"]);
    Server::new(key, issuer, &[&[("mesh_authenticate", &["token"]), dpop]])
}

#[test]
fn a_token_that_expires_meanwhile_is_refused() {
    let key = Key::new("k1");
    let mut server = Server::tokens(&key);
    let sent = Sent::token(&key.token(&json!({})));
    let mut memo = Memo::default();
    server.ask_in(0, &sent, &mut memo).unwrap();
    server.passes(700);
    server.ask_in(0, &sent, &mut memo).unwrap();
    memo.set_body(BODY);
    let refusal = server.ask_in(0, &sent, &mut memo).unwrap_err();
    assert_eq!(refusal.reason(), Reason::TokenExpired);
}

#[test]
fn a_proof_that_gets_old_meanwhile_is_not_asked_for_again_and_stays_used_up() {
    let key = Key::new("k1");
    let (mut server, client) = (server(&key, &[]), Client::new(&key));
    let sent = client.says(&json!({}));
    let mut memo = Memo::default();
    server.ask_in(0, &sent, &mut memo).unwrap();
    server.passes(100);
    memo.set_body(BODY);
    server.ask_in(0, &sent, &mut memo).unwrap();
    server.ask_in(0, &sent, &mut memo).unwrap();
    assert_eq!(server.reason(&sent), Reason::DpopStale);
    server.now.unix = UnixTime::from_secs(NOW);
    assert_eq!(server.reason(&sent), Reason::DpopReplayed);
}

#[test]
fn a_proof_that_was_only_seen_is_asked_for_after_the_wait() {
    let key = Key::new("k1");
    let (mut server, client) = (server(&key, &[]), Client::new(&key));
    let sent = client.says(&json!({}));
    let mut memo = Memo::default();
    memo.set_judged(true);
    server.identify(&sent, &mut memo).unwrap();
    memo.set_body(BODY);
    server.passes(100);
    let refusal = server.ask_in(0, &sent, &mut memo).unwrap_err();
    assert_eq!(refusal.reason(), Reason::DpopStale);
}

#[test]
fn an_issuer_that_is_asked_anew_after_the_wait_makes_no_proof_old() {
    let key = Key::new("k1");
    let mut client = Client::new(&key);
    let cnf = client.confirmation();
    client.token = "opaque".to_owned();
    let mut server = server(&key, ASKED);
    let sent = client.says(&json!({}));
    let mut memo = Memo::default();
    let answer = json!({ "active": true, "iss": "https://idp.example", "aud": "api",
        "sub": "orders-api", "exp": NOW + 600, "cnf": cnf });
    let pending = |server: &mut Server, memo: &mut Memo| {
        let refusal = server.ask_in(0, &sent, memo).unwrap_err();
        assert_eq!(refusal.reason(), Reason::IntrospectionPending);
        server.wanted().unwrap()
    };
    let question = pending(&mut server, &mut memo);
    server.says(&question, &answer);
    server.ask_in(0, &sent, &mut memo).unwrap();
    server.passes(100);
    memo.set_body(BODY);
    let question = pending(&mut server, &mut memo);
    server.says(&question, &answer);
    server.ask_in(0, &sent, &mut memo).unwrap();
    assert_eq!(server.reason(&sent), Reason::DpopStale);
}

#[test]
fn every_location_that_the_request_comes_to_asks_again() {
    let key = Key::new("k1");
    let token: (&str, &[&str]) = ("mesh_authenticate", &["token"]);
    let mut server = Server::new(&key, &[], &[&[token], &[token, ("mesh_dpop", &["off"])]]);
    let sent = Sent::token(&key.token(&json!({})));
    let mut memo = Memo::default();
    for location in [0, 1] {
        server.ask_in(location, &sent, &mut memo).unwrap();
    }
    memo.set_body(BODY);
    server.ask_in(0, &sent, &mut memo).unwrap();
    server.passes(700);
    server.ask_in(0, &sent, &mut memo).unwrap();
    let refusal = server.ask_in(1, &sent, &mut memo).unwrap_err();
    assert_eq!(refusal.reason(), Reason::TokenExpired);
}
