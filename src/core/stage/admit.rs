//! The charge of an identity's limits, and what goes upstream of a request that is permitted.

use std::rc::Rc;

use crate::identity::Identity;
use crate::identity::export::Fields;
use crate::limit::{Charge, Key, Limit, LimitKey, Limited, Remaining, Table};
use crate::refusal::{Denied, Detail, Reason, Refusal};
use crate::request::Connection;
use crate::stage::decide::{Entitled, Permit, Rule};
use crate::text::rendered::Rendered;
use crate::text::time::Tick;

/// What shows that an identity's limits are charged. [`limit`] makes the only ones.
#[derive(Debug)]
pub struct Paid {
    remaining: Option<u64>,
}

/// A permit of an identity whose limits are charged. [`admit`] makes the only ones that were enforced, but
/// those of probes.
#[derive(Debug)]
pub struct Admission {
    identity: Option<Rc<Identity>>,
    rule: Rule,
    remaining: Option<u64>,
    would_refuse: Option<Refusal>,
}

/// Charges what the location asks for: all of it or nothing, and each quota once a request.
///
/// # Errors
///
/// [`Reason::Limited`] or [`Reason::LimitOverflow`], with the quota that refused.
pub fn limit(
    entitled: &Entitled,
    limits: &[Limit],
    charged: &mut Charged,
    request: &dyn Connection,
    table: Option<Table<'_>>,
    now: Tick,
) -> Result<Paid, Refusal> {
    if let Some(table) = table {
        charge(Some(entitled.identity()), limits, charged, request, table, now)?;
    }
    Ok(Paid { remaining: charged.remaining })
}

/// Admits what is permitted to an identity that has paid.
pub fn admit(permit: Permit, paid: &Paid) -> Admission {
    let (identity, rule, would_deny) = permit.into_parts();
    let would_refuse = would_deny.map(|rule| {
        Reason::PolicyDenied.about(Detail::Denied(Denied { rule, would_allow: Box::default() }))
    });
    Admission { identity: Some(identity), rule, remaining: paid.remaining, would_refuse }
}

/// Admits a request that nobody is authenticated for: it is charged to its address alone.
///
/// # Errors
///
/// As [`limit`].
#[inline(never)]
pub fn probe(
    limits: &[Limit],
    charged: &mut Charged,
    request: &dyn Connection,
    table: Option<Table<'_>>,
    now: Tick,
) -> Result<Admission, Refusal> {
    if let Some(table) = table {
        charge(None, limits, charged, request, table, now)?;
    }
    let remaining = charged.remaining;
    Ok(Admission { identity: None, rule: Rule::Probe, remaining, would_refuse: None })
}

/// Whether [`limit`] would charge now, without a charge.
///
/// # Errors
///
/// As there.
#[inline(never)]
pub(crate) fn peek(
    entitled: &Entitled,
    limits: &[Limit],
    charged: &Charged,
    request: &dyn Connection,
    table: Table<'_>,
    now: Tick,
) -> Result<(), Refusal> {
    let due = limits.iter().filter(|limit| !charged.holds(limit.index));
    let (due, charges): (Vec<_>, Vec<_>) = due
        .filter_map(|limit| {
            let key = bucket(limit, Some(entitled.identity()), request, table)?;
            Some((limit, Charge::new(&limit.quota, limit.key.part(), key)))
        })
        .unzip();
    table.peek(&charges, now).map_err(|limited| refusal(&due, limited))
}

fn charge<'l>(
    identity: Option<&Identity>,
    limits: &'l [Limit],
    charged: &mut Charged,
    request: &dyn Connection,
    table: Table<'_>,
    now: Tick,
) -> Result<(), Refusal> {
    let due = |limit: &'l Limit| {
        let key = bucket(limit, identity, request, table)?;
        Some(Charge::new(&limit.quota, limit.key.part(), key))
    };
    match limits {
        // Most locations have one, which needs no list.
        [limit] if charged.is_nothing() => match due(limit) {
            Some(charge) => settle(&[limit], &[charge], charged, table, now),
            None => Ok(()),
        },
        limits => {
            let limits = limits.iter().filter(|limit| !charged.holds(limit.index));
            let due = limits.filter_map(|limit| Some((limit, due(limit)?)));
            let (due, charges): (Vec<_>, Vec<_>) = due.unzip();
            if due.is_empty() { Ok(()) } else { settle(&due, &charges, charged, table, now) }
        }
    }
}

/// Makes the charges that are due, one for each limit.
#[inline(always)]
fn settle(
    due: &[&Limit],
    charges: &[Charge<'_>],
    charged: &mut Charged,
    table: Table<'_>,
    now: Tick,
) -> Result<(), Refusal> {
    let done = table.charge(charges, now).map_err(|limited| refusal(due, limited))?;
    for limit in due {
        match charged.first {
            None => charged.first = Some(limit.index),
            Some(_) => charged.others.push(limit.index),
        }
    }
    let left = done.remaining().map(Remaining::units);
    charged.remaining = match (charged.remaining, left) {
        (Some(before), Some(now)) => Some(before.min(now)),
        (before, now) => before.or(now),
    };
    Ok(())
}

/// The refusal by one of the limits that are due.
#[cold]
fn refusal(due: &[&Limit], limited: Limited) -> Refusal {
    let reason = if limited.is_overflow() { Reason::LimitOverflow } else { Reason::Limited };
    match due.get(limited.index()) {
        Some(limit) => Refusal::by_limit(reason, &limit.quota, limited),
        None => reason.into(),
    }
}

/// The limits that one request has been charged for.
#[derive(Debug, Default)]
pub struct Charged {
    /// The number of the first limit: most requests have no other.
    first: Option<usize>,
    others: Vec<usize>,
    remaining: Option<u64>,
}

impl Charged {
    const fn is_nothing(&self) -> bool {
        self.first.is_none()
    }

    fn holds(&self, limit: usize) -> bool {
        self.first == Some(limit) || self.others.contains(&limit)
    }
}

#[inline(always)]
fn bucket(
    limit: &Limit,
    identity: Option<&Identity>,
    request: &dyn Connection,
    table: Table<'_>,
) -> Option<Key> {
    let quota = &limit.quota;
    let identity = match limit.key {
        LimitKey::Address => return Some(table.key(quota, &[request.address()])),
        LimitKey::Variable(index) => {
            let value = request.variable(index).filter(|value| !value.is_empty())?;
            return Some(table.key(quota, &[value]));
        }
        LimitKey::Issuer | LimitKey::Principal | LimitKey::Service => identity?,
    };
    let of_identity = |name: Option<&str>| {
        let (kind, authority) = identity.authority();
        let parts = [kind, authority.as_bytes(), name.unwrap_or_default().as_bytes()];
        let count = if name.is_some() { 3 } else { 2 };
        table.key(quota, parts.get(..count).unwrap_or_default())
    };
    let kept = |make: &dyn Fn() -> Key| match identity.token() {
        // With a token, all of it is the token's.
        Some(token) => token.bucket(limit.index, make),
        None => make(),
    };
    Some(match limit.key {
        LimitKey::Principal => kept(&|| of_identity(Some(identity.principal()))),
        LimitKey::Service => kept(&|| of_identity(Some(identity.service()))),
        LimitKey::Address | LimitKey::Issuer | LimitKey::Variable(_) => kept(&|| of_identity(None)),
    })
}

impl Admission {
    /// An admission that only the dry run gives: nothing was enforced, and an identity is there
    /// only if it is verified.
    pub(crate) fn in_dry_run(identity: Option<Rc<Identity>>, would_refuse: Refusal) -> Self {
        let rule = Rule::DryRun;
        Self { identity, rule, remaining: None, would_refuse: Some(would_refuse) }
    }

    /// The same admission, with the notes of a dry run on the way.
    pub(crate) fn noting(mut self, noted: Option<&Refusal>) -> Self {
        if self.would_refuse.is_none() {
            self.would_refuse = noted.cloned();
        }
        self
    }

    /// The identity that was admitted; `None` if a dry run let an unverified request pass.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

    /// The rule that permitted it.
    pub fn rule(&self) -> &str {
        self.rule.as_str()
    }

    /// How many requests the tightest limit still has room for.
    pub const fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// The refusal that a dry run let pass.
    pub const fn would_refuse(&self) -> Option<&Refusal> {
        self.would_refuse.as_ref()
    }

    /// The header fields that carry the identity upstream.
    pub fn exports(&self) -> Fields<'_> {
        Fields::of(self.identity())
    }

    /// The same, as they are written once per token.
    pub fn rendered(&self) -> Option<std::borrow::Cow<'_, Rendered>> {
        self.identity().map(Identity::rendered)
    }
}
