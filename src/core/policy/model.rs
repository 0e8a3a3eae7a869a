//! A policy whose words are resolved: who may do what.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::few::Few;
use super::pattern::Pattern;
use crate::claims::Requirement;
use crate::platform::kind::{Actions, KindId};
use crate::platform::table::{OperationId, Table};
use crate::text::time::UnixTime;

/// A policy.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The tables that its words are of.
    pub tables: Vec<Arc<Table>>,
    /// In the order of the document.
    pub services: Vec<Service>,
    /// Those that have a name in the document, and those of issuers that rules name themselves.
    pub groups: Vec<Group>,
    /// In the order of the document, those that ship first.
    pub roles: Vec<Role>,
    /// In the order of the document.
    pub bindings: Vec<Binding>,
    /// In the order of the document.
    pub denials: Vec<Denial>,
}

/// A service: any one of its lines identifies it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Service {
    /// Its name in the policy.
    pub name: Box<str>,
    /// How it is known.
    pub lines: Few<ServiceLine>,
}

/// What identifies a service: all that is said must hold of the principal.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServiceLine {
    /// The SPIFFE ID of the principal.
    pub spiffe: Option<Box<str>>,
    /// The issuer's name in the configuration, and the service that its token names.
    pub token: Option<(Box<str>, Box<str>)>,
}

/// Groups of issuers under one name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Group {
    /// Its name in the policy; empty for an issuer's own group, which its only member names.
    pub name: Box<str>,
    /// The groups of issuers that it means.
    pub members: Few<IssuerGroup>,
}

/// A group as its issuer names it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct IssuerGroup {
    /// The issuer's name in the configuration, which all of its groups share.
    pub issuer: Arc<str>,
    /// The group as the token names it.
    pub group: Box<str>,
}

/// What somebody may do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Role {
    /// Its name.
    pub name: Box<str>,
    /// Its own grants: see [`Policy::grants`].
    pub grants: Few<Grant>,
    /// The roles that it includes, by their places among the roles.
    pub includes: Few<usize>,
}

impl Policy {
    /// The grants of a role and of all that it includes, each role once.
    ///
    /// Roles refer to each other instead of holding copies: a chain of them takes no more memory than
    /// the document.
    pub fn grants(&self, role: usize) -> impl Iterator<Item = &Grant> {
        let mut found = vec![role];
        let mut seen = BTreeSet::from([role]);
        let mut next = 0;
        while let Some(role) = found.get(next).and_then(|place| self.roles.get(*place)) {
            found.extend(role.includes.iter().filter(|place| seen.insert(**place)));
            next = next.saturating_add(1);
        }
        found.into_iter().filter_map(|place| self.roles.get(place)).flat_map(|role| &role.grants)
    }
}

/// What a grant or a denial is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scope {
    /// The platform, by its place among the tables.
    pub platform: usize,
    /// The names of each kind.
    pub kinds: Few<(KindId, Few<Pattern>)>,
    /// The actions that are listed.
    pub actions: Actions,
    /// Whether `*` is among them.
    pub is_any: bool,
    /// Single operations.
    pub operations: Few<OperationId>,
}

/// What a role allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// What it is about.
    pub scope: Scope,
}

/// Who is meant: any of these.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Subjects {
    /// By their places among the services.
    pub services: Few<usize>,
    /// By their places among the groups.
    pub groups: Few<usize>,
}

impl Subjects {
    /// Whether none is meant.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.groups.is_empty()
    }
}

/// When a rule holds: all of these.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Conditions {
    /// From this moment on.
    pub from: Option<UnixTime>,
    /// Before this moment.
    pub until: Option<UnixTime>,
    /// Of one of these networks.
    pub addresses: Vec<Network>,
    /// What claims must hold.
    pub claims: Vec<Arc<Requirement>>,
}

/// A network of addresses; IPv4 in the form of IPv6 (RFC 4291 section 2.5.5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    /// Its bits, those of the hosts zero.
    pub bits: u128,
    /// Which of them count.
    pub mask: u128,
}

/// A role for some subjects.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Its name: the rule that a decision is told by.
    pub name: Arc<str>,
    /// By its place among the roles.
    pub role: usize,
    /// Who.
    pub subjects: Subjects,
    /// When. Rules without conditions share them.
    pub conditions: Arc<Conditions>,
    /// Whether it is only noted what it would do.
    pub dry_run: bool,
}

/// What nobody may, or some may not.
#[derive(Clone, Debug)]
pub struct Denial {
    /// Its name: the rule that a decision is told by.
    pub name: Arc<str>,
    /// Whom; everybody if none is named.
    pub subjects: Subjects,
    /// Who is excepted.
    pub unless: Subjects,
    /// What.
    pub scope: Scope,
    /// When. Rules without conditions share them.
    pub conditions: Arc<Conditions>,
    /// Whether it is only noted what it would do.
    pub dry_run: bool,
}
