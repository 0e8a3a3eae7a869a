//! What a fetch of keys brings.

use core::time::Duration;

/// What a fetch brought.
#[derive(Debug)]
pub(super) enum Fetched {
    /// A JWK set that has not been judged yet.
    Document {
        document: Vec<u8>,
        /// Who sent it.
        url: Box<str>,
        /// For how long the server says that it holds.
        fresh: Option<Duration>,
    },
    /// No key that one could ask for is known.
    Nothing,
    /// What is published holds.
    Same { fresh: Option<Duration> },
}
