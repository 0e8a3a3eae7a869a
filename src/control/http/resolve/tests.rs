#![expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it panics")]

use std::fs;
use std::net::UdpSocket;
use std::sync::Mutex;
use std::thread;

use tempfile::TempDir;
use tokio::runtime::Builder;

use super::super::stub::{Authority, Server, full_listener, ok};
use super::super::{Network, Request, Stage};
use super::*;

/// A name server that knows some addresses, each for one second, and counts the questions.
struct Names {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    fn serve(known: &'static [(&'static str, &'static [&'static str])]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&asked);
        // It ends with the process.
        thread::spawn(move || {
            let mut packet = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                let (name, kind, answer) = answer(&packet[..length], known);
                seen.lock().unwrap().push(format!("{name} {kind}"));
                let _ = socket.send_to(&answer, from);
            }
        });
        Self { port, asked }
    }
}

/// The question, and the answer to it: the addresses of its kind, or that there is no such name.
fn answer(query: &[u8], known: &[(&str, &[&str])]) -> (String, u8, Vec<u8>) {
    let mut at = 12;
    let mut labels = Vec::new();
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8(query[at + 1..end].to_vec()).unwrap());
        at = end;
    }
    let (kind, end) = (query[at + 2], at + 5);
    let name = labels.join(".").to_lowercase();
    let addresses = known.iter().find(|(known, _)| *known == name).map(|(_, addresses)| *addresses);
    let records: Vec<Vec<u8>> = addresses
        .unwrap_or_default()
        .iter()
        .filter_map(|address| match (address.parse().unwrap(), kind) {
            (IpAddr::V4(address), 1) => Some(address.octets().to_vec()),
            (IpAddr::V6(address), 28) => Some(address.octets().to_vec()),
            _ => None,
        })
        .collect();
    let code = if addresses.is_some() { 0x80 } else { 0x83 };
    let mut packet = query[..2].to_vec();
    packet.extend([0x81, code, 0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    packet.extend(&query[12..end]);
    for record in records {
        packet.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 1, 0]);
        packet.push(u8::try_from(record.len()).unwrap());
        packet.extend(record);
    }
    (name, kind, packet)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_time().enable_io().build().unwrap();
    let value = runtime.block_on(future);
    runtime.shutdown_background();
    value
}

struct Files {
    dir: TempDir,
    resolver: Resolver,
}

impl Files {
    fn new(resolv_conf: &str, hosts: &str, names: &Names) -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("resolv.conf"), resolv_conf).unwrap();
        fs::write(dir.path().join("hosts"), hosts).unwrap();
        let at = |name| dir.path().join(name);
        let resolver = Resolver::new(at("resolv.conf"), at("hosts"), Some(names.port));
        Self { dir, resolver }
    }

    fn put(&self, name: &str, contents: &str) {
        let new = self.dir.path().join("new");
        fs::write(&new, contents).unwrap();
        fs::rename(new, self.dir.path().join(name)).unwrap();
    }

    async fn found(&self, host: &str) -> String {
        match self.resolver.addresses(host).await {
            Ok(addresses) => {
                addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        }
    }
}

const LOCAL: &str = "nameserver 127.0.0.1\n";
const NO_ADDRESS: &str = "the name of the host leads to no address";

#[test]
fn addresses_and_this_host_need_no_name_server() {
    let names = Names::serve(&[("localhost", &["192.0.2.66"])]);
    let files = Files::new(LOCAL, "192.0.2.66 localhost\n", &names);
    run(async {
        assert_eq!(files.found("192.0.2.1").await, "192.0.2.1");
        assert_eq!(files.found("2001:db8::1").await, "2001:db8::1");
        assert_eq!(files.found("localhost").await, "127.0.0.1 ::1");
    });
    assert!(names.asked.lock().unwrap().is_empty());
}

#[test]
fn name_leads_to_all_its_addresses_ipv4_first() {
    let names = Names::serve(&[
        ("idp.example", &["2001:db8::1", "192.0.2.2", "192.0.2.1"]),
        ("six.example", &["2001:db8::6"]),
        ("keys.corp.example", &["192.0.2.3"]),
    ]);
    let files = Files::new("search corp.example\nnameserver 127.0.0.1\n", "", &names);
    run(async {
        let found = files.found("idp.example").await;
        let mut sorted: Vec<_> = found.split(' ').collect();
        assert_eq!(sorted.pop(), Some("2001:db8::1"));
        sorted.sort_unstable();
        assert_eq!(sorted, ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(files.found("six.example").await, "2001:db8::6");
        assert_eq!(files.found("keys").await, "192.0.2.3");
        assert_eq!(files.found("nobody.example").await, NO_ADDRESS);
    });
}

#[test]
fn answer_counts_for_its_ttl_and_no_longer() {
    let names = Names::serve(&[("idp.example", &["192.0.2.1"])]);
    let files = Files::new(LOCAL, "", &names);
    let count = || names.asked.lock().unwrap().len();
    run(async {
        files.found("idp.example").await;
        let once = count();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(files.found("idp.example").await, "192.0.2.1");
        assert!(count() > once);
    });
}

#[test]
fn both_files_are_read_again_when_they_change() {
    let names = Names::serve(&[("idp.corp.example", &["192.0.2.1"])]);
    let files = Files::new(LOCAL, "192.0.2.9 keys.example\n", &names);
    run(async {
        assert_eq!(files.found("keys.example").await, "192.0.2.9");
        files.put("hosts", "192.0.2.8 keys.example\n");
        assert_eq!(files.found("keys.example").await, "192.0.2.8");
        assert_eq!(files.found("idp").await, NO_ADDRESS);
        files.put("resolv.conf", "search corp.example\nnameserver 127.0.0.1\n");
        assert_eq!(files.found("idp").await, "192.0.2.1");
        // Then there is a name server on this host.
        fs::remove_file(files.dir.path().join("resolv.conf")).unwrap();
        assert_eq!(files.found("idp.corp.example").await, "192.0.2.1");
    });
}

#[test]
fn next_address_is_tried_where_one_takes_no_connection() {
    // Only the last is the server's; nothing listens at that port of the others.
    let authority = Authority::new();
    let server = Server::tls(authority.server("idp.example"), |_| ok("", "{}"));
    let hosts = "127.0.0.3 idp.example\n127.0.0.2 idp.example\n127.0.0.1 idp.example\n";
    let files = Files::new(LOCAL, hosts, &Names::serve(&[]));
    let client = Network::resolved_by(files.resolver).client(Some(authority.file.clone()));
    let answer = run(client.send(&Request::get(&server.url_at("idp.example", "/"))));
    assert_eq!(answer.unwrap().body, b"{}");
}

#[test]
fn address_that_says_nothing_leaves_time_for_the_next() {
    let authority = Authority::new();
    let server = Server::tls(authority.server("idp.example"), |_| ok("", "{}"));
    let silent = full_listener(&format!("127.0.0.2:{}", server.address.port()));
    let hosts = "127.0.0.2 idp.example\n127.0.0.1 idp.example\n";
    let files = Files::new(LOCAL, hosts, &Names::serve(&[]));
    let client = Network::resolved_by(files.resolver).client(Some(authority.file.clone()));
    let url = server.url_at("idp.example", "/");
    let (connect, deadline) = (Duration::from_secs(4), Duration::from_secs(60));
    let request = Request { connect, deadline, ..Request::get(&url) };
    assert_eq!(run(client.send(&request)).unwrap().body, b"{}");
    drop(silent);
}

#[test]
fn silent_name_server_ends_in_time() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let names = Names { port: silent.local_addr().unwrap().port(), asked: Arc::default() };
    let files = Files::new(LOCAL, "", &names);
    let client = Network::resolved_by(files.resolver).client(None);
    let url = "https://idp.example/".parse().unwrap();
    let request = Request { connect: Duration::from_millis(200), ..Request::get(&url) };
    let error = run(client.send(&request)).unwrap_err();
    assert_eq!(error, FetchError::Timeout(Stage::Resolve));
}
