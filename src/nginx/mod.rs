//! The shell over Nginx: the only directory that may say `unsafe`, `ngx` or `nginx_sys`.
//!
//! The rooms from the ground up; each knows those above it in this list alone.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `ngx` | what Nginx itself gives: its lists, its log, its pools, a request that is alive, the role of a process |
//! | `request` | what a request says, as the core asks for it, and which headers go and come |
//! | `memory` | what is in shared memory, and beside it on disk |
//! | `state` | what a request finds of the frozen settings |
//! | `worker` | what a worker does beside requests: its thread, and what the thread brings |
//! | `phase` | what happens to a request in the phases, and what is remembered of it |
//! | `answer` | what the module itself answers with, and what its variables show |
//! | `conf` | how directives become frozen settings |
//! | `start` | what each process begins with |
//! | `hooks` | what Nginx calls outside of requests and directives |
//!
//! # The rules behind the `SAFETY` comments
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

pub(crate) mod ngx;

pub(crate) mod request;

pub(crate) mod memory;

pub(crate) mod state;

pub(crate) mod worker;

pub(crate) mod phase;

pub(crate) mod answer;

pub(crate) mod conf;

pub(crate) mod start;

pub(crate) mod hooks;

use nginx_sys::ngx_module_t;

const MODULE: *const ngx_module_t = &raw const crate::ngx_http_mesh_module;

/// The module's descriptor, in which Nginx has put the place of our settings and contexts.
pub(crate) const fn module() -> &'static ngx_module_t {
    // SAFETY: Nginx writes to it while it loads the module and numbers the modules of a cycle,
    // before it calls anything of ours (frozen configuration).
    unsafe { &*MODULE }
}
