//! Panics of Rust code inside a call from Nginx.
//!
//! A panic may not unwind into C, and must neither let a request through nor end the worker with
//! all its connections: it is caught here, and the entry point answers what its caller chose, which
//! refuses. The panic's message is never shown, since it may quote a credential; its place is.

use core::cell::RefCell;
use core::fmt::Write as _;
use core::panic::AssertUnwindSafe;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

use crate::nginx::ngx::log::{Level, Log};

/// Runs the body of an entry point; a panic is logged at `crit` and answered with `on_panic`.
///
/// `what` names the entry point in the log. `log` is asked only after a panic.
pub(crate) fn guard<'a, T>(
    what: &'static str,
    on_panic: T,
    log: impl FnOnce() -> Log<'a>,
    f: impl FnOnce() -> T,
) -> T {
    watch();
    // `f` can reach the request, which is given up, and thread-locals, which hold whole values
    // only: nothing that a panic leaves half-written is read again.
    panic::catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        let place = PLACE.try_with(RefCell::take).unwrap_or_default();
        // Dropping the panic's payload may panic again: that second payload is leaked.
        core::mem::forget(panic::catch_unwind(AssertUnwindSafe(|| drop(payload))));
        log().write(Level::Crit, format_args!("panic at {place} in {what}"));
        on_panic
    })
}

/// Has panics remembered by place instead of printed by message; once for each process.
///
/// The hook belongs to the standard library that is linked into this module: it sees no panic of
/// other Rust modules, and they see none of ours. A panic of the background thread passes here too.
fn watch() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| panic::set_hook(Box::new(remember)));
}

fn remember(info: &PanicHookInfo<'_>) {
    let mut place = String::new();
    if let Some(location) = info.location() {
        // Writing to a string does not fail.
        let _ = write!(place, "{}:{}:{}", location.file(), location.line(), location.column());
    }
    // Neither a destroyed nor a borrowed cell may make the hook panic, which would abort.
    let _ = PLACE.try_with(|cell| cell.try_borrow_mut().map(|mut cell| *cell = place));
}

thread_local! {
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}
