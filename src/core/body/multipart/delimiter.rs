//! The search for a boundary, by Knuth, Morris and Pratt.

use super::Boundary;
use crate::body::BodyError;

/// Looks for `--BOUNDARY` in pieces of data.
#[derive(Debug)]
pub(super) struct Delimiter {
    pattern: Box<[u8]>,
    /// For each length, how much of the pattern ends what matched, besides the whole.
    shorter: Box<[usize]>,
    /// Bytes of the pattern that were just read.
    matched: usize,
    /// The two bytes before.
    before: [u8; 2],
    /// Whether what matched begins a line.
    is_at_line: bool,
}

impl Delimiter {
    pub(super) fn new(boundary: &Boundary) -> Self {
        let pattern = [b"--", boundary.as_bytes()].concat();
        let mut shorter = vec![0, 0];
        for byte in pattern.iter().skip(1) {
            let mut length = shorter.last().copied().unwrap_or(0);
            while length > 0 && pattern.get(length) != Some(byte) {
                length = shorter.get(length).copied().unwrap_or(0);
            }
            let is_next = pattern.get(length) == Some(byte);
            shorter.push(length.saturating_add(usize::from(is_next)));
        }
        Self {
            pattern: pattern.into(),
            shorter: shorter.into(),
            matched: 0,
            before: [0; 2],
            is_at_line: false,
        }
    }

    /// Whether the pattern is somewhere in a text.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        text.windows(self.pattern.len()).any(|window| *window == *self.pattern)
    }

    /// Begins to search in data.
    pub(super) const fn begin(&mut self) {
        self.matched = 0;
        self.before = [0; 2];
        self.is_at_line = false;
    }

    /// Whether a byte ends the pattern; `None` if it is another than comes next.
    pub(super) fn is_next(&mut self, byte: u8) -> Option<bool> {
        if self.pattern.get(self.matched) != Some(&byte) {
            return None;
        }
        self.matched = self.matched.saturating_add(1);
        Some(self.matched == self.pattern.len())
    }

    /// Hands on data, and answers what follows the pattern and whether it began a line.
    pub(super) fn find<'b>(
        &mut self,
        bytes: &'b [u8],
        take: &mut dyn FnMut(&[u8]) -> Result<(), BodyError>,
    ) -> Result<Option<(&'b [u8], bool)>, BodyError> {
        let mut rest = bytes;
        loop {
            if self.matched == 0 {
                let run = memchr::memchr(b'-', rest).unwrap_or(rest.len());
                let (run, after) = rest.split_at_checked(run).unwrap_or((rest, &[]));
                self.before = last(self.before, run);
                self.is_at_line = self.before == *b"\r\n";
                take(run)?;
                rest = after;
            }
            let [byte, after @ ..] = rest else { return Ok(None) };
            match self.is_next(*byte) {
                Some(true) => {
                    self.matched = 0;
                    return Ok(Some((after, self.is_at_line)));
                }
                Some(false) => rest = after,
                None => {
                    let shorter = self.shorter.get(self.matched).copied().unwrap_or(0);
                    let data = self.pattern.get(..self.matched.saturating_sub(shorter));
                    let data = data.unwrap_or_default();
                    self.before = last(self.before, data);
                    self.is_at_line = false;
                    take(data)?;
                    self.matched = shorter;
                }
            }
        }
    }
}

/// The last two bytes.
const fn last(before: [u8; 2], bytes: &[u8]) -> [u8; 2] {
    match bytes {
        [] => before,
        [one] => [before[1], *one],
        [.., one, two] => [*one, *two],
    }
}
