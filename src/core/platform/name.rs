//! The normal form of a resource's name: two spellings of one resource become one.

use std::borrow::Cow;

use crate::text::bytes;
use crate::text::decimal::is_shortest;

/// Which names a kind may have, and how they are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// Any text without control characters, as it is.
    Plain,
    /// The same, in lower case.
    Fold,
    /// A number without a leading zero.
    Number,
    /// A UUID, in lower case and with hyphens.
    Uuid,
    /// The name of a Kafka topic, as it is.
    Token,
    /// `catalog.schema.object`, in lower case: a tree.
    Dotted,
    /// `scope/key`, in lower case: a tree.
    Slashed,
    /// An object of a Databricks workspace by its path: a tree.
    Path,
    /// A file of a volume or of DBFS by its path: a tree.
    File,
    /// The path of a URL.
    Url,
}

/// A name that no resource of its kind can have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed;

/// A name in its normal form; `None` if it stands for all resources of its kind.
pub type Name<'n> = Option<Cow<'n, str>>;

/// How long a name may be, in bytes.
pub const MAX_NAME: usize = 1024;

/// How long the name of a Kafka topic may be.
const MAX_TOKEN: usize = 249;

/// Letters beyond ASCII that a server may fold to a letter of ASCII: the Kelvin sign, the long s and
/// the dotted capital i (Unicode's CaseFolding.txt).
const FOLDS_TO_ASCII: [char; 3] = ['\u{212a}', '\u{17f}', '\u{130}'];

impl Form {
    /// The words of a table.
    pub const WORDS: [(&str, Self); 10] = [
        ("plain", Self::Plain),
        ("fold", Self::Fold),
        ("number", Self::Number),
        ("uuid", Self::Uuid),
        ("token", Self::Token),
        ("dotted", Self::Dotted),
        ("slashed", Self::Slashed),
        ("path", Self::Path),
        ("file", Self::File),
        ("url", Self::Url),
    ];

    /// The form of a table's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, form)| *form)
    }

    /// What divides the parts of a name, if its resources are a tree.
    pub const fn separator(self) -> Option<u8> {
        match self {
            Self::Dotted => Some(b'.'),
            Self::Slashed | Self::Path | Self::File | Self::Url => Some(b'/'),
            _ => None,
        }
    }

    /// Whether names are compared in lower case. (Of a file's name, only the parts that name a
    /// volume.)
    pub const fn folds(self) -> bool {
        matches!(self, Self::Fold | Self::Dotted | Self::Slashed)
    }

    /// The normal form of a name; `None` if it counts as all.
    ///
    /// # Errors
    ///
    /// No resource of this kind can have the name.
    pub fn normal(self, name: &str) -> Result<Name<'_>, Malformed> {
        if !(1..=MAX_NAME).contains(&name.len()) {
            return Err(Malformed);
        }
        match self {
            // These have no letter that others may not have.
            Self::Number => return number(name).map(|it| Some(Cow::Borrowed(it))),
            Self::Uuid => return uuid(name).map(Some),
            Self::Token => return token(name).map(|it| Some(Cow::Borrowed(it))),
            _ => {}
        }
        let letters = Letters::of(name, self.separator());
        if letters.has(Letters::CONTROL) && name.chars().any(char::is_control) {
            return Err(Malformed);
        }
        match self {
            Self::Fold => fold(name, letters).map(Some),
            // In backticks, another spelling of a part.
            Self::Dotted if letters.has(Letters::TICK) => Err(Malformed),
            Self::Dotted | Self::Slashed if letters.has(Letters::EMPTY) => Err(Malformed),
            Self::Dotted | Self::Slashed => fold(name, letters).map(Some),
            Self::Path => path(name, "/Workspace"),
            Self::File => file(name),
            Self::Url => url(name).map(|it| Some(Cow::Borrowed(it))),
            Self::Plain | Self::Number | Self::Uuid | Self::Token => Ok(Some(Cow::Borrowed(name))),
        }
    }
}

/// What the letters of a name are together.
#[derive(Clone, Copy)]
struct Letters(u8);

impl Letters {
    /// One may be a control character: those of two bytes begin with 0xc2.
    const CONTROL: u8 = 1;
    /// One is of ASCII in upper case.
    const UPPER: u8 = 2;
    /// One is a backtick.
    const TICK: u8 = 4;
    /// A part between two separators, or before or behind one, is empty.
    const EMPTY: u8 = 8;
    /// One is beyond ASCII.
    const BEYOND: u8 = 0x80;

    #[inline]
    fn of(name: &str, separator: Option<u8>) -> Self {
        let name = name.as_bytes();
        // No byte of UTF-8 is another one.
        let separator = separator.unwrap_or(0xff);
        let (Some((first, behind)), Some((last, before))) = (name.split_first(), name.split_last())
        else {
            return Self(0);
        };
        let of = |is_it: bool, what: u8| u8::from(is_it).wrapping_mul(what);
        let of_byte = |byte: u8| {
            let is_control = (byte < 0x20) | (byte == 0x7f) | (byte == 0xc2);
            of(is_control, Self::CONTROL)
                | of(byte.wrapping_sub(b'A') < 26, Self::UPPER)
                | of(byte == b'`', Self::TICK)
                | byte & Self::BEYOND
        };
        let pairs = bytes::pairs_together(before, behind, |before, byte| {
            of((before == separator) & (byte == separator), Self::EMPTY) | of_byte(byte)
        });
        let is_empty = *first == separator || *last == separator;
        Self(pairs | of_byte(*first) | of(is_empty, Self::EMPTY))
    }

    const fn has(self, what: u8) -> bool {
        self.0 & what != 0
    }
}

fn fold(name: &str, letters: Letters) -> Result<Cow<'_, str>, Malformed> {
    if letters.has(Letters::BEYOND) && name.contains(FOLDS_TO_ASCII) {
        return Err(Malformed);
    }
    if letters.has(Letters::UPPER) {
        return Ok(Cow::Owned(name.to_ascii_lowercase()));
    }
    Ok(Cow::Borrowed(name))
}

fn number(name: &str) -> Result<&str, Malformed> {
    // Of a larger one, a platform that counts in 64 bits makes another; what has 19 digits is none.
    let is_ours = is_shortest(name) && (name.len() < 20 || name.parse::<u64>().is_ok());
    if is_ours { Ok(name) } else { Err(Malformed) }
}

/// With hyphens in all of their places, or without any.
fn uuid(name: &str) -> Result<Cow<'_, str>, Malformed> {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let bytes = name.as_bytes();
    let is_normal = bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match HYPHENS.contains(&at) {
            true => *byte == b'-',
            false => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        });
    if is_normal {
        return Ok(Cow::Borrowed(name));
    }
    let has_hyphens = bytes.len() == 36 && HYPHENS.iter().all(|at| bytes.get(*at) == Some(&b'-'));
    if !has_hyphens && bytes.len() != 32 {
        return Err(Malformed);
    }
    let mut normal = String::with_capacity(36);
    let digits = bytes.iter().enumerate().filter(|(at, _)| !has_hyphens || !HYPHENS.contains(at));
    for (_, digit) in digits {
        if !digit.is_ascii_hexdigit() {
            return Err(Malformed);
        }
        if HYPHENS.contains(&normal.len()) {
            normal.push('-');
        }
        normal.push(char::from(digit.to_ascii_lowercase()));
    }
    Ok(Cow::Owned(normal))
}

fn token(name: &str) -> Result<&str, Malformed> {
    let is_other = |byte: u8| {
        let is_letter = u8::from((byte | 0x20).wrapping_sub(b'a') < 26);
        let is_mark = u8::from(byte == b'.') | u8::from(byte == b'_') | u8::from(byte == b'-');
        (is_letter | is_mark | u8::from(byte.wrapping_sub(b'0') < 10)) ^ 1
    };
    // Kafka takes `.` and `..` for no topic.
    let is_ours = name.len() <= MAX_TOKEN
        && bytes::all(name.as_bytes(), is_other)
        && name != "."
        && name != "..";
    if is_ours { Ok(name) } else { Err(Malformed) }
}

/// A path without what leads to the same place by another way, and without its root's other name.
fn path<'n>(name: &'n str, root: &str) -> Result<Name<'n>, Malformed> {
    if !name.starts_with('/') {
        let has_dots = name.split(['/', '\\']).any(|it| it == "." || it == "..");
        return if has_dots { Err(Malformed) } else { Ok(None) };
    }
    let name = url(name)?;
    let name = match name.strip_prefix(root) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => name,
    };
    // The other name counts once: what is behind it may be a folder of that name.
    if is_under(name, root) { Err(Malformed) } else { Ok(Some(Cow::Borrowed(name))) }
}

/// Whether a path is a folder's or of something in it.
fn is_under(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// DBFS by each of its names; a volume's catalog, schema and name in lower case.
fn file(name: &str) -> Result<Name<'_>, Malformed> {
    let bare = name.strip_prefix("dbfs:");
    // The other name counts once: what is behind it may be a folder of that name.
    if bare.is_some_and(|bare| bare.starts_with("dbfs:") || is_under(bare, "/dbfs")) {
        return Err(Malformed);
    }
    let Some(name) = path(bare.unwrap_or(name), "/dbfs")? else { return Ok(None) };
    let mut segments = name.match_indices('/').map(|(at, _)| at).chain([name.len()]);
    let first = segments.nth(1).unwrap_or_default();
    let (root, rest) = name.split_at_checked(first).ok_or(Malformed)?;
    // An object of the workspace is no file, but a path.
    if root.eq_ignore_ascii_case("/Workspace") {
        return Err(Malformed);
    }
    if !root.eq_ignore_ascii_case("/Volumes") {
        return Ok(Some(name));
    }
    if root != "/Volumes" {
        return Err(Malformed);
    }
    let end = segments.nth(2).unwrap_or(name.len()).saturating_sub(first);
    let (volume, inside) = rest.split_at_checked(end).ok_or(Malformed)?;
    match fold(volume, Letters::of(volume, None))? {
        Cow::Borrowed(_) => Ok(Some(name)),
        Cow::Owned(volume) => Ok(Some(Cow::Owned([root, &volume, inside].concat()))),
    }
}

/// A path without its final slash.
fn url(name: &str) -> Result<&str, Malformed> {
    if !name.starts_with('/') || has_two_readings(name) {
        return Err(Malformed);
    }
    Ok(if name.len() > 1 { name.strip_suffix('/').unwrap_or(name) } else { name })
}

/// Whether servers may take a path in more than one way: dot segments, empty ones, backslashes.
fn has_two_readings(path: &str) -> bool {
    path.contains("//") || path.contains('\\') || path.split('/').any(|it| it == "." || it == "..")
}

#[cfg(test)]
mod tests;
