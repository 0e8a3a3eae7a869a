//! Choices that are written down as bytes.

/// Reads one choice after another; where the bytes end, each choice is the first.
#[derive(Debug)]
pub struct Dice<'d>(&'d [u8]);

impl<'d> Dice<'d> {
    /// Of these bytes.
    pub const fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let high = if end > 256 { usize::from(self.byte()) << 8 } else { 0 };
        (high | usize::from(self.byte())) % end.max(1)
    }

    /// One of some values.
    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// Whether something happens, once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// What is left.
    pub const fn rest(&self) -> &'d [u8] {
        self.0
    }
}
