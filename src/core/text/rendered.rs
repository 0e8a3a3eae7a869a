//! Texts that are written once and copied as a whole.

use core::ops::Range;
use std::borrow::Cow;

/// Values ready to be copied as a whole: the exported form of a token does not change from one
/// request to the next.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The values, each ended by a NUL as Nginx's own parser does.
    text: Box<[u8]>,
    /// Where each value ends in `text`, at its NUL.
    ends: [u32; Self::VALUES],
    /// Bits of those that are not left out.
    there: u32,
}

impl Rendered {
    /// How many values there are, those that are left out included.
    pub const VALUES: usize = 6;

    /// Writes values, in their order.
    pub(crate) fn of<'v>(values: impl Iterator<Item = Option<Cow<'v, str>>>) -> Self {
        let (mut text, mut ends, mut there) = (Vec::new(), [0; Self::VALUES], 0);
        for (at, (value, end)) in (0..u32::BITS).zip(values.zip(&mut ends)) {
            let Some(value) = value.filter(|value| is_value(value.as_bytes())) else { continue };
            text.extend_from_slice(value.as_bytes());
            *end = u32::try_from(text.len()).unwrap_or(u32::MAX);
            there |= 1_u32.wrapping_shl(at);
            text.push(0);
        }
        Self { text: text.into(), ends, there }
    }

    /// All values, one behind the other.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// How many values are not left out.
    pub const fn count(&self) -> usize {
        self.there.count_ones() as usize
    }

    /// The values that are not left out, each with the entry at its place in `names`, and with its
    /// place in [`Self::text`].
    #[inline]
    pub const fn zip<'n, N>(&self, names: &'n [N; Self::VALUES]) -> Zip<'_, 'n, N> {
        Zip { ends: &self.ends, names, left: self.there, start: 0 }
    }
}

/// See [`Rendered::zip`].
#[derive(Clone, Debug)]
pub struct Zip<'r, 'n, N> {
    ends: &'r [u32; Rendered::VALUES],
    names: &'n [N; Rendered::VALUES],
    /// Bits of those that are still to come.
    left: u32,
    start: usize,
}

impl<'n, N> Iterator for Zip<'_, 'n, N> {
    type Item = (&'n N, Range<usize>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let at = self.left.trailing_zeros() as usize;
        let (name, end) = (self.names.get(at)?, *self.ends.get(at)? as usize);
        self.left &= self.left.wrapping_sub(1);
        let value = self.start..end;
        self.start = end.wrapping_add(1);
        Some((name, value))
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
