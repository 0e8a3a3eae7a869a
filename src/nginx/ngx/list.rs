//! Taking elements out of an Nginx list, and adding some, without moving any.
//!
//! Nginx reads a list (`ngx_list_t`) part by part and keeps pointers to single elements elsewhere
//! (`headers_in.host`, ..), so that an element may never be shifted. [`retain`] therefore cuts a
//! part into runs of neighbours that stay, and describes each run by a part of its own.
//!
//! Nginx relies on these rules, and this file keeps them:
//!
//! 1. *No empty part is ever reached.* The loop that Nginx writes out everywhere steps to the next
//!    part and reads its element 0 without asking again (`ngx_list.h`). Only the first part of a
//!    list may be empty, when it is alone.
//! 2. *The last part has room for `nalloc` elements.* `ngx_list_push` writes at `last->nelts`
//!    unless `last->nelts == nalloc` (`ngx_list.c`). A run has less room than the part it was
//!    cut from, so `nalloc` becomes the length of the last run: it is full, and the next push
//!    allocates a part of its own.
//! 3. *No slot is used twice.* By the same rule the place of a removed element is never written
//!    again: a pointer to it that is still held reads the old header, not another one.
//! 4. *All or nothing.* Parts are never changed, they are replaced: a failed allocation leaves the
//!    list unchanged, and so does a subrequest, whose list is a copy that shares all parts but the
//!    first (`ngx_http_subrequest`).
//!
//! It names only the types of Nginx, none of its functions, so that its tests link and run.

use core::ffi::c_void;
use core::mem::size_of;
use core::ptr;

use nginx_sys::{ngx_list_part_t, ngx_list_t};

/// The pool has no memory left; the list is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfMemory;

/// Unlinks every element that `keep` refuses, and returns how many there were.
///
/// # Safety
///
/// `list` is a valid list that nothing changes meanwhile, and `alloc` returns null or memory that
/// is aligned for a pointer and lives as long as the list.
#[inline]
pub(crate) unsafe fn retain(
    list: *mut ngx_list_t,
    alloc: &mut impl FnMut(usize) -> *mut c_void,
    keep: &mut impl FnMut(*mut c_void) -> bool,
) -> Result<usize, OutOfMemory> {
    // SAFETY: the caller vouches for the list; its parts are initialised and end with a null
    // pointer, and `nelts` elements of `size` bytes each are initialised in `elts`. A new part is
    // written whole before it is linked.
    unsafe {
        let size = (*list).size;
        let mut removed = 0;
        let mut first = EMPTY;
        let mut last: *mut ngx_list_part_t = ptr::null_mut();

        let mut append = |run: ngx_list_part_t| -> Result<(), OutOfMemory> {
            if run.nelts == 0 {
                return Ok(());
            }
            if first.nelts == 0 {
                first = run;
                return Ok(());
            }
            let part = alloc(size_of::<ngx_list_part_t>()).cast::<ngx_list_part_t>();
            if part.is_null() {
                return Err(OutOfMemory);
            }
            part.write(run);
            if last.is_null() {
                first.next = part;
            } else {
                (*last).next = part;
            }
            last = part;
            Ok(())
        };

        let mut part: *const ngx_list_part_t = &raw const (*list).part;
        while !part.is_null() {
            let mut run = EMPTY;
            for index in 0..(*part).nelts {
                let element = (*part).elts.byte_add(index.wrapping_mul(size));
                if keep(element) {
                    if run.nelts == 0 {
                        run.elts = element;
                    }
                    run.nelts = run.nelts.wrapping_add(1);
                } else {
                    removed = usize::wrapping_add(removed, 1);
                    append(run)?;
                    run = EMPTY;
                }
            }
            append(run)?;
            part = (*part).next;
        }

        if removed == 0 {
            return Ok(0);
        }
        if first.nelts == 0 {
            // Nothing is left: rule 2 asks for room, rule 3 for room that is new.
            first.elts = alloc((*list).nalloc.wrapping_mul(size));
            if first.elts.is_null() {
                return Err(OutOfMemory);
            }
        }
        (*list).part = first;
        (*list).last = if last.is_null() { &raw mut (*list).part } else { last };
        if first.nelts != 0 {
            (*list).nalloc = (*(*list).last).nelts;
        }
        Ok(removed)
    }
}

/// Gives a list parts of its own, so that adding to it adds to no list that it was copied from or to.
/// The elements stay where they are, and the places behind them belong to no list.
///
/// # Safety
///
/// As for [`retain`].
pub(crate) unsafe fn unshare(
    list: *mut ngx_list_t,
    alloc: &mut dyn FnMut(usize) -> *mut c_void,
) -> Result<(), OutOfMemory> {
    // SAFETY: as in `retain`; the chain is linked when all of it is there.
    unsafe {
        let first = (*list).part;
        if first.nelts == 0 {
            // It is alone (rule 1).
            let elts = alloc((*list).nalloc.wrapping_mul((*list).size));
            if elts.is_null() {
                return Err(OutOfMemory);
            }
            (*list).part = ngx_list_part_t { elts, ..EMPTY };
            (*list).last = &raw mut (*list).part;
            return Ok(());
        }
        let mut head = first;
        let mut last: *mut ngx_list_part_t = ptr::null_mut();
        let mut shared = first.next;
        while !shared.is_null() {
            let part = alloc(size_of::<ngx_list_part_t>()).cast::<ngx_list_part_t>();
            if part.is_null() {
                return Err(OutOfMemory);
            }
            part.write(*shared);
            match last.is_null() {
                true => head.next = part,
                false => (*last).next = part,
            }
            last = part;
            shared = (*shared).next;
        }
        (*list).part = head;
        (*list).last = if last.is_null() { &raw mut (*list).part } else { last };
        // Rule 2: the last part is full.
        (*list).nalloc = (*(*list).last).nelts;
    }
    Ok(())
}

/// Adds room for one element at the end, and returns it, not initialised.
///
/// It is `ngx_list_push` with two differences: a new part has room for at least [`ROOM`] elements,
/// since [`retain`] leaves a small `nalloc`; and the end is looked for, since in a subrequest's
/// copy of a list `last` may be the parent's first part.
///
/// # Safety
///
/// As for [`retain`]; and the caller initialises the element before Nginx sees the list again.
pub(crate) unsafe fn push(
    list: *mut ngx_list_t,
    alloc: &mut dyn FnMut(usize) -> *mut c_void,
) -> Result<*mut c_void, OutOfMemory> {
    // SAFETY: as in `retain`; an element is added in place only if the last part is this list's own
    // end and is not full, which by rule 2 means that it has room.
    unsafe {
        let mut end = &raw mut (*list).part;
        while !(*end).next.is_null() {
            end = (*end).next;
        }
        let size = (*list).size;
        if end == (*list).last && (*end).nelts < (*list).nalloc {
            let element = (*end).elts.byte_add((*end).nelts.wrapping_mul(size));
            (*end).nelts = (*end).nelts.wrapping_add(1);
            return Ok(element);
        }

        let room = (*list).nalloc.max(ROOM);
        let elts = alloc(room.wrapping_mul(size));
        let part = alloc(size_of::<ngx_list_part_t>()).cast::<ngx_list_part_t>();
        if elts.is_null() || part.is_null() {
            return Err(OutOfMemory);
        }
        part.write(ngx_list_part_t { elts, nelts: 1, next: ptr::null_mut() });
        (*end).next = part;
        (*list).last = part;
        (*list).nalloc = room;
        Ok(elts)
    }
}

/// Adds elements at the end as a part of their own, which is full.
///
/// # Safety
///
/// As for [`retain`]; `part` is room for one, and `elts` holds `nelts` elements, at least one.
pub(crate) unsafe fn append(
    list: *mut ngx_list_t,
    part: *mut ngx_list_part_t,
    elts: *mut c_void,
    nelts: usize,
) {
    // SAFETY: as in `push`. A part that is empty is the first and alone (rule 1): it takes the
    // elements itself.
    unsafe {
        let mut end = &raw mut (*list).part;
        while !(*end).next.is_null() {
            end = (*end).next;
        }
        let new = ngx_list_part_t { elts, nelts, next: ptr::null_mut() };
        if (*end).nelts == 0 {
            end.write(new);
            (*list).last = end;
        } else {
            part.write(new);
            (*end).next = part;
            (*list).last = part;
        }
        (*list).nalloc = nelts;
    }
}

/// Makes a list out of zeroed memory, all but its pool.
///
/// # Safety
///
/// `list` is zeroed and nothing changes it meanwhile; `alloc` is as for [`retain`].
pub(crate) unsafe fn begin(
    list: *mut ngx_list_t,
    size: usize,
    alloc: &mut dyn FnMut(usize) -> *mut c_void,
) -> Result<(), OutOfMemory> {
    let elts = alloc(ROOM.wrapping_mul(size));
    if elts.is_null() {
        return Err(OutOfMemory);
    }
    // SAFETY: the caller vouches for the list.
    unsafe {
        (*list).part = ngx_list_part_t { elts, ..EMPTY };
        (*list).last = &raw mut (*list).part;
        (*list).size = size;
        (*list).nalloc = ROOM;
    }
    Ok(())
}

/// Walks over the elements of a list.
#[derive(Clone, Debug)]
pub(crate) struct Elements {
    part: *const ngx_list_part_t,
    index: usize,
    size: usize,
}

impl Elements {
    /// # Safety
    ///
    /// `list` is valid, and its memory outlives the walk. Elements that are added or removed
    /// meanwhile may be missed or seen twice.
    pub(crate) unsafe fn of(list: *const ngx_list_t) -> Self {
        // SAFETY: the caller vouches for the list.
        unsafe { Self { part: &raw const (*list).part, index: 0, size: (*list).size } }
    }
}

impl Iterator for Elements {
    type Item = *mut c_void;

    fn next(&mut self) -> Option<*mut c_void> {
        while !self.part.is_null() {
            // SAFETY: by the contract of `of` the part is alive, and so are its `nelts` elements.
            unsafe {
                if self.index < (*self.part).nelts {
                    let element = (*self.part).elts.byte_add(self.index.wrapping_mul(self.size));
                    self.index = self.index.wrapping_add(1);
                    return Some(element);
                }
                self.part = (*self.part).next;
            }
            self.index = 0;
        }
        None
    }
}

/// The least room of a part of our own, in elements: as many as one request exports.
const ROOM: usize = 12;

const EMPTY: ngx_list_part_t =
    ngx_list_part_t { elts: ptr::null_mut(), nelts: 0, next: ptr::null_mut() };
