use std::fs;

use tempfile::TempDir;
use tokio::runtime::Builder;

use super::stub::{Authority, Server, Step, ok, raw, whole};
use super::*;

/// Runs a future as the thread does.
fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_time().enable_io().build().unwrap();
    let value = runtime.block_on(future);
    runtime.shutdown_background();
    value
}

/// Asks once, with time enough for a busy machine.
fn send(client: &Client, request: Request<'_>) -> Result<Response, FetchError> {
    let long = Duration::from_secs(60);
    run(client.send(&Request { connect: long, deadline: long, ..request }))
}

fn get(server: &Server) -> Result<Response, FetchError> {
    send(&Network::new().client(None), Request::get(&server.url("/keys")))
}

fn answered(steps: Vec<Step>) -> Result<Response, FetchError> {
    get(&Server::plain(move |_| steps.clone()))
}

/// Asks with less patience than the server has.
fn hurried(url: &Endpoint, client: &Client) -> FetchError {
    let (connect, deadline) = (Duration::from_millis(150), Duration::from_millis(300));
    run(client.send(&Request { connect, deadline, ..Request::get(url) })).unwrap_err()
}

#[test]
fn request_says_what_it_wants_and_no_more() {
    let server = Server::plain(|_| ok("", "{}"));
    let url = server.url("/a/b?c=d");
    let request = Request { etag: Some("\"v1\""), accept: "a/b", ..Request::get(&url) };
    send(&Network::new().client(None), request).unwrap();
    let expected = format!(
        "GET /a/b?c=d HTTP/1.1\r\nhost: localhost:{}\r\nuser-agent: ngx_http_mesh_module/{}\r\n\
         accept: a/b\r\naccept-encoding: identity\r\nif-none-match: \"v1\"\r\n\r\n",
        server.address.port(),
        env!("CARGO_PKG_VERSION"),
    );
    assert_eq!(server.requests(), [expected]);
}

#[test]
fn post_sends_its_body_and_its_credential() {
    let server = Server::plain(|_| ok("", "{}"));
    let url = server.url("/introspect");
    let request = Request {
        authorization: Some("Basic c2VjcmV0"),
        ..Request::post(&url, "application/x-www-form-urlencoded", b"token=a%20b")
    };
    assert!(!format!("{request:?} {:?}", request.body).contains("c2VjcmV0"));
    assert!(!format!("{request:?} {:?}", request.body).contains("token"));
    send(&Network::new().client(None), request).unwrap();
    let sent = server.requests().remove(0);
    assert!(sent.starts_with("POST /introspect HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("\r\nauthorization: Basic c2VjcmV0\r\n"), "{sent}");
    assert!(sent.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{sent}");
    assert!(sent.contains("\r\ncontent-length: 11\r\n"), "{sent}");
    assert!(sent.ends_with("\r\n\r\ntoken=a%20b"), "{sent}");
}

#[test]
fn header_that_would_split_the_request_is_not_sent() {
    let server = Server::plain(|_| ok("", "{}"));
    let url = server.url("/");
    let request = Request { authorization: Some("Bearer a\r\nHost: b"), ..Request::get(&url) };
    let error = send(&Network::new().client(None), request).unwrap_err();
    assert_eq!(error, FetchError::Request);
    assert!(server.requests().is_empty());
}

#[test]
fn answer_is_taken_with_what_it_says_of_itself() {
    let headers = "Content-Type: application/json; charset=utf-8\r\nETag: W/\"v1\"\r\n\
                   Cache-Control: public, max-age=60\r\nAge: 20\r\n\
                   Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let answer = answered(ok(headers, "{\"a\": 1}")).unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.content_type.as_deref(), Some("application/json; charset=utf-8"));
    assert_eq!(answer.etag.as_deref(), Some("W/\"v1\""));
    assert_eq!(answer.max_age, Some(Duration::from_secs(40)));
    assert_eq!(answer.date, Some(UnixTime::from_secs(784_111_777)));
    assert_eq!(answer.body, b"{\"a\": 1}");
    assert!(!answer.is_unchanged());
}

#[test]
fn each_way_to_send_a_body_is_understood() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n4\r\na\":1\r\n\
                   1\r\n}\r\n0\r\n\r\n";
    let to_the_end = "HTTP/1.0 200 OK\r\n\r\n{\"a\":1}";
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\
                   Content-Length: 7\r\n\r\n{\"a\":1}";
    for text in [chunked, to_the_end, interim] {
        assert_eq!(answered(raw(text)).unwrap().body, b"{\"a\":1}", "{text}");
        let bytes = text.bytes().map(|byte| Step::Send(vec![byte])).collect();
        assert_eq!(answered(bytes).unwrap().body, b"{\"a\":1}", "{text} byte by byte");
    }
    assert!(answered(ok("Content-Encoding: identity\r\n", "{}")).is_ok());
}

#[test]
fn unchanged_is_an_answer_only_where_something_is_had() {
    let steps = raw("HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=5\r\n\r\n");
    let server = Server::plain(move |_| steps.clone());
    let url = server.url("/keys");
    let client = Network::new().client(None);
    let answer = send(&client, Request { etag: Some("\"a\""), ..Request::get(&url) }).unwrap();
    assert!(answer.is_unchanged());
    assert_eq!(answer.max_age, Some(Duration::from_secs(5)));
    let error = send(&client, Request::get(&url)).unwrap_err();
    assert_eq!(error, FetchError::Status(StatusCode::NOT_MODIFIED));
}

/// Each fault that an answer can have, by the word that is told.
#[test]
fn answer_that_is_not_whole_and_plain_is_refused_with_its_word() {
    let head = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
    let large = format!("{}{}", head("Content-Length: 2000000\r\n"), "x".repeat(2_000_000));
    let endless = format!("{}{}", head(""), "x".repeat(2_000_000));
    let chunk = format!("{:x}\r\n{}\r\n", 100_000, "x".repeat(100_000));
    let chunks = format!("{}{}", head("Transfer-Encoding: chunked\r\n"), chunk.repeat(11));
    let fields = format!("{}\r\n", head(&"A: b\r\n".repeat(200)));
    let long = head(&format!("A: {}\r\n", "b".repeat(100_000)));
    for (word, steps) in [
        ("status", whole("500 Internal Server Error", "", "secret")),
        ("status", whole("404 Not Found", "", "secret")),
        ("status", whole("201 Created", "", "{}")),
        ("status", raw("HTTP/1.1 204 No Content\r\n\r\n")),
        ("status", whole("206 Partial Content", "", "{")),
        ("status", whole("999 Secret", "", "{}")),
        ("redirect", whole("301 Moved", "Location: https://secret.example/\r\n", "")),
        ("redirect", whole("302 Found", "Location: /secret\r\n", "")),
        ("redirect", whole("307 Temporary", "", "")),
        ("redirect", whole("300 Multiple Choices", "", "")),
        ("encoding", ok("Content-Encoding: gzip\r\n", "secret")),
        ("encoding", ok("Content-Encoding: identity\r\nContent-Encoding: br\r\n", "secret")),
        ("too_large", raw(large)),
        ("too_large", raw(head("Content-Length: 99999999999999999\r\n"))),
        ("too_large", raw(endless)),
        ("too_large", raw(chunks)),
        ("incomplete", raw(head("Content-Length: 10\r\n") + "secret")),
        ("incomplete", raw(head("Transfer-Encoding: chunked\r\n") + "6\r\nsecret\r\n")),
        ("incomplete", raw("HTTP/1.1 200 OK\r\nContent-Le")),
        ("incomplete", raw("")),
        ("malformed", raw("secret\r\n\r\n")),
        ("malformed", raw("HTTP/2.0 200 OK\r\n\r\n")),
        ("malformed", raw("\x15\x03\x01\x00\x02\x02\x46")),
        ("malformed", raw(fields)),
        ("malformed", raw(long)),
        ("malformed", raw(head("Content-Length: 1\r\nContent-Length: 2\r\n") + "ab")),
        ("malformed", raw(head("Content-Length: -1\r\n") + "ab")),
        ("malformed", raw(head("Bad Name: 1\r\n"))),
    ] {
        let told = format!("{steps:?}");
        let error = answered(steps).unwrap_err();
        assert_eq!(error.word(), word, "{error} of {}", told.get(..200).unwrap_or(&told));
        assert!(!format!("{error} {error:?}").contains("ecret"), "{error}");
    }
}

#[test]
fn cap_is_the_requests_own() {
    let server = Server::plain(|_| ok("", "12345"));
    let url = server.url("/");
    let client = Network::new().client(None);
    let of = |max_bytes| send(&client, Request { max_bytes, ..Request::get(&url) });
    assert!(of(5).is_ok());
    assert_eq!(of(4).unwrap_err(), FetchError::TooLarge(4));
}

#[test]
fn slow_server_is_given_up_at_the_deadline() {
    let drip: Vec<Step> = (0..1000)
        .flat_map(|_| [Step::Wait(Duration::from_millis(20)), Step::Send(b"x".to_vec())])
        .collect();
    let slow_head = [raw("HTTP/1.1 200 OK\r\nA: "), drip.clone()].concat();
    let slow_body = [raw("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"), drip].concat();
    for steps in [vec![Step::Hang], slow_head, slow_body] {
        let server = Server::plain(move |_| steps.clone());
        let error = hurried(&server.url("/"), &Network::new().client(None));
        assert_eq!(error, FetchError::Timeout(Stage::Answer));
    }
}

#[test]
fn server_of_a_trusted_authority_is_believed_by_name_and_by_address() {
    let authority = Authority::new();
    for name in ["localhost", "127.0.0.1"] {
        let server = Server::tls(authority.server(name), |_| ok("", "{}"));
        let client = Network::new().client(Some(authority.file.clone()));
        let url = server.url_at(name, "/keys");
        assert_eq!(send(&client, Request::get(&url)).unwrap().body, b"{}");
        // No session lets a server in without its certificate.
        assert_eq!(send(&client, Request::get(&url)).unwrap().body, b"{}");
    }
}

#[test]
fn server_that_is_not_trusted_gets_no_request() {
    let (authority, other) = (Authority::new(), Authority::new());
    for (config, fault) in [
        (other.server("localhost"), TlsFault::Untrusted),
        (authority.server("idp.example"), TlsFault::Name),
        (authority.server("127.0.0.1"), TlsFault::Name),
        (authority.server_until("localhost", 2021), TlsFault::Expired),
    ] {
        let server = Server::tls(config, |_| ok("", "{}"));
        let client = Network::new().client(Some(authority.file.clone()));
        let error = send(&client, Request::get(&server.url("/keys"))).unwrap_err();
        assert_eq!(error, FetchError::Tls(fault));
        assert_eq!(error.word(), "tls");
        assert!(server.requests().is_empty());
    }
}

#[test]
fn system_does_not_trust_an_authority_of_our_own() {
    let server = Server::tls(Authority::new().server("localhost"), |_| ok("", "{}"));
    let error = get(&server).unwrap_err();
    assert!(
        matches!(error, FetchError::Tls(TlsFault::Untrusted) | FetchError::Authorities(_)),
        "{error}"
    );
}

#[test]
fn server_without_tls_or_with_another_protocol_is_refused() {
    let authority = Authority::new();
    let client = Network::new().client(Some(authority.file.clone()));
    let plain = Server::plain(|_| ok("", "{}"));
    let url = format!("https://localhost:{}/", plain.address.port()).parse().unwrap();
    let error = send(&client, Request::get(&url)).unwrap_err();
    assert_eq!(error, FetchError::Tls(TlsFault::NotTls));

    // It takes the connection, and then nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", silent.local_addr().unwrap().port());
    assert_eq!(hurried(&url.parse().unwrap(), &client), FetchError::Timeout(Stage::Tls));

    let mut config = authority.server("localhost");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let server = Server::tls(config, |_| ok("", "{}"));
    let error = send(&client, Request::get(&server.url("/"))).unwrap_err();
    assert_eq!(error, FetchError::Tls(TlsFault::Refused));
}

#[test]
fn tls_that_ends_without_its_end_is_half_an_answer() {
    let authority = Authority::new();
    for text in ["HTTP/1.1 200 OK\r\n\r\n{\"keys\": []}", "HTTP/1.1 200 OK\r\n"] {
        let server = Server::tls(authority.server("localhost"), |_| {
            vec![Step::Send(text.as_bytes().to_vec()), Step::Cut]
        });
        let client = Network::new().client(Some(authority.file.clone()));
        let error = send(&client, Request::get(&server.url("/"))).unwrap_err();
        assert_eq!(error, FetchError::Incomplete, "{text}");
    }
}

#[test]
fn authorities_are_read_again_when_their_file_changes() {
    let (authority, other) = (Authority::new(), Authority::new());
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("ca.pem");
    let put = |contents: &[u8]| {
        let new = dir.path().join("new");
        fs::write(&new, contents).unwrap();
        fs::rename(new, &file).unwrap();
    };
    put(&fs::read(&other.file).unwrap());
    let server = Server::tls(authority.server("localhost"), |_| ok("", "{}"));
    let client = Network::new().client(Some(file.clone()));
    let ask = || send(&client, Request::get(&server.url("/")));
    assert_eq!(ask().unwrap_err(), FetchError::Tls(TlsFault::Untrusted));
    put(&fs::read(&authority.file).unwrap());
    assert!(ask().is_ok());
    for (contents, why) in [
        (&b""[..], "file is empty"),
        (b"nothing", "there is none in the file"),
        (b"-----BEGIN CERTIFICATE-----\n", "malformed PEM"),
    ] {
        put(contents);
        let error = ask().unwrap_err();
        assert_eq!(error.word(), "authorities");
        let text = format!("cannot use the trusted certificates: {why}");
        assert_eq!(error.to_string(), text);
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(ask().unwrap_err().word(), "authorities");
    put(&fs::read(&authority.file).unwrap());
    assert!(ask().is_ok());
}

#[test]
fn nobody_who_listens_is_told_as_such() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/").parse().unwrap();
    let error = send(&Network::new().client(None), Request::get(&url)).unwrap_err();
    assert_eq!(error, FetchError::Connect(io::ErrorKind::ConnectionRefused));
    assert_eq!(error.to_string(), "cannot connect: connection refused");
}
