//! The header list of a subrequest, which is a copy of its parent's and shares parts with it.

use nginx_sys::{ngx_list_t, ngx_table_elt_t};

use super::{headers_in, palloc};
use crate::nginx::ngx::list::{self, OutOfMemory};
use crate::nginx::ngx::live::Live;

/// Makes a request's list one that may be added to.
///
/// # Safety
///
/// `list` is the live request's, and nothing changes it meanwhile.
#[inline(always)]
pub(super) unsafe fn open(r: Live<'_>, list: *mut ngx_list_t) -> Result<(), OutOfMemory> {
    // SAFETY: the caller's contract; `ngx_palloc` aligns for a pointer.
    unsafe {
        // Nginx makes the list after the request line, if at all: HTTP/0.9 has no headers, and a
        // line that is refused may reach every phase by `error_page` (ngx_http_process_request_line).
        if (*list).size == 0 {
            list::begin(list, size_of::<ngx_table_elt_t>(), &mut |size| palloc(r, size))?;
            (*list).pool = r.pool();
        } else if is_shared(r) {
            list::unshare(list, &mut |size| palloc(r, size))?;
        }
    }
    Ok(())
}

/// Whether parts and elements of the request's header list may be in another request's as well:
/// `ngx_http_subrequest` copies the list, and none of its parts but the first.
pub(super) fn is_shared(r: Live<'_>) -> bool {
    // SAFETY: the main request is whole. `count` is 1 unless a subrequest is under way
    // (ngx_http_subrequest); a redirect counts too, and costs a copy that is not needed.
    !r.is_main() || unsafe { (*r.as_ptr()).count() != 1 }
}

/// Whether a subrequest carries the very headers that its main request carries now.
pub(crate) fn are_those_of_main(r: Live<'_>) -> bool {
    // SAFETY: both requests are alive. Parts are replaced, not changed, if a header is removed; an
    // added one shows in the first part, or in a part that both lists lead to.
    unsafe {
        let (own, main) = ((*headers_in(r)).part, (*headers_in(r.main())).part);
        own.elts == main.elts && own.nelts == main.nelts && own.next == main.next
    }
}
