//! One row of a table.

use crate::body::Wanted;
use crate::platform::kind::{ActionId, KindId};
use crate::platform::selector::Clause;
use crate::platform::template::Template;

use super::OperationId;

/// The methods that a row may name: those of RFC 9110 section 9 and RFC 5789 that reach a platform.
pub(in crate::platform) const METHODS: [&str; 7] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// One row.
#[derive(Clone, Debug)]
pub(in crate::platform) struct Row {
    pub(in crate::platform) line: u32,
    pub(in crate::platform) methods: Vec<Box<str>>,
    /// Their bits.
    pub(in crate::platform) method_bits: u8,
    pub(in crate::platform) template: Template,
    pub(in crate::platform) operation: OperationId,
    pub(in crate::platform) effect: Effect,
    pub(in crate::platform) flags: Flags,
    /// Bits of the table's dialects: of all if there is none.
    pub(in crate::platform) dialects: u32,
    /// The option that it needs, by its place among the table's.
    pub(in crate::platform) option: Option<usize>,
    /// Media types that the row is chosen by, in lower case.
    pub(in crate::platform) types: Vec<Box<str>>,
    /// The operation of a row that it wins over.
    pub(in crate::platform) over: Option<Box<str>>,
}

/// What a row says of its requests.
#[derive(Clone, Debug)]
pub(in crate::platform) enum Effect {
    /// They are refused, for a reason.
    Refused(Box<str>),
    /// They name resources.
    Named {
        clauses: Vec<Clause>,
        /// What it looks at in a body.
        wanted: Option<Wanted>,
        /// The action in place of the first clause's if a member overrides, and which members do: by
        /// their places among what is wanted; without any, all but those that it names.
        overriding: Option<(ActionId, Vec<usize>)>,
        bodies: Bodies,
    },
}

/// The forms of body that a row reads.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::platform) struct Bodies {
    pub(in crate::platform) json: bool,
    pub(in crate::platform) form: bool,
    pub(in crate::platform) multipart: bool,
}

/// What else a row says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::platform) struct Flags {
    pub(in crate::platform) is_list: bool,
    pub(in crate::platform) is_stream: bool,
    pub(in crate::platform) is_upgrade: bool,
    pub(in crate::platform) is_named: bool,
    pub(in crate::platform) is_probe: bool,
    pub(in crate::platform) has_dash: bool,
    pub(in crate::platform) takes_slash: bool,
    pub(in crate::platform) takes_any: bool,
}

impl Row {
    /// The kinds and actions that its requests may name.
    pub(in crate::platform) fn uses(&self) -> impl Iterator<Item = (KindId, ActionId)> {
        let (clauses, overriding) = match &self.effect {
            Effect::Named { clauses, overriding, .. } => (clauses.as_slice(), overriding.as_ref()),
            Effect::Refused(_) => (&[][..], None),
        };
        let first = clauses.first().map(|clause| clause.kind);
        let overriding = first.zip(overriding.map(|(action, _)| *action));
        clauses.iter().map(|clause| (clause.kind, clause.action)).chain(overriding)
    }

    /// The fields of a request that it looks at, in lower case.
    pub(in crate::platform) fn fields(&self) -> impl Iterator<Item = &str> {
        let clauses = match &self.effect {
            Effect::Named { clauses, .. } => clauses.as_slice(),
            Effect::Refused(_) => &[],
        };
        clauses.iter().flat_map(Clause::fields)
    }

    /// Whether a request of the same path may be both: of method, query, type and dialect.
    pub(in crate::platform) fn is_like(&self, other: &Self) -> bool {
        let is_of_both =
            self.dialects == 0 || other.dialects == 0 || self.dialects & other.dialects != 0;
        let has_method = self.methods.iter().any(|method| other.methods.contains(method));
        let has_type = match (self.types.is_empty(), other.types.is_empty()) {
            (true, true) => true,
            (false, false) => self.types.iter().any(|it| other.types.contains(it)),
            _ => false,
        };
        is_of_both && has_method && has_type && self.has_query_of(other)
    }

    fn has_query_of(&self, other: &Self) -> bool {
        let (one, other) = (&self.template.query, &other.template.query);
        if one.is_empty() != other.is_empty() {
            return false;
        }
        one.iter().all(|(name, values)| {
            let theirs = other.iter().find(|(known, _)| known == name);
            theirs.is_none_or(|(_, theirs)| values.iter().any(|value| theirs.contains(value)))
        })
    }

    /// Whether the row of GET is taken for a HEAD.
    pub(in crate::platform) fn is_of(&self, method: &str) -> bool {
        self.is_of_bit(Self::method(method))
    }

    /// Whether one of these dialects has it.
    pub(in crate::platform) const fn is_on(&self, dialects: u32) -> bool {
        self.dialects == 0 || self.dialects & dialects != 0
    }

    /// Whether a method of that bit is one of its own.
    pub(in crate::platform) const fn is_of_bit(&self, bit: u8) -> bool {
        self.method_bits & bit != 0
    }

    /// The bit of a method; zero if no row may name it.
    pub(in crate::platform) fn method(method: &str) -> u8 {
        let place = METHODS.iter().position(|known| *known == method);
        let bit = place.and_then(|place| 1_u8.checked_shl(u32::try_from(place).ok()?));
        bit.unwrap_or(0)
    }
}
