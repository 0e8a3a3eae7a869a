//! Reading a list, straight from its bytes into one block of names.

use core::cell::Cell;
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::text::json::{canonical, is_number};

use super::{Entry, Fault, Kind, RevocationError, Revocations, scope};
use super::{MAX_BYTES, MAX_ENTRIES, MAX_NAME_BYTES};
use crate::text::json;

impl Revocations {
    /// Reads a list; `issuer` gives the index of the issuer with a name.
    ///
    /// An entry names one `jti`, `sub`, `sid` or `kid`, of every issuer or of one. `before` limits
    /// a `sub` to the tokens that were issued up to then. From `until` on, an entry applies no
    /// more. A time is Unix seconds, as in a token, or RFC 3339 in UTC; a fraction of a second is
    /// taken as a whole one. A `note` is for people.
    ///
    /// # Errors
    ///
    /// [`RevocationError`] for anything else: what a list may mean is never guessed.
    ///
    /// ```
    /// use mesh_core::issuer::revocation::Revocations;
    ///
    /// let list = br#"{ "version": 1, "revoked": [
    ///     { "jti": "0b9c2ac4", "until": 1798761600 },
    ///     { "sub": "00u1abcd", "issuer": "okta", "before": "2026-11-26T08:00:00Z" }
    /// ] }"#;
    /// let list = Revocations::parse(list, |name| (name == "okta").then_some(0)).unwrap();
    /// assert_eq!(list.count(), 2);
    /// ```
    pub fn parse(
        bytes: &[u8],
        mut issuer: impl FnMut(&str) -> Option<usize>,
    ) -> Result<Self, RevocationError> {
        if bytes.len() > MAX_BYTES {
            return Err(RevocationError { line: 1, column: 1, fault: Fault::TooLarge });
        }
        let why = Why { fault: Cell::new(None), expected: Cell::new("an object") };
        let (names, entries) = (String::new(), Vec::new());
        let mut reader = Reader { why: &why, issuer: &mut issuer, names, entries };
        let bytes = json::without_mark(bytes);
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let read = json.deserialize_map(Document(&mut reader)).and_then(|()| json.end());
        let Reader { names, entries, .. } = reader;
        read.map_err(|error| {
            let fault = why.fault.get().unwrap_or(match error.classify() {
                Category::Data => Fault::NotA(why.expected.get()),
                _ => Fault::Syntax,
            });
            // At the end of a file the parser names the column before the first.
            RevocationError { line: error.line().max(1), column: error.column().max(1), fault }
        })?;
        Ok(Self::index(names, entries))
    }
}

/// A fault that serde's own error cannot carry out of a visitor.
struct Why {
    fault: Cell<Option<Fault>>,
    /// The expected type, if a value has another one.
    expected: Cell<&'static str>,
}

impl Why {
    fn is<E: Error>(&self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }
}

struct Reader<'r> {
    why: &'r Why,
    issuer: &'r mut dyn FnMut(&str) -> Option<usize>,
    names: String,
    entries: Vec<Entry>,
}

/// The whole.
struct Document<'a, 'r>(&'a mut Reader<'r>);

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let why = self.0.why;
        let (mut has_version, mut has_list) = (false, false);
        while let Some(member) = members.next_key_seed(Name(why, &["version", "revoked"]))? {
            let has = if member == "version" { &mut has_version } else { &mut has_list };
            if core::mem::replace(has, true) {
                return Err(why.is(Fault::Duplicate));
            }
            if member == "version" {
                why.expected.set("a version");
                if members.next_value::<u64>()? != 1 {
                    return Err(why.is(Fault::Version));
                }
            } else {
                why.expected.set("a list of entries");
                members.next_value_seed(List(self.0))?;
            }
        }
        match (has_version, has_list) {
            (false, _) => Err(why.is(Fault::Missing("version"))),
            (_, false) => Err(why.is(Fault::Missing("revoked"))),
            _ => Ok(()),
        }
    }
}

/// The array `revoked`.
struct List<'a, 'r>(&'a mut Reader<'r>);

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.0.why.expected.set("an entry, which is an object");
        while let Some(()) = entries.next_element_seed(One(self.0))? {
            if self.0.entries.len() > MAX_ENTRIES {
                return Err(self.0.why.is(Fault::TooMany));
            }
            self.0.why.expected.set("an entry, which is an object");
        }
        Ok(())
    }
}

/// An entry.
struct One<'a, 'r>(&'a mut Reader<'r>);

const MEMBERS: &[&str] = &["jti", "sub", "sid", "kid", "issuer", "before", "until", "note"];

impl<'de> DeserializeSeed<'de> for One<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for One<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Reader { why, issuer, names, entries } = self.0;
        let why = *why;
        let mut named: Option<(Kind, u32, u32)> = None;
        let (mut from, mut before, mut until, mut has_note) = (None, None, None, false);
        while let Some(member) = members.next_key_seed(Name(why, MEMBERS))? {
            let is_duplicate = match member {
                "before" => before.is_some(),
                "issuer" => from.is_some(),
                "note" => core::mem::replace(&mut has_note, true),
                "until" => until.is_some(),
                name => named.is_some_and(|(kind, ..)| kind.member() == name),
            };
            if is_duplicate {
                return Err(why.is(Fault::Duplicate));
            }
            why.expected.set("a text");
            match member {
                "before" => before = Some(members.next_value_seed(Time(why))?),
                "issuer" => {
                    let find = |name: &str| issuer(name).ok_or(Fault::UnknownIssuer);
                    from = Some(members.next_value_seed(Text(why, find))?);
                }
                "note" => members.next_value_seed(Text(why, |_: &str| Ok(())))?,
                "until" => until = Some(members.next_value_seed(Time(why))?),
                name => {
                    let kind = Kind::ALL.into_iter().find(|kind| kind.member() == name);
                    let kind = kind.ok_or_else(|| why.is(Fault::UnknownMember))?;
                    if named.is_some() {
                        return Err(why.is(Fault::Several));
                    }
                    let (start, len) =
                        members.next_value_seed(Text(why, |name: &str| keep(names, name)))?;
                    named = Some((kind, start, len));
                }
            }
        }
        let Some((kind, start, len)) = named else { return Err(why.is(Fault::Nameless)) };
        if before.is_some() && kind != Kind::Subject {
            return Err(why.is(Fault::BeforeWithoutSubject));
        }
        let entry = Entry {
            kind,
            scope: scope(from),
            start,
            len,
            hash: 0,
            before: before.unwrap_or(i64::MAX),
            until: until.unwrap_or(i64::MAX),
        };
        entries.push(entry);
        // A claim that is a number is looked for by its one spelling.
        let start = start as usize;
        if let Some(name) = names.get(start..start.saturating_add(len as usize))
            && matches!(kind, Kind::Session | Kind::Token)
            && let Some(spelling) = another_spelling(name)
        {
            let (start, len) = keep(names, &spelling).map_err(|fault| why.is(fault))?;
            entries.push(Entry { start, len, ..entry });
        }
        Ok(())
    }
}

/// The spelling of a name that is a number in another one.
fn another_spelling(name: &str) -> Option<String> {
    let may_be = name.len() <= MAX_NUMBER && (name == "-0" || name.contains(['.', 'e', 'E']));
    let spelling = canonical(name);
    (may_be && *spelling != *name && is_number(name)).then(|| spelling.into_owned())
}

/// Bytes of a number that is written otherwise: its digits, its point and sign, an exponent.
const MAX_NUMBER: usize = 128;

/// Puts a name behind the others; returns where.
fn keep(names: &mut String, name: &str) -> Result<(u32, u32), Fault> {
    if name.is_empty() {
        return Err(Fault::Empty);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(Fault::TooLong);
    }
    let range = (u32::try_from(names.len()), u32::try_from(name.len()));
    names.push_str(name);
    if let (Ok(start), Ok(len)) = range { Ok((start, len)) } else { Err(Fault::TooLarge) }
}

/// The name of a member, one of these.
struct Name<'a>(&'a Why, &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let known = self.1.iter().find(|known| **known == name);
        known.copied().ok_or_else(|| self.0.is(Fault::UnknownMember))
    }
}

/// A text, and what becomes of it.
struct Text<'a, F>(&'a Why, F);

impl<'de, T, F: FnOnce(&str) -> Result<T, Fault>> DeserializeSeed<'de> for Text<'_, F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> Result<T, Fault>> Visitor<'_> for Text<'_, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.1(text).map_err(|fault| self.0.is(fault))
    }
}

/// A time, in seconds since 1970.
struct Time<'a>(&'a Why);

const A_TIME: &str = "a time: whole Unix seconds, or as in \"2026-01-01T00:00:00Z\"";

/// The last second of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

impl<'de> DeserializeSeed<'de> for Time<'_> {
    type Value = i64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<i64, D::Error> {
        self.0.expected.set(A_TIME);
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Time<'_> {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_i64<E: Error>(self, secs: i64) -> Result<i64, E> {
        if !(0..=LAST_SECOND).contains(&secs) {
            return Err(self.0.is(Fault::TimeOutOfRange));
        }
        Ok(secs)
    }

    fn visit_u64<E: Error>(self, secs: u64) -> Result<i64, E> {
        self.visit_i64(i64::try_from(secs).unwrap_or(i64::MAX))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
        let moment = moment.filter(|moment| moment.offset().is_utc());
        let moment = moment.ok_or_else(|| self.0.is(Fault::NotA(A_TIME)))?;
        let more = i64::from(moment.nanosecond() > 0);
        self.visit_i64(moment.unix_timestamp().saturating_add(more))
    }
}
