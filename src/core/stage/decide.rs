//! Whether an identity may do what it asks for.

mod authorize;
mod named;
mod route_cache;
mod subject;

use core::fmt;
use std::rc::Rc;
use std::sync::Arc;

pub(crate) use authorize::{Asking, Routed, authorize, authorize_known};
pub use authorize::{Authorization, BodyRead};
pub use named::Named;
pub(crate) use route_cache::FieldsOf;
pub use route_cache::RouteCache;

use crate::claims::{Requirement, Verdict};
use crate::identity::Identity;
use crate::refusal::{Detail, Reason, Refusal};

/// A [`Requirement`] that a location has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Required {
    /// Its index in [`crate::claims::Kept::required`]: every token was judged by it already.
    pub index: usize,
    /// The requirement itself, to be shown.
    pub requirement: Arc<Requirement>,
}

/// An identity whose claims are what its location requires. [`require`] makes the only ones.
#[derive(Debug)]
pub struct Entitled(Rc<Identity>);

/// An identity that may do what it asks for. The decision by a policy and
/// [`Entitled::without_policy`] make the only ones.
#[derive(Debug)]
pub struct Permit {
    identity: Rc<Identity>,
    rule: Rule,
    /// The first denial in a dry run that would refuse it.
    would_deny: Option<Arc<str>>,
}

/// The rule that permits a request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Rule {
    /// A binding of the policy.
    Binding(Arc<str>),
    /// None: a dry run lets it pass.
    DryRun,
    /// There is no policy.
    #[default]
    NoPolicy,
    /// It is answered before anybody is authenticated.
    Probe,
}

impl Rule {
    /// Its name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Binding(name) => name,
            Self::DryRun => "dry-run",
            Self::NoPolicy => "no-policy",
            Self::Probe => "probe",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Lets an identity through if every required claim holds.
///
/// # Errors
///
/// [`Reason::ClaimRefused`]; an identity without a token has no claims.
pub fn require(identity: Rc<Identity>, required: &[Required]) -> Result<Entitled, Refusal> {
    for Required { index, requirement } in required {
        match identity.verdict(*index) {
            Verdict::Holds => {}
            verdict => {
                let detail = Detail::Required(Arc::clone(requirement), verdict);
                return Err(Reason::ClaimRefused.about(detail));
            }
        }
    }
    Ok(Entitled(identity))
}

impl Entitled {
    /// The identity.
    pub const fn identity(&self) -> &Rc<Identity> {
        &self.0
    }

    /// The permit of a location without a policy.
    pub fn without_policy(self) -> Permit {
        Permit { identity: self.0, rule: Rule::NoPolicy, would_deny: None }
    }
}

impl Permit {
    /// The identity that it permits, the rule that did, and the denial in a dry run that would not.
    pub(crate) fn into_parts(self) -> (Rc<Identity>, Rule, Option<Arc<str>>) {
        (self.identity, self.rule, self.would_deny)
    }
}
