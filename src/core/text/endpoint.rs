//! Where the background thread may fetch from: an absolute `https` URL of the configuration.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use http::Uri;
use http::uri::Scheme;

/// An absolute URL over TLS, or over plain HTTP to this host alone.
///
/// It never holds credentials or a fragment, and is compared and shown as it was written.
///
/// ```
/// use mesh_core::text::endpoint::Endpoint;
///
/// let keys: Endpoint = "https://idp.example/keys".parse()?;
/// assert_eq!((keys.host(), keys.port(), keys.is_secure()), ("idp.example", 443, true));
/// assert!("http://idp.example/keys".parse::<Endpoint>().is_err());
/// # Ok::<(), mesh_core::text::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    text: Box<str>,
    uri: Uri,
}

impl Endpoint {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parsed form; it has a scheme, an authority and a path.
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The name or address of the host; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        bare_host(&self.uri)
    }

    /// The port, 443 or 80 unless it is written.
    pub fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_secure() { 443 } else { 80 })
    }

    /// Whether it is reached over TLS; otherwise it is this host.
    pub fn is_secure(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }

    /// Whether a word is meant as a URL of the web, even if it is a wrong one.
    pub fn is_meant(word: &str) -> bool {
        let scheme = word.split_once("://").map(|(scheme, _)| scheme);
        scheme.is_some_and(|it| it.eq_ignore_ascii_case("http") || it.eq_ignore_ascii_case("https"))
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.contains('#') {
            return Err(EndpointError::Fragment);
        }
        let uri: Uri = text.parse().map_err(|_| EndpointError::Malformed)?;
        let authority = uri.authority().ok_or(EndpointError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::Credentials);
        }
        // `http` reads an empty or a wrong port as none.
        let is_whole = uri.port().is_some() == has_port(authority.as_str());
        if bare_host(&uri).is_empty() || !is_whole || uri.port_u16() == Some(0) {
            return Err(EndpointError::Malformed);
        }
        let scheme = uri.scheme().ok_or(EndpointError::Malformed)?;
        if *scheme == Scheme::HTTP {
            if !is_this_host(bare_host(&uri)) {
                return Err(EndpointError::Plain);
            }
        } else if *scheme != Scheme::HTTPS {
            return Err(EndpointError::Scheme);
        }
        Ok(Self { text: text.into(), uri })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn bare_host(uri: &Uri) -> &str {
    let host = uri.host().unwrap_or_default();
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether there is a colon behind the host.
fn has_port(authority: &str) -> bool {
    authority.rsplit(']').next().is_some_and(|rest| rest.contains(':'))
}

/// Names that a resolver could lead elsewhere are not trusted, except the one that RFC 6761 section
/// 6.3 keeps on this host.
fn is_this_host(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Why a URL cannot be fetched from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum EndpointError {
    /// It holds a user or a password.
    Credentials,
    /// It holds a fragment.
    Fragment,
    /// It is no absolute URL with a host.
    Malformed,
    /// It is plain HTTP to another host.
    Plain,
    /// Its scheme is another than `https`.
    Scheme,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credentials => "holds credentials",
            Self::Fragment => "holds a fragment",
            Self::Malformed => "is not an absolute URL",
            Self::Plain => "is plain http to another host than this one",
            Self::Scheme => "is not https",
        })
    }
}

impl core::error::Error for EndpointError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn https_is_for_any_host_and_http_for_this_one() {
        for (text, host, port) in [
            ("https://idp.example/keys", "idp.example", 443),
            ("https://idp.example", "idp.example", 443),
            ("https://idp.example:8443/a?b=c", "idp.example", 8443),
            ("https://[2001:db8::1]:1/", "2001:db8::1", 1),
            ("http://127.0.0.1:9000/keys", "127.0.0.1", 9000),
            ("http://127.5.5.5/", "127.5.5.5", 80),
            ("http://[::1]/", "::1", 80),
            ("http://localhost:1/", "localhost", 1),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((endpoint.host(), endpoint.port()), (host, port), "{text}");
            assert_eq!(endpoint.to_string(), text);
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        for (text, error) in [
            ("http://idp.example/", EndpointError::Plain),
            ("http://localhost.example/", EndpointError::Plain),
            ("http://10.0.0.1/", EndpointError::Plain),
            ("ftp://127.0.0.1/", EndpointError::Scheme),
            ("https://me:secret@idp.example/", EndpointError::Credentials),
            ("https://me@idp.example/", EndpointError::Credentials),
            ("https://idp.example/#key", EndpointError::Fragment),
            ("https://idp.example:/", EndpointError::Malformed),
            ("https://idp.example:0/", EndpointError::Malformed),
            ("https://idp.example:99999/", EndpointError::Malformed),
            ("https://", EndpointError::Malformed),
            ("https:///keys", EndpointError::Malformed),
            ("https://idp example/", EndpointError::Malformed),
            ("https://idp.example/a b", EndpointError::Malformed),
            ("https://idp.example/\r\nHost: x", EndpointError::Malformed),
            ("//idp.example/", EndpointError::Malformed),
            ("keys.json", EndpointError::Malformed),
            ("/etc/keys.json", EndpointError::Malformed),
            ("", EndpointError::Malformed),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_has_a_host_and_is_safe(text in "https?://[ -~]{0,40}") {
            if let Ok(endpoint) = text.parse::<Endpoint>() {
                prop_assert!(!endpoint.host().is_empty());
                prop_assert!(endpoint.is_secure() || is_this_host(endpoint.host()));
                prop_assert!(!text.contains(['@', '#', ' ']) || !endpoint.host().contains('@'));
            }
        }
    }
}
