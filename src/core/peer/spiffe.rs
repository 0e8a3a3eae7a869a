//! SPIFFE IDs and trust domains, parsed as strictly as the SPIFFE-ID specification writes them.
//!
//! There is one spelling of an id, so two ids are the same workload exactly when their bytes are
//! equal: nothing is decoded, folded or normalised here or later.

use core::{borrow::Borrow, error::Error, fmt, str::FromStr};

/// The longest SPIFFE ID, in bytes (SPIFFE-ID, section 2.3).
pub const MAX_ID_BYTES: usize = 2048;

/// The longest trust domain name, in bytes (SPIFFE-ID, section 2.3).
pub const MAX_TRUST_DOMAIN_BYTES: usize = 255;

const SCHEME: &str = "spiffe://";

/// A valid SPIFFE ID: `spiffe://`, a trust domain and a path, which may be empty.
///
/// ```
/// use mesh_core::peer::spiffe::SpiffeId;
///
/// let id = SpiffeId::parse("spiffe://prod.example/ns/shop/sa/orders-api")?;
/// assert_eq!(id.trust_domain(), "prod.example");
/// assert_eq!(id.path(), "/ns/shop/sa/orders-api");
/// # Ok::<(), mesh_core::peer::spiffe::SpiffeIdError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SpiffeId {
    id: Box<str>,
    /// Where the path starts, or the length of the id when it has none.
    path_start: usize,
}

impl SpiffeId {
    /// Parses an id (SPIFFE-ID, sections 2.1 to 2.3).
    ///
    /// An upper-case scheme is refused too: the specification folds it, but an identity with two
    /// spellings would escape a rule that knows one of them.
    ///
    /// # Errors
    /// Says which part of the specification the text breaks.
    pub fn parse(text: &str) -> Result<Self, SpiffeIdError> {
        if text.len() > MAX_ID_BYTES {
            return Err(SpiffeIdError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
        let (trust_domain, path) = match rest.split_once('/') {
            Some((trust_domain, path)) => (trust_domain, Some(path)),
            None => (rest, None),
        };
        check_trust_domain(trust_domain)?;
        path.map_or(Ok(()), check_path)?;
        Ok(Self { id: text.into(), path_start: SCHEME.len().saturating_add(trust_domain.len()) })
    }

    /// The whole id, byte for byte as it was parsed.
    pub fn as_str(&self) -> &str {
        &self.id
    }

    /// The name of the trust domain, without the scheme; never empty.
    pub fn trust_domain(&self) -> &str {
        // `parse` found these bounds; if they were wrong, the empty name would match no listed
        // domain.
        self.id.get(SCHEME.len()..self.path_start).unwrap_or_default()
    }

    /// The path with its leading slash, or the empty string: then the id names the trust domain
    /// itself and no workload.
    pub fn path(&self) -> &str {
        self.id.get(self.path_start..).unwrap_or_default()
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// The name of a trust domain, as an operator lists it: `prod.example`.
///
/// It borrows as `str`, so a map keyed by trust domains is asked with [`SpiffeId::trust_domain`].
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TrustDomain(Box<str>);

impl TrustDomain {
    /// Parses a bare name, without scheme (SPIFFE-ID, section 2.1).
    ///
    /// # Errors
    /// Says what is wrong with the name.
    pub fn parse(name: &str) -> Result<Self, SpiffeIdError> {
        check_trust_domain(name)?;
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the id was issued in this trust domain: exact equality, never a suffix.
    pub fn contains(&self, id: &SpiffeId) -> bool {
        self.as_str() == id.trust_domain()
    }
}

impl Borrow<str> for TrustDomain {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TrustDomain {
    type Err = SpiffeIdError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

/// Why a text is no SPIFFE ID or no trust domain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SpiffeIdError {
    /// A path segment is `.` or `..`.
    DotSegment,
    /// The path has two slashes in a row.
    EmptySegment,
    /// There is nothing between the scheme and the path.
    MissingTrustDomain,
    /// The path has a character other than letters, digits, `.`, `-` and `_`.
    PathCharacter,
    /// The text does not start with `spiffe://`, in lower case.
    Scheme,
    /// The id is longer than [`MAX_ID_BYTES`].
    TooLong,
    /// The path ends in a slash.
    TrailingSlash,
    /// The trust domain has a character other than lower-case letters, digits, `.`, `-` and `_`.
    TrustDomainCharacter,
    /// The trust domain is longer than [`MAX_TRUST_DOMAIN_BYTES`].
    TrustDomainTooLong,
}

impl fmt::Display for SpiffeIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DotSegment => "SPIFFE ID has a dot segment in its path",
            Self::EmptySegment => "SPIFFE ID has an empty segment in its path",
            Self::MissingTrustDomain => "SPIFFE ID has no trust domain",
            Self::PathCharacter => "SPIFFE ID has a forbidden character in its path",
            Self::Scheme => "SPIFFE ID does not start with \"spiffe://\"",
            Self::TooLong => "SPIFFE ID is longer than 2048 bytes",
            Self::TrailingSlash => "SPIFFE ID ends in a slash",
            Self::TrustDomainCharacter => "trust domain has a forbidden character",
            Self::TrustDomainTooLong => "trust domain is longer than 255 bytes",
        })
    }
}

impl Error for SpiffeIdError {}

/// The set of characters leaves no room for user info, port, query, fragment or percent-encoding.
fn check_trust_domain(name: &str) -> Result<(), SpiffeIdError> {
    if name.is_empty() {
        return Err(SpiffeIdError::MissingTrustDomain);
    }
    if name.len() > MAX_TRUST_DOMAIN_BYTES {
        return Err(SpiffeIdError::TrustDomainTooLong);
    }
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    if name.bytes().all(allowed) { Ok(()) } else { Err(SpiffeIdError::TrustDomainCharacter) }
}

/// Checks a path that is written without its leading slash.
fn check_path(path: &str) -> Result<(), SpiffeIdError> {
    if path.is_empty() || path.ends_with('/') {
        return Err(SpiffeIdError::TrailingSlash);
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    path.split('/').try_for_each(|segment| match segment {
        "" => Err(SpiffeIdError::EmptySegment),
        "." | ".." => Err(SpiffeIdError::DotSegment),
        _ if segment.bytes().all(allowed) => Ok(()),
        _ => Err(SpiffeIdError::PathCharacter),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_what_the_specification_allows() {
        for (text, trust_domain, path) in [
            ("spiffe://example.org", "example.org", ""),
            (
                "spiffe://staging.example.com/payments/mysql",
                "staging.example.com",
                "/payments/mysql",
            ),
            ("spiffe://k8s-west.example.com/ns/a/sa/b", "k8s-west.example.com", "/ns/a/sa/b"),
            ("spiffe://example.com/9eebccd2-12bf-40a6", "example.com", "/9eebccd2-12bf-40a6"),
            ("spiffe://a_b-c.1/Mixed_CASE-9.x", "a_b-c.1", "/Mixed_CASE-9.x"),
            ("spiffe://1.2.3.4/w", "1.2.3.4", "/w"),
            ("spiffe://td/.../.hidden/..x/x..", "td", "/.../.hidden/..x/x.."),
            ("spiffe://td/spiffe", "td", "/spiffe"),
        ] {
            let id = SpiffeId::parse(text).unwrap_or_else(|err| panic!("{text}: {err}"));
            assert_eq!((id.as_str(), id.trust_domain(), id.path()), (text, trust_domain, path));
        }
    }

    #[test]
    fn refuses_what_the_specification_forbids() {
        use SpiffeIdError as E;
        for (text, expected) in [
            ("", E::Scheme),
            ("spiffe", E::Scheme),
            ("spiffe:", E::Scheme),
            ("spiffe:/td/w", E::Scheme),
            ("spiffe:td/w", E::Scheme),
            ("SPIFFE://td/w", E::Scheme),
            ("Spiffe://td/w", E::Scheme),
            (" spiffe://td/w", E::Scheme),
            ("https://td/w", E::Scheme),
            ("xspiffe://td/w", E::Scheme),
            ("spiffe://", E::MissingTrustDomain),
            ("spiffe:///w", E::MissingTrustDomain),
            ("spiffe:////", E::MissingTrustDomain),
            ("spiffe://TD/w", E::TrustDomainCharacter),
            ("spiffe://user@td/w", E::TrustDomainCharacter),
            ("spiffe://user:pass@td/w", E::TrustDomainCharacter),
            ("spiffe://td:8443/w", E::TrustDomainCharacter),
            ("spiffe://td:/w", E::TrustDomainCharacter),
            ("spiffe://[::1]/w", E::TrustDomainCharacter),
            ("spiffe://t%64/w", E::TrustDomainCharacter),
            ("spiffe://td?q", E::TrustDomainCharacter),
            ("spiffe://td#f", E::TrustDomainCharacter),
            ("spiffe://td\\w", E::TrustDomainCharacter),
            ("spiffe://t d/w", E::TrustDomainCharacter),
            ("spiffe://tд/w", E::TrustDomainCharacter),
            ("spiffe://*/w", E::TrustDomainCharacter),
            ("spiffe://td/", E::TrailingSlash),
            ("spiffe://td//", E::TrailingSlash),
            ("spiffe://td/w/", E::TrailingSlash),
            ("spiffe://td//w", E::EmptySegment),
            ("spiffe://td/a//b", E::EmptySegment),
            ("spiffe://td/.", E::DotSegment),
            ("spiffe://td/..", E::DotSegment),
            ("spiffe://td/a/./b", E::DotSegment),
            ("spiffe://td/a/../b", E::DotSegment),
            ("spiffe://td/w?q=1", E::PathCharacter),
            ("spiffe://td/w#f", E::PathCharacter),
            ("spiffe://td/%2e%2e", E::PathCharacter),
            ("spiffe://td/a%2Fb", E::PathCharacter),
            ("spiffe://td/a:b", E::PathCharacter),
            ("spiffe://td/a@b", E::PathCharacter),
            ("spiffe://td/a~b", E::PathCharacter),
            ("spiffe://td/a;b", E::PathCharacter),
            ("spiffe://td/*", E::PathCharacter),
            ("spiffe://td/w ", E::PathCharacter),
            ("spiffe://td/w\n", E::PathCharacter),
            ("spiffe://td/w\0", E::PathCharacter),
            ("spiffe://td/é", E::PathCharacter),
        ] {
            assert_eq!(SpiffeId::parse(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn length_limits_are_inclusive() {
        let domain = |n: usize| "d".repeat(n);
        assert!(SpiffeId::parse(&format!("spiffe://{}/w", domain(255))).is_ok());
        assert_eq!(
            SpiffeId::parse(&format!("spiffe://{}/w", domain(256))),
            Err(SpiffeIdError::TrustDomainTooLong)
        );
        let of_length = |n: usize| format!("spiffe://td/{}", "w".repeat(n - "spiffe://td/".len()));
        assert!(SpiffeId::parse(&of_length(MAX_ID_BYTES)).is_ok());
        assert_eq!(SpiffeId::parse(&of_length(MAX_ID_BYTES + 1)), Err(SpiffeIdError::TooLong));
    }

    #[test]
    fn a_trust_domain_contains_its_own_ids_alone() {
        let domain = TrustDomain::parse("prod.example").unwrap();
        let contains = |id: &str| domain.contains(&SpiffeId::parse(id).unwrap());
        assert!(contains("spiffe://prod.example/w"));
        assert!(!contains("spiffe://x.prod.example/w"));
        assert!(!contains("spiffe://prod.example.evil/w"));
        assert!(!contains("spiffe://prod/example/w"));
    }

    #[test]
    fn a_set_of_trust_domains_is_asked_with_the_name_in_an_id() {
        let listed = HashSet::from([TrustDomain::parse("prod.example").unwrap()]);
        assert!(
            listed.contains(SpiffeId::parse("spiffe://prod.example/w").unwrap().trust_domain())
        );
        assert!(
            !listed.contains(SpiffeId::parse("spiffe://dev.example/w").unwrap().trust_domain())
        );
    }

    #[test]
    fn a_trust_domain_is_a_bare_lower_case_name() {
        for name in ["", "spiffe://td", "TD", "td/", "td:443", "a@td", "*", "td\n"] {
            assert!(TrustDomain::parse(name).is_err(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_kept_as_it_is(text in "(spiffe://)?[a-zA-Z0-9._/%:@?# \\PC-]{0,40}") {
            if let Ok(id) = SpiffeId::parse(&text) {
                prop_assert_eq!(id.as_str(), &text);
                prop_assert_eq!(format!("spiffe://{}{}", id.trust_domain(), id.path()), text.clone());
                prop_assert!(TrustDomain::parse(id.trust_domain()).is_ok());
                prop_assert_eq!(SpiffeId::parse(&id.to_string()), Ok(id));
            }
        }

        #[test]
        fn a_well_formed_id_is_taken_apart_where_it_was_put_together(
            domain in "[a-z0-9._-]{1,60}",
            segments in prop::collection::vec("[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,12}", 0..6),
        ) {
            let path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
            let id = SpiffeId::parse(&format!("spiffe://{domain}{path}")).unwrap();
            prop_assert_eq!(id.trust_domain(), domain);
            prop_assert_eq!(id.path(), path);
        }
    }
}
