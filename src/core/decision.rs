//! Whether an identity may do what it asks for.

use std::rc::Rc;

use crate::identity::Identity;
use crate::refusal::{Reason, Refusal};

/// A claim that must hold one of some values.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requirement {
    /// The claim's index in [`crate::trust::Trust::pointers`].
    pub claim: usize,
    /// The values, compared exactly; a number or a boolean as JSON writes it.
    pub values: Box<[Box<str>]>,
    /// Whether a string is a list of scopes with a space between (RFC 6749 section 3.3).
    pub is_scope: bool,
}

/// An identity that the rules of a location let through. [`decide`] makes the only ones.
#[derive(Debug)]
pub struct Permit {
    identity: Rc<Identity>,
    rule: &'static str,
}

/// The rule that permits where there is no policy.
pub const NO_POLICY: &str = "no-policy";

/// Lets an identity through when every required claim holds.
///
/// # Errors
///
/// [`Reason::ClaimRefused`]; an identity without a token has no claims.
pub fn decide(identity: Rc<Identity>, requirements: &[Requirement]) -> Result<Permit, Refusal> {
    let holds = |requirement: &Requirement| {
        identity.claim(requirement.claim).is_some_and(|claim| {
            requirement.values.iter().any(|value| match requirement.is_scope {
                true => claim.holds_scope(value),
                false => claim.holds(value),
            })
        })
    };
    if !requirements.iter().all(holds) {
        return Err(Reason::ClaimRefused.into());
    }
    Ok(Permit { identity, rule: NO_POLICY })
}

impl Permit {
    /// Whom it permits.
    pub const fn identity(&self) -> &Rc<Identity> {
        &self.identity
    }

    /// Whom it permits, and the rule that did.
    pub(crate) fn into_parts(self) -> (Rc<Identity>, &'static str) {
        (self.identity, self.rule)
    }
}
