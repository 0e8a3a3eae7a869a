//! A document that was read: a list of where its values are, over its own text.

use serde_json::{Map, Number, Value};

use super::number::{self, canonical};

/// A whole document, of which every value can be asked for by name or in order.
///
/// It is a list of nodes and no tree: a token's claims are read once, and most of them are never
/// looked at. A number keeps its digits.
///
/// ```
/// use mesh_core::text::json::Document;
///
/// let claims = Document::parse(br#"{"sub": "orders", "n": 12345678901234567890123}"#).unwrap();
/// let sub = claims.root().get("sub").unwrap();
/// assert_eq!(sub.as_str(), Some("orders"));
/// assert_eq!(claims.root().get("n").unwrap().scalar().unwrap(), "12345678901234567890123");
/// ```
#[derive(Debug)]
pub struct Document<'d> {
    text: &'d str,
    unescaped: String,
    nodes: Vec<Node>,
}

/// A value, and where it is. A name comes before its value; the contents of an array or an object
/// follow it, up to the node `end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Array,
    False,
    Null,
    Number,
    Object,
    /// As in the document.
    Text,
    True,
    /// As among the texts that were written with escapes.
    Unescaped,
}

impl Node {
    pub(super) fn text<'t>(&self, text: &'t str, unescaped: &'t str) -> Option<&'t str> {
        let from = match self.kind {
            Kind::Text => text,
            Kind::Unescaped => unescaped,
            _ => return None,
        };
        from.get(self.start as usize..self.end as usize)
    }
}

impl<'d> Document<'d> {
    pub(super) const fn new(text: &'d str, unescaped: String, nodes: Vec<Node>) -> Self {
        Self { text, unescaped, nodes }
    }

    /// The document as a value.
    pub const fn root(&self) -> Item<'_> {
        Item { document: self, at: 0 }
    }

    fn node(&self, at: usize) -> Node {
        self.nodes.get(at).copied().unwrap_or(Node { kind: Kind::Null, start: 0, end: 0 })
    }
}

/// A value in a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    document: &'a Document<'a>,
    at: usize,
}

/// The kind of a value, and its content.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// An array.
    Array(Items<'a>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`
    Null,
    /// A number, as it is written.
    Number(&'a str),
    /// An object, by its members in order.
    Object(Members<'a>),
    /// A string.
    Text(&'a str),
}

impl<'a> Item<'a> {
    /// Its kind and content.
    pub fn view(self) -> View<'a> {
        let Item { document, at } = self;
        let node = document.node(at);
        let (next, end) = (at.saturating_add(1), node.end as usize);
        match node.kind {
            Kind::Array => View::Array(Items { document, next, end }),
            Kind::False => View::Bool(false),
            Kind::Null => View::Null,
            Kind::Number => {
                let range = node.start as usize..end;
                View::Number(document.text.get(range).unwrap_or_default())
            }
            Kind::Object => View::Object(Members(Items { document, next, end })),
            Kind::Text | Kind::Unescaped => View::Text(self.as_str().unwrap_or_default()),
            Kind::True => View::Bool(true),
        }
    }

    /// The text of a string.
    pub fn as_str(self) -> Option<&'a str> {
        self.document.node(self.at).text(self.document.text, &self.document.unescaped)
    }

    /// The text of a string or a scalar: a number in its one spelling, see [`canonical`].
    pub fn scalar(self) -> Option<std::borrow::Cow<'a, str>> {
        match self.view() {
            View::Array(_) | View::Null | View::Object(_) => None,
            View::Bool(is) => Some(if is { "true" } else { "false" }.into()),
            View::Number(number) => Some(canonical(number)),
            View::Text(text) => Some(text.into()),
        }
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.document.node(self.at).kind == Kind::Null
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        self.document.node(self.at).kind == Kind::Object
    }

    /// The member of that name, if it is an object that has one.
    pub fn get(self, name: &str) -> Option<Self> {
        self.members().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The members, if it is an object.
    pub fn members(self) -> Members<'a> {
        match self.view() {
            View::Object(members) => members,
            _ => Members(Items { document: self.document, next: 0, end: 0 }),
        }
    }

    /// The elements, if it is an array.
    pub fn items(self) -> Items<'a> {
        match self.view() {
            View::Array(items) => items,
            _ => Items { document: self.document, next: 0, end: 0 },
        }
    }

    /// The same as a tree, in which a number that is too long for 64 bits is a double.
    pub fn to_value(self) -> Value {
        match self.view() {
            View::Array(items) => Value::Array(items.map(Self::to_value).collect()),
            View::Bool(is) => Value::Bool(is),
            View::Null => Value::Null,
            View::Number(number) => {
                let whole = number::whole(number).map(Number::from);
                let whole = whole.or_else(|| number.parse::<u64>().ok().map(Number::from));
                let double = || Number::from_f64(number.parse().ok()?);
                whole.or_else(double).map_or(Value::Null, Value::Number)
            }
            View::Object(members) => {
                let members = members.map(|(name, value)| (name.to_owned(), value.to_value()));
                Value::Object(members.collect::<Map<_, _>>())
            }
            View::Text(text) => Value::String(text.to_owned()),
        }
    }

    /// Writes it as JSON: without white space, an object's members by their names, a number in its
    /// one spelling.
    pub fn write(self, json: &mut String) {
        let text = |text: &str, json: &mut String| {
            json.push_str(&Value::from(text).to_string());
        };
        match self.view() {
            View::Array(items) => {
                json.push('[');
                for (at, item) in items.enumerate() {
                    if at > 0 {
                        json.push(',');
                    }
                    item.write(json);
                }
                json.push(']');
            }
            View::Bool(is) => json.push_str(if is { "true" } else { "false" }),
            View::Null => json.push_str("null"),
            View::Number(number) => json.push_str(&canonical(number)),
            View::Object(members) => {
                let mut members: Vec<_> = members.collect();
                members.sort_unstable_by_key(|(name, _)| *name);
                json.push('{');
                for (at, (name, value)) in members.into_iter().enumerate() {
                    if at > 0 {
                        json.push(',');
                    }
                    text(name, json);
                    json.push(':');
                    value.write(json);
                }
                json.push('}');
            }
            View::Text(string) => text(string, json),
        }
    }
}

/// Two values that mean the same, whatever their spelling.
impl PartialEq for Item<'_> {
    fn eq(&self, other: &Self) -> bool {
        let json = |item: &Self| {
            let mut json = String::new();
            item.write(&mut json);
            json
        };
        json(self) == json(other)
    }
}

/// The elements of an array, in order.
#[derive(Clone, Copy, Debug)]
pub struct Items<'a> {
    document: &'a Document<'a>,
    next: usize,
    end: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if self.next >= self.end {
            return None;
        }
        let item = Item { document: self.document, at: self.next };
        let node = self.document.node(self.next);
        self.next = match node.kind {
            Kind::Array | Kind::Object => (node.end as usize).max(self.next.saturating_add(1)),
            _ => self.next.saturating_add(1),
        };
        Some(item)
    }
}

/// The members of an object, in order.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a>(Items<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Item<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.next()?;
        Some((name.as_str()?, self.0.next()?))
    }
}
