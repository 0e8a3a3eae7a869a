//! The claims of a token, read in place, and which of them a configuration keeps.

use std::sync::Arc;

use crate::text::json::{Item, Pointer};

mod requirement;

pub use requirement::{Requirement, RequirementError, Verdict, Verdicts};

/// The claims of a token, or what its issuer says of it. A claim that is `null` is not there.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'c> {
    root: Item<'c>,
    /// `aud`
    pub audience: Option<Item<'c>>,
    /// `cnf`
    pub confirmation: Option<Item<'c>>,
    /// `exp`
    pub expires: Option<Item<'c>>,
    /// `iat`
    pub issued_at: Option<Item<'c>>,
    /// `iss`
    pub issuer: Option<Item<'c>>,
    /// `jti`
    pub id: Option<Item<'c>>,
    /// `nbf`
    pub not_before: Option<Item<'c>>,
    /// `sid`
    pub session: Option<Item<'c>>,
    /// `sub`
    pub subject: Option<Item<'c>>,
    /// `_claim_names`: the claims that are to be asked for elsewhere (OpenID Connect Core 1.0 section
    /// 5.6.2).
    pub elsewhere: Option<Item<'c>>,
    has_groups: Option<Item<'c>>,
}

/// What is known of a claim.
#[derive(Clone, Copy, Debug)]
pub enum Known<'c> {
    /// The token does not have it.
    Absent,
    /// The token says that it is elsewhere: its value is unknown.
    Elsewhere,
    /// Its value.
    Value(Item<'c>),
}

impl<'c> Claims<'c> {
    /// The claims of a document; one that is not an object has none.
    pub fn of(root: Item<'c>) -> Self {
        let mut claims = Self {
            root,
            audience: None,
            confirmation: None,
            expires: None,
            issued_at: None,
            issuer: None,
            id: None,
            not_before: None,
            session: None,
            subject: None,
            elsewhere: None,
            has_groups: None,
        };
        for (name, value) in root.members() {
            let place = match name {
                "_claim_names" => &mut claims.elsewhere,
                "aud" => &mut claims.audience,
                "cnf" => &mut claims.confirmation,
                "exp" => &mut claims.expires,
                "hasgroups" => &mut claims.has_groups,
                "iat" => &mut claims.issued_at,
                "iss" => &mut claims.issuer,
                "jti" => &mut claims.id,
                "nbf" => &mut claims.not_before,
                "sid" => &mut claims.session,
                "sub" => &mut claims.subject,
                _ => continue,
            };
            *place = (!value.is_null()).then_some(value);
        }
        claims
    }

    /// Whether they are claims at all.
    pub fn is_object(&self) -> bool {
        self.root.is_object()
    }

    /// A claim by its name.
    pub fn get(&self, name: &str) -> Option<Item<'c>> {
        match name {
            // The token of a load balancer has these in its header.
            "aud" => self.audience,
            "exp" => self.expires,
            "iss" => self.issuer,
            "sub" => self.subject,
            name => self.root.get(name).filter(|value| !value.is_null()),
        }
    }

    /// The text of a claim.
    pub fn text(&self, name: &str) -> Option<&'c str> {
        self.get(name)?.as_str()
    }

    /// The value that a pointer leads to.
    pub fn resolve(&self, pointer: &Pointer) -> Option<Item<'c>> {
        pointer.resolve_in(|name| self.get(name)).filter(|value| !value.is_null())
    }

    /// What is known of the value that a pointer leads to.
    ///
    /// If there are too many `groups`, Entra ID says that they are elsewhere, or writes
    /// `hasgroups`.
    pub fn known(&self, pointer: &Pointer) -> Known<'c> {
        let name = pointer.root();
        let is_elsewhere = self.elsewhere.is_some_and(|names| names.get(name).is_some())
            || name == "groups"
                && self
                    .has_groups
                    .is_some_and(|it| !matches!(it.view(), crate::text::json::View::Bool(false)));
        match self.resolve(pointer) {
            _ if is_elsewhere => Known::Elsewhere,
            None => Known::Absent,
            Some(value) => Known::Value(value),
        }
    }
}

/// What the configuration asks of every token, for a verified one to keep.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The claims that variables show (`mesh_claim`), each as text.
    pub shown: Box<[Pointer]>,
    /// The requirements of all locations, each judged once.
    pub required: Box<[Arc<Requirement>]>,
    /// Whether some location accepts other audiences than the issuer's own.
    pub audiences: bool,
    /// Whether the answer of an issuer that is asked about a token is kept whole: policies may ask for
    /// other claims later.
    pub answers: bool,
}
