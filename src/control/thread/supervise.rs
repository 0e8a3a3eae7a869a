//! Keeping a task alive: a panic is reported and the task starts again, later each time.

use core::convert::Infallible;
use core::time::Duration;
use std::sync::Arc;

use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

use super::message::{Level, Outbox};
use crate::http::Network;

/// Runs the tasks of all jobs, and has the parts that they share.
#[derive(Debug)]
pub struct Supervisor {
    tasks: LocalSet,
    interval: Duration,
    network: Network,
    outbox: Arc<Outbox>,
}

impl Supervisor {
    /// Without a task; `interval` is the time between two looks at a file, at least [`MIN_INTERVAL`].
    pub(super) fn new(interval: Duration, outbox: Arc<Outbox>) -> Self {
        let (tasks, network) = (LocalSet::new(), Network::new());
        Self { tasks, interval: interval.max(MIN_INTERVAL), network, outbox }
    }

    /// Runs a task for ever, and starts it anew whenever it panics. Its name ends the sentence of the
    /// log: "panic in the background task …".
    pub(crate) fn supervise<T>(&self, name: String, start: impl Fn() -> T + 'static)
    where
        T: Future<Output = Infallible> + 'static,
    {
        let (outbox, backoff) = (self.outbox(), Backoff::new(self.interval));
        self.tasks.spawn_local(supervise(name, outbox, backoff, start));
    }

    /// The time between two looks at something; an `own` one instead, if it is shorter.
    pub(crate) fn interval(&self, own: Option<Duration>) -> Duration {
        own.map_or(self.interval, |own| own.clamp(MIN_INTERVAL, self.interval))
    }

    /// The resolver and the authorities that the clients of all jobs share.
    pub(crate) const fn network(&self) -> &Network {
        &self.network
    }

    /// The queue for a task's messages.
    pub(crate) fn outbox(&self) -> Arc<Outbox> {
        Arc::clone(&self.outbox)
    }

    /// The tasks, which end when these are dropped.
    pub(super) fn into_tasks(self) -> LocalSet {
        self.tasks
    }
}

/// The least interval: one of zero would spin.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// Runs a task for ever on the current `LocalSet`, starting it anew whenever it panics.
///
/// Dropping this future drops nothing of the task: both belong to the set and end with it.
async fn supervise<F, T>(task: String, outbox: Arc<Outbox>, backoff: Backoff, start: F)
where
    F: Fn() -> T,
    T: Future<Output = Infallible> + 'static,
{
    let mut waits = backoff;
    loop {
        let began = Instant::now();
        match spawn_local(start()).await {
            Ok(never) => match never {},
            // The panic's own text stays out: it can quote what was parsed.
            Err(error) if error.is_panic() => outbox.push(
                Level::Crit,
                &format!("panic in the background task {task}, it is restarted"),
            ),
            Err(_) => return,
        }
        if began.elapsed() > waits.longest {
            waits = backoff;
        }
        sleep(waits.advance()).await;
    }
}

/// Waits that double from one to the next, up to 64 times the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// Starts at `first`.
    pub(crate) fn new(first: Duration) -> Self {
        Self { next: first, longest: first.saturating_mul(64) }
    }

    /// The wait that is due, and doubles the one after it.
    pub(crate) fn advance(&mut self) -> Duration {
        let due = self.next;
        self.next = due.saturating_mul(2).min(self.longest);
        due
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;
    use std::rc::Rc;

    use tokio::runtime::Builder;
    use tokio::sync::Notify;

    use super::*;

    #[test]
    fn task_that_panics_is_reported_and_started_again() {
        let outbox = Outbox::new(true);
        let starts = Rc::new(Cell::new(0));
        let running = Rc::new(Notify::new());
        let tasks = LocalSet::new();
        let backoff = Backoff::new(Duration::from_millis(1));
        tasks.spawn_local(supervise("x".into(), Arc::clone(&outbox), backoff, {
            let (starts, running) = (Rc::clone(&starts), Rc::clone(&running));
            move || {
                let (starts, running) = (Rc::clone(&starts), Rc::clone(&running));
                async move {
                    starts.set(starts.get() + 1);
                    assert!(starts.get() > 2, "secret");
                    running.notify_one();
                    core::future::pending().await
                }
            }
        }));
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(tasks.run_until(running.notified()));

        assert_eq!(starts.get(), 3);
        let messages: Vec<_> = outbox.drain().collect();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].level, Level::Crit);
        assert_eq!(messages[0].text, "panic in the background task x, it is restarted");
    }

    #[test]
    fn waits_double_up_to_a_longest() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        let waits: Vec<_> = (0..9).map(|_| backoff.advance().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    }
}
