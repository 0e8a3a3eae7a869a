//! Whether an identity may do what it asks for.

use std::rc::Rc;
use std::sync::Arc;

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

/// An identity that the rules of a location let through. [`decide`] makes the only ones.
#[derive(Debug)]
pub struct Permit {
    identity: Rc<Identity>,
    rule: &'static str,
}

/// The rule that permits if there is no policy.
pub const NO_POLICY: &str = "no-policy";

/// Lets an identity through if every required claim holds.
///
/// # Errors
///
/// [`Reason::ClaimRefused`]; an identity without a token has no claims.
pub fn decide(identity: Rc<Identity>, required: &[Required]) -> Result<Permit, Refusal> {
    for Required { index, requirement } in required {
        match identity.verdict(*index) {
            Verdict::Holds => {}
            verdict => {
                let detail = Detail::Required(Arc::clone(requirement), verdict);
                return Err(Reason::ClaimRefused.about(detail));
            }
        }
    }
    Ok(Permit { identity, rule: NO_POLICY })
}

impl Permit {
    /// The identity that it permits.
    pub const fn identity(&self) -> &Rc<Identity> {
        &self.identity
    }

    /// The identity that it permits, and the rule that did.
    pub(crate) fn into_parts(self) -> (Rc<Identity>, &'static str) {
        (self.identity, self.rule)
    }
}
