//! Who asks, as a policy sees it.

use core::net::IpAddr;

use super::model::{Conditions, IssuerGroup, Network, Policy, Service, ServiceLine, Subjects};
use crate::claims::{Requirement, Verdict};
use crate::text::decimal::is_shortest;
use crate::text::time::UnixTime;

/// Who asks: the principal of a verified identity, and what is known of it.
#[derive(Clone, Copy)]
pub struct Subject<'s> {
    /// The issuer's name in the configuration; `None` if the principal is a certificate or a hop.
    pub issuer: Option<&'s str>,
    /// The service that the issuer's token names.
    pub service: Option<&'s str>,
    /// The name of the principal.
    pub principal: Option<&'s str>,
    /// The SPIFFE ID of the certificate, of the hop or of the JWT-SVID.
    pub spiffe_id: Option<&'s str>,
    /// The groups that the issuer's token lists; `None` if it does not.
    pub groups: Option<&'s [&'s str]>,
    /// What is known of the token's claims.
    pub claims: &'s dyn Judge,
    /// The client's address; `None` of a peer without one.
    pub address: Option<IpAddr>,
}

/// Judges a token's claims.
pub trait Judge {
    /// The verdict on them; [`Verdict::Unknown`] if there is no token.
    fn judge(&self, requirement: &Requirement) -> Verdict;
}

impl core::fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { issuer, service, spiffe_id, .. } = self;
        f.debug_struct("Subject")
            .field("issuer", issuer)
            .field("service", service)
            .field("spiffe_id", spiffe_id)
            .finish_non_exhaustive()
    }
}

/// What is known of something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Known {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// It may be so.
    Unknown,
}

impl Known {
    const fn of(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }

    /// If both must be so.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }

    /// If one of them must be so.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, Self::No) => Self::No,
            _ => Self::Unknown,
        }
    }
}

impl Subject<'_> {
    /// Whether the principal is a service.
    pub fn is_service(&self, service: &Service) -> bool {
        service.lines.iter().any(|line| self.is_line(line))
    }

    /// Whether the principal is what a line says.
    ///
    /// The principal of a token is the token's, and a certificate beside it does not make it another:
    /// two credentials never add up. A line that names both asks for both.
    fn is_line(&self, line: &ServiceLine) -> bool {
        let ServiceLine { spiffe, token } = line;
        let is_token = |(issuer, service): &(Box<str>, Box<str>)| {
            self.issuer == Some(issuer) && self.service == Some(service)
        };
        let is_principal = self.issuer.is_none() || self.principal == self.spiffe_id;
        match (spiffe.as_deref(), token) {
            (Some(id), Some(token)) => self.spiffe_id == Some(id) && is_token(token),
            (Some(id), None) => self.spiffe_id == Some(id) && is_principal,
            (None, Some(token)) => is_token(token),
            (None, None) => false,
        }
    }

    /// Whether it is in a group.
    pub fn is_in(&self, group: &IssuerGroup) -> Known {
        let is_issuer = self.issuer.map(|issuer| issuer == &*group.issuer);
        match (is_issuer, self.groups) {
            (Some(false), _) => Known::No,
            (None, None) | (Some(true), None) => Known::Unknown,
            (is_issuer, Some(groups)) => {
                Known::of(is_issuer == Some(true) && groups.contains(&&*group.group))
            }
        }
    }

    /// Whether it is one of some subjects.
    pub fn is_any_of(&self, subjects: &Subjects, policy: &Policy) -> Known {
        let Subjects { services, groups } = subjects;
        let services = services.iter().filter_map(|place| policy.services.get(*place));
        let services = services.map(|service| Known::of(self.is_service(service)));
        let groups = groups.iter().filter_map(|place| policy.groups.get(*place));
        let members = groups.flat_map(|group| &group.members).map(|group| self.is_in(group));
        services.chain(members).fold(Known::No, Known::or)
    }

    /// Whether all conditions hold now.
    pub fn meets(&self, conditions: &Conditions, now: UnixTime) -> Known {
        meets_now(conditions, self.address, now).and(self.meets_claims(conditions))
    }

    /// Whether the conditions on claims hold.
    pub fn meets_claims(&self, conditions: &Conditions) -> Known {
        let known =
            conditions.claims.iter().map(|requirement| match self.claims.judge(requirement) {
                Verdict::Holds => Known::Yes,
                Verdict::Absent | Verdict::Other => Known::No,
                Verdict::Unknown => Known::Unknown,
            });
        known.fold(Known::Yes, Known::and)
    }
}

/// Whether the conditions on the moment and the address hold.
pub fn meets_now(conditions: &Conditions, address: Option<IpAddr>, now: UnixTime) -> Known {
    let Conditions { from, until, addresses, claims: _ } = conditions;
    let is_time = from.is_none_or(|from| from <= now) && until.is_none_or(|until| now < until);
    let known = Known::of(is_time);
    if addresses.is_empty() {
        return known;
    }
    let is_near = |address| Known::of(addresses.iter().any(|network| network.holds(address)));
    known.and(address.map_or(Known::Unknown, is_near))
}

impl Conditions {
    /// Whether they may hold at one moment and not at another.
    pub const fn is_of_the_moment(&self) -> bool {
        self.from.is_some() || self.until.is_some() || !self.addresses.is_empty()
    }
}

impl Network {
    /// Reads an address or a network (`10.0.0.0/8`); the bits of hosts must be zero.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) =
            text.split_once('/').map_or((text, None), |(it, length)| (it, Some(length)));
        let address: IpAddr = address.parse().ok()?;
        let (whole, ours) = if address.is_ipv4() { (32, 96_u32) } else { (128, 0) };
        let length: u32 = match length {
            Some(length) => length.parse().ok().filter(|it| is_shortest(length) && *it <= whole)?,
            None => whole,
        };
        let hosts = 128_u32.checked_sub(ours.checked_add(length)?)?;
        let mask = u128::MAX.checked_shl(hosts).unwrap_or(0);
        let bits = bits(address);
        (bits & !mask == 0).then_some(Self { bits, mask })
    }

    /// Whether an address is in it. As with `allow`, a network of IPv6 holds no address of IPv4, which
    /// is one in each of its forms.
    pub fn holds(&self, address: IpAddr) -> bool {
        let is_ipv4 = address.to_canonical().is_ipv4();
        let is_of_ipv4 = self.mask >= MAPPED && self.bits & MAPPED == IPV4;
        is_ipv4 == is_of_ipv4 && bits(address) & self.mask == self.bits
    }
}

/// The bits of the prefix that addresses of IPv4 have in IPv6 (RFC 4291 section 2.5.5.2).
const MAPPED: u128 = u128::MAX << 32;

/// That prefix.
const IPV4: u128 = 0xffff_0000_0000;

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_ipv4_in_both_of_its_forms() {
        let holds = |network: &str, address: &str| {
            Network::parse(network).unwrap().holds(address.parse().unwrap())
        };
        for address in ["10.1.2.3", "::ffff:10.1.2.3"] {
            assert!(holds("10.0.0.0/8", address) && holds("0.0.0.0/0", address));
            assert!(!holds("11.0.0.0/8", address) && !holds("2001:db8::/32", address));
        }
        assert!(holds("10.1.2.3", "10.1.2.3") && !holds("10.1.2.3", "10.1.2.4"));
        assert!(holds("2001:db8::/32", "2001:db8::1") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::ffff:10.0.0.0/104", "10.1.2.3") && holds("::ffff:0:0/96", "10.1.2.3"));
        assert!(!holds("::/0", "10.1.2.3") && !holds("::/0", "::ffff:10.1.2.3"));
        assert!(holds("::/0", "2001:db8::1") && holds("::/0", "::1"));
        for text in [
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/08",
            "10.0.0/8",
            "x",
            "10.0.0.0/+8",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
