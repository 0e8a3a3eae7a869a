//! The right to write to the documents: one process has it at a time, and none waits for a dead one.

use core::hash::BuildHasher;
use core::time::Duration;
use std::hash::RandomState;
use std::io;
use std::thread::sleep;
use std::time::Instant;

use mesh_core::documents::{Documents, Holder, Lock};
use mesh_core::text::time::UnixTime;

/// A process that writes.
#[derive(Clone)]
pub(crate) struct Writer {
    documents: Documents<'static>,
    holder: Holder,
    /// The process that holds the lock, and since when this one waits for it.
    awaited: Option<(Holder, Instant)>,
}

impl Writer {
    /// This process; `None` if it has no pid.
    pub(crate) fn new(documents: &Documents<'static>) -> Option<Self> {
        Some(Self { documents: documents.clone(), holder: this_process()?, awaited: None })
    }

    /// The right to write. It waits a few milliseconds for another process, but not for a dead one.
    pub(crate) fn lock(&mut self) -> Option<Lock<'static>> {
        // A new one each time: a process that takes the lock now and then does not keep it.
        self.holder = this_process()?;
        for _ in 0..PATIENCE {
            match self.documents.lock(self.holder) {
                Ok(lock) => return Some(lock),
                // It was given back just now.
                Err(other) if other == self.holder => {}
                Err(other) if self.is_gone(other) => {
                    if let Ok(lock) = self.documents.seize(other, self.holder) {
                        return Some(lock);
                    }
                }
                Err(_) => sleep(Duration::from_millis(1)),
            }
        }
        None
    }

    /// Records a document from a file, unless it is there already.
    pub(crate) fn record(&mut self, document: usize, bytes: &[u8], at: UnixTime) -> bool {
        let is_there =
            |known: &Documents<'_>| known.read(document).is_some_and(|found| found.bytes == bytes);
        if is_there(&self.documents) {
            return true;
        }
        let Some(lock) = self.lock() else { return false };
        // All processes find it at about the same time.
        is_there(&self.documents) || self.documents.record(document, bytes, at, &lock)
    }

    /// Whether a process that holds the lock will never give it back.
    fn is_gone(&mut self, holder: Holder) -> bool {
        let since = match self.awaited {
            Some((known, since)) if known == holder => since,
            _ => self.awaited.insert((holder, Instant::now())).1,
        };
        since.elapsed() >= DEADLINE || holder.pid().is_none_or(is_dead)
    }
}

/// This process, with a number of its own each time; `None` if it has no pid.
fn this_process() -> Option<Holder> {
    let pid = std::process::id();
    let [a, b, c, d, ..] = RandomState::new().hash_one(pid).to_le_bytes();
    Holder::new(pid, u32::from_le_bytes([a, b, c, d]))
}

fn is_dead(pid: u32) -> bool {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return true };
    // SAFETY: signal 0 asks whether there is such a process, and does nothing to it.
    let answer = unsafe { libc::kill(pid, 0) };
    answer != 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// Looks at a lock that is held, a millisecond apart.
const PATIENCE: u32 = 20;

/// Far longer than a write takes: a process that holds the lock for that long is stopped, or was killed
/// and its pid was given to another.
const DEADLINE: Duration = Duration::from_secs(5);
