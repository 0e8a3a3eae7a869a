//! The background thread of a worker, and the handle on it.

use core::cell::RefCell;
use core::mem;
use core::ptr::{self, NonNull};
use std::sync::Arc;

use mesh_control::{Answered, Control, Desk, Outbox, StartError};
use mesh_core::issuer::Question;
use nginx_sys::{ngx_add_timer, ngx_connection_t, ngx_del_timer, ngx_event_t, ngx_msec_t};

use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::log::{Level, Log};
use crate::nginx::ngx::role::is_worker;

/// Starts the background thread, from `init_process`; does nothing outside of a worker.
///
/// `spawn` calls [`Control::start`], and opens the desk for questions if any may come. It is called
/// with all signals blocked, since a thread inherits the mask and a signal that it took would not
/// wake Nginx. It is called again, some time later, if it failed or the thread has died; `abandon`
/// then gives up the requests that wait for its answers. Until the thread is there again the worker
/// goes on with the documents that it has. `outbox` has the messages of all that the worker does with
/// documents, on the thread or before it.
pub(crate) fn start(
    outbox: Arc<Outbox>,
    spawn: impl FnMut() -> Result<Started, StartError> + 'static,
    abandon: fn(),
) {
    if !is_worker() {
        return;
    }
    let mut worker = Worker {
        outbox,
        spawn: Box::new(spawn),
        abandon,
        started: None,
        wait: 0,
        _timer: Timer::new(),
    };
    worker.turn();
    WORKER.set(Some(worker));
}

/// Stops the background thread and waits for its end, from `exit_process`: the thread may not
/// outlive the pool, nor the code that Nginx is about to close.
pub(crate) fn stop() {
    let Some(mut worker) = WORKER.take() else { return };
    // This joins the thread.
    drop(worker.started.take());
    worker.report();
}

/// Has the background thread ask an issuer about a token; `false` if it cannot.
pub(crate) fn introspect(question: Question) -> bool {
    WORKER.with_borrow(|worker| {
        worker.as_ref().and_then(Worker::desk).is_some_and(|desk| desk.ask(question))
    })
}

/// The answers of issuers that have arrived.
pub(crate) fn answers() -> Vec<Answered> {
    WORKER.with_borrow(|worker| {
        worker.as_ref().and_then(Worker::desk).map(Desk::answers).unwrap_or_default()
    })
}

thread_local! {
    /// Of the thread of Nginx: filled in a worker between `init_process` and `exit_process`.
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// A thread, and where it is asked questions.
pub(crate) struct Started {
    pub(crate) control: Control,
    /// `None` if no issuer introspects.
    pub(crate) desk: Option<Desk>,
}

struct Worker {
    outbox: Arc<Outbox>,
    spawn: Box<dyn FnMut() -> Result<Started, StartError>>,
    /// Gives up the requests that wait for answers.
    abandon: fn(),
    started: Option<Started>,
    /// Turns of the timer until the thread is started anew.
    wait: u32,
    /// Fires as long as it is here.
    _timer: Timer,
}

impl Worker {
    fn desk(&self) -> Option<&Desk> {
        self.started.as_ref()?.desk.as_ref()
    }

    /// Logs the messages that wait.
    fn report(&self) {
        let log = Log::cycle();
        for message in self.outbox.drain() {
            let level = match message.level {
                mesh_control::Level::Crit => Level::Crit,
                mesh_control::Level::Error => Level::Error,
                mesh_control::Level::Notice => Level::Notice,
                mesh_control::Level::Warn => Level::Warn,
            };
            log.write(level, format_args!("{}", message.text));
        }
    }

    /// Logs the messages that wait, and starts the thread if there is none.
    fn turn(&mut self) {
        self.report();
        if self.started.as_ref().is_some_and(|it| it.control.is_running()) {
            return;
        }
        if let Some(dead) = self.started.take() {
            drop(dead);
            self.report();
            // Its answers went with it.
            (self.abandon)();
            self.wait = RETRY;
        }
        if self.wait > 0 {
            self.wait = self.wait.saturating_sub(1);
            return;
        }
        match with_signals_blocked(&mut self.spawn) {
            Ok(started) => self.started = Some(started),
            Err(error) => {
                self.wait = RETRY;
                Log::cycle().write(Level::Error, format_args!("{error}, it will be tried again"));
            }
        }
    }
}

/// Runs `f` in a thread that takes no signals, then takes them again.
fn with_signals_blocked<T>(f: impl FnOnce() -> T) -> T {
    struct Restore(libc::sigset_t);

    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: the set is the one that was in force; no answer is asked for.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
        }
    }

    // SAFETY: both sets are plain data that the calls fill. `pthread_sigmask` fails only for a
    // first argument that is none of its three.
    let _restore = unsafe {
        let mut all = mem::zeroed::<libc::sigset_t>();
        let mut before = mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        Restore(before)
    };
    f()
}

/// Nginx's timer, which calls [`tick`] over and over until it is dropped.
struct Timer(NonNull<Armed>);

/// Nginx holds a pointer to it: it never moves.
struct Armed {
    event: ngx_event_t,
    /// Nginx's debug log reads a descriptor through `event.data` (`ngx_event_ident`).
    connection: ngx_connection_t,
}

impl Timer {
    fn new() -> Self {
        // SAFETY: zero is a valid value of every field: null, no function, no flag.
        let armed = NonNull::from(Box::leak(Box::new(unsafe { mem::zeroed::<Armed>() })));
        // SAFETY: the structure is ours until `drop`. The timers are set up before: the event
        // module, which is of the core, is initialised before any HTTP module
        // (`ngx_event_process_init`).
        unsafe {
            let armed = armed.as_ptr();
            (*armed).connection.fd = -1;
            let event = &raw mut (*armed).event;
            (*event).data = (&raw mut (*armed).connection).cast();
            (*event).handler = Some(tick);
            (*event).log = (*nginx_sys::ngx_cycle).log;
            // It keeps no worker from exiting (`ngx_event_no_timers_left`).
            (*event).set_cancelable(1);
            ngx_add_timer(event, INTERVAL);
        }
        Self(armed)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: `new` leaked the box, and Nginx forgets its address when the timer is deleted:
        // it is in no queue, since timers are called directly (`ngx_event_expire_timers`).
        unsafe {
            let armed = self.0.as_ptr();
            let event = &raw mut (*armed).event;
            if (*event).timer_set() != 0 {
                ngx_del_timer(event);
            }
            drop(Box::from_raw(armed));
        }
    }
}

unsafe extern "C" fn tick(event: *mut ngx_event_t) {
    guard("timer", (), Log::cycle, || {
        WORKER.with_borrow_mut(|worker| worker.as_mut().map(Worker::turn));
    });
    // SAFETY: the timer that fired; a turn does not drop it.
    unsafe { ngx_add_timer(event, INTERVAL) };
}

/// Milliseconds between two turns.
const INTERVAL: ngx_msec_t = 500;

/// Turns between two attempts at starting the thread: 10 seconds.
const RETRY: u32 = 20;
