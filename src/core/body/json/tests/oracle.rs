//! `serde_json` takes the same documents, but for what is stricter here.

use core::fmt::Write;

use proptest::prelude::*;
use serde_json::Value;

use super::{document, read};
use crate::body::{BodyError, Extract, Reader, Type, Use, Wanted};

/// Checks a document of which nothing is wanted, in pieces of any length.
fn check(body: &[u8]) -> Result<Extract, BodyError> {
    let wanted = Wanted::new(&[], None).unwrap();
    let read = |length: usize| {
        let mut reader = Reader::new(Type::Json, &wanted);
        body.chunks(length.max(1)).try_for_each(|piece| reader.feed(piece))?;
        reader.finish()
    };
    let whole = read(body.len());
    for length in [1, 3, 8] {
        assert_eq!(read(length), whole, "{}", body.escape_ascii());
    }
    whole
}

/// Writes every letter of a string that is no escape as one.
fn escaped(text: &str) -> String {
    let (mut out, mut is_string, mut letters) = (String::new(), false, text.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                is_string = !is_string;
                out.push(letter);
            }
            '\\' => {
                let escape = letters.next().unwrap();
                out.extend([letter, escape]);
                out.extend(letters.by_ref().take(if escape == 'u' { 4 } else { 0 }));
            }
            letter if is_string => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").unwrap();
                }
            }
            letter => out.push(letter),
        }
    }
    out
}

/// A byte of JSON more often than any other.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => prop::sample::select(&b"{}[]\",:\\u0 1-.eE\ndD8cCtfn"[..]),
        1 => any::<u8>(),
    ]
}

fn has_control(document: &Value) -> bool {
    match document {
        Value::Array(elements) => elements.iter().any(has_control),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.chars().any(char::is_control) || has_control(value)),
        _ => false,
    }
}

/// Any document as a client may write it, mostly with faults.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((0..4_u8, any::<prop::sample::Index>(), byte()), 0..4);
    (document(), any::<bool>(), any::<bool>(), changes).prop_map(
        |(document, is_escaped, is_pretty, changes)| {
            let text = match is_pretty {
                true => serde_json::to_string_pretty(&document).unwrap(),
                false => serde_json::to_string(&document).unwrap(),
            };
            changed(if is_escaped { escaped(&text) } else { text }, changes)
        },
    )
}

/// A text of which bytes are replaced, added and taken away.
fn changed(text: String, changes: Vec<(u8, prop::sample::Index, u8)>) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    for (kind, at, value) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match kind {
            0 => bytes[at] = value,
            1 => bytes.insert(at, value),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

proptest! {
    #[test]
    fn a_text_that_is_cut_anywhere_gives_what_the_whole_gives(
        text in text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let ends = text.len().saturating_add(1);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(ends)).collect();
        cuts.sort_unstable();
        let pointers = [
            ("/job_id", Use::Value),
            ("/tasks/*/notebook/path", Use::Value),
            ("/topics/*", Use::Value),
            ("/notebook/path", Use::Presence),
        ];
        for wanted in [super::wanted(), Wanted::new(&pointers, None).unwrap()] {
            let read = |cuts: &[usize]| {
                let mut reader = Reader::new(Type::Json, &wanted);
                let mut from = 0;
                for to in cuts.iter().copied().chain([text.len()]) {
                    reader.feed(&text[from..to])?;
                    from = to;
                }
                reader.finish()
            };
            let whole = read(&[]);
            prop_assert_eq!(read(&cuts), whole.clone());
            prop_assert_eq!(read(&(0..text.len()).collect::<Vec<_>>()), whole);
        }
    }

    #[test]
    fn the_same_documents_are_taken(bytes in text()) {
        let theirs = serde_json::from_slice::<Value>(&bytes);
        // What is wanted of it is found whole as byte by byte.
        let _ = read(&bytes);
        // A number is one whether or not an `f64` holds it; an empty body is none, which is no fault; and
        // a name holds no control character.
        let is_large = theirs.as_ref().is_err_and(|it| it.to_string().contains("out of range"));
        let has_control = theirs.as_ref().is_ok_and(has_control);
        if !is_large && !has_control && !bytes.is_empty() {
            prop_assert_eq!(check(&bytes).is_ok(), theirs.is_ok(), "{}", bytes.escape_ascii());
        }
    }
}
