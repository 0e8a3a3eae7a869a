//! A [`Document`] for tests that does what its first word says, and a clock.
#![expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it panics")]

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use tokio::time::sleep;

use crate::{
    Control, Document, FileStamp, Job, Level, Message, Options, Outbox, Parsed, Rejected, Replaced,
    Supervisor, Version, Watched, WatchedFile,
};

/// The calls that the stub saw, shared with the test.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Every version that was read, in order: "document: contents".
    pub(crate) published: Mutex<Vec<String>>,
    pub(crate) ticks: AtomicUsize,
    pub(crate) thread: Mutex<Option<String>>,
}

impl Seen {
    pub(crate) fn published(&self) -> Vec<String> {
        self.published.lock().unwrap().clone()
    }

    /// Waits for this many ticks of the thread, and so for about as many looks.
    pub(crate) fn ticks(&self, ticks: usize) {
        let from = self.ticks.load(Ordering::SeqCst);
        until("ticks", || self.ticks.load(Ordering::SeqCst) >= from + ticks);
    }
}

/// The document of that number.
#[derive(Debug)]
pub(crate) struct Stub(pub(crate) usize, pub(crate) Arc<Seen>);

impl Document for Stub {
    type Contents = ();

    fn name(&self) -> String {
        "stub".to_owned()
    }

    fn parse(&self, bytes: &[u8]) -> Result<Parsed<()>, Rejected> {
        let Self(number, seen) = self;
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        seen.published.lock().unwrap().push(format!("{number}: {text}"));
        *seen.thread.lock().unwrap() = thread::current().name().map(str::to_owned);
        match text.split(' ').next().unwrap() {
            "good" => Ok(Parsed {
                contents: (),
                count: format!("{} bytes", text.len()),
                warnings: Vec::new(),
                level: Level::Notice,
            }),
            "panic" => panic!("{text}"),
            _ => Err(Rejected::because(format!("bad document of {} bytes", text.len()))),
        }
    }

    fn put(&mut self, (): (), _: &Version<'_>) -> Replaced {
        self.withdraw()
    }

    fn withdraw(&mut self) -> Replaced {
        Arc::new(())
    }
}

/// A job that counts the intervals.
#[derive(Debug)]
pub(crate) struct Clock(pub(crate) Arc<Seen>);

impl Job for Clock {
    fn begin(self: Box<Self>, supervisor: &Supervisor) {
        let (seen, interval) = (self.0, supervisor.interval(None));
        supervisor.supervise("that ticks".to_owned(), move || {
            let seen = Arc::clone(&seen);
            async move {
                loop {
                    sleep(interval).await;
                    seen.ticks.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
    }
}

/// A running thread under test, and all its messages.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) control: Control,
    pub(crate) seen: Arc<Seen>,
    messages: Vec<Message>,
}

impl Running {
    pub(crate) fn watching(files: &[&Path]) -> Self {
        Self::primed(&files.iter().map(|file| (*file, None)).collect::<Vec<_>>())
    }

    pub(crate) fn primed(files: &[(&Path, Option<FileStamp>)]) -> Self {
        Self::with(files, Options { interval: TICK, outbox: Outbox::new(true) })
    }

    pub(crate) fn with(files: &[(&Path, Option<FileStamp>)], options: Options) -> Self {
        let seen = Arc::new(Seen::default());
        let files = files.iter().map(|(path, primed)| WatchedFile {
            path: path.to_path_buf(),
            max_bytes: 1000,
            primed: *primed,
            interval: None,
        });
        let mut jobs = jobs(&seen, files);
        jobs.push(Box::new(Clock(Arc::clone(&seen))));
        let control = Control::start(jobs, options).unwrap();
        Self { control, seen, messages: Vec::new() }
    }

    /// All messages so far, as "Level text".
    pub(crate) fn said(&mut self) -> Vec<String> {
        self.messages.extend(self.control.messages());
        self.messages.iter().map(|m| format!("{:?} {}", m.level, m.text)).collect()
    }

    pub(crate) fn until_said(&mut self, text: &str) {
        until(text, || self.said().iter().any(|said| said.contains(text)));
    }

    pub(crate) fn until_published(&self, text: &str) {
        until(text, || self.seen.published().iter().any(|published| published == text));
    }
}

/// Watches the files, each with the number of its place.
pub(crate) fn jobs(
    seen: &Arc<Seen>,
    files: impl IntoIterator<Item = WatchedFile>,
) -> Vec<Box<dyn Job>> {
    let job = |(number, file)| -> Box<dyn Job> {
        Box::new(Watched { document: Stub(number, Arc::clone(seen)), file })
    };
    files.into_iter().enumerate().map(job).collect()
}

/// Polls until the condition holds, and fails the test after 20 s.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(20), "never came: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) const TICK: Duration = Duration::from_millis(20);
