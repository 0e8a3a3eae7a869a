//! The thread itself: started, heard and stopped by the worker's event loop.

use core::fmt;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::io;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use super::job::Job;
use super::message::{Level, Message, Outbox};
use super::supervise::Supervisor;

/// The background thread of one worker; dropping it stops and joins the thread.
#[derive(Debug)]
pub struct Control {
    outbox: Arc<Outbox>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Starts the thread `mesh-control`, which does its jobs until it is stopped.
    ///
    /// Call it in a worker (a thread does not survive a fork), with all signals blocked: the
    /// thread inherits the mask. A file without a stamp in
    /// [`WatchedFile::primed`](crate::WatchedFile::primed) is read at once.
    ///
    /// # Errors
    ///
    /// [`StartError`], if the runtime or the thread cannot be made. It can be tried again.
    pub fn start(jobs: Vec<Box<dyn Job>>, options: Options) -> Result<Self, StartError> {
        let runtime = Builder::new_current_thread().enable_time().enable_io().build();
        let runtime = runtime.map_err(StartError::Runtime)?;
        let Options { interval, outbox } = options;
        let stop = Arc::new(Notify::new());
        let body = {
            let (outbox, stop) = (Arc::clone(&outbox), Arc::clone(&stop));
            move || {
                announce_death(&outbox, || {
                    let supervisor = Supervisor::new(interval, Arc::clone(&outbox));
                    work(&runtime, jobs, supervisor, &stop);
                });
                runtime.shutdown_background();
            }
        };
        let thread = thread::Builder::new().name("mesh-control".into()).spawn(body);
        let thread = thread.map_err(StartError::Thread)?;
        Ok(Self { outbox, stop, thread: Some(thread) })
    }

    /// Takes the messages that wait, oldest first; for the event loop, about once per second.
    pub fn messages(&self) -> impl Iterator<Item = Message> + use<> {
        self.outbox.drain()
    }

    /// Whether the thread still runs; if it died, a critical message says so too.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Stops the thread, waits for its end, and returns the messages that were left.
    /// It takes milliseconds, unless a [`Document`](crate::Document) is being read just then: it waits
    /// for that one.
    pub fn stop(mut self) -> Vec<Message> {
        self.join();
        self.outbox.drain().collect()
    }

    fn join(&mut self) {
        // The permit is kept if the thread does not wait for it yet.
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

/// How the thread does its work.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time between two looks at a file, at least 10 ms.
    pub interval: Duration,
    /// The queue for the thread's messages, which outlives the thread.
    pub outbox: Arc<Outbox>,
}

impl Default for Options {
    /// One look per second, and every message.
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), outbox: Outbox::new(true) }
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

/// Begins the jobs, and runs their tasks until `stop`.
fn work(runtime: &Runtime, jobs: Vec<Box<dyn Job>>, supervisor: Supervisor, stop: &Notify) {
    for job in jobs {
        job.begin(&supervisor);
    }
    // Returning drops every task where it waits.
    runtime.block_on(supervisor.into_tasks().run_until(stop.notified()));
}

/// Runs the body of the thread; a panic that nothing else caught is told before the thread ends.
fn announce_death(outbox: &Outbox, body: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(body)).is_err() {
        outbox
            .push(Level::Crit, "panic in the background thread, keys are not kept fresh any more");
    }
}

#[cfg(test)]
mod tests;
