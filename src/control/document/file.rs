//! Watching one file: when to read it, when to publish it, and when to report it.

use core::cell::RefCell;
use core::convert::Infallible;
use core::hash::{BuildHasher as _, Hasher as _};
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::hash::RandomState;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::retired::Retired;
use super::{Adopted, Document, Version};
use crate::file::{FileStamp, ReadError, read_in_stretches};
use crate::thread::job::Job;
use crate::thread::message::{Level, Outbox};
use crate::thread::standing::{Fault, Standing};
use crate::thread::supervise::{Backoff, Supervisor};

/// A file to keep an eye on.
///
/// Mount its directory, not the file alone: a bind mount of one file stays at the old file after a
/// rename. It must be readable by the worker's user, and on a file system that answers at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WatchedFile {
    /// Where it is; symbolic links are followed at every look.
    pub path: PathBuf,
    /// Bytes it may have at most.
    pub max_bytes: u64,
    /// The stamp of the contents that are in force already, so that they are not read again.
    pub primed: Option<FileStamp>,
    /// The time between two looks, if the one of [`Options`](crate::Options) is too long.
    pub interval: Option<Duration>,
}

/// The job of watching one file.
#[derive(Debug)]
pub struct Watched<D> {
    /// The document in the file.
    pub document: D,
    /// The file.
    pub file: WatchedFile,
}

impl<D: Document> Job for Watched<D> {
    fn begin(self: Box<Self>, supervisor: &Supervisor) {
        let Self { document, file } = *self;
        let name = format!("that watches \"{}\"", file.path.display());
        let interval = supervisor.interval(file.interval);
        let watch = Watch::new(file, interval, supervisor.outbox());
        let document = Rc::new(RefCell::new(document));
        supervisor.supervise(name, move || watch.clone().run(Rc::clone(&document)));
    }
}

/// The task that watches one document.
#[derive(Clone, Debug)]
struct Watch {
    file: WatchedFile,
    interval: Duration,
    outbox: Arc<Outbox>,
    /// The stamp of the contents that were read and judged last, and their fault.
    judged: Option<(FileStamp, Option<Fault>)>,
    /// The digest of the contents in force, if this thread put them in force.
    adopted: Option<u64>,
    /// The digest of the last bad contents, and their fault.
    refused: Option<(u64, Fault)>,
    /// The contents that made the [`Document`] panic, and when to try them again.
    panicked: Option<(FileStamp, Instant)>,
    backoff: Backoff,
    writing: Option<Writing>,
    standing: Standing,
    hashes: RandomState,
    retired: Retired,
}

/// A file that is being written, as far as its stamps tell.
#[derive(Clone, Copy, Debug)]
struct Writing {
    stamp: FileStamp,
    since: Instant,
    began: Instant,
}

impl Watch {
    /// A task that has not looked yet.
    fn new(file: WatchedFile, interval: Duration, outbox: Arc<Outbox>) -> Self {
        Self {
            interval,
            outbox,
            judged: file.primed.map(|stamp| (stamp, None)),
            file,
            adopted: None,
            refused: None,
            panicked: None,
            backoff: Backoff::new(interval),
            writing: None,
            standing: Standing::default(),
            hashes: RandomState::new(),
            retired: Retired::default(),
        }
    }

    /// Looks at the file for ever.
    async fn run(mut self, document: Rc<RefCell<impl Document>>) -> Infallible {
        loop {
            self.retired.sweep();
            match self.look(&document).await {
                Ok(()) => {}
                Err(fault) => self.tell_fault(fault),
            }
            let wait = if self.writing.is_some() { LOOK_AGAIN } else { Duration::MAX };
            sleep(self.interval.min(wait)).await;
        }
    }

    /// One look: at the stamp, and if it is new, at the contents.
    async fn look(&mut self, document: &RefCell<impl Document>) -> Result<(), Fault> {
        let stamp = FileStamp::of(&self.file.path).map_err(|error| self.unreadable(&error))?;
        if let Some((judged, fault)) = &self.judged
            && *judged == stamp
        {
            return fault.clone().map_or(Ok(()), Err);
        }
        if let Some((panicked, retry)) = self.panicked
            && panicked == stamp
            && Instant::now() < retry
        {
            return Err(panic_fault());
        }
        let Some(still) = self.still(stamp) else { return Ok(()) };

        let read = read_in_stretches(&self.file.path, self.file.max_bytes).await;
        let (bytes, read) = read.map_err(|error| self.unreadable(&error))?;
        let digest = self.digest(&bytes).await;
        // A stamp is remembered only if it can tell later writes apart.
        let stamp = (still && read == stamp).then_some(read);
        self.judged = None;
        if self.adopted == Some(digest) {
            self.judged = stamp.map(|stamp| (stamp, None));
            self.tell_good(None);
            return Ok(());
        }
        if let Some((refused, fault)) = &self.refused
            && *refused == digest
        {
            self.judged = stamp.map(|stamp| (stamp, Some(fault.clone())));
            return Err(fault.clone());
        }
        let version = Version::of_file(&bytes);
        let outcome = catch_unwind(AssertUnwindSafe(|| document.borrow_mut().adopt(&version)));
        let Ok(outcome) = outcome else {
            // It is unknown what is in force now. The panic's own text stays out: it can quote the
            // document.
            (self.adopted, self.refused) = (None, None);
            let retry = Instant::now().checked_add(self.backoff.advance());
            self.panicked = retry.map(|retry| (read, retry));
            return Err(panic_fault());
        };
        self.panicked = None;
        self.backoff = Backoff::new(self.interval);
        match outcome {
            Ok((adopted, before)) => {
                self.retired.push(before);
                self.judged = stamp.map(|stamp| (stamp, None));
                self.adopted = Some(digest);
                self.refused = None;
                self.tell_good(Some(&adopted));
                Ok(())
            }
            Err(rejected) => {
                let fault = Fault { level: Level::Error, why: rejected.to_string() };
                self.judged = stamp.map(|stamp| (stamp, Some(fault.clone())));
                self.refused = Some((digest, fault.clone()));
                Err(fault)
            }
        }
    }

    /// Whether the file is left alone: `Some(true)` if it is, `None` to wait for it, and
    /// `Some(false)` if it is written so steadily that waiting on would never end.
    ///
    /// This keeps the thread from reading most files half-written (half a list of certificates can
    /// parse), and from trusting a stamp that the next write could leave unchanged.
    fn still(&mut self, stamp: FileStamp) -> Option<bool> {
        if stamp.held_still(SystemTime::now()) {
            self.writing = None;
            return Some(true);
        }
        // The wall clock may differ from the file's: a file that was seen unchanged is left alone too.
        let now = Instant::now();
        let writing = self.writing.get_or_insert(Writing { stamp, since: now, began: now });
        if writing.stamp != stamp {
            (writing.stamp, writing.since) = (stamp, now);
        }
        let still = now.duration_since(writing.since) >= stamp.settle();
        let patience = self.interval.saturating_mul(10).max(MIN_PATIENCE);
        let overdue = now.duration_since(writing.began) >= patience;
        (still || overdue).then(|| {
            self.writing = None;
            still
        })
    }

    async fn digest(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.hashes.build_hasher();
        for chunk in bytes.chunks(CHUNK) {
            hasher.write(chunk);
            yield_now().await;
        }
        hasher.finish()
    }

    /// Forgets the stamp, so that any later contents are read.
    fn unreadable(&mut self, error: &ReadError) -> Fault {
        self.judged = None;
        self.writing = None;
        Fault { level: Level::Error, why: error.to_string() }
    }

    fn tell_fault(&mut self, fault: Fault) {
        let path = self.file.path.display();
        let then = match fault.level {
            Level::Crit => "it is tried again later",
            Level::Notice | Level::Warn | Level::Error => "the last good version stays in force",
        };
        let text = format!("{} while reloading \"{path}\", {then}", fault.why);
        let level = fault.level;
        if self.standing.fault(fault) {
            self.outbox.push(level, &text);
        }
    }

    /// `adopted` is the result of the publication; without it the contents are in force already.
    fn tell_good(&mut self, adopted: Option<&Adopted>) {
        let again = self.standing.good();
        let path = self.file.path.display();
        let text = match (again, adopted.map(|adopted| &adopted.summary)) {
            (true, Some(summary)) => format!("\"{path}\" is good again: {summary}"),
            (true, None) => format!("\"{path}\" is good again: unchanged"),
            (false, Some(summary)) => format!("\"{path}\" reloaded: {summary}"),
            (false, None) => return,
        };
        self.outbox.push(adopted.map_or(Level::Notice, |adopted| adopted.level), &text);
    }
}

fn panic_fault() -> Fault {
    Fault { level: Level::Crit, why: "panic".into() }
}

/// The wait before the next look at a file that is being written.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// A file that is written all the time is read after ten intervals, or this.
const MIN_PATIENCE: Duration = Duration::from_secs(1);
/// Bytes hashed in one stretch.
const CHUNK: usize = 256 * 1024;

#[cfg(test)]
mod tests;
