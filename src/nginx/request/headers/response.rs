//! Which response headers are set.

use nginx_sys::{ngx_list_push, ngx_list_t, ngx_table_elt_t, ngx_uint_t};

use super::{Header, HeaderError};
use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::list::Elements;
use crate::nginx::ngx::live::Live;

/// Sets our `WWW-Authenticate` for a 401, in place of one that we set before.
///
/// The typed slot is linked: if `satisfy any` lets another module admit the request, Nginx
/// takes back what the slot leads to (`ngx_http_core_access_phase`). From 1.23.0 on that is a
/// chain, which ours joins; before, it is a single header, and ours takes the slot.
pub(crate) fn set_challenge(r: Live<'_>, value: &[u8]) -> Result<(), HeaderError> {
    let element = set_response_header(r, CHALLENGE, value)?;
    // SAFETY: the request is alive, the element is in its list of response headers, and so are
    // the elements of the chain, whose last `next` is null.
    unsafe {
        let slot = &raw mut (*r.as_ptr()).headers_out.www_authenticate;
        #[cfg(nginx1_23_0)]
        {
            let mut link = slot;
            while !(*link).is_null() {
                if *link == element {
                    return Ok(());
                }
                link = &raw mut (**link).next;
            }
            *link = element;
        }
        #[cfg(not(nginx1_23_0))]
        {
            *slot = element;
        }
    }
    Ok(())
}

/// Hides the challenge that [`set_challenge`] set, whether or not the typed slot still leads to it.
pub(crate) fn withdraw_challenge(r: Live<'_>) {
    // SAFETY: as in `set_response_header`; a hash of 0 hides a response header.
    unsafe {
        let list: *const ngx_list_t = &raw const (*r.as_ptr()).headers_out.headers;
        for element in Elements::of(list) {
            let element = element.cast::<ngx_table_elt_t>();
            if (*element).hash == OURS && bytes(&raw const (*element).key) == CHALLENGE {
                (*element).hash = 0;
            }
        }
    }
}

/// Sets a response header that has no typed slot (`Retry-After`, `RateLimit`, ..).
///
/// One that we set before under the same name is replaced, so that a request that is decided again
/// after an internal redirect does not answer twice. It survives Nginx's own error answer and a
/// redirect to an `error_page`.
pub(crate) fn add_response_header(
    r: Live<'_>,
    name: &[u8],
    value: &[u8],
) -> Result<(), HeaderError> {
    set_response_header(r, name, value).map(|_| ())
}

/// Finds our own header of that name, or pushes one, and gives it the value.
fn set_response_header(
    r: Live<'_>,
    name: &[u8],
    value: &[u8],
) -> Result<*mut ngx_table_elt_t, HeaderError> {
    let header = Header::copied(r, name, value)?;
    // SAFETY: the request is alive; `headers_out.headers` is a list of `ngx_table_elt_t`
    // (`ngx_http_alloc_request`). The list is never cut, so that `ngx_list_push` has room.
    unsafe {
        let list: *mut ngx_list_t = &raw mut (*r.as_ptr()).headers_out.headers;
        let ours = Elements::of(list)
            .map(<*mut core::ffi::c_void>::cast::<ngx_table_elt_t>)
            .find(|&element| (*element).hash == OURS && bytes(&raw const (*element).key) == name);
        if let Some(element) = ours {
            (*element).value = header.value;
            return Ok(element);
        }
        let element = ngx_list_push(list).cast::<ngx_table_elt_t>();
        if element.is_null() {
            return Err(HeaderError::OutOfMemory);
        }
        element.write(Header { hash: OURS, ..header }.element());
        Ok(element)
    }
}

/// The `hash` of a response header of ours, "mesh": Nginx asks only whether it is 0, which hides
/// the header; others write 1, or the hash of the name.
const OURS: ngx_uint_t = 0x6d65_7368;

const CHALLENGE: &[u8] = b"WWW-Authenticate";
