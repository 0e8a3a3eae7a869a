//! The thread itself: started, heard and stopped by the worker's event loop.

use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::io;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use mesh_core::issuer::Question;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::document::Publish;
use crate::document::file::{Watch, WatchedFile};
use crate::document::shared::Shared;
use crate::http::Network;
use crate::introspect::{Answered, Counter, Desk, Introspector, serve};
use crate::keys::RemoteIssuer;
use crate::keys::{Board, Keys};
use crate::thread::message::{Level, Message, Outbox};
use crate::thread::supervise::{Backoff, supervise};

/// The background thread of one worker; dropping it stops and joins the thread.
#[derive(Debug)]
pub struct Control {
    outbox: Arc<Outbox>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    desk: Option<Desk>,
}

impl Control {
    /// Starts the thread `mesh-control`, which does its tasks until it is stopped.
    ///
    /// Call it in a worker (a thread does not survive a fork), with all signals blocked: the
    /// thread inherits the mask. A file without a stamp in [`WatchedFile::primed`] is read at once.
    ///
    /// # Errors
    ///
    /// [`StartError`], when the runtime or the thread cannot be made. It can be tried again.
    pub fn start(
        mut tasks: Tasks,
        publish: impl Publish,
        options: Options,
    ) -> Result<Self, StartError> {
        let runtime = Builder::new_current_thread().enable_time().enable_io().build();
        let runtime = runtime.map_err(StartError::Runtime)?;
        let outbox = Arc::new(Outbox::new(options.report));
        let stop = Arc::new(Notify::new());
        let (desk, counter) = tasks.introspector.take().map(Desk::new).unzip();
        let body = {
            let (outbox, stop) = (Arc::clone(&outbox), Arc::clone(&stop));
            let interval = options.interval.max(MIN_INTERVAL);
            move || {
                announce_death(&outbox, || {
                    work(&runtime, tasks, counter, publish, interval, &outbox, &stop);
                });
                runtime.shutdown_background();
            }
        };
        let thread = thread::Builder::new().name("mesh-control".into()).spawn(body);
        let thread = thread.map_err(StartError::Thread)?;
        Ok(Self { outbox, stop, thread: Some(thread), desk })
    }

    /// Takes the messages that wait, oldest first; for the event loop, about once per second.
    pub fn messages(&self) -> impl Iterator<Item = Message> + use<> {
        self.outbox.drain()
    }

    /// Asks the question's issuer, whose answer [`Self::answers`] gives: there is one for each
    /// question, within the issuer's time. False when it cannot be asked: too many are open already,
    /// the thread is gone, or nobody introspects.
    pub fn introspect(&self, question: Question) -> bool {
        self.is_running() && self.desk.as_ref().is_some_and(|desk| desk.ask(question))
    }

    /// Takes the answers that are there.
    pub fn answers(&self) -> Vec<Answered> {
        self.desk.as_ref().map(Desk::answers).unwrap_or_default()
    }

    /// Whether the thread still runs; when it died, a critical message says so too.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Stops the thread, waits for its end, and returns the messages that were left.
    ///
    /// It takes milliseconds, unless a [`Publish`] method runs just then: that one is waited for.
    pub fn stop(mut self) -> Vec<Message> {
        self.join();
        self.outbox.drain().collect()
    }

    fn join(&mut self) {
        // The permit is kept when the thread does not wait for it yet.
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic was told through the queue already.
            let _ = thread.join();
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // A thread that outlives the worker's pool crashes it.
        self.join();
    }
}

/// What the thread has to do.
///
/// ```
/// use mesh_control::Tasks;
///
/// let nothing = Tasks { files: Vec::new(), ..Tasks::default() };
/// assert!(nothing.issuers.is_empty() && nothing.shared.is_none());
/// ```
#[derive(Default)]
pub struct Tasks {
    /// The files to watch; the place of one is its number for [`Publish::publish`].
    pub files: Vec<WatchedFile>,
    /// The issuers whose keys are fetched into `shared`, while this worker leads.
    pub issuers: Vec<RemoteIssuer>,
    /// What all workers share. Without it nothing is fetched.
    pub shared: Option<Box<dyn Shared>>,
    /// Who asks about opaque tokens.
    pub introspector: Option<Introspector>,
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("files", &self.files)
            .field("issuers", &self.issuers)
            .field("introspector", &self.introspector)
            .finish_non_exhaustive()
    }
}

/// How the thread does its work.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The time between two looks at a file, at least 10 ms.
    pub interval: Duration,
    /// Whether this worker speaks for all: the others tell of panics alone.
    pub report: bool,
}

impl Default for Options {
    /// One look per second, and every message.
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), report: true }
    }
}

/// Why the thread could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The runtime could not be built.
    Runtime(io::Error),
    /// The system gave no thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime(error) => write!(f, "cannot build the background runtime: {error}"),
            Self::Thread(error) => write!(f, "cannot start the background thread: {error}"),
        }
    }
}

impl core::error::Error for StartError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Runtime(error) | Self::Thread(error) => Some(error),
        }
    }
}

/// One supervised task per document and issuer, and those that serve all, until `stop`.
fn work(
    runtime: &Runtime,
    work: Tasks,
    counter: Option<Counter>,
    publish: impl Publish,
    interval: Duration,
    outbox: &Arc<Outbox>,
    stop: &Notify,
) {
    let tasks = LocalSet::new();
    let publish = Rc::new(RefCell::new(publish));
    let backoff = Backoff::new(interval);
    for (document, file) in work.files.into_iter().enumerate() {
        let name = format!("that watches \"{}\"", file.path.display());
        let interval = file.interval.map_or(interval, |own| own.clamp(MIN_INTERVAL, interval));
        let watch = Watch::new(document, file, interval, Arc::clone(outbox));
        let publish = Rc::clone(&publish);
        let start = move || watch.clone().run(Rc::clone(&publish));
        tasks.spawn_local(supervise(name, Arc::clone(outbox), backoff, start));
    }
    let start = move || retire(Rc::clone(&publish), interval);
    let name = "that retires snapshots".to_owned();
    tasks.spawn_local(supervise(name, Arc::clone(outbox), backoff, start));
    if let Some(counter) = counter {
        let service = counter.open(&Network::new(), outbox);
        let start = move || serve(service.clone());
        let name = "that asks about tokens".to_owned();
        tasks.spawn_local(supervise(name, Arc::clone(outbox), backoff, start));
    }
    if let Some(shared) = work.shared {
        let shared = Rc::new(RefCell::new(shared));
        let start = {
            let shared = Rc::clone(&shared);
            move || adopt(Rc::clone(&shared))
        };
        let name = "that adopts key sets".to_owned();
        tasks.spawn_local(supervise(name, Arc::clone(outbox), backoff, start));
        let network = Network::new();
        for issuer in work.issuers {
            let name = format!("that fetches the keys of mesh_issuer \"{}\"", issuer.name);
            let keys = Keys::new(issuer, &network, Arc::clone(outbox));
            let shared = Rc::clone(&shared);
            let start = move || keys.clone().run(Rc::clone(&shared));
            tasks.spawn_local(supervise(name, Arc::clone(outbox), backoff, start));
        }
    }
    // Returning drops every task where it waits.
    runtime.block_on(tasks.run_until(stop.notified()));
}

async fn retire(publish: Rc<RefCell<impl Publish>>, interval: Duration) -> Infallible {
    loop {
        sleep(interval).await;
        publish.borrow_mut().retire();
    }
}

async fn adopt(shared: Board) -> Infallible {
    loop {
        shared.borrow_mut().adopt();
        sleep(ADOPT).await;
    }
}

/// Runs the body of the thread; a panic that nothing else caught is told before the thread ends.
fn announce_death(outbox: &Outbox, body: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(body)).is_err() {
        outbox
            .push(Level::Crit, "panic in the background thread, keys are not kept fresh any more");
    }
}

/// Between two looks at what other workers have published.
const ADOPT: Duration = Duration::from_millis(100);
/// So that an interval of nothing does not spin.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests;
