//! Where a request was sent.

/// Where a request was sent, as the connection and its first lines say.
#[derive(Clone, Copy, Debug)]
pub struct Target<'r> {
    /// Whether the connection is one of TLS.
    pub is_secure: bool,
    /// The host, with its port if the client wrote one; `None` if it is not certain.
    pub authority: Option<&'r [u8]>,
    /// The path as it was sent, and whatever follows it.
    pub path: &'r [u8],
}

impl<'r> Target<'r> {
    /// The host and port that a request names.
    ///
    /// `host` is its only `Host` field, and `server` the name that the server goes by: from the
    /// request line if that holds a whole URI. `None` if the field names another host than the one
    /// that answers.
    pub fn authority(host: Option<&'r [u8]>, server: &'r [u8]) -> Option<&'r [u8]> {
        let Some(host) = host else { return Some(server).filter(|name| !name.is_empty()) };
        let (name, rest) = host.split_at_checked(server.len())?;
        let rest = rest.strip_prefix(b".").unwrap_or(rest);
        let is_same = name.eq_ignore_ascii_case(server) && !server.is_empty();
        (is_same && matches!(rest, [] | [b':', ..])).then_some(host)
    }
}

/// What of a request goes upstream: what rules are about.
#[derive(Clone, Copy, Debug)]
pub struct Upstream<'r> {
    /// The method.
    pub method: &'r [u8],
    /// The path and the query.
    pub uri: Uri<'r>,
    /// How long its body is.
    pub length: Length,
}

/// A path and a query.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Uri<'r> {
    /// As it was sent: a path, and the query behind the first question mark.
    Sent(&'r [u8]),
    /// Nginx has decoded the path, and sends it so.
    Decoded {
        /// The path.
        path: &'r [u8],
        /// What follows the question mark, if there is one.
        query: Option<&'r [u8]>,
    },
}

impl<'r> Uri<'r> {
    /// The path, and what follows the question mark, if there is one.
    pub fn split(self) -> (&'r [u8], Option<&'r [u8]>) {
        match self {
            Self::Decoded { path, query } => (path, query),
            Self::Sent(line) => {
                let end = memchr::memchr(b'?', line);
                match end.and_then(|end| line.split_at_checked(end)) {
                    Some((path, query)) => (path, query.get(1..)),
                    None => (line, None),
                }
            }
        }
    }

    /// Whether Nginx has decoded the path, and sends it so.
    pub const fn is_decoded(self) -> bool {
        matches!(self, Self::Decoded { .. })
    }
}

impl Upstream<'_> {
    /// Whether both go upstream under one name: a body that belongs to it is one of the main request.
    pub fn names_the_same(&self, other: &Self) -> bool {
        let Self { method, uri, length: _ } = self;
        *method == other.method && *uri == other.uri
    }
}

/// How long the body of a request is, by its header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// There is none, or it is empty.
    None,
    /// So many bytes.
    Known(u64),
    /// It ends when it ends.
    Unknown,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_field_counts_when_it_names_the_server() {
        let authority = |host: Option<&'static str>, server: &'static str| {
            let found = Target::authority(host.map(str::as_bytes), server.as_bytes());
            found.map(|found| core::str::from_utf8(found).unwrap())
        };
        for host in ["api.example", "API.example:8443", "api.example.", "api.example.:80"] {
            assert_eq!(authority(Some(host), "api.example"), Some(host));
        }
        assert_eq!(authority(None, "api.example"), Some("api.example"));
        for host in ["", "api.exampl", "api.example.evil", "api.example@evil", "b.example:80"] {
            assert_eq!(authority(Some(host), "api.example"), None, "{host}");
        }
        assert_eq!(authority(Some(""), ""), None);
        assert_eq!(authority(None, ""), None);
    }

    proptest! {
        #[test]
        fn any_field_is_read_without_a_panic(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Target::authority(Some(&text), b"a");
        }
    }
}
