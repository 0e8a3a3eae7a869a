//! The `Cookie` field, from which one cookie may be removed while the others stay.

use core::ptr;

use nginx_sys::ngx_table_elt_t;

use super::{Header, HeaderError, check_value, copy, elements, is_shared, push_element, strip};
use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::live::Live;

/// Gives the only `Cookie` field another value, takes it away, or puts it back.
///
/// The element stays the same, so that every holder of it reads the new value: Nginx holds it for
/// `$cookie_NAME` and `$http_cookie`. The old bytes stay where they are. If another request may
/// hold the element as well, a new one takes its place.
pub(crate) fn set_cookies(r: Live<'_>, value: Option<&[u8]>) -> Result<(), HeaderError> {
    let ours = elements(r).find(|element| {
        // SAFETY: as in `strip`.
        unsafe { bytes(&raw const (**element).key) }.eq_ignore_ascii_case(COOKIE)
    });
    match (ours, value) {
        (None, None) => Ok(()),
        (Some(_), Some(value)) if is_shared(r) => {
            let header = Header::copied(r, COOKIE, value)?;
            strip(r, |name| name.eq_ignore_ascii_case(COOKIE))?;
            set_cookie_slot(r, push_element(r, header)?)
        }
        (Some(element), Some(value)) => {
            check_value(value)?;
            let value = copy(r, value)?;
            // SAFETY: the element is in the live request's list, and nothing reads it now.
            unsafe { (*element).value = value };
            Ok(())
        }
        (Some(_), None) => {
            strip(r, |name| name.eq_ignore_ascii_case(COOKIE))?;
            set_cookie_slot(r, ptr::null_mut())
        }
        (None, Some(value)) => {
            let element = push_element(r, Header::copied(r, COOKIE, value)?)?;
            set_cookie_slot(r, element)
        }
    }
}

/// Points Nginx's typed slot to the one field, or to none.
fn set_cookie_slot(r: Live<'_>, element: *mut ngx_table_elt_t) -> Result<(), HeaderError> {
    // SAFETY: the request is alive. From 1.23.0 on the slot heads a chain, which ends with the
    // element; before, it is an array of pointers, which has room for one since there was one. A
    // subrequest shares the pointers, and no more of the array.
    unsafe {
        #[cfg(nginx1_23_0)]
        {
            (*r.as_ptr()).headers_in.cookie = element;
        }
        #[cfg(not(nginx1_23_0))]
        {
            let cookies = &raw mut (*r.as_ptr()).headers_in.cookies;
            if (*cookies).elts.is_null() {
                return Ok(());
            }
            if is_shared(r) {
                let elts = super::palloc(r, size_of::<*mut ngx_table_elt_t>());
                if elts.is_null() {
                    return Err(HeaderError::OutOfMemory);
                }
                (*cookies).elts = elts;
                (*cookies).nalloc = 1;
            }
            (*cookies).elts.cast::<*mut ngx_table_elt_t>().write(element);
            (*cookies).nelts = usize::from(!element.is_null());
        }
    }
    Ok(())
}

const COOKIE: &[u8] = b"Cookie";
