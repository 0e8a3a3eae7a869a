//! The memory of a request: its memo and its outcome, found again after an internal redirect, which
//! wipes the modules' contexts.

use core::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use mesh_core::config::Location;
use mesh_core::identity::Identity;
use mesh_core::need::Need;
use mesh_core::pipeline::{self, Memo};
use mesh_core::proof::{self, Proofs};
use mesh_core::refusal::{Detail, Refusal};
use mesh_core::stage::admit::Admission;
use mesh_core::stage::authenticate::WorkerState;
use mesh_core::stage::decide::{BodyRead, Named};

use crate::nginx::ngx::clock;
use crate::nginx::ngx::live::Live;
use crate::nginx::ngx::pool::{Cleanup, drop_within, within_pool_under};
use crate::nginx::phase::body::{Reading, Share};
use crate::nginx::phase::lot::Ticket;
use crate::nginx::request::headers;
use crate::nginx::request::view::{self, Captured, Removed, RequestView};
use crate::nginx::state::settings::{self, Caches};
use crate::nginx::worker::wish;

/// The memory of a main request and its subrequests.
#[derive(Default)]
pub(crate) struct Context {
    captured: OnceCell<Captured>,
    memo: RefCell<Memo>,
    outcome: RefCell<Option<Outcome>>,
    /// The location in which another module has admitted the main request.
    passed: Cell<Option<usize>>,
    /// The location in which the request is judged, or was last.
    judged: Cell<Option<usize>>,
    apart: OnceCell<Box<Apart>>,
}

/// What few requests need: made when it is asked for.
#[derive(Default)]
struct Apart {
    removed: RefCell<Vec<Removed>>,
    /// The outcomes of judged subrequests, by their addresses: a subrequest lives in the pool of its
    /// main request, where no address is used twice.
    subrequests: RefCell<Judged>,
    /// The place of the request while it waits for an issuer's answer.
    ticket: Cell<Option<Ticket>>,
    parked: Cell<u8>,
    /// The request's body while it is read, and what is taken of the memory for bodies afterwards.
    body: RefCell<Option<Box<Reading>>>,
    share: Cell<Option<Share>>,
    /// Whether the reading of its body was given up.
    given_up: Cell<bool>,
    /// Whether its token came behind the protocol `bearer`.
    bearer: Cell<bool>,
}

impl Context {
    /// The context of a request, made at first use; `None` without memory for it.
    pub(crate) fn of<'r>(r: Live<'r>) -> Option<&'r Self> {
        let main = r.main();
        // SAFETY: a whole request has an array of contexts with a place for each module; the one at
        // ours is null or the one that is put there below, and lives in the pool of the main request.
        unsafe {
            let slot = Self::slot(main);
            if is_none(*slot) {
                *slot = Self::find(main);
            }
            if (*slot).is_null() {
                *slot = within_pool_under(main.pool(), Self::default, DROP);
            }
            (*slot).as_ref()
        }
    }

    /// Whether nothing was added to the headers since [`Self::set_stripped`].
    pub(crate) fn is_stripped(main: Live<'_>) -> bool {
        // SAFETY: as in `of`.
        unsafe { *Self::slot(main) as usize == headers::stamp(main) }
    }

    /// Notes that the headers hold nothing that only we may set, until a header is added or the request
    /// is redirected: in place of the context, while there is none.
    pub(crate) fn set_stripped(main: Live<'_>) {
        // SAFETY: as in `of`; the number is odd, and no address of a context.
        unsafe {
            let slot = Self::slot(main);
            if is_none(*slot) {
                *slot = core::ptr::without_provenance_mut(headers::stamp(main));
            }
        }
    }

    /// # Safety
    ///
    /// The request is whole.
    unsafe fn slot(main: Live<'_>) -> *mut *mut Self {
        // SAFETY: the caller's contract.
        unsafe { (*main.as_ptr()).ctx.add(crate::nginx::module().ctx_index).cast::<*mut Self>() }
    }

    /// The context of a request, if anything asked for one before.
    pub(crate) fn known<'r>(r: Live<'r>) -> Option<&'r Self> {
        let main = r.main();
        // SAFETY: as in `of`; what `find` returns is null or a context of the live main request.
        unsafe {
            let mut context = *Self::slot(main);
            if is_none(context) {
                context = Self::find(main);
            }
            context.as_ref()
        }
    }

    /// Looks for a context among the cleanups of a request's pool.
    fn find(main: Live<'_>) -> *mut Self {
        // SAFETY: the cleanups of a pool are a list that ends in null; a handler that is ours has
        // our value as its data.
        unsafe {
            let mut cleanup = (*main.pool()).cleanup;
            while !cleanup.is_null() {
                if (*cleanup).handler.is_some_and(|handler| handler as usize == DROP as usize) {
                    return (*cleanup).data.cast();
                }
                cleanup = (*cleanup).next;
            }
        }
        core::ptr::null_mut()
    }

    fn apart(&self) -> &Apart {
        self.apart.get_or_init(Box::default)
    }

    /// The request as the core sees it.
    pub(crate) fn view<'c>(&'c self, r: Live<'c>) -> RequestView<'c> {
        let removed = self.apart.get().map(|apart| &apart.removed);
        RequestView::new(r, &self.captured, removed)
    }

    /// Takes the request through the line and keeps the outcome; a subrequest has its own. Returns the
    /// need that the request waits for, if any: until it is met, the request is refused.
    ///
    /// `None` means that it cannot be judged: no memory, or a configuration that is not complete.
    pub(crate) fn evaluate(&self, r: Live<'_>, location: &Location) -> Option<Option<Need>> {
        self.judged.set(Some(r.place()));
        let begun = settings::main(r).is_timed.then(Instant::now);
        let mut view = self.view(r);
        let mut variables =
            location.limits.iter().filter_map(|limit| limit.key.variable()).peekable();
        if variables.peek().is_some() {
            // A variable may be made of ours, whose getters ask for the identity: all are read before
            // the memo is in use, and use up no proof that a limit may spare.
            self.memo.try_borrow_mut().ok()?.set_judged(true);
            variables.try_for_each(|index| view.read_variable(index))?;
        }
        let (found, need, named) = with_worker(r, |worker| {
            let mut memo = self.memo.try_borrow_mut().ok()?;
            let outcome = pipeline::evaluate(&view, location, &mut memo, worker);
            let (found, need) = match r.is_main() {
                true => outcome.without_waiting(),
                false => outcome.never_waiting(location, &memo),
            };
            Some((found, need, memo.take_named()))
        })?;
        let outcome = Outcome {
            found,
            named,
            location: location.id,
            times: begun.map(|begun| Box::new([begun, Instant::now()])),
        };
        if r.is_main() {
            *self.outcome.try_borrow_mut().ok()? = Some(outcome);
        } else {
            let mut judged = self.apart().subrequests.try_borrow_mut().ok()?;
            judged.insert(r.as_ptr() as usize, outcome);
        }
        Some(need)
    }

    /// Whether the request may wait once more.
    pub(crate) fn may_park(&self) -> bool {
        self.apart.get().is_none_or(|apart| apart.parked.get() < MOST_PARKINGS)
    }

    /// Keeps the place of a request that waits.
    pub(crate) fn hold(&self, ticket: Ticket) {
        let apart = self.apart();
        apart.parked.set(apart.parked.get().saturating_add(1));
        apart.ticket.set(Some(ticket));
    }

    /// The place of a request that does not wait any more.
    pub(crate) fn release(&self) -> Option<Ticket> {
        self.apart.get()?.ticket.take()
    }

    /// The verified identity, at the first question and in any phase; `None` if the request is
    /// refused or its location does not authenticate.
    pub(crate) fn identify(&self, r: Live<'_>) -> Option<Rc<Identity>> {
        let location = settings::location(r)?;
        let view = self.view(r);
        with_worker(r, |worker| {
            let mut memo = self.memo.try_borrow_mut().ok()?;
            // In the location that judges the request, an identity is only shown. Elsewhere its
            // proof is used up first: an error page must not show who replays a proof.
            memo.set_judged(self.judged.get() == Some(r.place()));
            pipeline::identify(&view, &location.authentication, &mut memo, worker).ok()
        })
    }

    /// The details of a refusal, for the log.
    pub(crate) fn explain(&self, r: Live<'_>, refusal: &Refusal) -> Option<String> {
        let settings = &settings::location(r)?.authentication;
        let trust = settings::main(r).trust.as_ref()?;
        pipeline::explain(&self.view(r), settings, refusal, trust, clock::now().unix)
    }

    /// The unchanged value of the request's only `Authorization` field.
    pub(crate) fn authorization(&self) -> Option<&[u8]> {
        self.captured.get().and_then(|captured| captured.value())
    }

    /// The nonce to tell the client, if proofs need one.
    pub(crate) fn nonce(&self) -> Option<String> {
        self.memo.try_borrow().ok()?.nonce().map(str::to_owned)
    }

    /// Remembers the value that a field had before it was removed or shortened: the first one.
    ///
    /// `None` if the memory of it is in use.
    pub(crate) fn keep_removed(&self, name: &str, value: (*const u8, usize)) -> Option<()> {
        let mut removed = self.apart().removed.try_borrow_mut().ok()?;
        if !removed.iter().any(|known| known.is_of(name)) {
            removed.push(Removed::new(name, value));
        }
        Some(())
    }

    /// The value that a field had before it was removed or shortened.
    pub(crate) fn removed<'r>(&self, r: Live<'r>, name: &str) -> Option<&'r [u8]> {
        view::removed(r, &self.apart.get()?.removed, name)
    }

    /// Notes that the verified token came behind the protocol `bearer`.
    pub(crate) fn speak_bearer(&self) {
        self.apart().bearer.set(true);
    }

    /// Whether the verified token came behind the protocol `bearer`.
    pub(crate) fn speaks_bearer(&self) -> bool {
        self.apart.get().is_some_and(|apart| apart.bearer.get())
    }

    /// The outcome of the access phase, or of a subrequest.
    pub(crate) fn with_outcome<T>(
        &self,
        r: Live<'_>,
        show: impl FnOnce(&Result<Admission, Refusal>) -> T,
    ) -> Option<T> {
        self.look(r, |outcome| show(&outcome.found))
    }

    fn look<T>(&self, r: Live<'_>, show: impl FnOnce(&Outcome) -> T) -> Option<T> {
        let main = self.outcome.try_borrow().ok()?;
        if r.is_main() {
            return main.as_ref().map(show);
        }
        let judged = match self.apart.get() {
            Some(apart) => Some(apart.subrequests.try_borrow().ok()?),
            None => None,
        };
        let own = |r| judged.as_deref().and_then(|judged| own(judged, r));
        if let Some(own) = own(r) {
            return Some(show(own));
        }
        // It passed under the settings of a request above it, or is a copy of that one.
        let location = settings::location(r)?.id;
        let mut above = core::iter::successors(r.parent(), |it| it.parent())
            .filter_map(|it| if it.is_main() { main.as_ref() } else { own(it) });
        above.find(|outcome| outcome.location == location).map(show)
    }

    /// Whether we have admitted the main request, under these settings.
    pub(crate) fn has_admitted(&self, location: &Location) -> bool {
        self.outcome.try_borrow().is_ok_and(|outcome| {
            outcome.as_ref().is_some_and(|it| it.found.is_ok() && it.location == location.id)
        })
    }

    /// Notes that the main request has passed the access phase of its location without our admission.
    pub(crate) fn set_passed(&self, r: Live<'_>) {
        self.passed.set(Some(r.place()));
    }

    /// Notes that the main request enters the access phase of a location.
    pub(crate) fn clear_passed(&self) {
        self.passed.set(None);
    }

    /// Whether the main request has passed the access phase of the very location that a subrequest is
    /// in, without our admission: another location may ask other modules, or ask them differently.
    pub(crate) fn has_passed(&self, r: Live<'_>) -> bool {
        self.passed.get() == Some(r.place())
    }

    /// Forgets the outcome of a subrequest that has moved on.
    pub(crate) fn forget_subrequest(&self, r: Live<'_>) -> Option<()> {
        if let Some(apart) = self.apart.get() {
            apart.subrequests.try_borrow_mut().ok()?.remove(&(r.as_ptr() as usize));
        }
        Some(())
    }

    /// Whether a subrequest was admitted by an outcome of its own.
    pub(crate) fn is_admitted_subrequest(&self, r: Live<'_>) -> bool {
        let judged = self.apart.get().and_then(|apart| apart.subrequests.try_borrow().ok());
        judged.is_some_and(|judged| own(&judged, r).is_some_and(|own| own.found.is_ok()))
    }

    /// Notes that the address owes for the request's token if it is refused; `false` if that is noted
    /// already.
    pub(crate) fn owes(&self) -> bool {
        self.memo.try_borrow_mut().is_ok_and(|mut memo| memo.owes())
    }

    /// `$mesh_decision`
    pub(crate) fn decision(&self, r: Live<'_>) -> Option<&'static str> {
        self.with_outcome(r, |outcome| match outcome {
            Ok(admission) if admission.would_refuse().is_some() => "dry_run",
            Ok(_) => "allowed",
            Err(_) => "refused",
        })
    }

    /// `$mesh_reason`
    pub(crate) fn reason(&self, r: Live<'_>) -> Option<&'static str> {
        self.with_outcome(r, |outcome| match outcome {
            Ok(admission) => admission.would_refuse().map(|refusal| refusal.reason().word()),
            Err(refusal) => Some(refusal.reason().word()),
        })?
    }

    /// `$mesh_rule`
    pub(crate) fn rule(&self, r: Live<'_>) -> Option<String> {
        self.with_outcome(r, |outcome| match outcome {
            Ok(admission) => Some(admission.rule().to_owned()),
            Err(refusal) => match refusal.detail() {
                Detail::Denied(denied) => Some(denied.rule.to_string()),
                _ => None,
            },
        })?
    }

    /// What a request asks for, as far as it is known.
    pub(crate) fn named<T>(&self, r: Live<'_>, show: impl FnOnce(&Named) -> T) -> Option<T> {
        self.look(r, |outcome| outcome.named.as_deref().map(show))?
    }

    /// Whether the request was admitted for a path that must go upstream as it came.
    pub(crate) fn is_admitted_as_it_came(&self, r: Live<'_>) -> bool {
        let is = |outcome: &Outcome| {
            outcome.found.is_ok() && outcome.named.as_ref().is_some_and(|it| it.hides_a_letter)
        };
        self.look(r, is) == Some(true)
    }

    /// Keeps the request's body while it is read.
    pub(super) fn begin_body(&self, reading: Reading) -> Option<()> {
        *self.apart().body.try_borrow_mut().ok()? = Some(Box::new(reading));
        Some(())
    }

    /// Shows the request's body while it is read; `None` if it is not.
    pub(super) fn with_body<T>(&self, work: impl FnOnce(&mut Reading) -> T) -> Option<T> {
        self.apart.get()?.body.try_borrow_mut().ok()?.as_deref_mut().map(work)
    }

    /// The request's body, which is not read any more.
    pub(super) fn end_body(&self) -> Option<Box<Reading>> {
        self.apart.get()?.body.try_borrow_mut().ok()?.take()
    }

    /// Takes what was found in the body that the request has waited for, with the memory that it takes.
    pub(super) fn set_body(&self, body: BodyRead, share: Share) -> Option<()> {
        self.memo.try_borrow_mut().ok()?.set_body(body);
        self.apart().share.set(Some(share));
        Some(())
    }

    /// Notes that no more of the request's body is read.
    pub(super) fn give_up(&self) {
        self.apart().given_up.set(true);
    }

    /// Whether a part of the request's body was read, and the rest is not.
    pub(super) fn has_given_up(&self) -> bool {
        self.apart.get().is_some_and(|apart| apart.given_up.get())
    }

    /// Takes why the request's body is not read at all.
    pub(super) fn set_unread(&self, body: BodyRead) -> Option<()> {
        self.memo.try_borrow_mut().ok()?.set_body(body);
        Some(())
    }

    /// `$mesh_limit_remaining`
    pub(crate) fn remaining(&self, r: Live<'_>) -> Option<u64> {
        self.with_outcome(r, |outcome| match outcome {
            Ok(admission) => admission.remaining(),
            Err(refusal) => refusal.limited().map(|_| 0),
        })?
    }

    /// `$mesh_time`
    pub(crate) fn micros(&self, r: Live<'_>) -> Option<u128> {
        let [begun, ended] = self.look(r, |outcome| outcome.times.as_deref().copied())??;
        Some(ended.duration_since(begun).as_micros())
    }

    /// Forgets an admission: the request has moved to a location that does not authenticate. A
    /// refusal stays for the log; that location is its error page.
    pub(crate) fn forget_admission(&self) {
        if let Ok(mut outcome) = self.outcome.try_borrow_mut()
            && outcome.as_ref().is_some_and(|outcome| outcome.found.is_ok())
        {
            *outcome = None;
        }
    }
}

/// The outcomes of subrequests, by their addresses.
type Judged = BTreeMap<usize, Outcome>;

/// The outcome of a subrequest, if it was judged.
fn own<'o>(judged: &'o Judged, r: Live<'_>) -> Option<&'o Outcome> {
    judged.get(&(r.as_ptr() as usize))
}

/// The outcome of a request or of a subrequest.
struct Outcome {
    found: Result<Admission, Refusal>,
    /// The number of the settings that it was judged by.
    location: usize,
    /// What it asks for, if its location has a platform.
    named: Option<Rc<Named>>,
    /// When it was judged, if the configuration asks for that.
    times: Option<Box<[Instant; 2]>>,
}

/// How often one request waits: more than once only if it is redirected to another location, or an
/// answer was pushed out of the cache before it could be read.
const MOST_PARKINGS: u8 = 4;

/// The handler by which a context is found. Only this one is read: Rust does not promise that a
/// function has one address.
static DROP: Cleanup = drop_within::<Context>;

/// Whether there is no context in our place: it is null, or an odd note.
fn is_none(context: *mut Context) -> bool {
    context.is_null() || context as usize & 1 == 1
}

/// Calls `work` with the state of this worker.
fn with_worker<T>(r: Live<'_>, work: impl FnOnce(&mut WorkerState<'_>) -> Option<T>) -> Option<T> {
    let main = settings::main(r);
    let trust = main.trust.as_ref()?;
    let mut caches = main.caches.try_borrow_mut().ok()?;
    let Caches { tokens, keys, policies, views, routes, spare } = &mut *caches;
    let mut introspections = main.introspections.try_borrow_mut().ok()?;
    let table = match &main.zone {
        Some(zone) => Some(zone.table()?),
        None => None,
    };
    let open = main.proofs.map(|zone| move || zone.memory());
    let mut worker = WorkerState {
        proofs: Proofs::new(open.as_ref().map(|open| -> proof::Open<'_> { open })),
        trust,
        snapshot: keys.as_mut()?.load(),
        cache: tokens,
        introspections: &mut introspections,
        policies: policies.as_mut()?.load(),
        views,
        routes,
        spare,
        shows_resources: main.shows_resources,
        table,
        now: clock::now(),
        noted: None,
        wish: None,
    };
    let answer = work(&mut worker);
    if let Some(wish) = worker.wish {
        wish::wish(main, &wish, worker.now.tick);
    }
    answer
}
