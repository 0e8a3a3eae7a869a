//! A request that Nginx keeps alive while it waits for us.

use core::marker::PhantomData;
use core::ptr::NonNull;

use nginx_sys::{ngx_connection_t, ngx_http_request_t, ngx_pool_t};

use crate::nginx::ngx::log::Log;

/// A request during one call from Nginx: it cannot be stored beyond that call or leave its thread.
///
/// Nginx writes to the request through its own pointers, so this is never a Rust reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live<'r> {
    raw: NonNull<ngx_http_request_t>,
    call: PhantomData<&'r ngx_http_request_t>,
}

impl<'r> Live<'r> {
    /// Wraps the request that Nginx passed to an entry point; null is no request.
    ///
    /// # Safety
    ///
    /// `raw` is null or a request that Nginx created whole (`ngx_http_create_request`,
    /// `ngx_http_subrequest`): its pool, connection and main request are set. `'r` ends with the
    /// call from Nginx, and before the request is finalized within it.
    pub(crate) unsafe fn new(raw: *mut ngx_http_request_t) -> Option<Self> {
        NonNull::new(raw).map(|raw| Self { raw, call: PhantomData })
    }

    /// The request as Nginx's functions want it.
    pub(crate) const fn as_ptr(self) -> *mut ngx_http_request_t {
        self.raw.as_ptr()
    }

    /// The request that the client sent, also from within a subrequest.
    pub(crate) fn main(self) -> Self {
        // SAFETY: `new` was told that the request is whole; `main` is the request itself or an
        // ancestor, which lives in the same pool (`ngx_http_subrequest`).
        let main = unsafe { (*self.as_ptr()).main };
        NonNull::new(main).map_or(self, |raw| Self { raw, call: PhantomData })
    }

    /// Tells whether this is the request that the client sent, not a subrequest.
    pub(crate) fn is_main(self) -> bool {
        self.main().raw == self.raw
    }

    /// The request that made this subrequest; `None` for the request that the client sent.
    pub(crate) fn parent(self) -> Option<Self> {
        // SAFETY: as in `main`; a subrequest's parent is one of its ancestors.
        let parent = unsafe { (*self.as_ptr()).parent };
        NonNull::new(parent).map(|raw| Self { raw, call: PhantomData })
    }

    /// Tells locations apart, even if our settings of them are equal: the address of the array of their
    /// settings, which Nginx changes only between phases.
    pub(crate) fn place(self) -> usize {
        // SAFETY: the request is whole.
        unsafe { (*self.as_ptr()).loc_conf as usize }
    }

    /// The pool that is destroyed with the main request.
    pub(crate) fn pool(self) -> *mut ngx_pool_t {
        // SAFETY: the request is whole.
        unsafe { (*self.as_ptr()).pool }
    }

    /// The connection: a stream's own structure under HTTP/2 and HTTP/3.
    pub(crate) fn connection(self) -> *mut ngx_connection_t {
        // SAFETY: the request is whole.
        unsafe { (*self.as_ptr()).connection }
    }

    /// The connection's log: its lines name client, server and request.
    pub(crate) fn log(self) -> Log<'r> {
        // SAFETY: the connection outlives its request, and has a log from its first event on
        // (`ngx_event_accept`, `ngx_http_v2_create_stream`, `ngx_quic_create_stream`).
        unsafe { Log::new((*self.connection()).log) }
    }
}
