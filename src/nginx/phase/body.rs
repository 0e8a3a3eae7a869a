//! Requests whose body is read for what it names.
//!
//! Nginx reads the body as for a proxy that buffers; a filter of ours sees each piece on its way and
//! keeps the members that the operation's row looks at. The request is parked meanwhile: the access phase
//! has said that it is done for now, and is called again once the body is whole. If the body is refused
//! on the way, the filter has Nginx stop reading, and an event of ours calls the access phase, which
//! refuses as it refuses everything. If Nginx ends the reading itself, because a chunk is none or the
//! client is gone, nothing of ours holds the request.

use core::cell::Cell;
use core::ptr;

use mesh_core::body::{BodyError, Extract, Reader};
use mesh_core::config::{BODY_MEMORY, Location};
use mesh_core::need::{self, Entry};
use mesh_core::platform::table::Table;
use mesh_core::refusal::Reason;
use mesh_core::stage::decide::BodyRead;
use nginx_sys::{
    NGX_AGAIN, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_SPECIAL_RESPONSE, NGX_OK, ngx_add_timer,
    ngx_chain_t, ngx_connection_t, ngx_del_timer, ngx_delete_posted_event, ngx_event_t,
    ngx_http_block_reading, ngx_http_core_run_phases, ngx_http_finalize_request,
    ngx_http_read_client_request_body, ngx_http_request_body_filter_pt, ngx_http_request_t,
    ngx_http_run_posted_requests, ngx_http_top_request_body_filter, ngx_int_t, ngx_msec_t,
    ngx_post_event, ngx_posted_events,
};

use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::live::Live;
use crate::nginx::ngx::log::Log;
use crate::nginx::phase::context::Context;
use crate::nginx::phase::turn::Turn;
use crate::nginx::state::settings;

thread_local! {
    /// The bytes that this worker holds for bodies, or keeps of them.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// A part of `mesh_body_memory`, given back when it is dropped.
pub(super) struct Share {
    size: usize,
    room: usize,
}

impl Share {
    /// What a body that has not come yet takes; `None` if there is no room for it.
    fn take(room: usize, size: usize) -> Option<Self> {
        let mut share = Self { size: 0, room };
        share.resize(size).then_some(share)
    }

    /// Takes as much as is held now, or gives back what is not; `false` if there is no room for more.
    fn resize(&mut self, size: usize) -> bool {
        let others = TAKEN.get().saturating_sub(self.size);
        let all = others.saturating_add(size);
        if size > self.size && all > self.room {
            return false;
        }
        TAKEN.set(all);
        self.size = size;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.resize(0);
    }
}

/// A body on its way.
pub(super) struct Reading {
    state: State,
    entry: Entry,
    taken: u64,
    most: u64,
    /// Whether a body that is refused goes upstream all the same: a dry run.
    is_lenient: bool,
    /// The request while the access phase waits for us; not while Nginx's first call lasts.
    parked: Option<Stamp>,
    event: Event,
    share: Share,
}

enum State {
    /// What has come is well so far.
    Going(Box<Reader<'static>>),
    /// It is refused, and Nginx reads no more of it.
    Refused(Reason),
    /// It would be refused, and goes upstream as it comes.
    Skipped(Reason),
}

/// What tells that Nginx still reads the body of a request: all of it changes if Nginx ends the reading,
/// answers the request, or redirects it.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Stamp {
    handlers: [usize; 2],
    changes: u32,
}

impl Stamp {
    fn of(r: Live<'_>) -> Self {
        // SAFETY: the request is whole and live.
        unsafe {
            let raw = r.as_ptr();
            let handlers = [(*raw).read_event_handler, (*raw).write_event_handler];
            let handlers = handlers.map(|handler| handler.map_or(0, |handler| handler as usize));
            Self { handlers, changes: (*raw).uri_changes() }
        }
    }
}

/// Our timer, which is also posted once a body is refused.
struct Event(Box<ngx_event_t>);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is ours, and in Nginx's timers or queue if it says so.
        unsafe { disarm(&raw mut *self.0) };
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
    let need::Body { kind, most, entry } = *body;
    let refuse = |reason| {
        context.set_unread(BodyRead { entry, found: Err(reason) })?;
        Some(Read::Now)
    };
    let table = location.authorization.as_ref()?.platform.table();
    // SAFETY: the table belongs to the cycle of the request, which outlives it; what refers to it is
    // dropped with the request's pool.
    let table: &'static Table = unsafe { &*ptr::from_ref(table) };
    let Some(wanted) = table.wanted(entry.line) else { return refuse(Reason::BodyUnavailable) };
    let raw = r.as_ptr();
    // SAFETY: the request is whole and live.
    let (known, is_elsewhere) = unsafe {
        let is_elsewhere = (*raw).discard_body() != 0 || (*raw).reading_body() != 0;
        ((*raw).request_body, is_elsewhere)
    };
    if is_elsewhere {
        // It went nowhere, or is on its way to another upstream.
        return refuse(Reason::BodyUnavailable);
    }
    let room = settings::main(r).raw.body_memory.unwrap_or(BODY_MEMORY);
    // SAFETY: zero is a valid value of every field: null, no function, no flag.
    let event = Event(Box::new(unsafe { core::mem::zeroed::<ngx_event_t>() }));
    let is_lenient = location.dry_run.covers(Reason::BodyMalformed);
    let reader = Box::new(Reader::new(kind, wanted));
    let share = Share::take(room, reader.held().saturating_add(size_of::<Reading>()));
    let Some(share) = share else { return refuse(Reason::BodyUnavailable) };
    let state = State::Going(reader);
    let reading = Reading { state, entry, taken: 0, most, is_lenient, parked: None, event, share };
    context.begin_body(reading)?;
    if known.is_null() {
        return start(turn, context);
    }
    // SAFETY: its buffers are a chain that ends in null.
    unsafe { walk(context, (*known).bufs) };
    finish(r, context)?;
    Some(Read::Now)
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
    // SAFETY: the request is live, and the call has counted once more. As for a content handler, which is
    // finalized by `NGX_DONE` then, nobody holds the request but its connection: if Nginx ends the
    // reading, it ends the request.
    unsafe { (*raw).set_count((*raw).count().saturating_sub(1)) };
    let is_whole = code == NGX_OK as ngx_int_t;
    if is_whole || context.with_body(|reading| reading.is_refused())? {
        if !is_whole {
            give_up_reading(r, context);
        }
        // SAFETY: the request is live, and goes on with its phases: a module behind us that waits is
        // called again by this handler (`ngx_http_handler`), which the call may have replaced.
        unsafe { (*raw).write_event_handler = Some(ngx_http_core_run_phases) };
        finish(r, context)?;
        return Some(Read::Now);
    }
    context.with_body(|reading| reading.park(r, location))?;
    Some(Read::Later)
}

impl Reading {
    /// Sets the timer of a body that is not whole yet.
    fn park(&mut self, r: Live<'_>, location: &Location) {
        self.parked = Some(Stamp::of(r));
        let patience = ngx_msec_t::try_from(location.body_timeout.as_millis()).unwrap_or(0);
        let event = &mut self.event.0;
        event.handler = Some(wake);
        event.data = r.connection().cast();
        // SAFETY: the event is ours, and lives until the request's pool is destroyed: `drop` takes it
        // out of the timers. Nginx's debug log reads a descriptor through `data`, which is that of the
        // request's connection.
        unsafe {
            event.log = (*r.connection()).log;
            ngx_add_timer(&raw mut **event, patience);
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
        let held = reader.held().saturating_add(size_of::<Self>());
        if let Err(error) = result {
            self.refuse(error.into());
        } else if !self.share.resize(held) {
            self.refuse(Reason::BodyUnavailable);
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
            if !goes_on && reading.parked.is_some() {
                let event = &raw mut *reading.event.0;
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
    let next = guard(
        "request body",
        Next::Fail,
        || live.log(),
        || {
            let parked = |context: &Context| context.with_body(|it| it.parked.is_some());
            match Context::known(live).and_then(|context| Some((context, parked(context)?))) {
                // It is called from `start`, which goes on.
                Some((_, false)) => Next::Wait,
                Some((context, true)) if finish(live, context).is_some() => Next::GoOn,
                _ => Next::Fail,
            }
        },
    );
    // SAFETY: the request is live, and nothing is done with it after this.
    unsafe { go_on(r, next) };
}

/// What is to be done with a parked request.
#[derive(Clone, Copy)]
enum Next {
    /// Nothing, or somebody else does.
    Wait,
    GoOn,
    Fail,
}

/// # Safety
///
/// The request is live, nothing of it is borrowed, and nothing is done with it afterwards: it may be freed.
unsafe fn go_on(r: *mut ngx_http_request_t, next: Next) {
    // SAFETY: the caller's contract. A request runs its phases by this handler (`ngx_http_handler`).
    unsafe {
        match next {
            Next::Wait => {}
            Next::GoOn => {
                (*r).write_event_handler = Some(ngx_http_core_run_phases);
                ngx_http_core_run_phases(r);
            }
            Next::Fail => {
                ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t);
            }
        }
    }
}

/// Ends the reading: the memo has what came of it.
fn finish(r: Live<'_>, context: &Context) -> Option<()> {
    let Reading { state, entry, taken, mut share, .. } = *context.end_body()?;
    let found = match state {
        State::Going(reader) if is_whole(r, taken) => reader.finish().map_err(Reason::from),
        // What was sent is not what was seen.
        State::Going(_) => Err(Reason::BodyMalformed),
        State::Refused(reason) | State::Skipped(reason) => Err(reason),
    };
    share.resize(found.as_ref().map_or(0, Extract::size));
    context.set_body(BodyRead { entry, found }, share)
}

/// Whether Nginx has the end of a body, and as much of it as we.
fn is_whole(r: Live<'_>, taken: u64) -> bool {
    // SAFETY: the request is whole and live; its body is null or lives as long as it does. Nginx has
    // counted a body without a length by now.
    unsafe {
        let length = (*r.as_ptr()).headers_in.content_length_n;
        let has_end = (*r.as_ptr()).request_body.as_ref().is_some_and(|it| it.last_saved() != 0);
        has_end && u64::try_from(length).is_ok_and(|length| length == taken)
    }
}

/// Has Nginx read no more of a body that is refused, and the connection end with the answer. Whatever
/// answers, such as the upstream of an error page, has no body: it gets neither a part of it nor its
/// length.
fn give_up_reading(r: Live<'_>, context: &Context) {
    context.give_up();
    // SAFETY: the request is a live main request whose body is being read; a stream lives as long as its
    // request.
    unsafe {
        let raw = r.as_ptr();
        (*raw).read_event_handler = Some(ngx_http_block_reading);
        let read = (*(*raw).connection).read;
        if (*read).timer_set() != 0 {
            ngx_del_timer(read);
        }
        if let Some(body) = (*raw).request_body.as_mut() {
            body.bufs = ptr::null_mut();
        }
        // The field itself is what `$content_length` shows to upstreams of other kinds.
        (*raw).headers_in.content_length = ptr::null_mut();
        (*raw).headers_in.content_length_n = 0;
        (*raw).headers_in.set_chunked(0);
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
    // SAFETY: Nginx calls it with the event of a `Reading`, which lives as long as its request, and so
    // does its connection. As long as Nginx reads the body, the connection has no other request, and no
    // subrequest is active.
    let (raw, connection, is_late) = unsafe {
        let connection = (*event).data.cast::<ngx_connection_t>();
        let raw = (*connection).data.cast::<ngx_http_request_t>();
        (raw, connection, (*event).timedout() != 0)
    };
    // SAFETY: as above.
    let Some(live) = (unsafe { Live::new(raw) }) else { return };
    let next = guard("request body event", Next::Fail, Log::cycle, || {
        ended(live.main(), is_late).unwrap_or(Next::Fail)
    });
    // SAFETY: the request is live, and nothing is done with it after the call that may free it; its
    // connection is Nginx's to go on with, as in `ngx_http_request_handler`.
    unsafe {
        go_on(live.main().as_ptr(), next);
        ngx_http_run_posted_requests(connection);
    }
}

/// Ends the reading of a body that is refused, or late.
fn ended(r: Live<'_>, is_late: bool) -> Option<Next> {
    let Some(context) = Context::known(r) else { return Some(Next::Wait) };
    let is_refused = context.with_body(|reading| {
        if reading.parked != Some(Stamp::of(r)) {
            return None;
        }
        if is_late && matches!(reading.state, State::Going(_)) {
            reading.refuse(Reason::BodyTimeout);
        }
        Some(reading.is_refused())
    });
    match is_refused? {
        Some(true) => {
            give_up_reading(r, context);
            finish(r, context)?;
            Some(Next::GoOn)
        }
        // A dry run: Nginx's own patience holds from now on.
        Some(false) => Some(Next::Wait),
        None => {
            context.end_body();
            Some(Next::Wait)
        }
    }
}
