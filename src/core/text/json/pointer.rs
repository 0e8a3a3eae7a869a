//! JSON pointers (RFC 6901): how a claim is named.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use super::{Item, View};

/// A JSON pointer to something inside a document (RFC 6901).
///
/// The empty pointer, the whole document, names no claim and does not parse.
///
/// ```
/// use mesh_core::text::json::{Document, Pointer};
///
/// let roles: Pointer = "/https:~1~1claims.example~1roles/0".parse().unwrap();
/// let claims = Document::parse(br#"{"https://claims.example/roles": ["reader"]}"#).unwrap();
/// assert_eq!(roles.resolve(claims.root()).unwrap().as_str(), Some("reader"));
/// ```
#[derive(Clone, Debug)]
pub struct Pointer {
    text: Box<str>,
    tokens: Box<[Box<str>]>,
}

impl Pointer {
    /// The value this pointer leads to, if the document has one there.
    ///
    /// An index into an array is decimal without leading zeros; `-`, the element behind the last,
    /// never exists.
    #[must_use]
    pub fn resolve<'a>(&self, document: Item<'a>) -> Option<Item<'a>> {
        self.resolve_in(|name| step(document, name))
    }

    /// As [`Self::resolve`], of a document whose own members `member` gives.
    pub fn resolve_in<'a>(
        &self,
        member: impl FnOnce(&str) -> Option<Item<'a>>,
    ) -> Option<Item<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        rest.iter().try_fold(member(first)?, |value, token| step(value, token))
    }

    /// The name of the document's own member that this pointer leads into.
    #[must_use]
    pub fn root(&self) -> &str {
        self.tokens.first().map_or("", |token| token)
    }

    /// Whether it is the claim that lists scopes: `scope` (RFC 8693 section 4.2, RFC 9068 section
    /// 2.2.3), or `scp`, as Entra ID and Okta call it.
    #[must_use]
    pub fn is_scope(&self) -> bool {
        matches!(&*self.text, "/scope" | "/scp")
    }

    /// The pointer as it was typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        let tokens = text
            .strip_prefix('/')
            .ok_or(PointerError::NoSlash)?
            .split('/')
            .map(unescape)
            .collect::<Result<_, _>>()?;
        Ok(Self { text: text.into(), tokens })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// Each token has one spelling, so the text alone is the identity.
impl PartialEq for Pointer {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pointer {}

impl Hash for Pointer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// Why a text is no [`Pointer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PointerError {
    /// A `~` is not followed by `0` or `1`.
    Escape,
    /// It does not begin with `/`.
    NoSlash,
}

impl fmt::Display for PointerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Escape => "\"~\" in a JSON pointer must be \"~0\", or \"~1\" for a slash",
            Self::NoSlash => "a JSON pointer must begin with \"/\"",
        })
    }
}

impl core::error::Error for PointerError {}

fn unescape(token: &str) -> Result<Box<str>, PointerError> {
    let mut plain = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(PointerError::Escape),
            },
            c => c,
        });
    }
    Ok(plain.into())
}

fn step<'a>(value: Item<'a>, token: &str) -> Option<Item<'a>> {
    match value.view() {
        View::Object(mut members) => {
            members.find(|(name, _)| *name == token).map(|(_, member)| member)
        }
        View::Array(mut elements) => elements.nth(index(token)?),
        _ => None,
    }
}

fn index(token: &str) -> Option<usize> {
    let decimal = token.bytes().all(|b| b.is_ascii_digit());
    let canonical = token == "0" || !token.starts_with('0');
    if decimal && canonical { token.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::text::json::Document;

    fn resolve(pointer: &str, document: &Value) -> Option<Value> {
        resolve_by(&pointer.parse().unwrap(), document)
    }

    fn resolve_by(pointer: &Pointer, document: &Value) -> Option<Value> {
        let text = document.to_string();
        let document = Document::parse(text.as_bytes()).unwrap();
        pointer.resolve(document.root()).map(Item::to_value)
    }

    #[test]
    fn examples_of_rfc_6901_section_5_resolve() {
        let document = json!({
            "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5,
            "k\"l": 6, " ": 7, "m~n": 8
        });
        assert_eq!(resolve("/foo", &document), Some(json!(["bar", "baz"])));
        assert_eq!(resolve("/foo/0", &document), Some(json!("bar")));
        for (pointer, value) in [
            ("/", 0),
            ("/a~1b", 1),
            ("/c%d", 2),
            ("/e^f", 3),
            ("/g|h", 4),
            ("/i\\j", 5),
            ("/k\"l", 6),
            ("/ ", 7),
            ("/m~0n", 8),
        ] {
            assert_eq!(resolve(pointer, &document), Some(json!(value)), "{pointer}");
        }
    }

    #[test]
    fn tilde_is_unescaped_once() {
        assert_eq!(resolve("/~01", &json!({"~1": 1, "/": 2})), Some(json!(1)));
    }

    #[test]
    fn array_index_is_canonical_decimal() {
        let document = json!({"a": [1, 2]});
        assert_eq!(resolve("/a/1", &document), Some(json!(2)));
        for pointer in ["/a/2", "/a/-", "/a/01", "/a/00", "/a/+1", "/a/", "/a/ 1", "/a/1e0"] {
            assert_eq!(resolve(pointer, &document), None, "{pointer}");
        }
        assert_eq!(resolve("/a/99999999999999999999999", &document), None);
    }

    #[test]
    fn nothing_lies_inside_a_scalar() {
        let document = json!({"sub": "orders", "n": null});
        for pointer in ["/sub/0", "/sub/", "/n/a", "/absent"] {
            assert_eq!(resolve(pointer, &document), None, "{pointer}");
        }
    }

    #[test]
    fn pointer_that_is_no_pointer_is_refused() {
        for text in ["", "sub", "#/sub", " /sub"] {
            assert_eq!(text.parse::<Pointer>(), Err(PointerError::NoSlash), "{text}");
        }
        for text in ["/~", "/~2", "/a~", "/a~/b", "/~~0"] {
            assert_eq!(text.parse::<Pointer>(), Err(PointerError::Escape), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_name_can_be_pointed_at(name in any::<String>()) {
            let text = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            let pointer: Pointer = text.parse().unwrap();
            let document = json!({ name: true });
            prop_assert_eq!(resolve_by(&pointer, &document), Some(json!(true)));
            prop_assert_eq!(pointer.to_string(), text);
            prop_assert_eq!(Some(pointer.root()), document.as_object().unwrap().keys().next().map(|it| &**it));
        }

        #[test]
        fn agrees_with_serde_json(text in "[/~01a-]{0,8}") {
            let document = json!({"": [0, {"a": 1}], "a": {"/": 2, "~": [3]}, "0": [[4]], "1": 5});
            if let Ok(pointer) = text.parse::<Pointer>() {
                prop_assert_eq!(resolve_by(&pointer, &document), document.pointer(&text).cloned());
            }
        }
    }
}
