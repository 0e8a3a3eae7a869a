//! A server over TLS that answers as it is told, on a thread of its own.

use core::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
};
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread::{self, JoinHandle},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs::default_provider};

/// Answers the request for a path with bytes, unchanged.
pub(crate) type Answer = dyn Fn(&str) -> String + Send + Sync;

pub(crate) struct Host {
    address: SocketAddr,
    /// Its authority, in PEM.
    pub(crate) authority: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// A server whose certificate is for that name, and is valid in these years.
    pub(crate) fn named(
        name: &str,
        years: (i32, i32),
        answer: impl Fn(&str, u16) -> String + Send + Sync + 'static,
    ) -> Self {
        let (authority, config) = certified(name, years);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let port = address.port();
        let answer: Arc<Answer> = Arc::new(move |path: &str| answer(path, port));
        let thread = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                while let Ok((stream, _)) = listener.accept() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    // A client that does not like the certificate just goes.
                    drop(serve(stream, &config, &*answer));
                }
            }
        });
        Self { address, authority, stop, thread: Some(thread) }
    }

    /// A good server.
    pub(crate) fn new(answer: impl Fn(&str, u16) -> String + Send + Sync + 'static) -> Self {
        Self::named("localhost", (2020, 2040), answer)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn certified(name: &str, (from, until): (i32, i32)) -> (String, Arc<ServerConfig>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    (authority, Arc::new(config))
}

fn serve(stream: TcpStream, config: &Arc<ServerConfig>, answer: &Answer) -> io::Result<()> {
    let connection = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0; 1];
        stream.read_exact(&mut byte)?;
        request.extend(byte);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap();
    stream.write_all(answer(path).as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// A whole answer of 200 with these header lines.
pub(crate) fn ok(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}
