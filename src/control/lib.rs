//! The background thread of a worker: keeps fresh what the worker verifies against.
//!
//! One thread per worker runs a tokio current-thread runtime with the tasks of its jobs ([`Job`]). A
//! [`Watched`] file is polled by `stat` (through symbolic links); one that changed is read, and its
//! [`Document`] puts it in force. In the one worker that leads, [`FetchedKeys`] fetches keys from
//! issuers' servers into the memory that all workers share ([`Shared`]). [`Counter`] asks issuers
//! about opaque tokens. The thread never calls Nginx: its messages wait in a bounded queue that the
//! event loop drains through [`Control::messages`].
//!
//! | room | question it answers |
//! | --- | --- |
//! | `file` | how a file is read whole, and when it has changed |
//! | `http` | how a server is asked |
//! | `thread` | what a job is, how it is run, and how it reports |
//! | `document` | how a document is read and comes in force |
//! | `keys` | how an issuer's keys stay fresh |
//! | `introspect` | how an issuer is asked about a token |
//!
//! A new kind of work is one more [`Job`], and one line where the shell makes it; a new kind of
//! document is one more [`Document`].
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use mesh_control::{Control, Options, RevocationDocument, Watched, WatchedFile};
//! use mesh_core::claims::Kept;
//! use mesh_core::issuer::trust::Trust;
//!
//! let trust = Arc::new(Trust::new(Vec::new(), Kept::default(), Vec::new()));
//! let path = "/etc/nginx/revoked.json".into();
//! let file = WatchedFile { path, max_bytes: 1 << 20, primed: None, interval: None };
//! let watched = Watched { document: RevocationDocument(trust), file };
//! let control = Control::start(vec![Box::new(watched)], Options::default())?;
//! for message in control.messages() {
//!     println!("{:?}: {}", message.level, message.text);
//! }
//! control.stop();
//! # Ok::<(), mesh_control::StartError>(())
//! ```
#![forbid(unsafe_code)]

// The rooms from the ground up, each of which knows only those before it.
mod file;

pub mod http;

mod thread;

mod document;

mod introspect;
mod keys;

#[cfg(test)]
mod stub;

pub use document::file::{Watched, WatchedFile};
pub use document::policy::PolicyDocument;
pub use document::retired::Retired;
pub use document::revocations::RevocationDocument;
pub use document::shared::Shared;
pub use document::{Adopted, Document, Parsed, Readable, Rejected, Replaced, Version};
pub use file::{FileStamp, ReadError, read_capped};
pub use introspect::{
    Answered, Counter, Credential, CredentialError, Desk, Introspector, MOST_CREDENTIAL,
};
pub use keys::{
    BearerError, DiscoveryFault, FetchedKeys, KeyDocument, MOST_BEARER, RemoteIssuer, bearer_for,
    discovery_request, keys_request, keys_url, next_fetch, read_bearer,
};
pub use thread::clock::now;
pub use thread::control::{Control, Options, StartError};
pub use thread::job::Job;
pub use thread::message::{Level, Message, Outbox};
pub use thread::supervise::Supervisor;

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn each_room_knows_only_what_lies_below_it() {
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("lib.rs");
        assert!(mesh_core::testing::rooms::check(&list, "crate::") > 10);
    }
}
