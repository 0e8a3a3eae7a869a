use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::Instant as Clock;

use mesh_core::issuer::Entry;
use mesh_core::text::time::UnixTime;

use super::stub::{Fetching, SharedMemory, every, issuer, jwks, pem, set};
use super::*;
use crate::http::stub::{Authority, Server, Step, full_listener, ok, raw, whole};
use crate::stub::until;

mod alb;
mod bearer;
mod discovery;

/// A server whose answer can be changed.
fn changing(first: Vec<Step>) -> (Server, Arc<Mutex<Vec<Step>>>) {
    let answer = Arc::new(Mutex::new(first));
    let steps = Arc::clone(&answer);
    (Server::plain(move |_| steps.lock().unwrap().clone()), answer)
}

/// The end of a message about a server.
fn of(server: &Server) -> String {
    format!("{} of mesh_issuer \"idp\"", server.url("/keys"))
}

#[test]
fn keys_are_fetched_at_once_and_published() {
    let document = set(&["a", "b"]);
    let (server, _) = changing(ok("", &document));
    let memory = SharedMemory::led();
    let mut fetching = Fetching::start(&memory, vec![jwks(server.url("/keys"))]);
    memory.until_calls(1);
    assert_eq!(memory.calls(), ["publish 0"]);
    assert_eq!(memory.lock().documents[0].as_ref().unwrap().0, document.as_bytes());
    let said = format!("Notice mesh_issuer \"idp\": 2 keys from {}", server.url("/keys"));
    fetching.until_said(&said);
    memory.ticks(3);
    assert_eq!(server.paths(), ["/keys"]);
    assert_eq!(fetching.said(), [said]);
}

#[test]
fn keys_come_over_tls_from_a_trusted_server_alone() {
    let (authority, other) = (Authority::new(), Authority::new());
    let document = set(&["a"]);
    let server = Server::tls(authority.server("localhost"), move |_| ok("", &document));
    let entry = || Entry::Jwks(server.url("/keys"));
    let memory = SharedMemory::led();
    let fetching = Fetching::start(&memory, vec![issuer(entry(), Some(&other.file))]);
    memory.until_calls(1);
    assert_eq!(memory.calls()[0], "fail 0 tls");
    drop(fetching);
    assert!(server.requests().is_empty());

    let memory = SharedMemory::led();
    let _fetching = Fetching::start(&memory, vec![issuer(entry(), Some(&authority.file))]);
    memory.until_calls(1);
    assert_eq!(memory.calls()[0], "publish 0");
}

#[test]
fn fresh_keys_are_not_fetched_at_the_start_and_old_ones_are() {
    let (server, _) = changing(ok("", &set(&["b"])));
    let memory = SharedMemory::led();
    let document = set(&["a"]).into_bytes();
    memory.lock().documents[0] = Some((document.clone(), clock::now()));
    let fetching = Fetching::start(&memory, vec![jwks(server.url("/keys"))]);
    memory.ticks(5);
    assert!(server.requests().is_empty());
    drop(fetching);

    memory.lock().documents[0] = Some((document, clock::now().saturating_add(-3700)));
    let _fetching = Fetching::start(&memory, vec![jwks(server.url("/keys"))]);
    memory.until_calls(1);
    assert_eq!(memory.kids(0), ["b"]);
}

#[test]
fn keys_of_a_time_to_come_are_fetched_at_the_start() {
    let (server, _) = changing(ok("", &set(&["b"])));
    let memory = SharedMemory::led();
    let document = set(&["a"]).into_bytes();
    memory.lock().documents[0] = Some((document, clock::now().saturating_add(7200)));
    let _fetching = Fetching::start(&memory, vec![jwks(server.url("/keys"))]);
    memory.until_calls(1);
    assert_eq!(memory.kids(0), ["b"]);
}

#[test]
fn what_is_unchanged_is_confirmed_and_not_published() {
    let document = set(&["a", "b"]);
    let both: Value = serde_json::from_str(&document).unwrap();
    let keys = both["keys"].as_array().unwrap();
    // The same keys in another order, and with other white space.
    let turned = serde_json::to_string_pretty(&serde_json::json!({ "keys": [keys[1], keys[0]] }));
    let turned = turned.unwrap();
    let count = AtomicUsize::new(0);
    let server = Server::plain(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 => ok("ETag: \"v1\"\r\n", &document),
        1 => {
            assert!(request.contains("if-none-match: \"v1\"\r\n"), "{request}");
            raw("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n")
        }
        2 => ok("ETag: \"v2\"\r\n", &turned),
        _ => {
            assert!(request.contains("if-none-match: \"v2\"\r\n"), "{request}");
            raw("HTTP/1.1 304 Not Modified\r\n\r\n")
        }
    });
    let memory = SharedMemory::led();
    let issuer = every(Duration::from_millis(50), &jwks(server.url("/keys")));
    let mut fetching = Fetching::start(&memory, vec![issuer]);
    memory.until_calls(5);
    assert_eq!(memory.calls()[..4], ["publish 0", "confirm 0", "confirm 0", "confirm 0"]);
    assert_eq!(fetching.said().len(), 1, "{:?}", fetching.said());
}

#[test]
fn new_leader_confirms_what_another_has_published() {
    let document = set(&["a"]);
    let (server, _) = changing(ok("", &document));
    let memory = SharedMemory::led();
    memory.lock().documents[0] = Some((document.into_bytes(), UnixTime::from_secs(0)));
    let _fetching = Fetching::start(&memory, vec![jwks(server.url("/keys"))]);
    memory.until_calls(1);
    assert_eq!(memory.calls(), ["confirm 0"]);
}

#[test]
fn each_fault_keeps_the_keys_and_is_told_once() {
    let good = set(&["a"]);
    let (server, answer) = changing(ok("", &good));
    let memory = SharedMemory::led();
    let issuer = every(Duration::from_millis(50), &jwks(server.url("/keys")));
    let mut fetching = Fetching::start(&memory, vec![issuer]);
    memory.until_calls(1);
    let weak = r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#;
    for (word, why, steps) in [
        ("status", "the server answers 500", whole("500 Error", "", "secret")),
        ("redirect", "the answer is a redirect (302), which", whole("302 Found", "", "")),
        ("incomplete", "the connection ended", raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")),
        ("keys", "invalid JSON at line 1 column 1", ok("", "<html>secret</html>")),
        ("keys", "no JWK set", ok("", "{}")),
        ("keys", "no usable key: key at index 0: symmetric key", ok("", weak)),
        ("too_large", "the answer is larger than 4194304 bytes", ok("", &"x".repeat(10_000_000))),
    ] {
        let (said, calls) = (fetching.said().len(), memory.calls().len());
        *answer.lock().unwrap() = steps;
        let failed = format!("fail 0 {word}");
        // A fetch that was on its way is over; then it goes on failing alike.
        until(word, || memory.calls()[calls..].iter().filter(|call| **call == failed).count() > 2);
        assert!(memory.lock().why.starts_with(why), "{}", memory.lock().why);
        assert_eq!(fetching.said().len(), said + 1, "{:?}", fetching.said());
        let told = fetching.said().remove(said);
        assert!(told.starts_with(&format!("Error {why}")), "{told}");
        let end = format!(" while fetching {}, the last good version stays in force", of(&server));
        assert!(told.ends_with(&end), "{told}");
        assert!(!told.contains("secret"), "{told}");
        assert_eq!(memory.kids(0), ["a"]);

        *answer.lock().unwrap() = ok("", &good);
        until("recovery", || fetching.said().len() == said + 2);
        assert_eq!(
            fetching.said()[said + 1],
            "Notice mesh_issuer \"idp\" is good again: unchanged"
        );
    }
    assert_eq!(memory.calls().iter().filter(|call| *call == "publish 0").count(), 1);
}

#[test]
fn issuer_without_keys_is_tried_again_soon() {
    let (server, answer) = changing(raw(""));
    let memory = SharedMemory::led();
    let mut fetching = Fetching::start(&memory, vec![jwks(server.url("/keys"))]);
    memory.until_calls(3);
    *answer.lock().unwrap() = ok("", &set(&["a"]));
    fetching.until_said("is good again: 1 keys from");
    let said = fetching.said();
    assert!(said[0].ends_with(&format!("{}, it has no keys yet", of(&server))), "{said:?}");
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn keys_that_are_skipped_are_told_with_the_set() {
    let mut document: Value = serde_json::from_str(&set(&["a"])).unwrap();
    document["keys"].as_array_mut().unwrap().push(serde_json::json!({ "kty": "oct", "kid": "b" }));
    let (server, _) = changing(ok("", &document.to_string()));
    let memory = SharedMemory::led();
    let mut fetching = Fetching::start(&memory, vec![jwks(server.url("/keys"))]);
    fetching.until_said("1 keys from");
    let said = &fetching.said()[0];
    assert!(said.starts_with("Warn") && said.ends_with(", key \"b\": symmetric key"), "{said}");
}

#[test]
fn bundle_of_a_trust_domain_is_read_as_one() {
    let document = set(&["a"]).replace(r#""use":"sig""#, r#""use":"jwt-svid""#);
    let (server, _) = changing(ok("", &document));
    let domain = mesh_core::issuer::Form::Spiffe("prod.example".parse().unwrap());
    let bundle = RemoteIssuer { form: domain, ..jwks(server.url("/keys")) };
    let plain = RemoteIssuer { index: 1, ..jwks(server.url("/keys")) };
    let memory = SharedMemory::led();
    let _fetching = Fetching::start(&memory, vec![bundle, plain]);
    memory.until_calls(2);
    let mut calls = memory.calls()[..2].to_vec();
    calls.sort_unstable();
    assert_eq!(calls, ["fail 1 keys", "publish 0"]);
}

#[test]
fn wish_brings_a_new_key_at_once() {
    let (server, answer) = changing(ok("", &set(&["a"])));
    let memory = SharedMemory::led();
    let _fetching = Fetching::start(&memory, vec![jwks(server.url("/keys"))]);
    memory.until_calls(1);
    // A key that is there is no reason to ask.
    memory.wish("a");
    memory.ticks(3);
    assert_eq!(memory.calls().len(), 1);
    *answer.lock().unwrap() = ok("", &set(&["a", "b"]));
    memory.wish("b");
    memory.until_calls(2);
    assert_eq!(memory.kids(0), ["a", "b"]);
}

#[test]
fn made_up_keys_do_not_hide_a_real_one_nor_cause_a_storm() {
    let (server, answer) = changing(ok("", &set(&["a"])));
    let memory = SharedMemory::led();
    let mut issuer = jwks(server.url("/keys"));
    Arc::make_mut(&mut issuer.remote).min_refresh = Duration::from_secs(2);
    let _fetching = Fetching::start(&memory, vec![issuer]);
    memory.until_calls(1);
    let began = Clock::now();
    *answer.lock().unwrap() = ok("", &set(&["b"]));
    let mut number = 0;
    until("the real key", || {
        for _ in 0..1000 {
            number += 1;
            memory.lock().wishes.push_back(format!("made up {number}").into());
        }
        memory.lock().wishes.push_back("b".into());
        // The shell's place for wishes is bounded.
        memory.lock().wishes.truncate(2000);
        memory.kids(0) == ["b"]
    });
    let most = usize::try_from(began.elapsed().as_secs() / 2).unwrap() + 2;
    assert!(server.requests().len() <= most, "{} of {most}", server.requests().len());
}

#[test]
fn key_that_is_gone_is_not_asked_for_over_and_over() {
    let (server, _) = changing(ok("", &set(&["a"])));
    let memory = SharedMemory::led();
    let mut issuer = jwks(server.url("/keys"));
    Arc::make_mut(&mut issuer.remote).min_refresh = Duration::from_secs(600);
    // As if `min_refresh` had passed.
    memory.lock().documents[0] =
        Some((set(&["a"]).into_bytes(), clock::now().saturating_add(-601)));
    let _fetching = Fetching::start(&memory, vec![issuer]);
    for _ in 0..5 {
        memory.wish("gone");
        memory.ticks(1);
    }
    memory.ticks(3);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn worker_that_does_not_lead_fetches_nothing_until_it_does() {
    let (server, _) = changing(ok("", &set(&["a"])));
    let memory = SharedMemory::default();
    let mut fetching = Fetching::start(&memory, vec![jwks(server.url("/keys"))]);
    memory.lock().wishes.push_back("b".into());
    memory.ticks(12);
    assert!(server.requests().is_empty());
    assert_eq!(memory.lock().wishes.len(), 1, "it is for the leader");
    memory.lock().leads = true;
    memory.until_calls(1);
    assert_eq!(memory.calls(), ["publish 0"]);
    fetching.until_said("1 keys from");
}

#[test]
fn worker_that_lost_the_lead_publishes_nothing() {
    let steps = [vec![Step::Wait(Duration::from_millis(300))], ok("", &set(&["a"]))].concat();
    let (server, _) = changing(steps);
    let memory = SharedMemory::led();
    let mut fetching = Fetching::start(&memory, vec![jwks(server.url("/keys"))]);
    until("request", || !server.requests().is_empty());
    memory.lock().leads = false;
    memory.ticks(8);
    assert!(memory.calls().is_empty(), "{:?}", memory.calls());
    assert!(memory.lock().documents[0].is_none());
    assert_eq!(server.requests().len(), 1);
    // It leads again, and knows nothing of the last time.
    memory.lock().leads = true;
    memory.until_calls(1);
    fetching.until_said("1 keys from");
}

#[test]
fn keys_that_cannot_be_shared_are_a_failure_and_come_again() {
    let document = set(&["a"]);
    let server = Server::plain(move |request| {
        if request.contains("if-none-match") {
            return raw("HTTP/1.1 304 Not Modified\r\n\r\n");
        }
        ok("ETag: \"v1\"\r\n", &document)
    });
    let memory = SharedMemory::led();
    memory.lock().is_full = true;
    let issuer = every(Duration::from_millis(50), &jwks(server.url("/keys")));
    let mut fetching = Fetching::start(&memory, vec![issuer]);
    fetching.until_said("the keys could not be put into shared memory");
    assert_eq!(memory.calls()[0], "fail 0 publish");
    memory.lock().is_full = false;
    until("publication", || memory.calls().contains(&"publish 0".to_owned()));

    // A document that cannot be confirmed may be unreadable: it is published whole.
    memory.lock().is_full = true;
    let calls = memory.calls().len();
    until("failure", || memory.calls()[calls..].contains(&"fail 0 publish".to_owned()));
    memory.lock().is_full = false;
    until("publication", || memory.calls()[calls..].contains(&"publish 0".to_owned()));
}

#[test]
fn issuer_that_hangs_does_not_hold_another() {
    let (dead, _) = changing(vec![Step::Hang]);
    let (server, _) = changing(ok("", &set(&["a"])));
    let memory = SharedMemory::led();
    let other = RemoteIssuer { index: 1, ..jwks(server.url("/keys")) };
    let _fetching = Fetching::start(&memory, vec![jwks(dead.url("/keys")), other]);
    memory.until_calls(1);
    assert_eq!(memory.calls(), ["publish 1"]);
    until("request", || dead.requests().len() == 1);
}

#[test]
fn panic_is_told_and_the_keys_come_all_the_same() {
    let (server, _) = changing(ok("", &set(&["a"])));
    let memory = SharedMemory::led();
    memory.lock().panics = true;
    let mut fetching = Fetching::start(&memory, vec![jwks(server.url("/keys"))]);
    memory.until_calls(1);
    let said = fetching.said().remove(0);
    let task = "the background task that fetches the keys of mesh_issuer \"idp\"";
    assert_eq!(said, format!("Crit panic in {task}, it is restarted"));
}

#[test]
fn stop_ends_a_fetch_wherever_it_waits() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let (full, _waiting) = full_listener("127.0.0.1:0");
    let urls = [
        format!("https://127.0.0.1:{full}/"),
        // The handshake is not answered, nor the request.
        format!("https://127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}/"),
    ];
    for url in urls {
        let stops = (0..3).map(|_| {
            let memory = SharedMemory::led();
            let fetching = Fetching::start(&memory, vec![jwks(url.parse().unwrap())]);
            memory.ticks(2);
            let began = Clock::now();
            fetching.control.stop();
            began.elapsed()
        });
        // The best of three, since the machine may be busy.
        let took = stops.min().unwrap();
        assert!(took < Duration::from_millis(100), "{took:?} for {url}");
    }
}
