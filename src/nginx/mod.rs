//! The shell over Nginx: the only directory that may say `unsafe`, `ngx` or `nginx_sys`.
//!
//! | file | question it answers |
//! | --- | --- |
//! | `hooks.rs` | what Nginx calls outside of requests and directives |
//! | `conf.rs` | how directives become frozen settings |
//! | `settings.rs` | what a request finds of them |
//! | `access.rs` | what happens to a request in the phases |
//! | `subrequest.rs` | what happens to a subrequest in them |
//! | `cache.rs` | whose answers Nginx caches without telling callers apart |
//! | `content.rs` | what the module itself answers with |
//! | `context.rs` | what is remembered of a request |
//! | `request.rs` | what a request says, as the core asks for it |
//! | `shown.rs` | which of Nginx's variables show a credential, and how they keep it |
//! | `upgrade.rs` | which requests may ask for another protocol |
//! | `neighbours.rs` | which modules Nginx runs beside this one |
//! | `websocket.rs` | what a handshake is answered whose token stood among the protocols |
//! | `variable.rs` | what the variables show |
//! | `keys.rs` | how a worker's keys stay fresh |
//! | `documents.rs` | how keys that one worker fetches reach all of them, and the next start |
//! | `status.rs` | what `mesh_status` answers |
//! | `guard.rs` | what happens when Rust code panics inside a call from Nginx |
//! | `log.rs` | how a line gets into the error log, and what may not get in with it |
//! | `live.rs` | what stands for a request while Nginx waits for us |
//! | `list.rs` | how elements leave and enter an Nginx list without moving |
//! | `headers.rs` | which request headers are removed or added, which response headers are set |
//! | `connection.rs` | who is at the other end of the TLS connection |
//! | `parking.rs` | how a request waits for an issuer's answer |
//! | `pool.rs` | how Rust values go with a pool of Nginx's |
//! | `zone.rs` | where the limits and the proofs live between the workers |
//! | `process.rs` | when the background thread starts and stops |
//!
//! # What the `SAFETY` comments stand on
//!
//! 1. **Single thread.** Nginx calls a module from one thread of each process, one call at a time.
//!    Our background thread calls nothing of Nginx and sees none of its memory but the zones.
//! 2. **Frozen configuration.** After `init_module` nothing writes to a configuration
//!    structure or to the module's statics, and the configuration lives as long as its cycle.
//! 3. **The pool outlives.** What is allocated in a pool lives until that pool is destroyed: a
//!    request's pool after its last handler, a connection's pool after its last request, a cycle's
//!    pool after its last connection.
//! 4. **The zone outlives.** A worker's mapping of a zone is never undone; the master and a single
//!    process undo it only after the new cycle has taken over (`ngx_init_cycle`), which is why a
//!    single process may not change its size.

pub(crate) mod access;
pub(crate) mod cache;
pub(crate) mod conf;
pub(crate) mod connection;
pub(crate) mod content;
pub(crate) mod context;
pub(crate) mod documents;
pub(crate) mod guard;
pub(crate) mod headers;
pub(crate) mod hooks;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod live;
pub(crate) mod log;
pub(crate) mod neighbours;
pub(crate) mod parking;
pub(crate) mod pool;
pub(crate) mod process;
pub(crate) mod request;
pub(crate) mod settings;
pub(crate) mod shown;
pub(crate) mod status;
mod subrequest;
mod token_source;
pub(crate) mod upgrade;
pub(crate) mod variable;
mod websocket;
pub(crate) mod zone;

use nginx_sys::ngx_module_t;

const MODULE: *const ngx_module_t = &raw const crate::ngx_http_mesh_module;

/// The module's descriptor, in which Nginx has put the place of our settings and contexts.
pub(crate) const fn module() -> &'static ngx_module_t {
    // SAFETY: Nginx writes to it while it loads the module and numbers the modules of a cycle,
    // before it calls anything of ours (frozen configuration).
    unsafe { &*MODULE }
}
