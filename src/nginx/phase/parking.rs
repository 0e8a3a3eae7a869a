//! Requests that wait for an issuer's answer: parked on the event loop, and woken through our own
//! eventfd.
//!
//! A parked request is in the state that `limit_req` puts a delayed one in: the access phase has
//! been told to come back, the write event is marked `delayed`, and a timer on it is the last
//! resort. The background thread writes to the eventfd; its handler takes the answers and posts the
//! write events of the waiting requests, so that Nginx runs each as it runs any request, and forgets
//! the event of one that is gone in between. The timers also keep a worker that is shutting down
//! until its parked requests have their answer.

use core::ptr::NonNull;
use core::time::Duration;
use std::rc::Rc;
use std::sync::Arc;

use mesh_core::issuer::Question;
use mesh_core::request::Connection as _;
use mesh_core::stage::authenticate::Failure;
use mesh_core::text::time::Tick;
use mesh_core::token::introspection::{Answer, Asked, Introspections};
use nginx_sys::{
    NGX_OK, ngx_add_timer, ngx_close_connection, ngx_connection_t, ngx_cycle, ngx_del_timer,
    ngx_event_t, ngx_get_connection, ngx_handle_read_event, ngx_handle_write_event,
    ngx_http_block_reading, ngx_http_core_run_phases, ngx_http_finalize_request,
    ngx_http_request_t, ngx_http_test_reading, ngx_int_t, ngx_msec_t, ngx_post_event,
    ngx_posted_events,
};

use crate::nginx::ngx::clock;
use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::live::Live;
use crate::nginx::ngx::log::{Level, Log};
use crate::nginx::phase::context::Context;
use crate::nginx::phase::lot::{LOT, Lot, Ticket};
use crate::nginx::phase::turn::Turn;
use crate::nginx::state::settings::MainConf;

use crate::nginx::state::settings;
use crate::nginx::worker::thread;
use crate::nginx::worker::wish;

/// Makes the eventfd, from `init_process`, and returns the function that wakes the event loop by it;
/// without one no request is parked.
pub(crate) fn open() -> Option<Arc<dyn Fn() + Send + Sync>> {
    // SAFETY: it takes two numbers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd == -1 {
        Log::cycle().write(Level::Crit, format_args!("eventfd() failed, no token is asked about"));
        return None;
    }
    // SAFETY: a worker has its connections and its event module before any HTTP module begins
    // (`ngx_event_process_init`). A failure leaves the connection unchanged, to be closed.
    let connection = unsafe {
        let log = (*ngx_cycle).log;
        let connection = ngx_get_connection(fd, log);
        if connection.is_null() {
            libc::close(fd);
            return None;
        }
        let (read, write) = ((*connection).read, (*connection).write);
        (*read).log = log;
        (*write).log = log;
        (*read).handler = Some(wake);
        if ngx_handle_read_event(read, 0) != NGX_OK as ngx_int_t {
            ngx_close_connection(connection);
            return None;
        }
        connection
    };
    LOT.with_borrow_mut(|lot| lot.eventfd = NonNull::new(connection));
    Some(Arc::new(move || {
        let one = 1_u64;
        // SAFETY: eight bytes of a number. The thread that calls this is joined before the
        // descriptor is closed (`exit_process`). It fails only when there are 2^64 - 2 calls that
        // the event loop has not seen: then it is about to see them.
        unsafe { libc::write(fd, (&raw const one).cast(), size_of::<u64>()) };
    }))
}

/// Closes the eventfd, from `exit_process`, once the thread has ended.
pub(crate) fn close() {
    let Some(connection) = LOT.with_borrow_mut(|lot| lot.eventfd.take()) else { return };
    // SAFETY: it is the connection that `open` took, and closed here alone.
    unsafe { ngx_close_connection(connection.as_ptr()) };
}

/// Whether a request that needs an answer waits for it.
pub(crate) enum Parked {
    /// It waits, and the access phase is called again.
    Waits,
    /// It cannot wait: there will be no answer, as the settings' book of introspections has noted.
    Cannot,
}

/// Parks a request in the access phase until its need is met.
pub(super) fn park(Turn { r, location, context }: Turn<'_>, question: Question) -> Option<Parked> {
    let main = settings::main(r);
    let patience = patience(main, &question)?;
    let now = clock::now().tick;
    let mut introspections = main.introspections.try_borrow_mut().ok()?;
    let has_room = LOT.with_borrow(|lot| {
        lot.eventfd.is_some() && lot.waiting_for(question.issuer) < introspections.share()
    });
    // A request that comes back without an answer may wait again only a few times.
    if !has_room || !context.may_park() {
        introspections.put_off(&question, now);
        return Some(Parked::Cannot);
    }
    if !send(&mut introspections, &question, patience, now) {
        return Some(Parked::Cannot);
    }
    drop(introspections);
    // SAFETY: the request is live and in its access phase, as in `ngx_http_limit_req_handler`.
    unsafe { suspend(r, patience)? };
    let failure = Failure::of(context.view(r).address(), &location.authentication);
    context.hold(Ticket::new(r, question, failure));
    Some(Parked::Waits)
}

/// Asks an issuer about the token of a subrequest, which cannot wait for the answer: its address
/// owes for the token if it is refused.
pub(super) fn ask(Turn { r, location, context }: Turn<'_>, question: Question) -> Option<()> {
    let main = settings::main(r);
    let patience = patience(main, &question)?;
    let now = clock::now().tick;
    let mut introspections = main.introspections.try_borrow_mut().ok()?;
    if send(&mut introspections, &question, patience, now)
        && let Some(failure) = Failure::of(context.view(r).address(), &location.authentication)
        && context.owes()
    {
        LOT.with_borrow_mut(|lot| lot.debts.add(&Rc::new(question), failure));
    }
    Some(())
}

/// Sends a question, unless it is on its way; `false` if there will be no answer.
fn send(
    introspections: &mut Introspections,
    question: &Question,
    patience: Duration,
    now: Tick,
) -> bool {
    match introspections.ask(question, patience, now) {
        Asked::Already => true,
        Asked::Now if thread::introspect(question.clone()) => true,
        Asked::Now | Asked::TooMany => {
            introspections.give_up(question, now);
            false
        }
    }
}

/// Asks again about the request's token if its answer is about to expire: no request waits for it.
pub(crate) fn renew(r: Live<'_>) {
    let main = settings::main(r);
    let Ok(mut introspections) = main.introspections.try_borrow_mut() else { return };
    let Some(question) = introspections.take_renewal() else { return };
    let Some(patience) = patience(main, &question) else { return };
    let now = clock::now().tick;
    if introspections.ask(&question, patience, now) == Asked::Now
        && !thread::introspect(question.clone())
    {
        introspections.give_up(&question, now);
    }
}

/// The longest wait for an answer.
fn patience(main: &MainConf, question: &Question) -> Option<Duration> {
    let issuer = main.trust.as_ref()?.issuers().get(question.issuer)?;
    Some(issuer.introspection.as_ref()?.timeout.saturating_add(SLACK))
}

/// # Safety
///
/// The request is in its access phase, and the caller returns `NGX_AGAIN` from it.
unsafe fn suspend(r: Live<'_>, patience: Duration) -> Option<()> {
    let patience = ngx_msec_t::try_from(patience.as_millis()).ok()?;
    // SAFETY: a request has a connection with both events: a stream's own under HTTP/2 and HTTP/3.
    // The handlers are set and called as `ngx_http_limit_req_handler` does it.
    unsafe {
        let (request, connection) = (r.as_ptr(), r.connection());
        let (read, write) = ((*connection).read, (*connection).write);
        if (*read).ready() != 0 {
            ngx_post_event(read, &raw mut ngx_posted_events);
        } else if ngx_handle_read_event(read, 0) != NGX_OK as ngx_int_t {
            return None;
        }
        (*request).read_event_handler = Some(ngx_http_test_reading);
        (*request).write_event_handler = Some(resume);
        (*write).set_delayed(1);
        ngx_add_timer(write, patience);
    }
    Some(())
}

/// The write event of a parked request: it was woken, its time is over, or neither.
unsafe extern "C" fn resume(r: *mut ngx_http_request_t) {
    enum Next {
        Fail,
        GoOn,
        Wait,
    }
    // SAFETY: Nginx calls the handler of a whole, live request.
    let Some(live) = (unsafe { Live::new(r) }) else { return };
    let next = guard(
        "parked request",
        Next::Fail,
        || live.log(),
        || {
            let connection = live.connection();
            // SAFETY: as in `suspend`; `ngx_http_request_handler` has taken `delayed` away if the
            // timer has fired, and `post` if there is an answer.
            let is_delayed = unsafe { (*(*connection).write).delayed() != 0 };
            if is_delayed {
                // SAFETY: as above.
                let watched = unsafe { ngx_handle_write_event((*connection).write, 0) };
                return if watched == NGX_OK as ngx_int_t { Next::Wait } else { Next::Fail };
            }
            give_up_unanswered(live);
            // SAFETY: as above.
            let watched = unsafe { ngx_handle_read_event((*connection).read, 0) };
            if watched == NGX_OK as ngx_int_t { Next::GoOn } else { Next::Fail }
        },
    );
    // SAFETY: the request is live, nothing of it is borrowed, and nothing is done with it after
    // the call that may free it. The handlers are those that it had before it was parked
    // (`ngx_http_process_request`, `ngx_http_handler`).
    unsafe {
        match next {
            Next::Fail => {
                ngx_http_finalize_request(
                    r,
                    nginx_sys::NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t,
                );
            }
            Next::GoOn => {
                (*r).read_event_handler = Some(ngx_http_block_reading);
                (*r).write_event_handler = Some(ngx_http_core_run_phases);
                ngx_http_core_run_phases(r);
            }
            Next::Wait => {}
        }
    }
}

/// If the time of a request is over, the time of its question is over too.
fn give_up_unanswered(r: Live<'_>) {
    let Some(mut ticket) = Context::known(r).and_then(Context::release) else { return };
    // The client is still there to be charged.
    ticket.failure = None;
    if ticket.is_waiting()
        && let Ok(mut introspections) = settings::main(r).introspections.try_borrow_mut()
    {
        introspections.give_up(&ticket.question, clock::now().tick);
    }
}

/// The read event of the eventfd.
unsafe extern "C" fn wake(event: *mut ngx_event_t) {
    guard("introspection answers", (), Log::cycle, || {
        // SAFETY: Nginx passes the event of our connection, whose descriptor is the eventfd. It is
        // read before the answers are taken: what comes after them makes it readable again.
        unsafe {
            let connection = (*event).data.cast::<ngx_connection_t>();
            let mut count = 0_u64;
            libc::read((*connection).fd, (&raw mut count).cast(), size_of::<u64>());
            (*event).set_ready(0);
            ngx_handle_read_event(event, 0);
        }
        take_answers();
    });
}

/// Stores the arrived answers where the requests look for them, and wakes the waiting requests.
fn take_answers() {
    let Some((main, mut introspections)) = book() else { return };
    let now = clock::now().tick;
    for answered in thread::answers() {
        let question = answered.question;
        if let Some(it) = &answered.wish {
            wish::wish(main, it, now);
        }
        let debts = LOT.with_borrow_mut(|lot| lot.debts.take(&question));
        if matches!(answered.answer, Some(Answer::Refused(_)))
            && let Some(table) = main.zone.as_ref().and_then(|zone| zone.table())
        {
            debts.iter().for_each(|failure| failure.charge(table, now));
        }
        let issuer = main.trust.as_ref().and_then(|trust| trust.issuers().get(question.issuer));
        match (answered.answer, issuer.and_then(|issuer| issuer.introspection.as_ref())) {
            (Some(answer), Some(how)) => {
                introspections.answer(&question, answer, (how.cache, how.negative), now);
            }
            _ => introspections.give_up(&question, now),
        }
        for waiting in LOT.with_borrow_mut(|lot| lot.take(&question)) {
            post(waiting);
        }
    }
}

/// Gives up all questions and wakes all waiting requests: the thread that would answer is gone.
pub(crate) fn abandon() {
    if let Some((_, mut introspections)) = book() {
        introspections.give_up_all(clock::now().tick);
    }
    for waiting in LOT.with_borrow_mut(Lot::take_all) {
        post(waiting);
    }
}

fn book<'c>() -> Option<(&'c MainConf, core::cell::RefMut<'c, Introspections>)> {
    // SAFETY: a worker has one cycle from its begin to its end.
    let main = settings::of_cycle(unsafe { ngx_cycle })?;
    let introspections = main.introspections.try_borrow_mut().ok()?;
    Some((main, introspections))
}

/// Lets Nginx call `resume` in this turn of the event loop.
fn post(waiting: NonNull<ngx_connection_t>) {
    // SAFETY: a ticket leaves the lot before its request's pool is destroyed, and with it before
    // its connection: so this one is alive. The posted event goes with the connection
    // (`ngx_close_connection`, `ngx_http_v2_close_stream`).
    unsafe {
        let write = (*waiting.as_ptr()).write;
        (*write).set_delayed(0);
        if (*write).timer_set() != 0 {
            ngx_del_timer(write);
        }
        ngx_post_event(write, &raw mut ngx_posted_events);
    }
}

/// The time for an answer beyond its issuer's own: the thread gives up before.
const SLACK: Duration = Duration::from_secs(1);
