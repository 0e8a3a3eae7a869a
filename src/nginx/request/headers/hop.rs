//! The fields of one hop: `Upgrade`, by which a connection leaves HTTP, and `Connection`.

use core::ptr;

use mesh_core::request::upgrade::without_reserved;
use mesh_core::text::reserved::is_word;
use nginx_sys::ngx_table_elt_t;

use super::{HeaderError, copy, put_back, request_headers, strip};
use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::live::Live;

/// Tells whether a request asks for another protocol. Nginx keeps a pointer to the first such field, and
/// opens a tunnel only if it does.
pub(crate) fn has_upgrade(r: Live<'_>) -> bool {
    // SAFETY: the request is alive.
    unsafe { !(*r.as_ptr()).headers_in.upgrade.is_null() }
}

/// The values of all `Upgrade` fields, in the order they came: before 1.23.0 the pointer leads to the
/// first alone.
pub(crate) fn upgrades<'r>(r: Live<'r>) -> impl Iterator<Item = &'r [u8]> + use<'r> {
    request_headers(r).filter(|(name, _)| is_word(name, UPGRADE)).map(|(_, value)| value)
}

/// Unlinks every `Upgrade`, and empties its typed slot.
pub(crate) fn remove_upgrade(r: Live<'_>) -> Result<(), HeaderError> {
    strip(r, |name| is_word(name, UPGRADE))?;
    // SAFETY: the request is alive. From 1.23.0 on the slot heads a chain, which goes as a whole.
    unsafe { (*r.as_ptr()).headers_in.upgrade = ptr::null_mut() };
    Ok(())
}

/// Puts an `Upgrade` back, if it was removed.
pub(crate) fn restore_upgrade(r: Live<'_>, value: &[u8]) -> Result<(), HeaderError> {
    if let Some(element) = put_back(r, b"Upgrade", value)? {
        // SAFETY: the request is alive, and the element is in its list, whose pool it shares.
        unsafe { (*r.as_ptr()).headers_in.upgrade = element };
    }
    Ok(())
}

/// Whether a field is a `Connection`: before 1.23.0 Nginx keeps no pointer to it.
#[inline]
pub(super) fn is_connection(name: &[u8]) -> bool {
    is_word(name, b"connection")
}

/// Takes the names that only we may set out of a `Connection`: an upstream would drop the fields that it
/// names.
///
/// # Safety
///
/// The element is in the list of the live request's headers.
pub(super) unsafe fn clean_connection(
    r: Live<'_>,
    element: *mut ngx_table_elt_t,
) -> Result<(), HeaderError> {
    // SAFETY: the caller's contract; nothing reads the element now, and the old bytes stay where they are.
    unsafe {
        if let Some(rest) = without_reserved(bytes(&raw const (*element).value)) {
            (*element).value = copy(r, &rest)?;
        }
    }
    Ok(())
}

const UPGRADE: &[u8; 7] = b"upgrade";
