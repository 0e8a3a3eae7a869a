//! Requests whose body is read for what it names.
//!
//! Nginx reads the body as for a proxy that buffers; a filter of ours sees each piece on its way and
//! keeps the members that the operation's row looks at. The request is parked meanwhile: the access phase
//! has said that it is done for now, and is called again once the body is whole. If the body is refused
//! on the way, the filter has Nginx stop reading, and an event of ours calls the access phase, which
//! refuses as it refuses everything.

use core::cell::Cell;
use core::ptr;

use mesh_core::body::{BodyError, Reader};
use mesh_core::config::Location;
use mesh_core::need::{self, Entry};
use mesh_core::platform::table::Table;
use mesh_core::refusal::Reason;
use mesh_core::stage::decide::BodyRead;
use nginx_sys::{
    NGX_AGAIN, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_SPECIAL_RESPONSE, ngx_add_timer,
    ngx_chain_t, ngx_connection_t, ngx_del_timer, ngx_delete_posted_event, ngx_event_t,
    ngx_http_block_reading, ngx_http_core_run_phases, ngx_http_read_client_request_body,
    ngx_http_request_body_filter_pt, ngx_http_request_t, ngx_http_run_posted_requests,
    ngx_http_top_request_body_filter, ngx_int_t, ngx_msec_t, ngx_post_event, ngx_posted_events,
};

use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::live::Live;
use crate::nginx::ngx::log::Log;
use crate::nginx::phase::context::Context;
use crate::nginx::phase::turn::Turn;
use crate::nginx::state::settings;

/// The bytes that the members of one body may take.
const ONE: usize = 64 * 1024;

thread_local! {
    /// The bytes that this worker may still need for bodies: so many a request.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// A body on its way.
pub(super) struct Reading {
    state: State,
    entry: Entry,
    taken: u64,
    most: u64,
    /// Whether a body that is refused goes upstream all the same: a dry run.
    is_lenient: bool,
    /// Whether the access phase waits for us; not while Nginx's first call lasts.
    is_parked: bool,
    /// Our timer, which is also posted once a body is refused.
    event: Box<ngx_event_t>,
}

enum State {
    /// What has come is well so far.
    Going(Box<Reader<'static>>),
    /// It is refused, and Nginx reads no more of it.
    Refused(Reason),
    /// It would be refused, and goes upstream as it comes.
    Skipped(Reason),
}

impl Drop for Reading {
    fn drop(&mut self) {
        // SAFETY: the event is ours, and in Nginx's timers or queue if it says so.
        unsafe { disarm(&raw mut *self.event) };
        TAKEN.set(TAKEN.get().saturating_sub(ONE));
    }
}

/// # Safety
///
/// The event is whole.
unsafe fn disarm(event: *mut ngx_event_t) {
    // SAFETY: the caller's contract.
    unsafe {
        if (*event).timer_set() != 0 {
            ngx_del_timer(event);
        }
        if (*event).posted() != 0 {
            ngx_delete_posted_event(event);
        }
    }
}

/// How far the reading of a body came in one call.
pub(super) enum Read {
    /// The memo has what came of it.
    Now,
    /// The access phase is called again.
    Later,
    /// Nginx refuses the request by a status of its own.
    Failed(ngx_int_t),
}

/// Has Nginx read the body of a request; `None` without memory.
pub(super) fn read(turn: Turn<'_>, body: &need::Body) -> Option<Read> {
    let Turn { r, location, context } = turn;
    let need::Body { kind, most, entry } = body.clone();
    let refuse = |reason| {
        context.set_body(BodyRead { entry, found: Err(reason) })?;
        Some(Read::Now)
    };
    let table = location.authorization.as_ref()?.platform.table();
    // SAFETY: the table belongs to the cycle of the request, which outlives it; what refers to it is
    // dropped with the request's pool.
    let table: &'static Table = unsafe { &*ptr::from_ref(table) };
    let Some(wanted) = table.wanted(entry.line) else { return refuse(Reason::BodyUnavailable) };
    let room = settings::main(r).raw.body_memory.unwrap_or(MEMORY);
    if TAKEN.get().saturating_add(ONE) > room {
        return refuse(Reason::BodyUnavailable);
    }
    TAKEN.set(TAKEN.get().saturating_add(ONE));
    // SAFETY: zero is a valid value of every field: null, no function, no flag.
    let event = Box::new(unsafe { core::mem::zeroed::<ngx_event_t>() });
    let is_lenient = location.dry_run.covers(Reason::BodyMalformed);
    let state = State::Going(Box::new(Reader::new(kind, wanted)));
    let reading = Reading { state, entry, taken: 0, most, is_lenient, is_parked: false, event };
    let raw = r.as_ptr();
    // SAFETY: the request is whole and live.
    let (was_read, is_discarded) =
        unsafe { (!(*raw).request_body.is_null(), (*raw).discard_body() != 0) };
    if is_discarded {
        drop(reading);
        return refuse(Reason::BodyUnavailable);
    }
    context.begin_body(reading)?;
    if was_read {
        // SAFETY: its buffers are a chain that ends in null.
        unsafe { walk(context, (*(*raw).request_body).bufs) };
        finish(r, context)?;
        return Some(Read::Now);
    }
    start(turn, context)
}

/// Begins to read.
fn start(turn: Turn<'_>, context: &Context) -> Option<Read> {
    let Turn { r, location, .. } = turn;
    let raw = r.as_ptr();
    // SAFETY: the request is the main one, and in its access phase. Nothing of its context is borrowed
    // while Nginx calls our filter and `read_whole`.
    let code = unsafe { ngx_http_read_client_request_body(raw, Some(read_whole)) };
    if code >= NGX_HTTP_SPECIAL_RESPONSE as ngx_int_t {
        context.end_body();
        return Some(Read::Failed(code));
    }
    let is_refused = context.with_body(|reading| matches!(reading.state, State::Refused(_)));
    match is_refused {
        // `read_whole` was called.
        None => Some(Read::Now),
        Some(true) => {
            // SAFETY: the request is live. `read_whole`, which takes back Nginx's count, is not called
            // any more.
            unsafe { give_up_reading(raw) };
            finish(r, context)?;
            Some(Read::Now)
        }
        Some(false) => {
            context.with_body(|reading| reading.park(r, location))?;
            Some(Read::Later)
        }
    }
}

impl Reading {
    /// Sets the timer of a body that is not whole yet.
    fn park(&mut self, r: Live<'_>, location: &Location) {
        self.is_parked = true;
        let patience = ngx_msec_t::try_from(location.body_timeout.as_millis()).unwrap_or(0);
        // SAFETY: the event is ours, and lives until the request's pool is destroyed: `drop` takes it
        // out of the timers. Nginx's debug log reads a descriptor through `data`, which is that of the
        // request's connection.
        unsafe {
            self.event.handler = Some(wake);
            self.event.data = r.connection().cast();
            self.event.log = (*r.connection()).log;
            ngx_add_timer(&raw mut *self.event, patience);
        }
    }

    /// Takes a piece; whether Nginx goes on.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.taken = self.taken.saturating_add(count);
        let State::Going(reader) = &mut self.state else { return !self.is_refused() };
        let result = match self.taken > self.most {
            true => Err(BodyError::TooLarge),
            false => reader.feed(bytes),
        };
        if let Err(error) = result {
            self.refuse(error.into());
        }
        !self.is_refused()
    }

    fn refuse(&mut self, reason: Reason) {
        self.state = match self.is_lenient {
            true => State::Skipped(reason),
            false => State::Refused(reason),
        };
    }

    const fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused(_))
    }
}

/// The filter below ours.
static NEXT: NextFilter = NextFilter(Cell::new(None));

struct NextFilter(Cell<ngx_http_request_body_filter_pt>);

// SAFETY: it is written while the configuration is read, and read in requests: by the one thread of
// Nginx.
unsafe impl Sync for NextFilter {}

/// Puts our filter on top, from `postconfiguration`.
pub(crate) fn install() {
    // SAFETY: filters are linked so while the configuration is read, by one thread.
    unsafe {
        NEXT.0.set(ngx_http_top_request_body_filter);
        ngx_http_top_request_body_filter = Some(filter);
    }
}

/// Each piece of each body, on its way to where Nginx keeps it.
unsafe extern "C" fn filter(r: *mut ngx_http_request_t, chain: *mut ngx_chain_t) -> ngx_int_t {
    const FAILED: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
    // SAFETY: Nginx calls a filter with a whole, live request.
    let Some(live) = (unsafe { Live::new(r) }) else { return FAILED };
    let goes_on = guard(
        "request body filter",
        None,
        || live.log(),
        || {
            let Some(context) = Context::known(live) else { return Some(true) };
            // SAFETY: Nginx passes a chain that ends in null.
            Some(unsafe { walk(context, chain) })
        },
    );
    match (goes_on, NEXT.0.get()) {
        (Some(true), Some(next)) => {
            // SAFETY: it is what was on top before us.
            unsafe { next(r, chain) }
        }
        // Nginx reads no more; whoever called it, or our event, goes on with the request.
        (Some(false), _) => NGX_AGAIN as ngx_int_t,
        _ => FAILED,
    }
}

/// Shows each buffer of a chain to the reading, if there is one; whether Nginx goes on.
///
/// # Safety
///
/// The chain ends in null, and its buffers are whole.
unsafe fn walk(context: &Context, mut chain: *mut ngx_chain_t) -> bool {
    let goes_on = context.with_body(|reading| {
        let mut goes_on = !reading.is_refused();
        // SAFETY: the caller's contract. A buffer in memory is what lies between `pos` and `last`.
        unsafe {
            while goes_on && !chain.is_null() {
                let buffer = (*chain).buf;
                if (*buffer).in_file() != 0 {
                    // It was read by somebody else, and is larger than what is kept in memory.
                    reading.refuse(Reason::BodyTooLarge);
                    goes_on = !reading.is_refused();
                } else if (*buffer).last > (*buffer).pos {
                    let length = (*buffer).last.offset_from_unsigned((*buffer).pos);
                    goes_on = reading.take(core::slice::from_raw_parts((*buffer).pos, length));
                }
                chain = (*chain).next;
            }
            if !goes_on && reading.is_parked {
                let event = &raw mut *reading.event;
                disarm(event);
                ngx_post_event(event, &raw mut ngx_posted_events);
            }
        }
        goes_on
    });
    goes_on.unwrap_or(true)
}

/// Nginx has the whole body.
unsafe extern "C" fn read_whole(r: *mut ngx_http_request_t) {
    // SAFETY: Nginx calls it with a whole, live request.
    let Some(live) = (unsafe { Live::new(r) }) else { return };
    let is_parked = guard(
        "request body",
        None,
        || live.log(),
        || {
            // SAFETY: the request is live; `ngx_http_read_client_request_body` has counted once more.
            unsafe {
                let main = live.main().as_ptr();
                (*main).set_count((*main).count().saturating_sub(1));
            }
            let context = Context::known(live)?;
            let is_parked = context.with_body(|reading| reading.is_parked)?;
            finish(live, context)?;
            Some(is_parked)
        },
    );
    // SAFETY: the request is live, nothing of it is borrowed, and nothing is done with it after the call
    // that may free it.
    unsafe {
        match is_parked {
            Some(false) => {}
            Some(true) => {
                (*r).write_event_handler = Some(ngx_http_core_run_phases);
                ngx_http_core_run_phases(r);
            }
            None => {
                nginx_sys::ngx_http_finalize_request(
                    r,
                    NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t,
                );
            }
        }
    }
}

/// Ends the reading: the memo has what came of it.
fn finish(r: Live<'_>, context: &Context) -> Option<()> {
    let reading = context.end_body()?;
    // SAFETY: the request is whole and live. Nginx has counted a body without a length by now.
    let length = unsafe { (*r.as_ptr()).headers_in.content_length_n };
    let (entry, taken) = (reading.entry, reading.taken);
    let found = match reading.into_state() {
        State::Going(reader) if u64::try_from(length).is_ok_and(|length| length == taken) => {
            reader.finish().map_err(Reason::from)
        }
        // What was sent is not what was seen.
        State::Going(_) => Err(Reason::BodyMalformed),
        State::Refused(reason) | State::Skipped(reason) => Err(reason),
    };
    context.set_body(BodyRead { entry, found })
}

impl Reading {
    fn into_state(mut self) -> State {
        core::mem::replace(&mut self.state, State::Refused(Reason::BodyUnavailable))
    }
}

/// Has Nginx read no more of a body that is refused, and the connection end with the answer.
///
/// # Safety
///
/// The request is a live main request whose body is being read.
unsafe fn give_up_reading(raw: *mut ngx_http_request_t) {
    // SAFETY: the caller's contract; a stream lives as long as its request.
    unsafe {
        (*raw).set_count((*raw).count().saturating_sub(1));
        (*raw).read_event_handler = Some(ngx_http_block_reading);
        let read = (*(*raw).connection).read;
        if (*read).timer_set() != 0 {
            ngx_del_timer(read);
        }
        match (*raw).stream.as_mut() {
            Some(stream) => stream.set_skip_data(1),
            None => {
                (*raw).set_keepalive(0);
                (*raw).set_lingering_close(1);
            }
        }
    }
}

/// Our event: the time of a body is over, or it was refused.
unsafe extern "C" fn wake(event: *mut ngx_event_t) {
    let request = guard("request body event", None, Log::cycle, || {
        // SAFETY: Nginx calls it with the event of a `Reading`, which lives as long as its request. The
        // request's connection has no other request while it is in its access phase.
        unsafe {
            let connection = (*event).data.cast::<ngx_connection_t>();
            let raw = (*connection).data.cast::<ngx_http_request_t>();
            let live = Live::new(raw)?.main();
            let context = Context::known(live)?;
            let is_late = (*event).timedout() != 0;
            context.with_body(|reading| {
                if is_late && !reading.is_refused() {
                    reading.state = State::Refused(Reason::BodyTimeout);
                }
            })?;
            finish(live, context)?;
            give_up_reading(live.as_ptr());
            Some((live.as_ptr(), connection))
        }
    });
    if let Some((raw, connection)) = request {
        // SAFETY: the request is live, and nothing is done with it after the call that may free it; its
        // connection is Nginx's to go on with, as in `ngx_http_request_handler`.
        unsafe {
            (*raw).write_event_handler = Some(ngx_http_core_run_phases);
            ngx_http_core_run_phases(raw);
            ngx_http_run_posted_requests(connection);
        }
    }
}

/// `mesh_body_memory` if none is given.
const MEMORY: usize = 64 << 20;
