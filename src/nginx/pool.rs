//! Values that live on the heap and go with a pool of Nginx's.

use core::ffi::c_void;
use core::ptr;

use nginx_sys::{ngx_pool_cleanup_add, ngx_pool_t};

use super::guard::guard;
use super::log::Log;

/// Moves a value to the heap and binds it to a pool, whose end drops it.
///
/// # Safety
///
/// `pool` is a live pool.
pub(crate) unsafe fn in_pool<T>(pool: *mut ngx_pool_t, value: T) -> *mut T {
    // SAFETY: the caller's.
    unsafe { in_pool_under(pool, value, drop_value::<T>) }
}

/// As [`in_pool`], under a handler by which the value can be found again.
///
/// # Safety
///
/// `pool` is a live pool, and `handler` is [`drop_value`] of the same type.
pub(crate) unsafe fn in_pool_under<T>(pool: *mut ngx_pool_t, value: T, handler: Cleanup) -> *mut T {
    // SAFETY: `ngx_pool_cleanup_add` returns null or a new cleanup of that pool.
    unsafe {
        let cleanup = ngx_pool_cleanup_add(pool, 0);
        if cleanup.is_null() {
            return ptr::null_mut();
        }
        let value = Box::into_raw(Box::new(value));
        (*cleanup).data = value.cast();
        (*cleanup).handler = Some(handler);
        value
    }
}

/// A cleanup's handler.
pub(crate) type Cleanup = unsafe extern "C" fn(*mut c_void);

/// Drops what [`in_pool`] moved to the heap.
///
/// # Safety
///
/// `value` is what `in_pool` gave for this type, and is not used again.
pub(crate) unsafe extern "C" fn drop_value<T>(value: *mut c_void) {
    // SAFETY: this is what `Box::into_raw` gave in `in_pool`, and Nginx runs a cleanup once.
    guard("cleanup", (), || Log::NOWHERE, || drop(unsafe { Box::from_raw(value.cast::<T>()) }));
}
