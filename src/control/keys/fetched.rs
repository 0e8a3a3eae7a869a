//! The results of a fetch of keys.

use core::time::Duration;

/// The result of a fetch.
#[derive(Debug)]
pub(super) enum Fetched {
    /// A JWK set that has not been judged yet.
    Document {
        document: Vec<u8>,
        /// The URL of the sender.
        url: Box<str>,
        /// For how long it is fresh, by the server's word.
        fresh: Option<Duration>,
    },
    /// No key is known that could be asked for.
    Nothing,
    /// The published document still holds.
    Same { fresh: Option<Duration> },
}
