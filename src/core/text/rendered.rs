//! Texts that are written once and copied as a whole.

use core::num::NonZeroU32;
use core::ops::Range;
use std::borrow::Cow;

/// Values ready to be copied as a whole: the exported form of a token does not change from one
/// request to the next.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The values, each ended by a NUL as Nginx's own parser does.
    text: Box<[u8]>,
    /// Where each value ends in `text`, at its NUL; `None` if it is left out.
    ends: [Option<NonZeroU32>; Self::VALUES],
}

impl Rendered {
    /// How many values there are, those that are left out included.
    pub const VALUES: usize = 6;

    /// Writes values, in their order.
    pub(crate) fn of<'v>(values: impl Iterator<Item = Option<Cow<'v, str>>>) -> Self {
        let (mut text, mut ends) = (Vec::new(), [None; Self::VALUES]);
        for (value, end) in values.zip(&mut ends) {
            let Some(value) = value.filter(|value| is_value(value.as_bytes())) else { continue };
            text.extend_from_slice(value.as_bytes());
            // It is not empty, so that it does not end at 0.
            *end = u32::try_from(text.len()).ok().and_then(NonZeroU32::new);
            text.push(0);
        }
        Self { text: text.into(), ends }
    }

    /// All values, one behind the other.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// How many values are not left out.
    pub fn count(&self) -> usize {
        self.ends.iter().flatten().count()
    }

    /// The values that are not left out, each with the entry at its place in `names`, and with its
    /// place in [`Self::text`].
    pub fn zip<'n, N>(
        &self,
        names: &'n [N; Self::VALUES],
    ) -> impl Iterator<Item = (&'n N, Range<usize>)> {
        let mut start = 0;
        names.iter().zip(&self.ends).filter_map(move |(name, end)| {
            let end = (*end)?.get() as usize;
            let value = start..end;
            start = end.saturating_add(1);
            Some((name, value))
        })
    }
}

/// Whether a text can be a field's value: it is not empty, and does not end the field.
/// [`super::encode`] ensures the latter; this is the last look at it.
fn is_value(text: &[u8]) -> bool {
    !text.is_empty() && !text.iter().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_lies_where_it_is_said_to() {
        let values = [Some("a"), None, Some(""), Some("bc"), Some("d\ne"), Some("f")];
        let rendered = Rendered::of(values.into_iter().map(|value| value.map(Into::into)));
        assert_eq!(rendered.text(), b"a\0bc\0f\0");
        assert_eq!(rendered.count(), 3);
        let found: Vec<_> = rendered
            .zip(&[0, 1, 2, 3, 4, 5])
            .map(|(name, at)| (*name, &rendered.text()[at]))
            .collect();
        assert_eq!(found, [(0, &b"a"[..]), (3, b"bc"), (5, b"f")]);
    }
}
