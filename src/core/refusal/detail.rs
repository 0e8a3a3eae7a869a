//! What a refusal is about, for the log alone.

use core::fmt;
use std::sync::Arc;

use super::ReachedLimit;
use crate::claims::{Requirement, Verdict};
use crate::text::clean::Clean;

/// What a refusal is about: never a credential, only what one says, which is shown clean.
#[derive(Clone, Debug, Default)]
pub enum Detail {
    /// A claim that is not what its specification has it, by its name.
    Claim(&'static str),
    /// What the policy does not allow.
    Denied(Denied),
    /// A limit that is reached.
    Limit(ReachedLimit),
    /// A value, and what it is.
    Named(&'static str, Box<str>),
    /// More about the reason.
    More(Box<str>),
    /// The reason says it all.
    #[default]
    Nothing,
    /// What a location requires, and what is known of the claim.
    Required(Arc<Requirement>, Verdict),
}

/// What a policy does not allow, and which rule says so.
#[derive(Clone, Debug)]
pub struct Denied {
    /// The rule: a denial, or `default`.
    pub rule: Arc<str>,
    /// The bindings in a dry run that would allow it.
    pub would_allow: Box<[Arc<str>]>,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ", rule: \"{}\"", Clean(self.rule.as_bytes()))?;
        match self.would_allow.first() {
            Some(binding) => {
                write!(f, ", dry run of \"{}\" would allow it", Clean(binding.as_bytes()))
            }
            None => Ok(()),
        }
    }
}

/// Bytes of a value that are kept to be shown.
const MOST: usize = Clean::LIMIT;

impl Detail {
    /// A value, of which as much is kept as is shown.
    pub(crate) fn named(what: &'static str, value: &str) -> Self {
        Self::Named(what, cut(value).into())
    }

    /// Several values, as [`Self::named`].
    pub(crate) fn list<'v>(what: &'static str, values: impl Iterator<Item = &'v str>) -> Self {
        let mut list = String::new();
        for value in values {
            if list.len() > MOST {
                break;
            }
            if !list.is_empty() {
                list.push(' ');
            }
            list.push_str(cut(value));
        }
        Self::named(what, &list)
    }
}

/// The beginning of a value, which is longer than what is shown if the value is.
fn cut(value: &str) -> &str {
    let end = value.char_indices().map(|(at, _)| at).find(|at| *at > MOST);
    end.and_then(|end| value.get(..end)).unwrap_or(value)
}

/// As in a line of the log, behind the reason.
impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(name) => write!(f, ", claim: \"{name}\""),
            Self::Denied(denied) => denied.fmt(f),
            Self::Limit(limit) => write!(f, ", limit: \"{}\"", limit.name()),
            Self::Named(what, value) => write!(f, ", {what}: \"{}\"", Clean(value.as_bytes())),
            Self::More(text) => write!(f, ", {}", Clean(text.as_bytes())),
            Self::Nothing => Ok(()),
            Self::Required(requirement, verdict) => {
                let asked = requirement.to_string();
                let (asked, is) = (Clean(asked.as_bytes()), verdict.word());
                write!(f, ", required: \"{asked}\", claim: {is}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_clean_and_bounded() {
        let shown = Detail::named("issuer", "https://\u{e9}\"\r\n").to_string();
        assert_eq!(shown, ", issuer: \"https://%C3%A9%22%0D%0A\"");
        let long = "\u{e9}".repeat(10_000);
        let Detail::Named(_, kept) = Detail::named("issuer", &long) else { panic!("not named") };
        assert!(kept.len() <= MOST + 4, "{}", kept.len());
        let shown = Detail::list("audience", ["a", &long, "b"].into_iter()).to_string();
        assert!(shown.starts_with(", audience: \"a %C3%A9"), "{shown}");
        assert!(shown.ends_with("...\"") && shown.len() < 4 * MOST, "{shown}");
    }
}
