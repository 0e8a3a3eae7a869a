//! A token that the server of the keys wants to see.

use std::fs;
use std::path::Path;

use mesh_core::issuer::Remote;
use mesh_core::text::endpoint::Endpoint;

use super::*;
use crate::http::stub::Authority;

/// Keys for a client that shows that token, over TLS.
fn guarded(authority: &Authority, wanted: &'static str) -> Server {
    let document = set(&["a"]);
    Server::tls(authority.server("localhost"), move |request| {
        match request.contains(&format!("authorization: Bearer {wanted}\r\n")) {
            true => ok("", &document),
            false => whole("401 Unauthorized", "", ""),
        }
    })
}

fn with_bearer(entry: Entry, authority: &Authority, file: &Path) -> RemoteIssuer {
    let issuer = issuer(entry, Some(&authority.file));
    let remote = Remote { bearer: Some(file.to_owned()), ..(*issuer.remote).clone() };
    every(Duration::from_millis(50), &RemoteIssuer { remote: Arc::new(remote), ..issuer })
}

/// As a projected token is replaced: never half of it.
fn write(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, file).unwrap();
}

#[test]
fn the_token_is_sent_and_read_again_when_its_file_has_changed() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    write(&file, "stale.secret\n");
    let server = guarded(&authority, "fresh.secret");
    let memory = SharedMemory::led();
    let issuer = with_bearer(Entry::Jwks(server.url("/keys")), &authority, &file);
    let mut fetching = Fetching::start(&memory, vec![issuer]);
    memory.until_calls(1);
    assert_eq!(memory.calls()[0], "fail 0 status");
    write(&file, "fresh.secret");
    until("the new token", || memory.calls().contains(&"publish 0".to_owned()));
    fs::remove_file(&file).unwrap();
    until("no token", || memory.calls().contains(&"fail 0 bearer".to_owned()));
    write(&file, "two tokens");
    fetching.until_said("jwks_bearer: ");
    let said = fetching.said().join("\n") + &memory.lock().why;
    assert!(!said.contains("secret") && !said.contains("two tokens"), "{said}");
    assert_eq!(memory.kids(0), ["a"], "what was fetched is kept");
}

#[test]
fn the_token_goes_to_no_other_server_and_not_in_the_clear() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    write(&file, "secret");
    let keys = set(&["a"]);
    let other = Server::tls(authority.server("localhost"), move |request| {
        assert!(!request.to_ascii_lowercase().contains("authorization"), "{request}");
        ok("", &keys)
    });
    let elsewhere = other.url("/keys");
    let document = format!(r#"{{"issuer": "https://idp.example", "jwks_uri": "{elsewhere}"}}"#);
    let server = Server::tls(authority.server("localhost"), move |request| {
        assert!(request.contains("authorization: Bearer secret\r\n"), "{request}");
        ok("", &document)
    });
    let memory = SharedMemory::led();
    let issuer = with_bearer(Entry::Discovery(server.url("/document")), &authority, &file);
    let _fetching = Fetching::start(&memory, vec![issuer.clone()]);
    memory.until_calls(1);
    assert_eq!(memory.calls()[0], "publish 0");
    assert!(!other.requests().is_empty());

    let own: Endpoint = server.url("/keys");
    assert_eq!(issuer.remote.bearer_for(&own), Some(&*file));
    for url in [elsewhere.to_string(), own.to_string().replace("https:", "http:")] {
        if let Ok(url) = url.parse::<Endpoint>() {
            assert_eq!(issuer.remote.bearer_for(&url), None, "{url}");
        }
    }
}

#[test]
fn a_file_holds_one_token_alone() {
    for (contents, sent) in [(&b"a.b-c\n"[..], "a.b-c"), (b"a/b+c==\r\n", "a/b+c=="), (b"a", "a")] {
        assert_eq!(*read_bearer(contents).unwrap(), *format!("Bearer {sent}"));
    }
    for contents in
        [&b""[..], b"\n", b"a b", b"a\nb", b"a\n\n", b" a", b"a,b", b"Bearer a", b"a\0", b"\xff"]
    {
        assert!(matches!(read_bearer(contents), Err(BearerError::Malformed)), "{contents:?}");
    }
}
