//! The background thread of a worker: keeps what the worker verifies against fresh.
//!
//! One thread per worker runs a tokio current-thread runtime, with one task per document. A task
//! polls `stat` (through symbolic links), reads a file that changed and hands its bytes to the
//! caller's [`Publish`]. In the one worker that leads, a task per issuer fetches the keys that
//! come from a server into what all workers share ([`Shared`]). The thread never calls Nginx: what
//! it has to say waits in a bounded queue that the event loop drains through [`Control::messages`].
//!
//! ```no_run
//! use mesh_control::{Adopted, Control, Options, Publish, Refusal, Tasks, WatchedFile};
//!
//! struct Keys;
//!
//! impl Publish for Keys {
//!     fn publish(&mut self, _document: usize, bytes: &[u8]) -> Result<Adopted, Refusal> {
//!         Ok(format!("{} bytes", bytes.len()).into())
//!     }
//!     fn retire(&mut self) {}
//! }
//!
//! let path = "/etc/nginx/jwks.json".into();
//! let keys = WatchedFile { path, max_bytes: 1 << 20, primed: None, interval: None };
//! let tasks = Tasks { files: vec![keys], ..Tasks::default() };
//! let control = Control::start(tasks, Keys, Options::default())?;
//! for message in control.messages() {
//!     println!("{:?}: {}", message.level, message.text);
//! }
//! control.stop();
//! # Ok::<(), mesh_control::StartError>(())
//! ```
#![forbid(unsafe_code)]

mod control;
mod document;
mod file;
pub mod http;
mod introspect;
mod keys;
#[cfg(test)]
mod stub;
mod thread;

pub use control::{Control, Options, StartError, Tasks};
pub use document::file::WatchedFile;
pub use document::shared::Shared;
pub use document::{Adopted, Publish, Refusal};
pub use file::{FileStamp, ReadError, read_capped};
pub use introspect::{Answered, Credential, CredentialError, Introspector, MOST_CREDENTIAL};
pub use keys::{
    BearerError, DiscoveryFault, MOST_BEARER, RemoteIssuer, bearer_for, discovery_request,
    keys_request, keys_url, next_fetch, read_bearer,
};
pub use thread::clock::now;
pub use thread::message::{Level, Message};
