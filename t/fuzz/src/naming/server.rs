//! How servers may read a request: the honest one as the platform's rules say, the others with one
//! habit that some server has.

use super::{Fields, Sent};

/// A server's habits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Server {
    /// Decodes a path before it is cut into segments, and how often.
    pub(super) decodes_first: u8,
    /// Drops `;` and what follows it from a segment.
    pub(super) drops_parameters: bool,
    /// Merges slashes and follows dot segments.
    pub(super) merges: bool,
    /// Takes a backslash for a slash.
    pub(super) takes_backslashes: bool,
    /// Ends a path and a query at `#`.
    pub(super) cuts_fragments: bool,
    /// Looks for a verb behind the name when the name is decoded.
    pub(super) has_late_verbs: bool,
    /// Divides queries and forms at `;` too.
    pub(super) divides_at_semicolons: bool,
    /// Of two members of one name, or two fields, takes the last.
    pub(super) takes_last: bool,
    /// Tells neither case nor `_` and `-` in the names of members.
    pub(super) folds_names: bool,
}

const HONEST: Server = Server {
    decodes_first: 0,
    drops_parameters: false,
    merges: false,
    takes_backslashes: false,
    cuts_fragments: false,
    has_late_verbs: false,
    divides_at_semicolons: false,
    takes_last: false,
    folds_names: false,
};

/// The honest one is the first.
pub(super) const SERVERS: [Server; 14] = [
    HONEST,
    Server { decodes_first: 1, ..HONEST },
    Server { decodes_first: 2, ..HONEST },
    Server { drops_parameters: true, ..HONEST },
    Server { decodes_first: 1, drops_parameters: true, ..HONEST },
    Server { merges: true, ..HONEST },
    Server { decodes_first: 1, merges: true, ..HONEST },
    Server { takes_backslashes: true, ..HONEST },
    Server { cuts_fragments: true, ..HONEST },
    Server { has_late_verbs: true, ..HONEST },
    Server { divides_at_semicolons: true, ..HONEST },
    Server { takes_last: true, ..HONEST },
    Server { folds_names: true, ..HONEST },
    Server { folds_names: true, takes_last: true, ..HONEST },
];

/// The members of a query or of a form: names and values.
pub(super) type Members = Vec<(String, String)>;

/// A segment of a path: as it was sent, and decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Segment {
    pub(super) raw: String,
    pub(super) text: String,
}

impl Server {
    /// The segments of a path; none if it is no path. A final slash does not matter.
    pub(super) fn segments(&self, sent: &Sent) -> Option<Vec<Segment>> {
        let mut path = String::from_utf8(sent.path.clone()).ok()?;
        for _ in 0..self.decodes_first {
            if !sent.is_decoded {
                path = decoded(&path, false)?;
            }
        }
        if self.cuts_fragments {
            path = path.split('#').next().unwrap_or_default().into();
        }
        if self.takes_backslashes {
            path = path.replace('\\', "/");
        }
        let mut parts: Vec<String> = path.strip_prefix('/')?.split('/').map(Into::into).collect();
        if self.drops_parameters {
            parts.iter_mut().for_each(|part| *part = part.split(';').next().unwrap().into());
        }
        if self.merges {
            parts = merged(parts);
        }
        if parts.last().is_some_and(String::is_empty) {
            parts.pop();
        }
        let is_decoded = sent.is_decoded || self.decodes_first > 0;
        let segments = parts.into_iter().map(|raw| {
            let text = if is_decoded { raw.clone() } else { decoded(&raw, false)? };
            Some(Segment { raw, text })
        });
        segments.collect()
    }

    /// The members of a query or of a form; none if it is none.
    pub(super) fn members(&self, text: &str) -> Option<Members> {
        let text = if self.cuts_fragments { text.split('#').next()? } else { text };
        let is_end = |letter| letter == '&' || letter == ';' && self.divides_at_semicolons;
        let pairs = text.split(is_end).filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name, true)?, decoded(value, true)?))
        });
        pairs.collect()
    }

    /// Those of some members that have a name, in their order.
    pub(super) fn named<'m, T>(&self, members: &'m [(String, T)], name: &str) -> Vec<&'m T> {
        let is_it =
            |known: &str| known == name || self.folds_names && folded(known) == folded(name);
        members.iter().filter(|(known, _)| is_it(known)).map(|(_, value)| value).collect()
    }

    /// The one that counts of those that have the name of one.
    pub(super) fn one<T: Copy>(&self, found: &[T]) -> Option<T> {
        if self.takes_last { found.last() } else { found.first() }.copied()
    }

    /// A field of the request.
    pub(super) fn field(&self, fields: &Fields, name: &str) -> Option<String> {
        let found: Vec<&Vec<u8>> =
            fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value).collect();
        self.one(&found).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The media type, without parameters.
    pub(super) fn media_type(&self, fields: &Fields) -> Option<String> {
        let value = self.field(fields, "content-type")?;
        Some(value.split(';').next()?.trim().to_lowercase())
    }
}

/// Without empty and dot segments, but for a final empty one.
fn merged(parts: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let last = parts.len() - 1;
    for (at, part) in parts.into_iter().enumerate() {
        match &*part.to_lowercase().replace("%2e", ".") {
            "" if at < last => {}
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(part),
        }
    }
    kept
}

/// As a server that does not tell case, `_` and `-`; of letters whose other case is ASCII, the ASCII one.
pub(super) fn folded(name: &str) -> String {
    let name = name.replace(['_', '-'], "").replace('\u{130}', "i");
    name.to_uppercase().to_lowercase()
}

/// Decoded once; none if an escape is wrong, or hides what is no UTF-8.
pub(super) fn decoded(text: &str, has_plus: bool) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &after[2..];
            }
            b'+' if has_plus => bytes.push(b' '),
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}
