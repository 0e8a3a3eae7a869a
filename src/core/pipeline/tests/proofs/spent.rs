//! When a proof is used up: not by a request that is denied or limited, and once by any other.

use super::*;

const LIMIT: (&str, &[&str]) = ("mesh_limit", &["calls", "rate=1r/m", "burst=1"]);
const TOKEN: (&str, &[&str]) = ("mesh_authenticate", &["token"]);
const ADMIN: (&str, &[&str]) = ("mesh_require_claim", &["/admin", "true"]);

#[test]
fn who_is_denied_or_limited_may_come_again_with_the_same_proof() {
    let key = Key::new("k1");
    let client = Client::new(&key);
    let mut server = Server::new(&key, &[], &[&[TOKEN, LIMIT], &[TOKEN, LIMIT, ADMIN]]);
    let proof = |jti: &str| client.says(&json!({ "jti": jti }));
    let denied = server.ask_in(1, &proof("a"), &mut Memo::default()).unwrap_err();
    assert_eq!(denied.reason(), Reason::ClaimRefused);
    for (jti, left) in [("a", 1), ("b", 0)] {
        assert_eq!(server.ask(&proof(jti)).unwrap().remaining(), Some(left));
    }
    for _ in 0..3 {
        assert_eq!(server.reason(&proof("c")), Reason::Limited);
    }
    server.now.tick = Tick::from_millis(1_000_000 + 60_000);
    assert_eq!(server.ask(&proof("c")).unwrap().remaining(), Some(0));
}

#[test]
fn a_replay_is_refused_and_not_charged() {
    let key = Key::new("k1");
    let client = Client::new(&key);
    let mut server = Server::new(&key, &[], &[&[TOKEN, LIMIT]]);
    let proof = |jti: &str| client.says(&json!({ "jti": jti }));
    server.ask(&proof("a")).unwrap();
    for _ in 0..5 {
        assert_eq!(server.reason(&proof("a")), Reason::DpopReplayed);
    }
    assert_eq!(server.ask(&proof("b")).unwrap().remaining(), Some(0));
    // It is a failure all the same, once a request.
    let failures: (&str, &[&str]) = ("mesh_failure_limit", &["rate=1r/m", "burst=1"]);
    let mut server = Server::new(&key, &[], &[&[TOKEN, failures]]);
    server.ask(&proof("a")).unwrap();
    for _ in 0..2 {
        assert_eq!(server.reason(&proof("a")), Reason::DpopReplayed);
    }
    let stranger = Sent::token(&key.token(&json!({ "sub": "stranger" })));
    assert_eq!(server.reason(&stranger), Reason::FailureLimited);
}

#[test]
fn a_variable_uses_the_proof_up_before_the_request_is_judged_and_not_after() {
    let key = Key::new("k1");
    let client = Client::new(&key);
    let mut server = Server::new(&key, &[], &[&[TOKEN, ADMIN], &[TOKEN]]);
    let proof = |jti: &str| client.says(&json!({ "jti": jti }));
    let mut memo = Memo::default();
    server.identify(&proof("early"), &mut memo).unwrap();
    server.ask_in(1, &proof("early"), &mut memo).unwrap();
    let mut other = Memo::default();
    let replayed = server.identify(&proof("early"), &mut other).unwrap_err();
    assert_eq!(replayed.reason(), Reason::DpopReplayed);
    let replayed = server.ask_in(1, &proof("early"), &mut other).unwrap_err();
    assert_eq!(replayed.reason(), Reason::DpopReplayed, "and it stays refused");

    let mut memo = Memo::default();
    let denied = server.ask_in(0, &proof("late"), &mut memo).unwrap_err();
    assert_eq!(denied.reason(), Reason::ClaimRefused);
    assert_eq!(server.identify(&proof("late"), &mut memo).unwrap().service(), "orders-api");
    server.ask_in(1, &proof("late"), &mut Memo::default()).unwrap();
    // A request that is refused for its proof has no identity.
    let mut memo = Memo::default();
    let replayed = server.ask_in(1, &proof("late"), &mut memo).unwrap_err();
    assert_eq!(replayed.reason(), Reason::DpopReplayed);
    assert!(server.identify(&proof("late"), &mut memo).is_err());
}

#[test]
fn a_dry_run_lets_an_identity_through_with_its_proof_used_up_alone() {
    let key = Key::new("k1");
    let client = Client::new(&key);
    let one: (&str, &[&str]) = ("mesh_limit", &["calls", "rate=1r/m"]);
    let mut server = Server::new(
        &key,
        &[],
        &[
            &[TOKEN, one, ADMIN, ("mesh_dry_run", &["all"])],
            &[TOKEN, one, ("mesh_dry_run", &["limit"])],
        ],
    );
    let mut ask = |location: usize, jti: &str| {
        let sent = client.says(&json!({ "jti": jti }));
        let told = server.ask_in(location, &sent, &mut Memo::default());
        told.map(|admission| {
            let noted = admission.would_refuse().map(Refusal::reason);
            (noted, admission.identity().is_some())
        })
        .map_err(|refusal| refusal.reason())
    };
    assert_eq!(ask(0, "a"), Ok((Some(Reason::ClaimRefused), true)));
    assert_eq!(ask(0, "a"), Ok((Some(Reason::DpopReplayed), false)));
    assert_eq!(ask(1, "b"), Ok((None, true)));
    assert_eq!(ask(1, "c"), Ok((Some(Reason::Limited), true)));
    assert_eq!(ask(1, "c"), Err(Reason::DpopReplayed));
}

#[test]
fn a_key_that_has_its_share_of_the_memory_is_refused_alone() {
    let key = Key::new("k1");
    let (client, other) = (Client::new(&key), Client::new(&key));
    let mut server = Server::new(&key, &[], &[&[TOKEN]]);
    server.proofs = Proven::of(64, 1);
    let told: Vec<_> = (0..40)
        .map(|n| server.ask(&client.says(&json!({ "jti": n.to_string() }))).map(drop))
        .collect();
    // Half of a sixteenth of 512 at once.
    assert!(told[..16].iter().all(Result::is_ok));
    for refusal in told.into_iter().skip(16).map(Result::unwrap_err) {
        assert_eq!((refusal.reason(), refusal.status(503)), (Reason::DpopShareFull, 429));
        assert!(!refusal.is_failure());
        assert_eq!(refusal.fields()[0].0, "Retry-After");
    }
    server.ask(&other.says(&json!({}))).unwrap();
    server.now.tick = Tick::from_millis(1_000_000 + 9_000);
    server.ask(&client.says(&json!({ "jti": "39" }))).unwrap();
}
