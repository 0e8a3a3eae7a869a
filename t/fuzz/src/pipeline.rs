//! The whole line, `mesh_core::pipeline::evaluate`, against a second opinion.

mod case;
mod forge;
mod oracle;
mod world;

use std::collections::HashSet;

use arbitrary::Unstructured;
use mesh_core::answer::challenge::{Offer, challenge};
use mesh_core::identity::Attribute;
use mesh_core::pipeline::{Memo, evaluate, identify};
use mesh_core::refusal::{Reason, Refusal};
use mesh_core::stage::admit::Admission;
use serde_json::Value;

use crate::assert_printable;
use case::Case;
use oracle::{Expected, Judgement, judge};
use world::{DRY, LOCATIONS, Place, Server};

/// A request is admitted exactly when the second opinion says so: never without a signature by
/// its issuer's key over the very bytes, nor without valid claims; what is exported is what was
/// signed, in printable ASCII; a refusal has a word of the list.
///
/// Returns whether any request was admitted. The input is read by `arbitrary`: requests made of
/// valid tokens, recombined and changed, with certificates, clocks, key changes and redirects.
pub fn pipeline(data: &[u8]) -> bool {
    pipeline_outcomes(data).contains(&"admitted")
}

/// Does what [`pipeline`] does, and says how each request ended: `admitted`, `dry_run`, or the
/// word of its refusal.
pub fn pipeline_outcomes(data: &[u8]) -> Vec<&'static str> {
    let Ok(case) = Case::read(&mut Unstructured::new(data)) else { return Vec::new() };
    let mut server = Server::new();
    let mut outcomes = Vec::new();
    for step in &case.requests {
        server.turn(step);
        // One request, and the places that internal redirects take it to.
        let mut memo = Memo::default();
        let mut was_dry = false;
        for visit in &step.visits {
            let place = &LOCATIONS[*visit];
            was_dry |= place.dry_run != "off";
            let judgement = judge(step, place, &case.ledger, server.published(), server.list());
            let location = server.location(*visit);
            let (outcome, identified) = server.with_worker(step, |worker| {
                let identified = step.asks_early.then(|| {
                    identify(&step.sent, &location.authentication, &mut memo, worker).is_ok()
                });
                (evaluate(&step.sent, location, &mut memo, worker).without_waiting().0, identified)
            });
            outcomes.push(match &outcome {
                Ok(admission) => {
                    assert_admission(admission, place, was_dry, server.was_full(), &judgement)
                }
                Err(refusal) => assert_refusal(refusal, place, server.was_full(), &judgement),
            });
            if identified == Some(true) {
                assert!(judgement.identity.is_ok(), "identified: {:?}", judgement.identity);
            }
        }
    }
    outcomes
}

fn assert_admission(
    admission: &Admission,
    place: &Place,
    was_dry: bool,
    was_full: bool,
    judgement: &Judgement,
) -> &'static str {
    let noted = admission.would_refuse().map(Refusal::reason);
    match admission.identity() {
        None => {
            assert_eq!((place.dry_run, admission.rule()), (DRY, "dry-run"));
            assert_eq!(admission.exports().count(), 0, "nobody is exported");
            assert!(judgement.identity.is_err(), "a proven identity is lost");
        }
        Some(_) => {
            let expected = judgement.identity.as_ref();
            assert_exports(admission, expected.expect("nobody proved an identity"));
        }
    }
    let Some(reason) = noted else {
        assert!(judgement.identity.is_ok(), "admitted: {:?}", judgement.identity);
        assert!(judgement.permitted, "admitted without a claim that is required");
        return "admitted";
    };
    // What the limit on failures would have refused stays noted behind a redirect.
    let limited = reason == Reason::FailureLimited && was_dry
        || is_of_quota(reason) && place.limited && place.dry_run != "off";
    assert!(was_full || reason != Reason::LimitOverflow, "{reason} where there is room");
    assert!(limited || place.dry_run == DRY, "{reason} is noted without a dry run");
    assert!(limited || !judgement.admits(), "a good request would be refused: {reason}");
    assert!(judgement.admits() || place.dry_run == DRY, "more than a limit is let through");
    "dry_run"
}

fn assert_refusal(
    refusal: &Refusal,
    place: &Place,
    was_full: bool,
    judgement: &Judgement,
) -> &'static str {
    let reason = refusal.reason();
    assert!(Reason::ALL.contains(&reason));
    assert!(reason.word().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
    assert!((400..=599).contains(&refusal.status(429)));
    assert_ne!(place.dry_run, DRY, "a dry run refuses nothing");
    let by_limit = is_of_quota(reason) || reason == Reason::FailureLimited;
    assert!(was_full || reason != Reason::LimitOverflow, "{reason} where there is room");
    if by_limit {
        assert!(place.limited && place.dry_run == "off", "{reason} where nothing is limited");
    }
    assert_eq!(by_limit, refusal.limited().is_some());
    assert!(by_limit || !judgement.admits(), "a good request is refused: {reason}");
    challenge(refusal, &Offer::default(), None).iter().for_each(|text| assert_printable(text));
    let fields = refusal.limited().map(|limit| limit.fields());
    fields.iter().flatten().for_each(|(_, text)| assert_printable(text));
    reason.word()
}

/// Whether the quota of an identity is used up: its own, or the one that newcomers share.
fn is_of_quota(reason: Reason) -> bool {
    matches!(reason, Reason::Limited | Reason::LimitOverflow)
}

/// What goes upstream reads back as what was proven, and each name comes once.
fn assert_exports(admission: &Admission, expected: &Expected) {
    let mut names = HashSet::new();
    let exported: Vec<(&str, String)> = admission
        .exports()
        .map(|(field, value)| {
            assert_printable(&value);
            assert!(!value.is_empty() && value.trim() == value, "{value:?}");
            assert!(names.insert(field.lowercase), "{} twice", field.name);
            let value = match field.name {
                "X-Mesh-Groups" => {
                    serde_json::from_str::<Value>(&value).expect("groups are JSON").to_string()
                }
                _ => percent_decoded(&value),
            };
            (field.name, value)
        })
        .collect();
    assert_eq!(exported, expected.fields());
    let identity = admission.identity().expect("there is an identity");
    for attribute in [Attribute::Groups, Attribute::Issuer, Attribute::TrustDomain] {
        identity.attribute(attribute).iter().for_each(|value| assert_printable(value));
    }
    assert_eq!(identity.has_token(), expected.issuer.is_some());
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16).expect("a digit");
                bytes.push((digit(*high) * 16 + digit(*low)) as u8);
                tail
            }
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    String::from_utf8(bytes).expect("a name is UTF-8")
}
