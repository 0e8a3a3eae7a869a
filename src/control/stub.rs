//! A [`Publish`] for tests that does what the first word of the document says.
#![expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it panics")]

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crate::{Adopted, Control, FileStamp, Message, Options, Publish, Refusal, Tasks, WatchedFile};

/// What the stub saw, shared with the test.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Every call of `publish`, in order: "document: contents".
    pub(crate) published: Mutex<Vec<String>>,
    pub(crate) retired: AtomicUsize,
    /// Whether a document that says "later" is adopted.
    pub(crate) ready: AtomicBool,
    pub(crate) thread: Mutex<Option<String>>,
}

impl Seen {
    pub(crate) fn published(&self) -> Vec<String> {
        self.published.lock().unwrap().clone()
    }

    /// Waits for this many ticks of the thread, and so for about as many looks.
    pub(crate) fn ticks(&self, ticks: usize) {
        let from = self.retired.load(Ordering::SeqCst);
        until("ticks", || self.retired.load(Ordering::SeqCst) >= from + ticks);
    }
}

#[derive(Debug)]
pub(crate) struct Stub(pub(crate) Arc<Seen>);

impl Publish for Stub {
    fn publish(&mut self, document: usize, bytes: &[u8]) -> Result<Adopted, Refusal> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        self.0.published.lock().unwrap().push(format!("{document}: {text}"));
        *self.0.thread.lock().unwrap() = thread::current().name().map(str::to_owned);
        match text.split(' ').next().unwrap() {
            "good" => Ok(format!("{} bytes", text.len()).into()),
            "later" if self.0.ready.load(Ordering::SeqCst) => Ok("at last".to_owned().into()),
            "later" => Err(Refusal::NotYet("not announced".into())),
            "panic" => panic!("{text}"),
            _ => Err(format!("bad document of {} bytes", text.len()).into()),
        }
    }

    fn retire(&mut self) {
        self.0.retired.fetch_add(1, Ordering::SeqCst);
    }
}

/// A running thread under test, and all it said.
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
        Self::with(files, Options { interval: TICK, report: true })
    }

    pub(crate) fn with(files: &[(&Path, Option<FileStamp>)], options: Options) -> Self {
        let seen = Arc::new(Seen::default());
        let files = files.iter().map(|(path, primed)| WatchedFile {
            path: path.to_path_buf(),
            max_bytes: 1000,
            primed: *primed,
            interval: None,
        });
        let tasks = Tasks { files: files.collect(), ..Tasks::default() };
        let control = Control::start(tasks, Stub(Arc::clone(&seen)), options).unwrap();
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

/// Polls until the condition holds, and fails the test after 20 s.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(20), "never came: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) const TICK: Duration = Duration::from_millis(20);
