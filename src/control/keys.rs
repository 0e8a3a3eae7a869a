//! Keeping the keys of one issuer fresh, from its server to the memory that all workers share.

use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::fmt;
use core::hash::BuildHasher as _;
use core::time::Duration;
use std::hash::RandomState;
use std::rc::Rc;
use std::sync::Arc;

use mesh_core::key::jwks::KeySet;
use mesh_core::text::json;
use serde_json::Value;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::document::Adopted;
use crate::document::shared::Shared;
use crate::http::{Client, Network};
use crate::thread::clock;
use crate::thread::job::Job;
use crate::thread::message::{Level, Outbox};
use crate::thread::standing::Told;
use crate::thread::supervise::Supervisor;

mod alb;
mod bearer;
mod discovery;
mod document;
mod failure;
mod fetched;
mod issuer;
mod schedule;
mod source;
mod wishes;

pub use bearer::{BearerError, MOST_BEARER, bearer_for, read_bearer};
pub use discovery::keys_url;
pub use document::KeyDocument;
pub use failure::DiscoveryFault;
pub use issuer::RemoteIssuer;
pub use schedule::next_fetch;
pub use source::{discovery_request, keys_request};

use failure::{Cause, Failure};
use fetched::Fetched;
use schedule::{Moment, Schedule};
use source::Source;
use wishes::Wishes;

/// The job of fetching keys into the shared memory, while this worker leads.
pub struct FetchedKeys {
    /// The issuers whose keys are fetched.
    pub issuers: Vec<RemoteIssuer>,
    /// The documents that all workers share.
    pub shared: Box<dyn Shared>,
}

impl fmt::Debug for FetchedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedKeys").field("issuers", &self.issuers).finish_non_exhaustive()
    }
}

impl Job for FetchedKeys {
    fn begin(self: Box<Self>, supervisor: &Supervisor) {
        let Self { issuers, shared } = *self;
        let board: Board = Rc::new(RefCell::new(shared));
        let adopting = Rc::clone(&board);
        let name = "that adopts key sets".to_owned();
        supervisor.supervise(name, move || adopt(Rc::clone(&adopting)));
        for issuer in issuers {
            let name = format!("that fetches the keys of mesh_issuer \"{}\"", issuer.name);
            let keys = Keys::new(issuer, supervisor.network(), supervisor.outbox());
            let board = Rc::clone(&board);
            supervisor.supervise(name, move || keys.clone().run(Rc::clone(&board)));
        }
    }
}

async fn adopt(board: Board) -> Infallible {
    loop {
        board.borrow_mut().adopt();
        sleep(ADOPT).await;
    }
}

/// The task that fetches the keys of one issuer while this worker leads.
#[derive(Clone, Debug)]
struct Keys {
    issuer: RemoteIssuer,
    client: Client,
    outbox: Arc<Outbox>,
    /// When the last fetch began; it outlives a panic, so that none comes too soon after it.
    began: Rc<Cell<Option<Instant>>>,
    /// The words of the failures that were reported since the last success.
    told: Told,
}

/// The documents that all tasks of the thread share with the other workers.
type Board = Rc<RefCell<Box<dyn Shared>>>;

impl Keys {
    fn new(issuer: RemoteIssuer, network: &Network, outbox: Arc<Outbox>) -> Self {
        let client = network.client(issuer.remote.trusted_certificate.clone());
        Self { issuer, client, outbox, began: Rc::default(), told: Told::each() }
    }

    /// Fetches for ever, whenever this worker leads.
    async fn run(mut self, board: Board) -> Infallible {
        loop {
            while !board.borrow_mut().is_leader() {
                sleep(FOLLOW).await;
            }
            self.told.good();
            Leading::new(&mut self, &board).run().await;
        }
    }
}

/// The time in which this worker leads.
struct Leading<'k> {
    keys: &'k mut Keys,
    board: &'k Board,
    origin: Instant,
    schedule: Schedule,
    wishes: Wishes,
    source: Source,
    /// The published document, if it is known.
    published: Option<Published>,
}

/// A document that is in force.
struct Published {
    set: KeySet,
    /// Unchanged if the server only writes the same keys in another way.
    meaning: Option<String>,
}

impl<'k> Leading<'k> {
    fn new(keys: &'k mut Keys, board: &'k Board) -> Self {
        let RemoteIssuer { index, remote, .. } = keys.issuer.clone();
        let origin = Instant::now();
        let confirmed = board.borrow_mut().confirmed(index);
        let document = confirmed.and_then(|_| board.borrow_mut().document(index));
        let age = confirmed.map(|at| {
            let age = clock::now().secs().saturating_sub(at.secs());
            // The clock has been put back since: the age of the keys is unknown.
            u64::try_from(age).map_or(Duration::MAX, Duration::from_secs)
        });
        let mut schedule = Schedule::new(&remote, Duration::ZERO, age, roll());
        if let Some(since) = keys.began.get().map(|began| origin.saturating_duration_since(began)) {
            schedule.began_before(since);
        }
        let published = document.as_deref().and_then(|document| {
            let set = keys.issuer.parse(document).ok()?.contents;
            Some(Published { set, meaning: meaning(document) })
        });
        let source = Source::new(&remote.entry, document.as_deref());
        Self { keys, board, origin, schedule, wishes: Wishes::new(&remote), source, published }
    }

    /// Fetches when it is due, until another worker leads.
    async fn run(mut self) {
        loop {
            if !self.board.borrow_mut().is_leader() {
                return;
            }
            self.hear_wishes();
            let now = self.now();
            if !self.schedule.is_due(now) {
                let wait = self.schedule.next().map_or(TICK, |next| next.saturating_sub(now));
                sleep(wait.min(TICK)).await;
                continue;
            }
            if self.source.is_idle() && self.wishes.is_empty() {
                self.schedule.rest();
                continue;
            }
            self.schedule.begin(now);
            self.keys.began.set(Some(Instant::now()));
            if !self.fetch().await {
                return;
            }
        }
    }

    /// The time since this worker leads.
    fn now(&self) -> Moment {
        self.origin.elapsed()
    }

    fn hear_wishes(&mut self) {
        let now = self.now();
        for _ in 0..MAX_WISHES {
            let Some(kid) = self.board.borrow_mut().wish(self.keys.issuer.index) else { return };
            if self.has(&kid) || !self.source.may_have(&kid) {
                continue;
            }
            if self.wishes.add(kid, now) {
                self.schedule.want();
            }
        }
    }

    fn has(&self, kid: &str) -> bool {
        self.published.as_ref().is_some_and(|it| it.set.has(kid))
    }

    /// One fetch, to its end; `false` if another worker leads.
    async fn fetch(&mut self) -> bool {
        let wanted = self.wishes.take();
        match self.try_fetch(&wanted).await {
            Ok(leads) => {
                let now = self.now();
                for kid in wanted {
                    self.wishes.settle(&kid, self.has(&kid), now);
                }
                leads
            }
            Err(failure) => {
                self.bad(&failure);
                true
            }
        }
    }

    async fn try_fetch(&mut self, wanted: &[Box<str>]) -> Result<bool, Failure> {
        let fetched = self.source.fetch(&self.keys.client, &self.keys.issuer, wanted).await?;
        let (leads, fresh, adopted) = match self.judge(fetched).await? {
            Judged::New { document, adopted, published, fresh } => {
                (self.publish(&document, *published)?, fresh, Some(adopted))
            }
            Judged::Nothing => {
                self.schedule.rest();
                return Ok(true);
            }
            Judged::Same { fresh } => (self.confirm()?, fresh, None),
        };
        if leads {
            self.good(fresh, adopted.as_ref());
        }
        Ok(leads)
    }

    /// Whether the fetched document is good, and new.
    async fn judge(&self, fetched: Fetched) -> Result<Judged, Failure> {
        let (document, url, fresh) = match fetched {
            Fetched::Document { document, url, fresh } => (document, url, fresh),
            Fetched::Nothing => return Ok(Judged::Nothing),
            Fetched::Same { fresh } => return Ok(Judged::Same { fresh }),
        };
        let parsed = self.keys.issuer.parse(&document);
        let parsed = parsed.map_err(|error| Failure::of(error, &url))?;
        // A large document takes milliseconds.
        yield_now().await;
        let meaning = meaning(&document);
        if self.published.as_ref().is_some_and(|it| it.meaning == meaning) {
            return Ok(Judged::Same { fresh });
        }
        let adopted = parsed.adopted(&format!("from {url}"));
        let published = Box::new(Published { set: parsed.contents, meaning });
        Ok(Judged::New { document, adopted, published, fresh })
    }

    fn publish(&mut self, document: &[u8], published: Published) -> Result<bool, Failure> {
        let index = self.keys.issuer.index;
        let mut board = self.board.borrow_mut();
        if board.publish(index, document, clock::now()) {
            board.adopt();
            self.published = Some(published);
            return Ok(true);
        }
        self.refused(board.is_leader())
    }

    fn confirm(&mut self) -> Result<bool, Failure> {
        let mut board = self.board.borrow_mut();
        if board.confirm(self.keys.issuer.index, clock::now()) {
            board.adopt();
            return Ok(true);
        }
        // The published document may be unreadable for all: it is published anew.
        self.published = None;
        self.source.forget();
        self.refused(board.is_leader())
    }

    /// The document was not shared: another worker leads, or it is a failure.
    fn refused(&self, leads: bool) -> Result<bool, Failure> {
        if leads {
            return Err(Failure::of(Cause::Publish, self.keys.issuer.remote.entry.url()));
        }
        Ok(false)
    }

    fn good(&mut self, fresh: Option<Duration>, adopted: Option<&Adopted>) {
        self.source.accept();
        self.schedule.succeed(self.now(), fresh, roll());
        let name = &self.keys.issuer.name;
        let was_bad = self.keys.told.good();
        let text = match (was_bad, adopted.map(|adopted| &adopted.summary)) {
            (true, Some(summary)) => format!("mesh_issuer \"{name}\" is good again: {summary}"),
            (true, None) => format!("mesh_issuer \"{name}\" is good again: unchanged"),
            (false, Some(summary)) => format!("mesh_issuer \"{name}\": {summary}"),
            (false, None) => return,
        };
        let level = adopted.map_or(Level::Notice, |adopted| adopted.level);
        self.keys.outbox.announce(level, &text);
    }

    /// Each kind of failure is reported once until the keys are good again.
    fn bad(&mut self, failure: &Failure) {
        let (index, word) = (self.keys.issuer.index, failure.cause.word());
        self.schedule.fail(self.now(), roll());
        self.board.borrow_mut().fail(index, clock::now(), word, &failure.to_string());
        if self.keys.told.fault(word) {
            let name = &self.keys.issuer.name;
            let then = if self.board.borrow_mut().confirmed(index).is_some() {
                "the last good version stays in force"
            } else {
                "it has no keys yet"
            };
            let text = format!("{failure} of mesh_issuer \"{name}\", {then}");
            self.keys.outbox.announce(Level::Error, &text);
        }
    }
}

/// The result of a fetch.
enum Judged {
    New { document: Vec<u8>, adopted: Adopted, published: Box<Published>, fresh: Option<Duration> },
    Nothing,
    Same { fresh: Option<Duration> },
}

/// The keys of a set in an order that does not depend on the order in which they were sent.
fn meaning(document: &[u8]) -> Option<String> {
    let document = json::parse(json::without_mark(document)).ok()?;
    let keys = document.get("keys").and_then(Value::as_array)?;
    let mut keys: Vec<String> = keys.iter().map(Value::to_string).collect();
    keys.sort_unstable();
    Some(keys.join("\n"))
}

/// A number that differs from one call to the next, and from host to host.
fn roll() -> u64 {
    RandomState::new().hash_one(0)
}

/// Between two looks at the documents that other workers have published.
const ADOPT: Duration = Duration::from_millis(100);
/// Between two looks at whether this worker leads, while it does not.
const FOLLOW: Duration = Duration::from_secs(1);
/// Between two looks for wishes.
const TICK: Duration = Duration::from_millis(100);
/// Wishes that are taken in one look.
const MAX_WISHES: usize = 256;

#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;
