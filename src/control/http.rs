//! Asking a server of the configuration, over HTTP/1.1: one connection a request, no redirects.
//!
//! Every wait can be dropped: nothing is left behind on another thread.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, ETAG, HOST,
    HeaderName, IF_NONE_MATCH, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mesh_core::text::endpoint::Endpoint;
use mesh_core::text::time::UnixTime;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

mod cache;
mod date;
mod error;
mod fault;
mod resolve;
mod tls;

pub use error::{FetchError, Stage};
pub use fault::TlsFault;

use resolve::Resolver;
use tls::Authorities;

/// The resolver and the system's authorities, which the clients of one thread share.
#[derive(Clone, Debug)]
pub struct Network {
    resolver: Rc<Resolver>,
    system: Rc<Authorities>,
}

impl Network {
    /// The system's: `/etc/resolv.conf`, `/etc/hosts`, and the authorities it trusts. Nothing is read
    /// before the first request.
    #[must_use]
    pub fn new() -> Self {
        Self::resolved_by(Resolver::of_system())
    }

    fn resolved_by(resolver: Resolver) -> Self {
        Self { resolver: Rc::new(resolver), system: Rc::new(Authorities::of(None)) }
    }

    /// A client that trusts the authorities in a PEM file, or the system's.
    #[must_use]
    pub fn client(&self, trusted_certificate: Option<PathBuf>) -> Client {
        let authorities = match trusted_certificate {
            Some(file) => Rc::new(Authorities::of(Some(file))),
            None => Rc::clone(&self.system),
        };
        Client { resolver: Rc::clone(&self.resolver), authorities }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// Sends requests to servers that its authorities vouch for.
///
/// It needs a tokio runtime with time and I/O on the current thread.
#[derive(Clone, Debug)]
pub struct Client {
    resolver: Rc<Resolver>,
    authorities: Rc<Authorities>,
}

/// One request. The defaults of [`Request::get`] and [`Request::post`] can be changed.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// The URL to ask.
    pub url: &'r Endpoint,
    /// The media types that are understood.
    pub accept: &'r str,
    /// The `etag` of a known answer: an answer of 304 is taken then.
    pub etag: Option<&'r str>,
    /// The credential, with its scheme; it is never shown.
    pub authorization: Option<&'r str>,
    /// The contents to send, which make it a POST; they are never shown.
    pub body: Option<Body<'r>>,
    /// Bytes that the body of the answer may have.
    pub max_bytes: usize,
    /// The time for finding and reaching an address, TLS included.
    pub connect: Duration,
    /// The time for the whole request.
    pub deadline: Duration,
}

/// The contents of a POST.
#[derive(Clone, Copy)]
pub struct Body<'r> {
    /// The media type.
    pub content_type: &'r str,
    /// The contents.
    pub bytes: &'r [u8],
}

impl<'r> Request<'r> {
    /// Asks for JSON of up to 1 MiB within 10 seconds, of which 5 are for the connection.
    #[must_use]
    pub const fn get(url: &'r Endpoint) -> Self {
        Self {
            url,
            accept: "application/json",
            etag: None,
            authorization: None,
            body: None,
            max_bytes: 1024 * 1024,
            connect: Duration::from_secs(5),
            deadline: Duration::from_secs(10),
        }
    }

    /// As [`Request::get`], with something to send.
    #[must_use]
    pub const fn post(url: &'r Endpoint, content_type: &'r str, bytes: &'r [u8]) -> Self {
        Self { body: Some(Body { content_type, bytes }), ..Self::get(url) }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

/// A whole answer: 200, or 304 if the request had an `etag`.
#[derive(Clone, Debug)]
pub struct Response {
    /// 200 or 304.
    pub status: StatusCode,
    /// The media type, with its parameters.
    pub content_type: Option<Box<str>>,
    /// The value for [`Request::etag`] the next time.
    pub etag: Option<Box<str>>,
    /// For how long the answer is fresh, by the server's word; `None` if it does not say.
    pub max_age: Option<Duration>,
    /// The time on the server's clock.
    pub date: Option<UnixTime>,
    /// The contents.
    pub body: Vec<u8>,
}

impl Response {
    /// Whether the answer that the request's `etag` names still holds.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.status == StatusCode::NOT_MODIFIED
    }
}

impl Client {
    /// Asks, and takes the whole answer.
    ///
    /// # Errors
    ///
    /// [`FetchError`] for everything but a whole answer of 200, or of 304 to a request with an
    /// `etag`.
    pub async fn send(&self, request: &Request<'_>) -> Result<Response, FetchError> {
        let now = Instant::now();
        let after = |time: Duration| now.checked_add(time).unwrap_or(now);
        let deadline = after(request.deadline);
        let answer = timeout_at(deadline, self.ask(request, after(request.connect)));
        answer.await.map_err(|_| FetchError::Timeout(Stage::Answer))?
    }

    /// One request over a connection that is made by `connect`, or it is given up.
    async fn ask(&self, request: &Request<'_>, connect: Instant) -> Result<Response, FetchError> {
        let message = message(request)?;
        if !request.url.is_secure() {
            return exchange(self.tcp(request.url, connect).await?, message, request).await;
        }
        let connector = TlsConnector::from(self.authorities.config().await?);
        let name =
            ServerName::try_from(request.url.host().to_owned()).map_err(|_| FetchError::Resolve)?;
        let stream = self.tcp(request.url, connect).await?;
        let handshake = timeout_at(connect, connector.connect(name, stream)).await;
        let stream = handshake
            .map_err(|_| FetchError::Timeout(Stage::Tls))?
            .map_err(|error| FetchError::Tls(TlsFault::of_handshake(&error)))?;
        exchange(stream, message, request).await
    }

    /// Tries the addresses of the host in turn, each with its share of the time that is left.
    async fn tcp(&self, url: &Endpoint, until: Instant) -> Result<TcpStream, FetchError> {
        let found = timeout_at(until, self.resolver.addresses(url.host())).await;
        let addresses = found.map_err(|_| FetchError::Timeout(Stage::Resolve))??;
        let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let mut fault = FetchError::Resolve;
        for address in addresses {
            let now = Instant::now();
            let share = until.saturating_duration_since(now).checked_div(left).unwrap_or_default();
            left = left.saturating_sub(1);
            match timeout_at(now.checked_add(share).unwrap_or(now), tcp(address, url.port())).await
            {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => fault = FetchError::Connect(error.kind()),
                Err(_) => fault = FetchError::Timeout(Stage::Connect),
            }
        }
        Err(fault)
    }
}

async fn tcp(address: IpAddr, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(SocketAddr::new(address, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The request as it is sent.
fn message(request: &Request<'_>) -> Result<http::Request<Full<Bytes>>, FetchError> {
    let url = request.url.uri();
    let target = url.path_and_query().map_or("/", |target| target.as_str());
    let host = url.authority().map_or("", |authority| authority.as_str());
    let mut message = http::Request::new(Full::new(Bytes::new()));
    *message.uri_mut() = target.parse::<Uri>().map_err(|_| FetchError::Request)?;
    let headers = message.headers_mut();
    put(headers, HOST, host)?;
    put(headers, USER_AGENT, concat!("ngx_http_mesh_module/", env!("CARGO_PKG_VERSION")))?;
    put(headers, ACCEPT, request.accept)?;
    put(headers, ACCEPT_ENCODING, "identity")?;
    if let Some(etag) = request.etag {
        put(headers, IF_NONE_MATCH, etag)?;
    }
    if let Some(authorization) = request.authorization {
        put(headers, AUTHORIZATION, authorization)?;
    }
    if let Some(body) = request.body {
        put(headers, CONTENT_TYPE, body.content_type)?;
        *message.method_mut() = Method::POST;
        *message.body_mut() = Full::new(Bytes::copy_from_slice(body.bytes));
    }
    Ok(message)
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), FetchError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| FetchError::Request)?;
    // Nothing that shows headers may show a credential.
    value.set_sensitive(name == AUTHORIZATION);
    headers.insert(name, value);
    Ok(())
}

/// Sends the request on a new connection, and takes the answer.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    message: http::Request<Full<Bytes>>,
    request: &Request<'_>,
) -> Result<Response, FetchError> {
    let handshake =
        http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| FetchError::of_answer(&error))?;
    let answer = async move {
        let answer = sender.send_request(message).await;
        take(answer.map_err(|error| FetchError::of_answer(&error))?, request).await
    };
    tokio::pin!(answer, connection);
    // The connection moves the bytes, until it ends; the moved bytes may wait to be read.
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = &mut connection => answer.await,
    }
}

/// Judges the head of an answer, then takes its body.
async fn take(
    answer: http::Response<Incoming>,
    request: &Request<'_>,
) -> Result<Response, FetchError> {
    let (head, mut incoming) = answer.into_parts();
    let status = head.status;
    let is_unchanged = status == StatusCode::NOT_MODIFIED && request.etag.is_some();
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
        return Err(FetchError::Redirect(status));
    }
    if status != StatusCode::OK && !is_unchanged {
        return Err(FetchError::Status(status));
    }
    let mut encodings = head.headers.get_all(CONTENT_ENCODING).iter();
    if encodings.any(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(FetchError::Encoding);
    }
    let too_large = FetchError::TooLarge(request.max_bytes);
    let promised = usize::try_from(incoming.size_hint().lower());
    if promised.map_or(true, |promised| promised > request.max_bytes) {
        return Err(too_large);
    }
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| FetchError::of_answer(&error))?;
        let Ok(chunk) = frame.into_data() else { continue };
        if body.len().saturating_add(chunk.len()) > request.max_bytes {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let short = |name| text(name).filter(|it| it.len() <= MAX_TEXT).map(Box::from);
    Ok(Response {
        status,
        content_type: short(CONTENT_TYPE),
        etag: short(ETAG),
        max_age: cache::freshness(&head.headers),
        date: text(DATE).and_then(date::parse),
        body,
    })
}

/// Bytes that the head of an answer may have.
const MAX_HEAD: usize = 32 * 1024;
/// Bytes of a header that is kept.
const MAX_TEXT: usize = 512;

#[cfg(test)]
pub(crate) mod stub;
#[cfg(test)]
mod tests;
