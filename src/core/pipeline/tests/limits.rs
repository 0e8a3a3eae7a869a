//! Limits, what a redirect remembers, and dry runs.

use super::*;

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
fn a_known_token_passes_the_limit_on_failures_with_or_without_a_certificate() {
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
    let beside = known.with(&dns, ChainVerdict::Failed);
    assert_eq!(server.reason(&beside), Reason::CertificateUnverified, "looked at, not limited");
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
    server.trust = Arc::new(Trust::new(issuers, Kept::default(), vec![None]));
    let refusal = server.ask(&Sent::token(&key.token(&json!({})))).unwrap_err();
    assert_eq!(refusal.reason(), Reason::KeysUnavailable);
    assert_eq!(refusal.status(429), 503);
    assert!(!refusal.is_failure());
}

#[test]
fn a_network_pays_for_addresses_that_fill_their_part() {
    let key = Key::new("k1");
    let location: &[(&str, &[&str])] = &[
        ("mesh_authenticate", &["token"]),
        ("mesh_limit", &["calls", "rate=1r/m", "burst=4"]),
        ("mesh_failure_limit", &["rate=1r/m"]),
    ];
    let mut server = Server::new(&key, &[], &[location]);
    let seen = Sent::token(&key.token(&json!({ "sub": "seen" })));
    server.ask(&seen).unwrap();
    server.zone = Zone::of(1_024);
    let bad = |network: u16, host: u16| {
        let [a, b] = network.to_be_bytes();
        let [c, d] = host.to_be_bytes();
        Sent { address: vec![0x20, 1, 0xd, 0xb8, a, b, c, d], ..Sent::token("x") }
    };
    // Each address fails once, which it may: until they are too many for the part.
    let told: Vec<_> = (0..2_048).map(|host| server.reason(&bad(7, host))).collect();
    assert!(told[..256].iter().all(|reason| *reason == Reason::TokenMalformed));
    let limited = told.iter().filter(|reason| **reason == Reason::FailureLimited).count();
    assert!(limited > 500, "{limited}: what has no room is charged to its network");
    // If each address has its own network, there is nothing to charge, and no request is refused.
    let told: Vec<_> = (100..2_148).map(|network| server.reason(&bad(network, 0))).collect();
    assert!(told[1_024..].iter().all(|reason| *reason == Reason::TokenMalformed));
    server.ask(&Sent { address: bad(7, 2_047).address, ..seen }).unwrap();
    // Identities have exactly theirs.
    for who in 0..20 {
        let sent = Sent::token(&key.token(&json!({ "sub": format!("idle-{who}") })));
        let passed = (0..10).filter(|_| server.ask(&sent).is_ok()).count();
        assert_eq!(passed, 5);
    }
}

#[test]
fn newcomers_share_a_limit_while_there_is_no_room_for_theirs() {
    let key = Key::new("k1");
    let token: (&str, &[&str]) = ("mesh_authenticate", &["token"]);
    let limit: (&str, &[&str]) = ("mesh_limit", &["calls", "rate=1r/m"]);
    let mut server =
        Server::new(&key, &[], &[&[token, limit], &[token, limit, ("mesh_dry_run", &["limit"])]]);
    server.zone = Zone::of(5);
    let as_sub = |who: usize| Sent::token(&key.token(&json!({ "sub": format!("s{who}") })));
    for who in 0..8 {
        server.ask(&as_sub(who)).unwrap();
    }
    assert_eq!(server.ask(&as_sub(8)).unwrap().remaining(), Some(0), "of the one that is shared");
    let refusal = server.ask(&as_sub(9)).unwrap_err();
    assert_eq!((refusal.reason(), refusal.status(430)), (Reason::LimitOverflow, 430));
    assert_eq!(refusal.fields()[0], ("Retry-After", "4".to_owned()));
    assert!(!refusal.is_failure());
    let noted = server.ask_in(1, &as_sub(9), &mut Memo::default()).unwrap();
    assert_eq!(noted.would_refuse().unwrap().reason(), Reason::LimitOverflow);
    assert_eq!(server.reason(&as_sub(0)), Reason::Limited, "who is in debt stays limited");
}
