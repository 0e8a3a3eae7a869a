//! A case: requests with credentials made of valid ones, recombined and changed.
//!
//! Input that has run out reads as zeros, and zero always chooses what is right: a short input
//! is a good request, and each further byte is a chance to spoil something.

use core::time::Duration;

use arbitrary::{Result, Unstructured};
use mesh_core::peer::x509::ChainVerdict;
use mesh_core::testing::{NOW, Sent};

use super::forge::{self, Signed};
use super::world::{ISSUERS, LEAVES, LISTS, LOCATIONS, Zone, peer};
use crate::recipe;

/// Requests in their order, and all that was ever signed for them.
pub struct Case {
    pub requests: Vec<Step>,
    pub ledger: Vec<Signed>,
}

/// One request, and what has happened before it.
pub struct Step {
    /// The request, with nothing but `Authorization` fields.
    pub sent: Sent,
    /// The peer's certificate, with Nginx's word on it.
    pub leaf: Option<(usize, ChainVerdict)>,
    /// The time, in seconds since 1970.
    pub now: i64,
    /// How long after the request before.
    pub wait: Duration,
    /// The issuer that has published another of its key sets.
    pub publishes: Option<(usize, usize)>,
    /// The list of what is revoked that has been put in force.
    pub revokes: Option<usize>,
    /// The locations that it comes through.
    pub visits: Vec<usize>,
    /// Whether a variable asks who it is before the access phase does.
    pub asks_early: bool,
    /// The zone for limits that it finds.
    pub zone: Zone,
}

impl Case {
    pub fn read(u: &mut Unstructured<'_>) -> Result<Self> {
        let mut case = Self { requests: Vec::new(), ledger: Vec::new() };
        let mut tokens: Vec<String> = Vec::new();
        // Most of a case happens in one place: a limit takes several requests to be reached.
        let home = u.choose_index(LOCATIONS.len())?;
        for _ in 0..=u.int_in_range(0..=4)? {
            let step = case.request(u, home, &mut tokens)?;
            case.requests.push(step);
        }
        Ok(case)
    }

    fn request(
        &mut self,
        u: &mut Unstructured<'_>,
        home: usize,
        tokens: &mut Vec<String>,
    ) -> Result<Step> {
        let mut visits = vec![home];
        for _ in 0..pick(u, 0, &[1, 2])? {
            visits.push(u.choose_index(LOCATIONS.len())?);
        }
        let publishes = match pick(u, None, &[Some(0), Some(2)])? {
            Some(issuer) => Some((issuer, u.choose_index(ISSUERS[issuer].sets.len())?)),
            None => None,
        };
        let mut sent = Sent::default();
        for _ in 0..pick(u, 1, &[0, 0, 2])? {
            sent = sent.and("authorization", self.field(u, tokens)?);
        }
        let leaf = leaf(u)?;
        sent.peer = leaf.map(|(leaf, verdict)| peer(leaf, verdict));
        let mut step = Step {
            sent,
            leaf,
            now: NOW + pick(u, 0, &[29, 30, 600, 629, 630, -60, -90, 86_400, 400_000_000])?,
            wait: Duration::from_millis(u.arbitrary::<u16>()?.into()),
            publishes,
            visits,
            asks_early: pick(u, false, &[true])?,
            zone: pick(u, Zone::Roomy, &[Zone::Missing, Zone::Full])?,
            revokes: None,
        };
        step.sent.address = vec![127, 0, 0, pick(u, 1, &[2])?];
        if rarely(u)? {
            step.revokes = Some(u.choose_index(LISTS.len())?);
        }
        Ok(step)
    }

    /// The value of one `Authorization` field.
    fn field(&mut self, u: &mut Unstructured<'_>, tokens: &mut Vec<String>) -> Result<Vec<u8>> {
        let token = match tokens.as_slice() {
            [.., _] if u.arbitrary::<u8>()? >= 128 => spliced(u, tokens)?,
            _ => forge::token(u, &mut self.ledger)?,
        };
        tokens.push(token.clone());
        let schemes =
            ["bearer   ", "BEARER ", " Bearer ", "Bearer\t", "Bearer", "Basic ", "DPoP ", ""];
        let mut value = format!("{}{token}", pick(u, "Bearer ", &schemes)?).into_bytes();
        if rarely(u)? {
            let steps = [0; 12].map(|_: u8| u.arbitrary::<u8>().unwrap_or_default());
            recipe::change(&mut value, &steps[..4 * (1 + usize::from(steps[11] % 3))]);
        }
        Ok(value)
    }
}

/// A token that was sent before, or one of parts of several.
fn spliced(u: &mut Unstructured<'_>, tokens: &[String]) -> Result<String> {
    let [header, payload, signature] = if rarely(u)? {
        [u.choose(tokens)?, u.choose(tokens)?, u.choose(tokens)?]
    } else {
        [u.choose(tokens)?; 3]
    };
    let nth = |token: &str, at| token.split('.').nth(at).unwrap_or_default().to_owned();
    Ok(format!("{}.{}.{}", nth(header, 0), nth(payload, 1), nth(signature, 2)))
}

fn leaf(u: &mut Unstructured<'_>) -> Result<Option<(usize, ChainVerdict)>> {
    let presented = u.int_in_range(0..=LEAVES.len() * 2)?;
    let verdicts = [ChainVerdict::Failed, ChainVerdict::Foreign];
    let verdict = pick(u, ChainVerdict::Verified, &verdicts)?;
    Ok((presented < LEAVES.len()).then_some((presented, verdict)))
}

/// What is usual, or in one of twelve cases something else.
pub fn pick<T: Clone>(u: &mut Unstructured<'_>, usual: T, others: &[T]) -> Result<T> {
    if rarely(u)? { u.choose(others).cloned() } else { Ok(usual) }
}

pub fn rarely(u: &mut Unstructured<'_>) -> Result<bool> {
    Ok(u.arbitrary::<u8>()? >= 235)
}
