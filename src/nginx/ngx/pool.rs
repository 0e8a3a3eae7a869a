//! Values that live on the heap and go with a pool of Nginx's.

use core::ffi::c_void;
use core::ptr;

use nginx_sys::{ngx_pool_cleanup_add, ngx_pool_t};

use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::log::Log;

/// Moves a value to the heap and binds it to a pool, whose end drops it.
///
/// # Safety
///
/// `pool` is a live pool.
pub(crate) unsafe fn in_pool<T>(pool: *mut ngx_pool_t, value: T) -> *mut T {
    // SAFETY: `ngx_pool_cleanup_add` returns null or a new cleanup of that pool.
    unsafe {
        let cleanup = ngx_pool_cleanup_add(pool, 0);
        if cleanup.is_null() {
            return ptr::null_mut();
        }
        let value = Box::into_raw(Box::new(value));
        (*cleanup).data = value.cast();
        (*cleanup).handler = Some(drop_value::<T>);
        value
    }
}

/// Makes a value in the pool itself, whose end drops it, under a handler by which it can be found
/// again.
///
/// # Safety
///
/// `pool` is a live pool, and `handler` is [`drop_within`] of the same type.
pub(crate) unsafe fn within_pool_under<T>(
    pool: *mut ngx_pool_t,
    make: impl FnOnce() -> T,
    handler: Cleanup,
) -> *mut T {
    // A pool's memory is aligned for a word (`ngx_palloc`).
    const { assert!(align_of::<T>() <= align_of::<usize>()) };
    // SAFETY: `ngx_pool_cleanup_add` returns null or a new cleanup of that pool, with room for the
    // value, which is written before Nginx can run the handler.
    unsafe {
        let cleanup = ngx_pool_cleanup_add(pool, size_of::<T>());
        if cleanup.is_null() {
            return ptr::null_mut();
        }
        let value = (*cleanup).data.cast::<T>();
        value.write(make());
        (*cleanup).handler = Some(handler);
        value
    }
}

/// Drops the value that [`within_pool_under`] made.
///
/// # Safety
///
/// As for [`drop_value`].
pub(crate) unsafe extern "C" fn drop_within<T>(value: *mut c_void) {
    // SAFETY: a value in a pool that is about to go, and Nginx runs a cleanup once.
    guard("cleanup", (), || Log::NOWHERE, || unsafe { ptr::drop_in_place(value.cast::<T>()) });
}

/// A cleanup's handler.
pub(crate) type Cleanup = unsafe extern "C" fn(*mut c_void);

/// Drops the value that [`in_pool`] moved to the heap.
///
/// # Safety
///
/// `value` is what `in_pool` gave for this type, and is not used again.
pub(crate) unsafe extern "C" fn drop_value<T>(value: *mut c_void) {
    // SAFETY: this is what `Box::into_raw` gave in `in_pool`, and Nginx runs a cleanup once.
    guard("cleanup", (), || Log::NOWHERE, || drop(unsafe { Box::from_raw(value.cast::<T>()) }));
}
