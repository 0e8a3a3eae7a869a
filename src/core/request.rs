//! What arrives: a request as the shell shows it, and the credentials that it brings.

mod credential;
mod method;
pub mod source;
mod target;
pub mod upgrade;
mod view;

pub use credential::Credentials;
pub use method::{Method, Methods};
pub use target::{Length, Target, Upstream, Uri};
pub use view::{Connection, Field, Peer, Request, Scheme};
