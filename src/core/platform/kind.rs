//! The kinds of resources of a platform, and what can be done with them.

use super::name::Form;

/// One kind of resource, such as a topic or a job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kind {
    /// The word in operations, such as `topic`.
    pub name: Box<str>,
    /// The word in a policy's grants, such as `topics`.
    pub plural: Box<str>,
    /// The normal form of its names.
    pub form: Form,
    /// What can be done with it.
    pub actions: Actions,
    /// Of these, what `*` in a policy does not hold.
    pub named: Actions,
}

/// The kinds of one platform, and the words of their actions.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Kinds {
    kinds: Vec<Kind>,
    actions: Vec<Box<str>>,
}

/// A kind of one platform, by its place among them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KindId(pub u16);

/// An action of one platform, by its place among them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ActionId(u8);

/// A set of actions of one platform.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Actions(u64);

impl Actions {
    /// The set without any.
    pub const NONE: Self = Self(0);

    /// The set of all that a platform may have.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether the action is one of them.
    pub const fn holds(self, action: ActionId) -> bool {
        self.0 & Self::of(action).0 != 0
    }

    /// Whether one of another set is one of them.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The set of one.
    pub const fn of(action: ActionId) -> Self {
        Self(1_u64.wrapping_shl(action.0 as u32))
    }

    /// Those of either.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of this one that the other does not hold.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Kinds {
    /// How many actions a platform may have.
    pub const MAX_ACTIONS: usize = 64;

    /// The action of a word, which it becomes if it is new; `None` if there are too many.
    pub(crate) fn intern_action(&mut self, word: &str) -> Option<ActionId> {
        if let Some(known) = self.action(word) {
            return Some(known);
        }
        let place = self.actions.len();
        if place >= Self::MAX_ACTIONS {
            return None;
        }
        self.actions.push(word.into());
        u8::try_from(place).ok().map(ActionId)
    }

    /// Adds a kind; `None` if its name or its plural is taken, or if there are too many.
    pub(crate) fn add(&mut self, kind: Kind) -> Option<KindId> {
        if self.by_name(&kind.name).is_some() || self.by_plural(&kind.plural).is_some() {
            return None;
        }
        let id = KindId(u16::try_from(self.kinds.len()).ok()?);
        self.kinds.push(kind);
        Some(id)
    }

    /// A kind of this platform.
    pub fn get(&self, id: KindId) -> Option<&Kind> {
        self.kinds.get(usize::from(id.0))
    }

    /// All of them, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (KindId, &Kind)> {
        (0..).map(KindId).zip(&self.kinds)
    }

    /// The kind of a name, such as `topic`.
    pub fn by_name(&self, name: &str) -> Option<(KindId, &Kind)> {
        self.iter().find(|(_, kind)| &*kind.name == name)
    }

    /// The kind of a plural, such as `topics`.
    pub fn by_plural(&self, plural: &str) -> Option<(KindId, &Kind)> {
        self.iter().find(|(_, kind)| &*kind.plural == plural)
    }

    /// The action of a word.
    pub fn action(&self, word: &str) -> Option<ActionId> {
        let place = self.actions.iter().position(|known| &**known == word)?;
        u8::try_from(place).ok().map(ActionId)
    }

    /// The word of an action.
    pub fn word(&self, action: ActionId) -> &str {
        self.actions.get(usize::from(action.0)).map_or("", |word| word)
    }

    /// The words of some actions, in the order of the table.
    pub fn words(&self, actions: Actions) -> impl Iterator<Item = &str> {
        let all = (0..).map(ActionId).zip(&self.actions);
        all.filter(move |(id, _)| actions.holds(*id)).map(|(_, word)| &**word)
    }
}
