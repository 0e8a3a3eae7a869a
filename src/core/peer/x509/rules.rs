//! Which names of a certificate are an identity: `mesh_certificate_name`.

use core::{fmt, ops::BitOr};

use crate::peer::x509::dns::hostname;

/// The kinds of names that may identify a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NameKinds(u8);

impl NameKinds {
    /// No kind.
    pub const NONE: Self = Self(0);
    /// The common name of the subject.
    pub const COMMON_NAME: Self = Self(1);
    /// A DNS name among the subject's alternative names.
    pub const DNS: Self = Self(2);
    /// The SPIFFE ID among the subject's alternative names.
    pub const SPIFFE: Self = Self(4);

    /// Whether every kind in `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The kinds that are in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Default for NameKinds {
    /// SPIFFE IDs and DNS names: a common name is free text, so it must be asked for.
    fn default() -> Self {
        Self::SPIFFE.union(Self::DNS)
    }
}

impl BitOr for NameKinds {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

/// The words of the directive.
impl fmt::Display for NameKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [(Self::SPIFFE, "spiffe"), (Self::DNS, "dns"), (Self::COMMON_NAME, "cn")];
        let words = all.into_iter().filter(|(kind, _)| self.contains(*kind));
        words.enumerate().try_for_each(|(at, (_, word))| {
            f.write_str(if at == 0 { "" } else { " " })?;
            f.write_str(word)
        })
    }
}

/// The kinds of names that are looked at, and which of several DNS names is chosen.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NameRules {
    kinds: NameKinds,
    dns: Option<DnsPattern>,
}

impl NameRules {
    /// The rules of these kinds; `dns` makes DNS names one of them.
    pub fn new(kinds: NameKinds, dns: Option<DnsPattern>) -> Self {
        let kinds = if dns.is_some() { kinds | NameKinds::DNS } else { kinds };
        Self { kinds, dns }
    }

    /// The kinds of names that are looked at.
    pub const fn kinds(&self) -> NameKinds {
        self.kinds
    }

    /// Whether a DNS name, in lower case, may be the identity.
    pub(super) fn matches(&self, name: &str) -> bool {
        self.dns.as_ref().is_none_or(|pattern| pattern.matches(name))
    }
}

impl From<NameKinds> for NameRules {
    fn from(kinds: NameKinds) -> Self {
        Self::new(kinds, None)
    }
}

/// As the directive is written.
impl fmt::Display for NameRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(pattern) = &self.dns else { return self.kinds.fmt(f) };
        let has = |kind| self.kinds.contains(kind);
        let before = if has(NameKinds::SPIFFE) { "spiffe " } else { "" };
        let after = if has(NameKinds::COMMON_NAME) { " cn" } else { "" };
        write!(f, "{before}dns={pattern}{after}")
    }
}

/// A DNS name in which each `*` stands for one or more characters, dots among them, as in Nginx's
/// `server_name`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnsPattern(Box<str>);

impl DnsPattern {
    /// Parses a pattern; its case does not matter. `None` if no DNS name could match it.
    pub fn parse(text: &str) -> Option<Self> {
        let is_apart = !text.contains("**");
        // With a letter for each `*`, it is a name that matches.
        let pattern = hostname(&text.replace('*', "a")).ok().filter(|_| is_apart);
        pattern.map(|_| Self(text.to_ascii_lowercase().into()))
    }

    /// Whether the pattern matches a name in lower case, and all of it.
    fn matches(&self, name: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else { return *self.0 == *name };
        let Some(mut name) = name.strip_prefix(head) else { return false };
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        // The first place of each piece leaves most to those behind it.
        for piece in middle.split('*').filter(|piece| !piece.is_empty()) {
            let Some((_, after)) = behind_first(name).and_then(|it| it.split_once(piece)) else {
                return false;
            };
            name = after;
        }
        // The text that the last `*` stands for, one character before the end at least.
        behind_first(name).is_some_and(|rest| rest.ends_with(tail))
    }
}

/// What follows the first character.
fn behind_first(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    chars.next().map(|_| chars.as_str())
}

impl fmt::Display for DnsPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> DnsPattern {
        DnsPattern::parse(text).unwrap()
    }

    #[test]
    fn a_star_stands_for_one_or_more_characters() {
        for (text, matching, others) in [
            (
                "orders.example",
                &["orders.example"][..],
                &["a.orders.example", "orders.example.a"][..],
            ),
            ("Orders.EXAMPLE", &["orders.example"], &["orders"]),
            ("*.example", &["a.example", "a.b.example"], &["example", ".example", "a.examples"]),
            ("*.*.svc", &["a.b.svc", "a.b.c.svc"], &["a.svc", "..svc", "svc"]),
            ("a*b.x", &["acb.x", "a.b.x", "abbb.x"], &["ab.x", "acb.y", "cab.x"]),
            ("*", &["a", "a.b"], &[""]),
            ("a.*", &["a.b", "a.b.c"], &["a.", "a", "b.a.c"]),
            ("*a*b*", &["xaybz", "aaabba"], &["ab", "xab", "xayb"]),
        ] {
            let pattern = pattern(text);
            assert!(matching.iter().all(|name| pattern.matches(name)), "{text}");
            assert!(!others.iter().any(|name| pattern.matches(name)), "{text}");
        }
    }

    #[test]
    fn a_pattern_that_no_name_can_match_is_none() {
        for text in ["", ".", "a..b", "**", "a.**.b", "-*", "a b", "*.1", "a/*", "bücher.*", "*."]
        {
            assert_eq!(DnsPattern::parse(text), None, "{text}");
        }
        assert!(DnsPattern::parse(&format!("*.{}", "a".repeat(64))).is_none());
    }

    #[test]
    fn rules_read_as_the_directive() {
        let rules = NameRules::new(NameKinds::COMMON_NAME, Some(pattern("*.Example")));
        assert_eq!(rules.to_string(), "dns=*.example cn");
        assert!(rules.kinds().contains(NameKinds::DNS));
        assert_eq!(NameRules::default().to_string(), "spiffe dns");
        let all = NameKinds::SPIFFE | NameKinds::COMMON_NAME;
        assert_eq!(NameRules::from(all).to_string(), "spiffe cn");
        assert_eq!(NameRules::new(all, Some(pattern("a"))).to_string(), "spiffe dns=a cn");
    }

    /// Every way to split the name, one after the other.
    fn slowly(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (1..=name.len()).any(|end| slowly(rest, &name[end..])),
            Some((byte, rest)) => {
                name.split_first().is_some_and(|(first, name)| first == byte && slowly(rest, name))
            }
        }
    }

    proptest! {
        #[test]
        fn a_match_is_one_by_any_split(
            text in r"[a.*]{1,3}[ab*]{0,4}[b*]{0,2}",
            name in "[ab.]{0,10}",
        ) {
            if let Some(pattern) = DnsPattern::parse(&text) {
                prop_assert_eq!(pattern.matches(&name), slowly(text.as_bytes(), name.as_bytes()), "{} {}", text, name);
            }
        }

        #[test]
        fn any_name_is_no_panic(text in "\\PC{0,12}", name in "\\PC{0,12}") {
            if let Some(pattern) = DnsPattern::parse(&text) {
                let _ = pattern.matches(&name);
            }
        }
    }
}
