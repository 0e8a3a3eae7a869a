//! Wishes: keys that tokens named and no worker has, asked of the leader.

use super::Word;
use super::note::{Note, bytes_in, fill};
use super::pen::Pen;
use crate::token::Wish;

/// A ring of a few wishes. A newcomer takes the place of the oldest: any wish makes the leader fetch
/// the whole set, so that a lost one is granted with the others. Of load balancers' keys, which come
/// one by one, a lost one is wished for again by the next token.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Wishes {
    next: Word,
    notes: [Note<WORDS>; PLACES],
}

/// A ticket, and one byte of length before the `kid`.
const WORDS: usize = if cfg!(loom) { 2 } else { 1 + (1 + Wish::MAX) / 8 };

const PLACES: usize = if cfg!(loom) { 1 } else { 4 };

impl Wishes {
    pub(super) fn push(&self, kid: &str, pen: &Pen) {
        let is_there =
            |note: &Note<WORDS>| note.read().and_then(|it| text(&it)).is_some_and(|it| *it == *kid);
        if self.notes.iter().any(is_there) {
            return;
        }
        let ticket = pen.count(&self.next);
        let mut values = [0; WORDS];
        let [first, rest @ ..] = &mut values;
        *first = ticket;
        let Ok(length) = u8::try_from(kid.len()) else { return };
        fill(rest, &[&[length], kid.as_bytes()].concat());
        let place = usize::try_from(ticket).ok().and_then(|ticket| ticket.checked_rem(PLACES));
        if let Some(note) = place.and_then(|place| self.notes.get(place)) {
            note.write(&values, pen);
        }
    }

    /// Takes the oldest one.
    pub(super) fn take(&self, pen: &Pen) -> Option<Box<str>> {
        let waiting = self.notes.iter().filter_map(|note| Some((note, note.read()?)));
        let (note, values) = waiting.min_by_key(|(_, values)| values.first().copied())?;
        note.clear(&values, pen).then(|| text(&values))?
    }
}

fn text(values: &[u64; WORDS]) -> Option<Box<str>> {
    let [_ticket, rest @ ..] = values;
    let bytes = bytes_in(rest);
    let (length, kid) = bytes.split_first()?;
    let kid = core::str::from_utf8(kid.get(..usize::from(*length))?).ok()?;
    // The seal guards against accidents, not against an adversary.
    Wish::is_modest(kid).then(|| kid.into())
}
