//! Who asks, as a policy sees it.

use core::net::IpAddr;

use super::model::{Conditions, IssuerGroup, Network, Service, Subjects};
use crate::claims::{Requirement, Verdict};
use crate::text::time::UnixTime;

/// Who asks: the principal of a verified identity, and what is known of it.
#[derive(Clone, Copy)]
pub struct Subject<'s> {
    /// The issuer's name in the configuration; `None` if the principal is a certificate.
    pub issuer: Option<&'s str>,
    /// The service that the issuer's token names.
    pub service: Option<&'s str>,
    /// The SPIFFE ID, if the principal is a certificate, a hop or a JWT-SVID.
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
        service.lines.iter().any(|line| {
            let has_spiffe = line.spiffe.as_deref().is_none_or(|id| self.spiffe_id == Some(id));
            let has_token = line.token.as_ref().is_none_or(|(issuer, service)| {
                self.issuer == Some(issuer) && self.service == Some(service)
            });
            let says_something = line.spiffe.is_some() || line.token.is_some();
            says_something && has_spiffe && has_token
        })
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
    pub fn is_any_of(&self, subjects: &Subjects, services: &[Service]) -> Known {
        let mut known = Known::No;
        for service in subjects.services.iter().filter_map(|place| services.get(*place)) {
            known = known.or(Known::of(self.is_service(service)));
        }
        for group in &subjects.groups {
            known = known.or(self.is_in(group));
        }
        if subjects.any_group {
            known = known
                .or(self.groups.map_or(Known::Unknown, |groups| Known::of(!groups.is_empty())));
        }
        known
    }

    /// Whether all conditions hold now.
    pub fn meets(&self, conditions: &Conditions, now: UnixTime) -> Known {
        let Conditions { from, until, addresses, claims } = conditions;
        let is_time = from.is_none_or(|from| from <= now) && until.is_none_or(|until| now < until);
        let mut known = Known::of(is_time);
        if !addresses.is_empty() {
            let is_near =
                |address| Known::of(addresses.iter().any(|network| network.holds(address)));
            known = known.and(self.address.map_or(Known::Unknown, is_near));
        }
        for requirement in claims {
            known = known.and(match self.claims.judge(requirement) {
                Verdict::Holds => Known::Yes,
                Verdict::Absent | Verdict::Other => Known::No,
                Verdict::Unknown => Known::Unknown,
            });
        }
        known
    }
}

impl Network {
    /// Reads an address or a network (`10.0.0.0/8`); the bits of hosts must be zero.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) =
            text.split_once('/').map_or((text, None), |(it, length)| (it, Some(length)));
        let address: IpAddr = address.parse().ok()?;
        let (whole, ours) = if address.is_ipv4() { (32, 96_u32) } else { (128, 0) };
        let is_number = |it: &&str| {
            it.bytes().all(|it| it.is_ascii_digit()) && (*it == "0" || !it.starts_with('0'))
        };
        let length: u32 = match length {
            Some(length) => length.parse().ok().filter(|it| is_number(&length) && *it <= whole)?,
            None => whole,
        };
        let hosts = 128_u32.checked_sub(ours.checked_add(length)?)?;
        let mask = u128::MAX.checked_shl(hosts).unwrap_or(0);
        let bits = bits(address);
        (bits & !mask == 0).then_some(Self { bits, mask })
    }

    fn holds(&self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.bits
    }
}

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
        assert!(holds("::/0", "10.1.2.3"));
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
