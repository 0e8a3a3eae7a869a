//! Strict JSON, for everything that decides who somebody is.
//!
//! Two parsers that disagree about a document are a hole: one reads the first of two members, the
//! other the last. Here a document with a duplicate member (RFC 8259, section 4, compared after
//! unescaping) is refused, as is one that nests deeply or has bytes after its end.

use core::cell::Cell;
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

mod mark;
mod pointer;

pub use mark::without_mark;
pub use pointer::{Pointer, PointerError};

/// Levels of arrays and objects that a document may nest.
pub const MAX_DEPTH: usize = 16;

/// Parses one whole document.
///
/// # Errors
///
/// [`JsonError`] for a duplicate member at any level, more than [`MAX_DEPTH`] levels, bytes that
/// are not UTF-8, a lone surrogate escape, a number that no `f64` holds, and anything but white
/// space after the document.
///
/// ```
/// use mesh_core::json;
///
/// assert_eq!(json::parse(br#"{"sub": "orders"}"#).unwrap()["sub"], "orders");
/// assert!(json::parse(br#"{"sub": "a", "s\u0075b": "b"}"#).is_err());
/// ```
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let refusal = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Strict { room: MAX_DEPTH, refusal: &refusal }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| {
            let (line, column) = (error.line(), error.column());
            match refusal.get() {
                Some(Refusal::Duplicate) => JsonError::Duplicate { line, column },
                Some(Refusal::TooDeep) => JsonError::TooDeep { line, column },
                None => JsonError::Syntax { line, column },
            }
        })
}

/// Why a document is refused, and where; it never quotes the document.
///
/// `line` and `column` count from 1, in bytes, and point at or just behind the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonError {
    /// An object has two members of one name.
    Duplicate {
        /// Line of the second one.
        line: usize,
        /// Column of the second one.
        column: usize,
    },
    /// The document is not JSON.
    Syntax {
        /// Line of the fault.
        line: usize,
        /// Column of the fault.
        column: usize,
    },
    /// The document nests more than [`MAX_DEPTH`] levels.
    TooDeep {
        /// Line of the first level too many.
        line: usize,
        /// Column of the first level too many.
        column: usize,
    },
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, line, column) = match self {
            Self::Duplicate { line, column } => ("duplicate member", line, column),
            Self::Syntax { line, column } => ("invalid JSON", line, column),
            Self::TooDeep { line, column } => ("JSON nested too deeply", line, column),
        };
        write!(f, "{what} at line {line} column {column}")
    }
}

impl core::error::Error for JsonError {}

/// What serde's own error cannot carry out of a visitor.
#[derive(Clone, Copy)]
enum Refusal {
    Duplicate,
    TooDeep,
}

/// Reads one value; `room` is the number of levels that may still open.
#[derive(Clone, Copy)]
struct Strict<'c> {
    room: usize,
    refusal: &'c Cell<Option<Refusal>>,
}

impl Strict<'_> {
    fn refuse<E: serde::de::Error>(&self, refusal: Refusal) -> E {
        self.refusal.set(Some(refusal));
        E::custom("refused")
    }

    fn inner<E: serde::de::Error>(&self) -> Result<Self, E> {
        match self.room.checked_sub(1) {
            Some(room) => Ok(Self { room, refusal: self.refusal }),
            None => Err(self.refuse(Refusal::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        while let Some(value) = elements.next_element_seed(inner)? {
            array.push(value);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            match object.entry(name) {
                Entry::Occupied(_) => return Err(self.refuse(Refusal::Duplicate)),
                Entry::Vacant(place) => place.insert(members.next_value_seed(inner)?),
            };
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn duplicate_member_is_refused_at_every_level() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":null}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"[[{"a":1,"a":2}]]"#,
            r#"{"":1,"":2}"#,
        ] {
            assert!(matches!(parse(text.as_bytes()), Err(JsonError::Duplicate { .. })), "{text}");
        }
    }

    #[test]
    fn duplicate_member_is_found_behind_its_escapes() {
        for text in [r#"{"iss":1,"\u0069ss":2}"#, r#"{"a/b":1,"a\/b":2}"#, r#"{"é":1,"\u00E9":2}"#]
        {
            assert!(matches!(parse(text.as_bytes()), Err(JsonError::Duplicate { .. })), "{text}");
        }
    }

    #[test]
    fn same_name_in_different_objects_or_case_is_no_duplicate() {
        let value = parse(br#"{"a":{"a":1},"b":[{"a":2},{"a":3}],"A":4}"#).unwrap();
        assert_eq!(value["b"][1]["a"], 3);
        assert_eq!(value["A"], 4);
    }

    #[test]
    fn depth_of_16_is_accepted_and_17_refused() {
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        for levels in [MAX_DEPTH + 1, 100, 200_000] {
            let refused = parse(nested(levels).as_bytes());
            assert_eq!(refused, Err(JsonError::TooDeep { line: 1, column: 17 }), "{levels}");
        }
        let objects = format!("{}1{}", r#"{"a":"#.repeat(17), "}".repeat(17));
        assert!(matches!(parse(objects.as_bytes()), Err(JsonError::TooDeep { .. })));
    }

    #[test]
    fn anything_but_one_utf8_document_is_a_syntax_error() {
        for bytes in [
            &b""[..],
            b" ",
            b"{} {}",
            b"{}\0",
            b"{},",
            b"\xEF\xBB\xBF{}",
            b"\"\xFF\"",
            b"\"\xC0\xAF\"",
            b"\"\xED\xA0\x80\"",
            b"\"\\ud800\"",
            b"\"\n\"",
            b"{\"a\xFF\":1}",
            b"{a:1}",
            b"{\"a\":1,}",
            b"[1,]",
            b"01",
            b"1.",
            b"+1",
            b"NaN",
            b"1e400",
            b"//\n1",
            b"'a'",
            b"tru",
        ] {
            assert!(matches!(parse(bytes), Err(JsonError::Syntax { .. })), "{bytes:?}");
        }
    }

    #[test]
    fn error_names_the_place_and_quotes_nothing() {
        let error = parse(b"{\n  \"secret\": 1,\n  \"secret\": 2\n}").unwrap_err();
        assert!(error.to_string().starts_with("duplicate member at line 3 column "), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn numbers_keep_their_kind() {
        let value = parse(b"[18446744073709551615, -9223372036854775808, 1.5, 1e3]").unwrap();
        assert_eq!(value[0].as_u64(), Some(u64::MAX));
        assert_eq!(value[1].as_i64(), Some(i64::MIN));
        assert_eq!(value[2].as_f64(), Some(1.5));
        assert_eq!(value[3].as_u64(), None);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(8, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_is_read_as_it_was_written(value in any_value()) {
            prop_assert_eq!(parse(&serde_json::to_vec(&value).unwrap()), Ok(value));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_accepted_the_lenient_parser_reads_alike(text in r#"[\[\]{}:,"ab0-9\\u ]{0,40}"#) {
            if let Ok(value) = parse(text.as_bytes()) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
            }
        }
    }
}
