//! Why the line stops short of an admission: it refuses, or it needs to know more.

use crate::issuer::Question;
use crate::refusal::{Reason, Refusal};

/// What the line needs before it can go on with a request. It never waits for it: the caller does, or
/// refuses.
#[derive(Debug)]
pub enum Need {
    /// What an issuer says of a token that cannot be verified here.
    Introspection(Box<Question>),
}

impl Need {
    /// Why a request is refused whose caller cannot wait.
    pub const fn unmet(&self) -> Reason {
        match self {
            Self::Introspection(_) => Reason::IntrospectionPending,
        }
    }
}

/// How a stage ends that does not pass a request on; small, since every stage returns it or its
/// result.
#[derive(Debug)]
pub enum Stop {
    /// The request is refused.
    Refused(Refusal),
    /// The same request can be judged once the need is met.
    Waits(Need),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason.into())
    }
}
