//! The part that all workers share: the key sets that one of them fetches for all.

use mesh_core::text::time::UnixTime;

/// The documents that all workers share; called on the background thread only.
///
/// One worker leads: it fetches, and publishes for all. Every method returns at once; none may wait
/// for a worker that is gone. A panic in one is caught and reported, and its task starts anew.
pub trait Shared: Send + 'static {
    /// Whether this worker is the one that fetches; asked about every 100 ms and before each fetch,
    /// so it must be cheap.
    fn is_leader(&mut self) -> bool;

    /// When the server last confirmed the issuer's published document; `None` if none is published.
    fn confirmed(&mut self, issuer: usize) -> Option<UnixTime>;

    /// The issuer's published document, whichever worker published it; asked for when this worker has
    /// become the leader. If `None`, the first fetch publishes even an unchanged document.
    fn document(&mut self, issuer: usize) -> Option<Vec<u8>>;

    /// Puts a JWK set that parses where every worker finds it. `false` if this worker no longer
    /// leads: nothing was changed.
    fn publish(&mut self, issuer: usize, document: &[u8], at: UnixTime) -> bool;

    /// The server confirms the published document. `false` if this worker no longer leads.
    fn confirm(&mut self, issuer: usize, at: UnixTime) -> bool;

    /// A fetch failed: a stable word and a sentence without contents of the answer. The published
    /// document stays.
    fn fail(&mut self, issuer: usize, at: UnixTime, word: &'static str, why: &str);

    /// Takes the oldest wish for a key of the issuer that is not there: the `kid` of the token.
    ///
    /// Asked about every 100 ms, by the leader alone, until it gives none. Workers wish whenever
    /// they lack the key of a token, so also if nothing at all is published for the issuer. They
    /// need not judge the wish, but for its length: how often it may lead to a fetch is decided
    /// here. A bounded place for wishes may lose any if it is full, and need hold none twice.
    fn wish(&mut self, issuer: usize) -> Option<Box<str>>;

    /// Puts the documents that other workers have published in force; called in every worker about
    /// every 100 ms, and at once after [`Shared::publish`].
    fn adopt(&mut self);
}
