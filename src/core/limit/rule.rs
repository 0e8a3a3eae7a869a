//! The limits of a location, and their keys.

use std::sync::Arc;

use super::{Part, Quota};

/// The most limits that one location may charge.
pub const MAX_LIMITS: usize = 8;

/// A quota of a location, and whose bucket it charges.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// How much.
    pub quota: Arc<Quota>,
    /// The quota's number in the configuration: the same for the same name.
    pub index: usize,
    /// Whose bucket is charged.
    pub key: LimitKey,
}

/// Whose bucket a limit charges.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LimitKey {
    /// The client's address (an IPv6 address by its /64).
    Address,
    /// All identities of one issuer or trust domain together.
    Issuer,
    /// The principal at its issuer.
    Principal,
    /// The service at its issuer.
    Service,
    /// The value of an Nginx variable; an empty one is not limited, as in `limit_req`.
    Variable(usize),
}

impl LimitKey {
    /// The part of the zone that its buckets are in.
    pub const fn part(self) -> Part {
        match self {
            Self::Issuer | Self::Principal | Self::Service => Part::Identities,
            Self::Address | Self::Variable(_) => Part::Chosen,
        }
    }

    /// The variable that it reads.
    pub const fn variable(self) -> Option<usize> {
        match self {
            Self::Variable(index) => Some(index),
            Self::Address | Self::Issuer | Self::Principal | Self::Service => None,
        }
    }
}
