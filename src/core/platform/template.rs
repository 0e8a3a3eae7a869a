//! A row's path with its parameters.

use core::cmp::Ordering;

use crate::text::decimal::is_shortest;

/// A segment of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// As it is written.
    Literal(Box<str>),
    /// A parameter with something before or behind it.
    Affixed(Affixed),
    /// A whole segment, of digits alone if `is_number`.
    Parameter {
        /// Digits without a leading zero.
        is_number: bool,
    },
    /// All segments from here on: at least one.
    Rest,
}

/// A parameter with something before or behind it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Affixed {
    pub(super) prefix: Box<str>,
    /// A verb's with its colon.
    pub(super) suffix: Box<str>,
    pub(super) is_number: bool,
}

impl Affixed {
    /// Whether the suffix is a verb.
    pub(super) fn is_verb(&self) -> bool {
        self.suffix.starts_with(':')
    }
}

/// A path with parameters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Template {
    pub(super) parts: Vec<Part>,
    /// Of each part that has one, in their order.
    pub(super) names: Vec<Box<str>>,
    /// Names and values that the query must hold.
    pub(super) query: Vec<(Box<str>, Vec<Box<str>>)>,
}

impl Template {
    /// Reads a template; an error says what is wrong.
    pub(super) fn parse(text: &str, folds: bool) -> Result<Self, String> {
        let (path, query) =
            text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
        let path = path.strip_prefix('/').ok_or("a path begins with \"/\"")?;
        let mut template = Self { parts: Vec::new(), names: Vec::new(), query: Vec::new() };
        let segments = path.split('/').filter(|_| !path.is_empty());
        for segment in segments {
            if template.parts.last() == Some(&Part::Rest) {
                return Err("nothing follows a parameter that spans segments".into());
            }
            let part = template.part(segment, folds)?;
            template.parts.push(part);
        }
        for choice in query.into_iter().flat_map(|query| query.split('&')) {
            let (name, values) = choice.split_once('=').ok_or("a query is chosen by NAME=VALUE")?;
            let values = values.split(',').map(Into::into).collect();
            template.query.push((name.into(), values));
        }
        Ok(template)
    }

    fn part(&mut self, segment: &str, folds: bool) -> Result<Part, String> {
        if segment.is_empty() {
            return Err("a segment is empty, or the path ends with \"/\"".into());
        }
        let literal = |text: &str| match folds {
            true => text.to_ascii_lowercase().into(),
            false => text.into(),
        };
        let Some((prefix, rest)) = segment.split_once('{') else {
            return Ok(Part::Literal(literal(segment)));
        };
        let (name, suffix) = rest.split_once('}').ok_or("a parameter ends with \"}\"")?;
        if suffix.contains('{') || prefix.contains('}') {
            return Err("a segment has one parameter".into());
        }
        let (bare, is_rest) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
        let (bare, is_number) = bare.strip_suffix('#').map_or((bare, false), |name| (name, true));
        let is_word = |name: &str| {
            !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
        };
        if !is_word(bare) || self.names.iter().any(|known| &**known == bare) {
            return Err(format!("\"{bare}\" is no name of a parameter, or is one twice"));
        }
        self.names.push(bare.into());
        let has_affix = !prefix.is_empty() || !suffix.is_empty();
        match (has_affix, is_rest) {
            (true, true) => Err("a parameter that spans segments has nothing around it".into()),
            (true, false) => {
                let (prefix, suffix) = (literal(prefix), literal(suffix));
                Ok(Part::Affixed(Affixed { prefix, suffix, is_number }))
            }
            (false, true) => Ok(Part::Rest),
            (false, false) => Ok(Part::Parameter { is_number }),
        }
    }

    /// The place of a parameter among the template's.
    pub(super) fn parameter(&self, name: &str) -> Option<u8> {
        let place = self.names.iter().position(|known| &**known == name)?;
        u8::try_from(place).ok()
    }

    /// Whether some path is both, and then which of them says more about it: `None` if neither does.
    pub(super) fn overlap(&self, other: &Self) -> Option<Option<Ordering>> {
        let mut which = Some(Ordering::Equal);
        let mut pairs = (self.parts.iter(), other.parts.iter());
        loop {
            match (pairs.0.next(), pairs.1.next()) {
                (None, None) => return Some(which),
                (Some(Part::Rest), Some(Part::Rest)) => return Some(which),
                (Some(Part::Rest), Some(_)) => return Some(with(which, Ordering::Less)),
                (Some(_), Some(Part::Rest)) => return Some(with(which, Ordering::Greater)),
                (Some(one), Some(other)) => which = with(which, one.overlap(other)?),
                _ => return None,
            }
        }
    }
}

/// Says more at one place and less at another: neither.
fn with(so_far: Option<Ordering>, next: Ordering) -> Option<Ordering> {
    match (so_far?, next) {
        (so_far, Ordering::Equal) => Some(so_far),
        (Ordering::Equal, next) => Some(next),
        (so_far, next) => (so_far == next).then_some(so_far),
    }
}

impl Part {
    /// `None` if no segment is both.
    fn overlap(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Literal(one), Self::Literal(other)) => (one == other).then_some(Ordering::Equal),
            (Self::Literal(text), part) => part.takes(text).then_some(Ordering::Greater),
            (part, Self::Literal(text)) => part.takes(text).then_some(Ordering::Less),
            (Self::Affixed(one), Self::Affixed(other)) => one.overlap(other),
            (Self::Affixed(_), _) => Some(Ordering::Greater),
            (_, Self::Affixed(_)) => Some(Ordering::Less),
            (Self::Parameter { is_number: one }, Self::Parameter { is_number: other }) => {
                Some(one.cmp(other))
            }
            (Self::Rest, Self::Rest) => Some(Ordering::Equal),
            (Self::Rest, _) => Some(Ordering::Less),
            (_, Self::Rest) => Some(Ordering::Greater),
        }
    }

    /// Whether a decoded segment may stand here.
    fn takes(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => **literal == *text,
            Self::Affixed(affixed) => affixed.inner(text.as_bytes(), false).is_some(),
            Self::Parameter { is_number } => !is_number || is_shortest(text),
            Self::Rest => true,
        }
    }
}

impl Affixed {
    /// What stands between prefix and suffix: not empty.
    pub(super) fn inner<'t>(&self, text: &'t [u8], folds: bool) -> Option<&'t [u8]> {
        let (prefix, rest) = text.split_at_checked(self.prefix.len())?;
        let (inner, suffix) = rest.split_at_checked(rest.len().checked_sub(self.suffix.len())?)?;
        let is_ours = match folds {
            // They are short.
            false => {
                prefix.iter().eq(self.prefix.as_bytes()) && suffix.iter().eq(self.suffix.as_bytes())
            }
            true => self.is_folded(prefix, suffix),
        };
        let is_right = is_ours && !inner.is_empty() && (!self.is_number || is_shortest(inner));
        is_right.then_some(inner)
    }

    #[inline(never)]
    fn is_folded(&self, prefix: &[u8], suffix: &[u8]) -> bool {
        prefix.eq_ignore_ascii_case(self.prefix.as_bytes())
            && suffix.eq_ignore_ascii_case(self.suffix.as_bytes())
    }

    /// `None` if no segment is both.
    pub(super) fn overlap(&self, other: &Self) -> Option<Ordering> {
        let starts =
            self.prefix.starts_with(&*other.prefix) || other.prefix.starts_with(&*self.prefix);
        let ends = self.suffix.ends_with(&*other.suffix) || other.suffix.ends_with(&*self.suffix);
        (starts && ends).then(|| self.weight().cmp(&other.weight()))
    }

    /// How much it says of a segment: the router asks the heaviest first.
    pub(super) fn weight(&self) -> (bool, usize, bool) {
        (self.is_verb(), self.prefix.len().saturating_add(self.suffix.len()), self.is_number)
    }
}
