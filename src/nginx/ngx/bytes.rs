//! The bytes of a text of Nginx's.

use core::slice;

use nginx_sys::ngx_str_t;

/// # Safety
///
/// `text` is initialised, its bytes live for `'r` and nothing writes to them meanwhile.
pub(crate) unsafe fn bytes<'r>(text: *const ngx_str_t) -> &'r [u8] {
    // SAFETY: the caller vouches for the string; an empty one may have no bytes at all.
    unsafe {
        let ngx_str_t { len, data } = *text;
        if len == 0 || data.is_null() { &[] } else { slice::from_raw_parts(data, len) }
    }
}
