//! The time that Nginx keeps.

use mesh_core::text::time::{Now, Tick, UnixTime};

/// The time of this turn of the event loop.
pub(crate) fn now() -> Now {
    // SAFETY: Nginx keeps both up to date, and a worker has one thread that reads them.
    unsafe {
        Now {
            unix: UnixTime::from_secs((*nginx_sys::ngx_cached_time).sec),
            tick: Tick::from_millis(nginx_sys::ngx_current_msec as u64),
        }
    }
}
