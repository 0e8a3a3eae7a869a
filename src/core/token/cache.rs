//! The tokens that a worker has verified, by their bytes.

use core::hash::{BuildHasher, Hasher};
use std::rc::Rc;

use lru::LruCache;

use super::VerifiedToken;
use crate::issuer::trust::Snapshot;
use crate::key::jws::Headers;
use crate::text::time::UnixTime;

/// The signatures that a worker has verified, by the whole token.
///
/// The key is the token itself and not a digest of it: exact, and cheaper than SHA-256 at these
/// sizes. Only tokens with a valid signature come in, so clients cannot fill it with garbage or aim
/// collisions. An entry is valid only under the key set that verified it.
#[derive(Debug)]
pub struct TokenCache {
    tokens: LruCache<Box<[u8]>, Rc<VerifiedToken>, ByEnd>,
    capacity: usize,
    bytes: usize,
    most_bytes: usize,
    headers: Headers,
}

impl TokenCache {
    /// A cache that keeps that many tokens, as long as they are of an ordinary size: 2 KB each,
    /// with their claims, on average.
    pub fn with_capacity(capacity: usize) -> Self {
        let most_bytes = capacity.saturating_mul(2048);
        Self {
            tokens: LruCache::unbounded_with_hasher(ByEnd::default()),
            capacity,
            bytes: 0,
            most_bytes,
            headers: Headers::default(),
        }
    }

    /// The verified form of `token`, if its signature was verified under the keys of `snapshot`,
    /// and these are valid at `now`.
    pub fn find(
        &mut self,
        token: &[u8],
        snapshot: &Snapshot,
        now: UnixTime,
    ) -> Option<Rc<VerifiedToken>> {
        let known = self.tokens.get(token)?;
        let keys = snapshot.keys(known.issuer, now)?;
        (keys.generation() == known.keys_generation).then(|| Rc::clone(known))
    }

    /// The headers that the last of them had.
    pub(crate) const fn headers(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// Keeps a verified token; those that were used longest ago go when the cache is full.
    pub fn keep(&mut self, token: &[u8], verified: Rc<VerifiedToken>) {
        self.bytes = self.bytes.saturating_add(Self::weight(token, &verified));
        if let Some((token, before)) = self.tokens.push(token.into(), verified) {
            self.bytes = self.bytes.saturating_sub(Self::weight(&token, &before));
        }
        while self.tokens.len() > self.capacity || self.bytes > self.most_bytes {
            let Some((token, oldest)) = self.tokens.pop_lru() else { break };
            self.bytes = self.bytes.saturating_sub(Self::weight(&token, &oldest));
        }
    }

    /// About what a token takes: itself, its claims, and the structures around them.
    fn weight(token: &[u8], verified: &VerifiedToken) -> usize {
        token.len().saturating_add(verified.weight()).saturating_add(512)
    }

    /// The bytes that are counted, the sum over the entries, the bytes that they take, and the
    /// limit.
    #[cfg(test)]
    pub(crate) fn recount(&self) -> [usize; 4] {
        let counted = self.tokens.iter().map(|(token, known)| Self::weight(token, known)).sum();
        let taken = self
            .tokens
            .iter()
            .map(|(token, known)| [token.len(), known.weight_as_it_is(), 512].iter().sum::<usize>())
            .sum();
        [self.bytes, counted, taken, self.most_bytes]
    }

    /// How many tokens it holds.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
}

/// Hashes the length and the end of a text, seeded for each process.
///
/// The end of a token is its signature, the bytes that no client chooses. Another token with the
/// same end finds the place of that token but, since the whole is compared, not its entry; to come
/// in, a token needs a signature of its own.
#[derive(Clone, Debug, Default)]
struct ByEnd(lru::DefaultHasher);

/// What [`ByEnd`] hashes with.
struct EndHasher(<lru::DefaultHasher as BuildHasher>::Hasher);

impl BuildHasher for ByEnd {
    type Hasher = EndHasher;

    fn build_hasher(&self) -> EndHasher {
        EndHasher(self.0.build_hasher())
    }
}

impl Hasher for EndHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes.last_chunk::<END>().map_or(bytes, |end| &end[..]));
    }

    fn write_usize(&mut self, number: usize) {
        self.0.write_usize(number);
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}

/// How many bytes at the end are hashed: 96 bits of a signature.
const END: usize = 16;
