//! Keys that are fetched by their names.

use std::collections::BTreeMap;

use super::*;

const A: &str = "0a1b2c3d-4e5f-6789-abcd-ef0123456789";
const B: &str = "0b1b2c3d-4e5f-6789-abcd-ef0123456789";
const C: &str = "0c1b2c3d-4e5f-6789-abcd-ef0123456789";

type Keys = Arc<Mutex<BTreeMap<String, String>>>;

/// A store of keys, and its contents.
fn store(kids: &[&str]) -> (Server, Keys) {
    let keys: Keys = Arc::default();
    for kid in kids {
        keys.lock().unwrap().insert(format!("/{kid}"), pem());
    }
    let stored = Arc::clone(&keys);
    let server = Server::plain(move |request| {
        let path = request.split(' ').nth(1).unwrap();
        match stored.lock().unwrap().get(path) {
            Some(pem) => ok("", pem),
            None => whole("403 Forbidden", "", "<Error/>"),
        }
    });
    (server, keys)
}

fn balancer(server: &Server) -> RemoteIssuer {
    issuer(Entry::AlbKeys(server.url("/")), None)
}

#[test]
fn nothing_is_fetched_until_a_token_names_a_key() {
    let (server, _) = store(&[A]);
    let memory = SharedMemory::led();
    let mut issuer = balancer(&server);
    // The start was no fetch: the first wish need not wait.
    Arc::make_mut(&mut issuer.remote).min_refresh = Duration::from_secs(3600);
    let mut fetching = Fetching::start(&memory, vec![issuer]);
    memory.ticks(3);
    for kid in ["", "../secret", "https://other.example/", &A.to_uppercase(), "key"] {
        memory.wish(kid);
    }
    memory.ticks(3);
    assert!(server.requests().is_empty());
    memory.wish(A);
    memory.until_calls(1);
    assert_eq!(memory.kids(0), [A]);
    assert_eq!(server.paths(), [format!("/{A}")]);
    fetching.until_said(&format!("1 keys from {}", server.url("/")));
}

#[test]
fn further_keys_join_those_that_are_there() {
    let (server, _) = store(&[A, B]);
    let memory = SharedMemory::led();
    let _fetching = Fetching::start(&memory, vec![balancer(&server)]);
    memory.wish(A);
    memory.until_calls(1);
    // C is in no store.
    memory.wish(C);
    memory.until_calls(2);
    memory.wish(B);
    memory.until_calls(3);
    assert_eq!(memory.calls(), ["publish 0", "confirm 0", "publish 0"]);
    assert_eq!(memory.kids(0), [A, B]);
}

#[test]
fn new_leader_goes_on_with_the_keys_of_the_last() {
    let (server, keys) = store(&[A, B, C]);
    let memory = SharedMemory::led();
    let fetching = Fetching::start(&memory, vec![balancer(&server)]);
    for (calls, kid) in (1..).zip([A, B]) {
        memory.wish(kid);
        memory.until_calls(calls);
    }
    drop(fetching);
    let _fetching = Fetching::start(&memory, vec![balancer(&server)]);
    keys.lock().unwrap().remove(&format!("/{A}"));
    memory.wish(C);
    memory.until_calls(3);
    assert_eq!(memory.kids(0), [B, C], "one is gone from the store");
}

#[test]
fn what_is_no_key_is_a_failure() {
    let (server, keys) = store(&[]);
    keys.lock().unwrap().insert(format!("/{A}"), "-----BEGIN PUBLIC KEY-----\n".into());
    let memory = SharedMemory::led();
    let mut fetching = Fetching::start(&memory, vec![balancer(&server)]);
    memory.wish(A);
    fetching.until_said("no public key in PEM on the curve P-256 while fetching");
    assert_eq!(memory.calls()[0], "fail 0 keys");
}

#[test]
fn sixteen_keys_are_kept_the_oldest_is_dropped() {
    let kids: Vec<String> = (0..18).map(|n| A.replace("0a1b2c3d", &format!("{n:08x}"))).collect();
    let (server, _) = store(&kids.iter().map(String::as_str).collect::<Vec<_>>());
    let memory = SharedMemory::led();
    let _fetching = Fetching::start(&memory, vec![balancer(&server)]);
    for (calls, kid) in (1..).zip(&kids) {
        memory.wish(kid);
        memory.until_calls(calls);
    }
    assert_eq!(memory.kids(0), kids[2..]);
}

#[test]
fn store_that_loses_every_key_is_asked_again() {
    let (server, keys) = store(&[A]);
    let memory = SharedMemory::led();
    let issuer = every(Duration::from_millis(200), &balancer(&server));
    let mut fetching = Fetching::start(&memory, vec![issuer]);
    memory.wish(A);
    memory.until_calls(1);
    let lost = core::mem::take(&mut *keys.lock().unwrap());
    fetching.until_said("the server has none of the keys that are in force");
    assert!(memory.calls().contains(&"fail 0 keys".to_owned()));
    assert_eq!(memory.kids(0), [A], "what was in force stays in force");
    *keys.lock().unwrap() = lost;
    fetching.until_said("is good again: unchanged");
    assert_eq!(memory.calls().last().map(String::as_str), Some("confirm 0"));
}
