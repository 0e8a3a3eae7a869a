//! Whether a proof was made for the URI that a request was sent to (RFC 9449 section 4.3).
//!
//! Both are brought into one form, as RFC 3986 sections 6.2.2 and 6.2.3 say, and compared byte by
//! byte: a URI without that form matches nothing.

use core::fmt;

use crate::request::Target;
use crate::text::path::{normal_path, unescape};

/// Scheme, host and port.
#[derive(Clone, Eq, PartialEq)]
pub struct Origin {
    is_secure: bool,
    host: Box<[u8]>,
    port: u16,
}

impl Origin {
    /// Reads `https://api.example` or `http://127.0.0.1:8080`, with nothing behind it but a slash.
    pub fn parse(text: &str) -> Option<Self> {
        let uri = Uri::parse(text.as_bytes())?;
        let is_bare = !text.contains(['?', '#']) && (uri.path == b"/" && !text.ends_with("//"));
        is_bare.then_some(uri.origin)
    }

    fn read(is_secure: bool, authority: &[u8]) -> Option<Self> {
        let end = match authority.first()? {
            b'[' => authority.iter().position(|byte| *byte == b']')?.checked_add(1)?,
            _ => authority.iter().position(|byte| *byte == b':').unwrap_or(authority.len()),
        };
        let (host, port) = authority.split_at_checked(end)?;
        let default = if is_secure { 443 } else { 80 };
        let port = match port {
            [] | [b':'] => default,
            [b':', digits @ ..] => decimal(digits)?,
            _ => return None,
        };
        let host = unescape(host)?.to_ascii_lowercase();
        let is_host = |byte: &u8| byte.is_ascii_graphic() && !b"@/\\\"<>^`{|}".contains(byte);
        let is_whole = !host.is_empty() && host.iter().all(is_host);
        is_whole.then(|| Self { is_secure, host: host.into(), port })
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host.escape_ascii(), self.port)
    }
}

/// A URI without query and fragment, in its normal form.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Uri {
    origin: Origin,
    path: Vec<u8>,
}

impl Uri {
    /// Reads `htu`, whose query and fragment are ignored.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let at = text.windows(3).position(|three| three == b"://")?;
        let (scheme, rest) = text.split_at_checked(at)?;
        let rest = rest.strip_prefix(b"://")?;
        let is_secure = match () {
            () if scheme.eq_ignore_ascii_case(b"https") => true,
            () if scheme.eq_ignore_ascii_case(b"http") => false,
            () => return None,
        };
        let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        Some(Self { origin: Origin::read(is_secure, authority)?, path: normal_path(path)? })
    }

    /// The URI of a request, which has reached us under `origin` if that is told.
    pub(super) fn of(target: &Target<'_>, origin: Option<&Origin>) -> Option<Self> {
        let origin = match origin {
            Some(origin) => origin.clone(),
            None => Origin::read(target.is_secure, target.authority?)?,
        };
        Some(Self { origin, path: normal_path(target.path)? })
    }

    /// Its parts, to be hashed one by one.
    pub(super) fn parts(&self) -> [&[u8]; 3] {
        let scheme: &[u8] = if self.origin.is_secure { b"https" } else { b"http" };
        [scheme, &self.origin.host, &self.path]
    }

    /// The port.
    pub(super) const fn port(&self) -> u16 {
        self.origin.port
    }
}

fn decimal(digits: &[u8]) -> Option<u16> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(is_secure: bool, authority: &str, path: &str) -> Option<Uri> {
        let (authority, path) = (Some(authority.as_bytes()), path.as_bytes());
        Uri::of(&Target { is_secure, authority, path }, None)
    }

    fn matches(htu: &str, authority: &str, path: &str) -> bool {
        let htu = Uri::parse(htu.as_bytes());
        htu.is_some() && htu == sent(true, authority, path)
    }

    #[test]
    fn what_rfc_3986_calls_equivalent_matches() {
        for (htu, authority, path) in [
            ("https://api.example/a", "api.example", "/a"),
            ("HTTPS://API.example/a", "api.EXAMPLE", "/a"),
            ("https://api.example:443/a", "api.example", "/a"),
            ("https://api.example/a", "api.example:443", "/a"),
            ("https://api.example:/a", "api.example", "/a"),
            ("https://api.example:0443/a", "api.example", "/a"),
            ("https://api.example:8443/a", "api.example:8443", "/a"),
            ("https://api.example", "api.example", "/"),
            ("https://api.example?x=/y", "api.example", "/?x"),
            ("https://api.example/a?b=c#d", "api.example", "/a?e=f"),
            ("https://api.example/%7euser/%2fa", "api.example", "/~user/%2Fa"),
            ("https://api.example/a/./b/../c", "api.example", "/a/c"),
            ("https://api.example/a/%2E%2e/c", "api.example", "/c"),
            ("https://[2001:DB8::1]:8443/a", "[2001:db8::1]:8443", "/a"),
        ] {
            assert!(matches(htu, authority, path), "{htu} is {authority}{path}");
        }
    }

    #[test]
    fn what_differs_does_not_match() {
        for (htu, authority, path) in [
            ("http://api.example/a", "api.example", "/a"),
            ("https://api.example/A", "api.example", "/a"),
            ("https://api.example/a/", "api.example", "/a"),
            ("https://api.example//a", "api.example", "/a"),
            ("https://api.example/a%2fb", "api.example", "/a/b"),
            ("https://api.example./a", "api.example", "/a"),
            ("https://api.example:8443/a", "api.example", "/a"),
            ("https://other.example/a", "api.example", "/a"),
            ("https://api.example.evil/a", "api.example", "/a"),
            ("https://me@api.example/a", "api.example", "/a"),
            ("https://api.example:443:443/a", "api.example", "/a"),
            ("https://api.example:x/a", "api.example", "/a"),
            ("https://api.example:0/a", "api.example", "/a"),
            ("https://api.example:99999/a", "api.example", "/a"),
            ("https:///a", "api.example", "/a"),
            ("//api.example/a", "api.example", "/a"),
            ("/a", "api.example", "/a"),
            ("", "api.example", "/a"),
            ("https://api.example/%zz", "api.example", "/%zz"),
            ("https://api.example/%", "api.example", "/%"),
            ("https://api example/a", "api example", "/a"),
            ("https://[::1/a", "[::1", "/a"),
            ("https://api.example/", "api.example", "*"),
            // Servers that merge slashes take the first for `/b`, others for `/a/b`.
            ("https://api.example/a/b", "api.example", "/a//../b"),
            ("https://api.example/a//../b", "api.example", "/a//../b"),
            ("https://api.example/b", "api.example", "/a//%2E./b"),
        ] {
            assert!(!matches(htu, authority, path), "{htu} is not {authority}{path}");
        }
    }

    #[test]
    fn an_origin_has_nothing_behind_it() {
        for text in ["https://api.example", "https://api.example/", "http://[::1]:80", "HTTPS://A"]
        {
            assert!(Origin::parse(text).is_some(), "{text}");
        }
        for text in [
            "api.example",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://a#b",
            "https://a//",
            "https://u@a",
            "ftp://a",
            "https://a:0",
            "https://a b",
        ] {
            assert!(Origin::parse(text).is_none(), "{text}");
        }
        let origin = Origin::parse("https://API.example:443").unwrap();
        let path = b"/a";
        let target = Target { is_secure: false, authority: None, path };
        assert_eq!(Uri::of(&target, Some(&origin)), Uri::parse(b"https://api.example/a"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Uri::parse(&text);
            let _ = Uri::parse(&[b"https://a", &text[..]].concat());
        }

        #[test]
        fn an_escaped_path_is_the_same_and_another_is_not(
            before in "/[a-z0-9._~-]{0,4}(/[a-z]{1,4}){0,3}",
            byte in "[a-z0-9._~-]",
            after in "[a-z0-9]{1,4}",
        ) {
            let escape = format!("%{:02x}", byte.as_bytes()[0]);
            let normal = |middle: &str| normal_path(format!("{before}{middle}{after}").as_bytes());
            prop_assert_eq!(normal(&escape), normal(&byte));
            prop_assert_eq!(normal(&escape.to_uppercase()), normal(&byte));
            prop_assert_ne!(normal("%2f"), normal(&byte));
            prop_assert_ne!(normal(&format!("{byte}x")), normal(&byte));
        }
    }
}
