//! The rows of one path, and what chooses between them.

use super::table::row::Row;

/// The rows of one path.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The place of each, and the bits of its methods.
    pub(super) rows: Vec<(u16, u8)>,
    /// Bits of the methods that one row has, which nothing else chooses.
    pub(super) alone: u8,
}

impl Rows {
    /// Adds a row.
    pub(super) fn push(&mut self, row: u16) {
        self.rows.push((row, 0));
    }

    /// To be called when all rows are added.
    pub(super) fn finish(&mut self, all: &[Row]) {
        let row = |place: u16| all.get(usize::from(place));
        let (get, head) = (Row::method("GET"), Row::method("HEAD"));
        let heads = self.rows.iter().filter_map(|(place, _)| row(*place));
        let mut heads = heads.filter(|row| row.is_of_bit(head)).peekable();
        let has_head = heads.peek().is_some();
        // Where its dialect is off, a HEAD is a GET.
        let has_dialect = heads.any(|row| row.dialects != 0);
        let (mut once, mut chosen) = (0_u8, if has_dialect { head } else { 0 });
        for (place, bits) in &mut self.rows {
            let Some(row) = row(*place) else { continue };
            let is_head = !has_head && row.is_of_bit(get);
            *bits = row.method_bits | if is_head { head } else { 0 };
            let is_plain = row.template.query.is_empty() && row.types.is_empty();
            chosen |= if is_plain { once & *bits } else { *bits };
            once |= *bits;
        }
        self.alone = once & !chosen;
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
