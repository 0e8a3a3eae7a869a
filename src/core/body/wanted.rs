//! What is wanted of a body: a tree of the members that are selected.

use crate::text::alike::is_alike;

/// What a selected member is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Use {
    /// Its value: a text or a number.
    Value,
    /// Whether it is there and not null.
    Presence,
}

/// Why this cannot be wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WantedError {
    /// Not a JSON pointer (RFC 6901).
    Pointer,
    /// More than 128 members, or more than 64 in one object.
    TooMany,
}

/// The members that are selected, made once for a route.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    nodes: Vec<Node>,
    places: usize,
    /// Names at the top that do not count as others; `None` if nobody asks for others.
    any_but: Option<Vec<Box<str>>>,
}

/// A place in the document on the way to a selected member, or one.
#[derive(Clone, Debug, Default)]
struct Node {
    members: Vec<(Box<str>, usize)>,
    elements: Option<usize>,
    selected: Option<(usize, Use)>,
    /// What the names of members begin and end with, and spellings of them may.
    ends: Ends,
    /// Whether two members are spellings of one name.
    has_alike: bool,
}

/// A place on the tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct At(usize);

/// How many members may be selected.
const MAX: usize = 128;

/// How many of them may lie in one object.
const MAX_IN_ONE: usize = 64;

impl Wanted {
    /// Members by their pointers, of which `*` is every element of an array; and whether any other member
    /// at the top, but these, is there.
    ///
    /// # Errors
    ///
    /// [`WantedError`].
    pub fn new(pointers: &[(&str, Use)], any_but: Option<&[&str]>) -> Result<Self, WantedError> {
        let mut wanted = Self {
            nodes: vec![Node::default()],
            places: pointers.len(),
            any_but: any_but.map(|names| names.iter().map(|name| Box::from(*name)).collect()),
        };
        if pointers.len() > MAX {
            return Err(WantedError::TooMany);
        }
        for (place, (pointer, what)) in pointers.iter().enumerate() {
            wanted.add(pointer, place, *what)?;
        }
        Ok(wanted)
    }

    fn add(&mut self, pointer: &str, place: usize, what: Use) -> Result<(), WantedError> {
        let steps = pointer.strip_prefix('/').ok_or(WantedError::Pointer)?;
        let mut at = 0;
        for step in steps.split('/') {
            let next = self.nodes.len();
            let node = self.nodes.get_mut(at).ok_or(WantedError::Pointer)?;
            let child = if step == "*" {
                *node.elements.get_or_insert(next)
            } else {
                let name = step.replace("~1", "/").replace("~0", "~");
                match node.members.iter().find(|(known, _)| **known == *name) {
                    Some((_, child)) => *child,
                    None => {
                        node.ends.add(Ends::of(name.as_bytes()));
                        node.has_alike |= node.members.iter().any(|(it, _)| is_alike(it, &name));
                        node.members.push((name.into(), next));
                        next
                    }
                }
            };
            if node.members.len() > MAX_IN_ONE
                || (node.elements.is_some() && !node.members.is_empty())
            {
                return Err(WantedError::TooMany);
            }
            if child == next {
                self.nodes.push(Node::default());
            }
            at = child;
        }
        let node = self.nodes.get_mut(at).ok_or(WantedError::Pointer)?;
        match node.selected {
            None => node.selected = Some((place, what)),
            Some(_) => return Err(WantedError::Pointer),
        }
        Ok(())
    }

    pub(super) const fn places(&self) -> usize {
        self.places
    }

    pub(super) const fn root() -> At {
        At(0)
    }

    fn node(&self, at: At) -> Option<&Node> {
        self.nodes.get(at.0)
    }

    /// What a place is selected for.
    pub(super) fn selected(&self, at: At) -> Option<(usize, Use)> {
        self.node(at)?.selected
    }

    /// Whether something in an object there is wanted.
    pub(super) fn has_members(&self, at: At) -> bool {
        self.node(at).is_some_and(|node| !node.members.is_empty())
    }

    /// The elements of an array there.
    pub(super) fn elements(&self, at: At) -> Option<At> {
        self.node(at)?.elements.map(At)
    }

    /// The member of a name, and its place among the members there.
    pub(super) fn member(&self, at: At, name: &str) -> Option<(At, usize)> {
        let members = &self.node(at)?.members;
        let place = members.iter().position(|(known, _)| **known == *name)?;
        members.get(place).map(|(_, child)| (At(*child), place))
    }

    /// What tells most names from those that are wanted there; nothing does at the top if others count.
    pub(super) fn ends(&self, at: At) -> Ends {
        match self.node(at) {
            Some(_) if self.any_but.is_some() && at == Self::root() => Ends::ANY,
            Some(node) => node.ends,
            None => Ends::default(),
        }
    }

    /// The member of a name, as [`Self::member`] has it, if it is spelt so and no other is alike.
    pub(super) fn exactly(&self, at: At, name: &[u8]) -> Option<(At, usize)> {
        let node = self.node(at).filter(|node| !node.has_alike)?;
        let mut members = (0..).zip(&node.members);
        let (place, (_, child)) = members.find(|(_, (known, _))| known.as_bytes() == name)?;
        Some((At(*child), place))
    }

    /// Whether a name is another spelling of one that is wanted there.
    pub(super) fn is_alike(&self, at: At, name: &str) -> bool {
        let members = self.node(at).map(|node| node.members.as_slice()).unwrap_or_default();
        // Most have other ends.
        let may_be = |known: &str| Ends::of(known.as_bytes()).may_be_of(name.as_bytes());
        members.iter().any(|(known, _)| may_be(known) && **known != *name && is_alike(known, name))
    }

    /// Whether a member at the top counts as another one.
    pub(super) fn is_other(&self, name: &str) -> bool {
        self.any_but.as_ref().is_some_and(|names| names.iter().all(|known| **known != *name))
    }

    /// Whether others at the top count.
    pub(super) const fn wants_others(&self) -> bool {
        self.any_but.is_some()
    }
}

/// Bits of the first and the last letter of names, by which most names that are not alike are told apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    first: u32,
    last: u32,
}

impl Ends {
    const ANY: Self = Self { first: u32::MAX, last: u32::MAX };

    #[inline]
    fn of(name: &[u8]) -> Self {
        Self { first: bit(name.first()), last: bit(name.last()) }
    }

    const fn add(&mut self, other: Self) {
        self.first |= other.first;
        self.last |= other.last;
    }

    /// Whether a name may be one of these, or another spelling of one.
    #[inline]
    pub(super) fn may_be_of(self, name: &[u8]) -> bool {
        self.first & bit(name.first()) != 0 && self.last & bit(name.last()) != 0
    }
}

/// The bit of a letter, whatever its case; of a mark and of what is beyond ASCII, all bits: beside them a
/// spelling may have any letter.
#[inline]
fn bit(letter: Option<&u8>) -> u32 {
    letter.and_then(|letter| BITS.get(usize::from(*letter))).copied().unwrap_or(u32::MAX)
}

/// The bits of ASCII by letter.
const BITS: [u32; 128] = {
    let mut bits = [u32::MAX; 128];
    let mut letter = 0_u8;
    while let Some((_, [bit, ..])) = bits.split_at_mut_checked(letter as usize) {
        if letter != b'_' && letter != b'-' {
            *bit = 1_u32.wrapping_shl(letter as u32);
        }
        letter = letter.wrapping_add(1);
    }
    bits
};
