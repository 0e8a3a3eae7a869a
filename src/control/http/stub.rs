//! A server for tests that answers as it is told, right or wrong, on a thread of its own.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use mesh_core::text::endpoint::Endpoint;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// One thing that the server does with a connection; after the last it closes it.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Ends without a word, in TLS too.
    Cut,
    Hang,
    Send(Vec<u8>),
    Wait(Duration),
}

/// Answers a request, whose head and body it gets as text.
pub(crate) type Answer = dyn Fn(&str) -> Vec<Step> + Send + Sync;

/// One answer with a body of known length, and these header lines.
pub(crate) fn whole(status: &str, headers: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n");
    vec![Step::Send(head.into_bytes()), Step::Send(body.into())]
}

/// One answer of 200.
pub(crate) fn ok(headers: &str, body: &str) -> Vec<Step> {
    whole("200 OK", headers, body)
}

/// Bytes, unchanged.
pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Vec<Step> {
    vec![Step::Send(bytes.into())]
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    is_secure: bool,
    requests: Arc<Mutex<Vec<String>>>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn plain(answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(answer))
    }

    pub(crate) fn tls(
        config: ServerConfig,
        answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(Arc::new(config).into()), Arc::new(answer))
    }

    fn start(tls: Option<TlsAcceptor>, answer: Arc<Answer>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::default();
        let stop = Arc::new(Notify::new());
        let is_secure = tls.is_some();
        let thread = thread::spawn({
            let (stop, requests) = (Arc::clone(&stop), Arc::clone(&requests));
            move || {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    tokio::select! {
                        () = stop.notified() => {}
                        () = serve(listener, tls, answer, requests) => {}
                    }
                });
            }
        });
        Self { address, is_secure, requests, stop, thread: Some(thread) }
    }

    /// A URL of this server, by a name or an address of this host.
    pub(crate) fn url_at(&self, host: &str, path: &str) -> Endpoint {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{host}:{}{path}", self.address.port()).parse().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> Endpoint {
        self.url_at("localhost", path)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        let path = |request: String| request.split(' ').nth(1).unwrap().to_owned();
        self.requests().into_iter().map(path).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.notify_one();
        let _ = self.thread.take().unwrap().join();
    }
}

async fn serve(
    listener: std::net::TcpListener,
    tls: Option<TlsAcceptor>,
    answer: Arc<Answer>,
    requests: Arc<Mutex<Vec<String>>>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, answer, requests) = (tls.clone(), Arc::clone(&answer), Arc::clone(&requests));
        tokio::spawn(async move {
            match tls {
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, &*answer, &requests).await;
                    }
                }
                None => converse(stream, &*answer, &requests).await,
            }
        });
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &Answer,
    requests: &Mutex<Vec<String>>,
) {
    let Some(request) = read(&mut stream).await else {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        return;
    };
    requests.lock().unwrap().push(request.clone());
    for step in answer(&request) {
        match step {
            Step::Cut => return,
            Step::Hang => core::future::pending().await,
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
                let _ = stream.flush().await;
            }
            Step::Wait(time) => tokio::time::sleep(time).await,
        }
    }
    let _ = stream.shutdown().await;
}

/// A whole request; `None` if it is no text.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8(bytes.clone()).ok()?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap())
        });
        if body.len() >= length.unwrap_or(0) {
            return Some(text);
        }
    }
}

/// An authority, and the file of its certificate.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) file: PathBuf,
    _dir: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("ca.pem");
        fs::write(&file, certificate.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file, _dir: dir }
    }

    /// The configuration of a server of that name.
    pub(crate) fn server(&self, name: &str) -> ServerConfig {
        self.server_until(name, 4000)
    }

    /// As [`Self::server`], by a certificate that ends with the year before.
    pub(crate) fn server_until(&self, name: &str, year: i32) -> ServerConfig {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }
}

/// The port of a socket that takes no further connection, and the guard that keeps it so.
pub(crate) fn full_listener(address: &str) -> (u16, impl Sized + use<>) {
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    let listener = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(address.parse().unwrap()).unwrap();
        socket.listen(1).unwrap()
    });
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(stream);
    }
    (address.port(), (listener, runtime, waiting))
}
