//! A JSON document with all members that it has, those of one name too.

use std::fmt;

use serde_json::de::Deserializer;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Null,
    Text(String),
    Whole(i128),
    /// A truth value, or a number that is not whole.
    Other,
    List(Vec<Tree>),
    Members(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads a document.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut reader = Deserializer::from_slice(text);
        let tree = <Self as serde::Deserialize>::deserialize(&mut reader).ok()?;
        reader.end().ok().map(|()| tree)
    }

    /// Whether an object has two members of one name.
    pub(super) fn has_twins(&self) -> bool {
        match self {
            Self::Null | Self::Text(_) | Self::Whole(_) | Self::Other => false,
            Self::List(items) => items.iter().any(Self::has_twins),
            Self::Members(members) => {
                super::twins(members.iter().map(|(name, _)| name))
                    || members.iter().any(|(_, value)| value.has_twins())
            }
        }
    }

    /// Adds the names of all members.
    pub(super) fn names(&self, names: &mut Vec<String>) {
        match self {
            Self::Null | Self::Text(_) | Self::Whole(_) | Self::Other => {}
            Self::List(items) => items.iter().for_each(|item| item.names(names)),
            Self::Members(members) => {
                for (name, value) in members {
                    names.push(name.clone());
                    value.names(names);
                }
            }
        }
    }
}

impl<'de> serde::Deserialize<'de> for Tree {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> serde::de::Visitor<'de> for Visitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Whole(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Whole(value.into()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.into()))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Members(members))
    }
}
