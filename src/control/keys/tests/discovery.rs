//! Keys that a discovery document leads to.

use super::*;

const ISSUER: &str = "https://idp.example";

/// A provider whose document names this issuer, and has these headers.
fn provider(issuer: &'static str, headers: &'static str) -> (Server, Arc<Mutex<String>>) {
    let path = Arc::new(Mutex::new("/keys".to_owned()));
    let now = Arc::clone(&path);
    let keys = set(&["a"]);
    let server = Server::plain(move |request| {
        let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let now = now.lock().unwrap();
        if request.starts_with("GET /document ") {
            let url = format!("http://{host}{now}");
            return ok(headers, &format!(r#"{{"issuer": "{issuer}", "jwks_uri": "{url}"}}"#));
        }
        if request.starts_with(&format!("GET {now} ")) {
            return ok("", &keys);
        }
        whole("404 Not Found", "", "")
    });
    (server, path)
}

fn discovering(server: &Server) -> RemoteIssuer {
    issuer(Entry::Discovery(server.url("/document")), None)
}

#[test]
fn keys_are_fetched_from_where_the_document_says() {
    let (server, _) = provider(ISSUER, "");
    let memory = SharedMemory::led();
    let mut fetching = Fetching::start(&memory, vec![discovering(&server)]);
    memory.until_calls(1);
    assert_eq!(memory.kids(0), ["a"]);
    assert_eq!(server.paths(), ["/document", "/keys"]);
    fetching.until_said(&format!("1 keys from {}", server.url("/keys")));
}

#[test]
fn document_of_another_issuer_is_not_followed() {
    let (server, _) = provider("https://idp.example/", "");
    let memory = SharedMemory::led();
    let mut fetching = Fetching::start(&memory, vec![discovering(&server)]);
    memory.until_calls(2);
    assert_eq!(memory.calls()[..2], ["fail 0 issuer", "fail 0 issuer"]);
    assert!(server.paths().iter().all(|path| path == "/document"));
    fetching.until_said(&format!("while fetching {} of", server.url("/document")));
}

#[test]
fn document_that_is_none_is_a_failure() {
    let (server, _) = changing(ok("", "<html>"));
    let memory = SharedMemory::led();
    let _fetching = Fetching::start(&memory, vec![discovering(&server)]);
    memory.until_calls(1);
    assert_eq!(memory.calls()[0], "fail 0 discovery");
}

#[test]
fn keys_that_move_are_followed_by_the_next_fetch() {
    let (server, path) = provider(ISSUER, "");
    let memory = SharedMemory::led();
    let issuer = every(Duration::from_millis(50), &discovering(&server));
    let _fetching = Fetching::start(&memory, vec![issuer]);
    memory.until_calls(1);
    *path.lock().unwrap() = "/moved".to_owned();
    until("move", || server.paths().contains(&"/moved".to_owned()));
    let calls = memory.calls().len();
    memory.until_calls(calls + 2);
    assert_eq!(memory.calls().last().unwrap(), "confirm 0");
}

#[test]
fn document_holds_for_as_long_as_it_says_or_until_the_keys_are_not_there() {
    let (server, path) = provider(ISSUER, "Cache-Control: max-age=3600\r\n");
    let memory = SharedMemory::led();
    let mut issuer = every(Duration::from_millis(50), &discovering(&server));
    Arc::make_mut(&mut issuer.remote).refresh = Duration::from_secs(3600);
    let _fetching = Fetching::start(&memory, vec![issuer]);
    memory.until_calls(1);
    for kid in ["b", "c"] {
        let calls = memory.calls().len();
        memory.wish(kid);
        memory.until_calls(calls + 1);
    }
    assert_eq!(server.paths(), ["/document", "/keys", "/keys", "/keys"]);
    *path.lock().unwrap() = "/moved".to_owned();
    memory.wish("d");
    memory.until_calls(5);
    assert_eq!(memory.calls()[3..5], ["fail 0 status", "confirm 0"]);
    assert_eq!(server.paths()[4..], ["/keys", "/document", "/moved"]);
}
