//! The claims that a location requires of a token, judged once for each token.

use core::fmt;

use super::{Claims, Known};
use crate::text::json::{Item, Pointer, View, canonical, is_number};

/// A line of `mesh_require_claim`: one of some claims must hold one of some values, and none of them
/// any of some others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requirement {
    claims: Box<[Pointer]>,
    /// The values of which one must be held; without any, a claim must be there.
    values: Box<[Value]>,
    /// The values that must not be held.
    others: Box<[Value]>,
    /// As it was typed.
    text: Box<str>,
}

/// A value as it was typed.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Value {
    text: Box<str>,
    /// Its one spelling, if it is a number.
    number: Option<Box<str>>,
}

/// The verdict of a [`Requirement`] on a token's claims.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// None of the claims is there.
    Absent,
    /// They hold what is required.
    Holds,
    /// A claim is there, and does not hold what is required.
    Other,
    /// The value of a claim is not certain: it is elsewhere, or of another form.
    Unknown,
}

impl Verdict {
    /// What the log says of the claim.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Holds => "holds",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }
}

impl Requirement {
    /// Reads the words of a line: JSON pointers with `|` between, and values, of which `!` in front
    /// says that none of the claims must hold them.
    ///
    /// In a pointer, `~2` is a `|`; a `|` that no `/` follows is literal. `\!` begins a value with
    /// an exclamation mark.
    ///
    /// # Errors
    ///
    /// [`RequirementError`].
    ///
    /// ```
    /// use mesh_core::claims::Requirement;
    ///
    /// assert!(Requirement::parse(&["/scp|/roles", "orders.read", "!suspended"]).is_ok());
    /// assert!(Requirement::parse(&["scp", "orders.read"]).is_err());
    /// ```
    pub fn parse(words: &[&str]) -> Result<Self, RequirementError> {
        let Some((claims, words)) = words.split_first() else {
            return Err(RequirementError::NoValue);
        };
        let mut pointers: Vec<Pointer> = Vec::new();
        let mut rest = *claims;
        loop {
            let (pointer, behind) = match rest.find("|/") {
                Some(end) => (rest.get(..end), rest.get(end.saturating_add(1)..)),
                None => (Some(rest), None),
            };
            let text = pointer.unwrap_or_default();
            let pointer: Result<Pointer, _> = text.replace("~2", "|").parse();
            let pointer = pointer.map_err(|_| RequirementError::Pointer(text.into()))?;
            if pointers.contains(&pointer) {
                return Err(RequirementError::SameClaim);
            }
            pointers.push(pointer);
            let Some(behind) = behind else { break };
            rest = behind;
        }
        if words.is_empty() {
            return Err(RequirementError::NoValue);
        }
        let (mut values, mut others) = (Vec::new(), Vec::new());
        for word in words {
            let (list, text) = match (word.strip_prefix('!'), word.strip_prefix("\\!")) {
                (Some(""), _) => return Err(RequirementError::NoOther),
                (Some(other), _) => (&mut others, other),
                (None, Some(_)) => (&mut values, word.get(1..).unwrap_or_default()),
                (None, None) => (&mut values, *word),
            };
            let is_scope = !text.is_empty() && !text.contains(' ');
            if pointers.iter().all(Pointer::is_scope) && !is_scope {
                return Err(RequirementError::NoScope(text.into()));
            }
            let number = is_number(text).then(|| canonical(text).into());
            list.push(Value { text: text.into(), number });
        }
        if others.iter().any(|other| values.contains(other)) {
            return Err(RequirementError::Both);
        }
        let text = core::iter::once(claims).chain(words).copied().collect::<Vec<_>>().join(" ");
        Ok(Self {
            claims: pointers.into(),
            values: values.into(),
            others: others.into(),
            text: text.into(),
        })
    }

    /// Judges the claims of a token.
    ///
    /// A value that must not be held is taken as held unless the claims are known not to hold it: a
    /// claim that is elsewhere, or that is or has an object, is not known; and if no claim is
    /// there, nothing is known.
    pub fn judge(&self, claims: &Claims<'_>) -> Verdict {
        let (mut verdict, mut is_unclear, mut is_held) = (Verdict::Absent, false, false);
        for pointer in &self.claims {
            match claims.known(pointer) {
                Known::Absent => {}
                Known::Elsewhere => {
                    is_unclear = true;
                    verdict = Verdict::Unknown;
                }
                Known::Value(claim) => {
                    let scope = pointer.is_scope();
                    if self.others.iter().any(|other| other.is_held_by(claim, scope)) {
                        return Verdict::Other;
                    }
                    is_unclear |= !is_flat(claim);
                    is_held |= self.values.is_empty()
                        || self.values.iter().any(|value| value.is_held_by(claim, scope));
                    if verdict == Verdict::Absent {
                        verdict = Verdict::Other;
                    }
                }
            }
        }
        match (is_held, is_unclear && !self.others.is_empty()) {
            (true, false) => Verdict::Holds,
            (true, true) => Verdict::Unknown,
            (false, _) => verdict,
        }
    }
}

/// Whether the value of a claim is certain.
fn is_flat(claim: Item<'_>) -> bool {
    let is_plain = |item: Item<'_>| !matches!(item.view(), View::Array(_) | View::Object(_));
    match claim.view() {
        View::Array(mut items) => items.all(is_plain),
        View::Object(_) => false,
        View::Bool(_) | View::Null | View::Number(_) | View::Text(_) => true,
    }
}

impl Value {
    /// Whether a claim is this value or a list of it; in the claim of scopes, a string is a list of
    /// scopes with a space between (RFC 6749 section 3.3).
    fn is_held_by(&self, claim: Item<'_>, scopes: bool) -> bool {
        match claim.view() {
            View::Array(mut items) => items.any(|item| self.is(item)),
            View::Text(text) if scopes => text.split(' ').any(|scope| *scope == *self.text),
            _ => self.is(claim),
        }
    }

    /// Texts are compared byte by byte, numbers by their value: see [`canonical`].
    fn is(&self, item: Item<'_>) -> bool {
        match item.view() {
            View::Array(_) | View::Null | View::Object(_) => false,
            View::Bool(is) => *self.text == *if is { "true" } else { "false" },
            View::Number(number) => self.number.as_deref() == Some(&*canonical(number)),
            View::Text(text) => *text == *self.text,
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why words are no [`Requirement`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RequirementError {
    /// A value must be held, and must not.
    Both,
    /// `!` is alone.
    NoOther,
    /// A value for the claim of scopes cannot be a scope.
    NoScope(Box<str>),
    /// There is no value.
    NoValue,
    /// A claim is named by no JSON pointer.
    Pointer(Box<str>),
    /// A claim is named twice.
    SameClaim,
}

impl fmt::Display for RequirementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Both => f.write_str("has a value both with and without \"!\""),
            Self::NoOther => f.write_str("has a \"!\" without a value"),
            Self::NoScope(word) => {
                write!(f, "\"{word}\" is no scope: each is a value of its own")
            }
            Self::NoValue => f.write_str("names no value for the claim"),
            Self::Pointer(word) => {
                let such = "a JSON pointer such as /realm_access/roles (RFC 6901)";
                write!(f, "\"{word}\" is not {such}")
            }
            Self::SameClaim => f.write_str("names a claim twice"),
        }
    }
}

impl core::error::Error for RequirementError {}

/// The verdicts on one token, by the number of the requirement.
#[derive(Debug)]
pub struct Verdicts {
    /// The first 32 verdicts, two bits each: most configurations have no more.
    first: u64,
    more: Option<Box<[u64]>>,
}

/// How many verdicts are in a word.
const IN_A_WORD: usize = 32;

impl Verdicts {
    /// Keeps them in that order.
    pub(crate) fn of(verdicts: impl ExactSizeIterator<Item = Verdict>) -> Self {
        let count = verdicts.len();
        let (mut first, mut more) = (0, Vec::new());
        if let Some(more_words) = count.checked_sub(1).map(|last| last / IN_A_WORD) {
            more.resize(more_words, 0_u64);
        }
        for (number, verdict) in verdicts.enumerate() {
            let word = match (number / IN_A_WORD).checked_sub(1) {
                None => Some(&mut first),
                Some(word) => more.get_mut(word),
            };
            let bits = match verdict {
                Verdict::Absent => 0,
                Verdict::Holds => 1,
                Verdict::Other => 2,
                Verdict::Unknown => 3,
            };
            if let Some(word) = word {
                *word |= bits << Self::shift(number);
            }
        }
        Self { first, more: (!more.is_empty()).then(|| more.into()) }
    }

    /// The verdict of the requirement with that number; `Absent` for one that was not judged.
    pub(crate) fn get(&self, number: usize) -> Verdict {
        let word = match (number / IN_A_WORD).checked_sub(1) {
            None => Some(&self.first),
            Some(word) => self.more.as_deref().and_then(|more| more.get(word)),
        };
        let bits = word.map_or(0, |word| (word >> Self::shift(number)) & 3);
        match bits {
            0 => Verdict::Absent,
            1 => Verdict::Holds,
            2 => Verdict::Other,
            _ => Verdict::Unknown,
        }
    }

    pub(crate) fn weight(&self) -> usize {
        self.more.as_deref().map_or(0, |more| size_of_val(more).saturating_add(16))
    }

    const fn shift(number: usize) -> usize {
        (number % IN_A_WORD).saturating_mul(2)
    }
}

#[cfg(test)]
mod tests;
