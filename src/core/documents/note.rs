//! A few words that any process may write at any time: a reader sees them whole, or not at all.

use core::array;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use siphasher::sip::SipHasher13;

use super::Word;
use super::pen::Pen;

/// Words under a seal, which is a checksum of them; zeroed memory is no note.
///
/// Two writers at once may leave a mixture, which no seal fits: the note is lost then. The seal
/// guards against accidents, not against an adversary, so a reader checks what it reads.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Note<const N: usize> {
    seal: Word,
    words: [Word; N],
}

impl<const N: usize> Default for Note<N> {
    fn default() -> Self {
        Self { seal: Word::default(), words: array::from_fn(|_| Word::default()) }
    }
}

impl<const N: usize> Note<N> {
    pub(super) fn write(&self, values: &[u64; N], pen: &Pen) {
        pen.store(&self.seal, 0, Relaxed);
        for (word, value) in self.words.iter().zip(values) {
            pen.store(word, *value, Relaxed);
        }
        pen.store(&self.seal, seal(values), Release);
    }

    pub(super) fn read(&self) -> Option<[u64; N]> {
        let sealed = self.seal.load(Acquire);
        if sealed == 0 {
            return None;
        }
        let values = array::from_fn(|at| self.words.get(at).map_or(0, |word| word.load(Relaxed)));
        (seal(&values) == sealed).then_some(values)
    }

    /// Takes the note away, if it still is the one that was read.
    pub(super) fn clear(&self, read: &[u64; N], pen: &Pen) -> bool {
        pen.exchange(&self.seal, seal(read), 0)
    }
}

/// Never 0.
fn seal(values: &[u64]) -> u64 {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    SipHasher13::new().hash(&bytes).max(1)
}

/// Bytes as words, the last one filled with zeros.
pub(super) fn words_of(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        u64::from_le_bytes(word)
    })
}

/// Fills words with bytes, from the first on; what does not fit is cut.
pub(super) fn fill(words: &mut [u64], bytes: &[u8]) {
    for (to, from) in words.iter_mut().zip(words_of(bytes)) {
        *to = from;
    }
}

/// The bytes of words.
pub(super) fn bytes_in(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
