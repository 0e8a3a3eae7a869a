//! Why the line stops short of an admission: it refuses, or it needs to know more.

use crate::body::Type;
use crate::issuer::Question;
use crate::refusal::{Reason, Refusal};

/// What the line needs before it can go on with a request. It never waits for it: the caller does, or
/// refuses.
#[derive(Debug)]
pub enum Need {
    /// What the body of the request says.
    Body(Box<Body>),
    /// What an issuer says of a token that cannot be verified here.
    Introspection(Box<Question>),
}

/// A body that is to be read, and for what.
#[derive(Clone, Debug)]
pub struct Body {
    /// How it is written.
    pub kind: Type,
    /// The most bytes that are read of it.
    pub most: u64,
    /// The row that tells what is looked at in it.
    pub entry: Entry,
}

/// The row of a table that a body is read for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The place of the table among those of the configuration.
    pub table: usize,
    /// The line of the row, from one on.
    pub line: u32,
}

impl Need {
    /// Why a request is refused whose caller cannot wait.
    pub const fn unmet(&self) -> Reason {
        match self {
            Self::Body(_) => Reason::BodyUnavailable,
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
