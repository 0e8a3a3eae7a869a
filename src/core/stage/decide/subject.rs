//! An identity as a policy sees it.

use crate::claims::{Claims, Requirement, Verdict};
use crate::identity::Identity;
use crate::policy::Subject;
use crate::policy::subject::Judge;
use crate::text::json::Document;

/// What is known of a token's claims.
struct Known<'c>(Option<&'c Claims<'c>>);

impl Judge for Known<'_> {
    fn judge(&self, requirement: &Requirement) -> Verdict {
        self.0.map_or(Verdict::Unknown, |claims| requirement.judge(claims))
    }
}

/// Shows an identity to `work` as a policy sees it; of an identity without a token, or whose token cannot
/// be read again, no claim is known.
pub(super) fn of<T>(
    identity: &Identity,
    claims: Option<&Claims<'_>>,
    work: impl FnOnce(&Subject<'_>) -> T,
) -> T {
    let listed = identity.groups().and_then(|groups| Document::parse(groups.as_bytes()).ok());
    let groups: Option<Vec<&str>> = listed
        .as_ref()
        .map(|listed| listed.root().items().filter_map(crate::text::json::Item::as_str).collect());
    let issuer = identity.issuer();
    work(&Subject {
        issuer,
        service: issuer.map(|_| identity.service()),
        principal: Some(identity.principal()),
        spiffe_id: identity.spiffe_id(),
        groups: groups.as_deref(),
        claims: &Known(claims),
        address: None,
    })
}
