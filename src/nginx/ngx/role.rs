//! Which process this is.
//!
//! Every worker process runs `init_process`, and so do the cache manager and the cache loader, and
//! a single process. They differ in `ngx_process`: `ngx_cache_manager_process_cycle` sets
//! `NGX_PROCESS_HELPER` before it calls `ngx_worker_process_init`, and a single process keeps
//! `NGX_PROCESS_SINGLE` (1.22 and 1.28 alike). `exit_process` runs in workers only, whichever way
//! they are asked to go (`ngx_worker_process_exit`), and on the end of a single process.

use nginx_sys::{NGX_PROCESS_WORKER, ngx_process, ngx_uint_t, ngx_worker};

/// Tells whether this process is a worker that serves requests, and has a master.
pub(crate) fn is_worker() -> bool {
    // SAFETY: set before `init_process` is called, and by this thread only (single thread).
    unsafe { ngx_process == NGX_PROCESS_WORKER as ngx_uint_t }
}

/// The number of the worker, from 0; a worker that replaces a dead one has its number.
///
/// Of two workers with the same number, one belongs to the cycle before and is about to go.
pub(crate) fn worker_number() -> usize {
    // SAFETY: as in `is_worker`.
    unsafe { ngx_worker }
}
