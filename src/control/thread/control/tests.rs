use core::sync::atomic::Ordering;
use std::fs;
use std::path::Path;
use std::time::Instant;

use tempfile::TempDir;

use super::*;
use crate::WatchedFile;
use crate::stub::{Clock, Running, Seen, TICK, jobs, until};

#[test]
fn stop_joins_at_once_whatever_the_thread_waits_for() {
    let dir = TempDir::new().unwrap();
    let good = dir.path().join("good");
    fs::write(&good, "good").unwrap();
    let panics = dir.path().join("panics");
    fs::write(&panics, "panic").unwrap();
    let none = dir.path().join("none");
    let files: Vec<_> = (0..30).flat_map(|_| [&*good, &*panics, &*none]).collect();
    let files: Vec<(&Path, _)> = files.into_iter().map(|file| (file, None)).collect();

    for interval in [Duration::from_millis(10), Duration::from_secs(3600)] {
        let stops = (0..5).map(|_| {
            let running = Running::with(&files, Options { interval, outbox: Outbox::new(true) });
            running.until_published("0: good");
            let began = Instant::now();
            running.control.stop();
            (began.elapsed(), Arc::strong_count(&running.seen))
        });
        // The best of five, since the machine may be busy.
        let (took, owners) = stops.min().unwrap();
        assert!(took < Duration::from_millis(100), "{took:?}");
        assert_eq!(owners, 1, "the thread still holds the publisher");
    }
}

#[test]
fn stop_before_the_first_look_is_not_lost() {
    for _ in 0..50 {
        let running = Running::watching(&[Path::new("/nonexistent")]);
        running.control.stop();
        assert_eq!(Arc::strong_count(&running.seen), 1);
    }
}

#[test]
fn dropping_stops_and_joins() {
    let running = Running::watching(&[]);
    running.seen.ticks(1);
    drop(running.control);
    assert_eq!(Arc::strong_count(&running.seen), 1);
}

#[test]
fn stop_returns_what_was_not_drained() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "good").unwrap();
    let running = Running::watching(&[&path]);
    running.until_published("0: good");
    running.seen.ticks(2);
    let left: Vec<_> = running.control.stop().into_iter().map(|message| message.text).collect();
    assert_eq!(left, [format!("\"{}\" reloaded: 4 bytes of stub", path.display())]);
}

#[test]
fn thread_has_its_name_and_runs_each_job() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "good").unwrap();
    let running = Running::watching(&[&path]);
    running.until_published("0: good");
    running.seen.ticks(3);
    assert!(running.control.is_running());
    running.control.stop();
    assert_eq!(running.seen.thread.lock().unwrap().as_deref(), Some("mesh-control"));
}

#[test]
fn silent_worker_publishes_and_says_nothing_but_panics() {
    let dir = TempDir::new().unwrap();
    let good = dir.path().join("good");
    fs::write(&good, "good").unwrap();
    let panics = dir.path().join("panics");
    fs::write(&panics, "panic").unwrap();
    let none = dir.path().join("none");
    let files = [(&*good, None), (&*panics, None), (&*none, None)];
    let mut running = Running::with(&files, Options { interval: TICK, outbox: Outbox::new(false) });
    running.until_published("0: good");
    running.until_said("Crit");
    running.seen.ticks(5);
    assert_eq!(running.said().len(), 1, "{:?}", running.said());
}

#[test]
fn death_of_the_thread_is_told() {
    let outbox = Outbox::new(false);
    announce_death(&outbox, || {});
    assert_eq!(outbox.drain().count(), 0);
    announce_death(&outbox, || panic!("secret"));
    let messages: Vec<_> = outbox.drain().collect();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].level, Level::Crit);
    assert_eq!(
        messages[0].text,
        "panic in the background thread, keys are not kept fresh any more"
    );
}

/// A job whose task panics at first.
struct Moody(Arc<Seen>);

impl Job for Moody {
    fn begin(self: Box<Self>, supervisor: &Supervisor) {
        supervisor.supervise("of a bad mood".to_owned(), move || {
            let began = self.0.ticks.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(began > 1, "secret");
                core::future::pending().await
            }
        });
    }
}

#[test]
fn job_that_panics_is_told_and_goes_on_beside_the_others() {
    let (seen, moods) = (Arc::new(Seen::default()), Arc::new(Seen::default()));
    let options = Options { interval: TICK, outbox: Outbox::new(true) };
    let jobs: Vec<Box<dyn Job>> =
        vec![Box::new(Moody(Arc::clone(&moods))), Box::new(Clock(Arc::clone(&seen)))];
    let control = Control::start(jobs, options).unwrap();
    until("good mood", || moods.ticks.load(Ordering::SeqCst) == 3);
    seen.ticks(2);
    let messages = control.stop();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].level, Level::Crit);
    assert_eq!(messages[0].text, "panic in the background task of a bad mood, it is restarted");
}

#[test]
fn file_of_a_short_interval_is_looked_at_more_often_than_the_others() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str, interval| {
        let path = dir.path().join(name);
        fs::write(&path, "good 1").unwrap();
        WatchedFile { path, max_bytes: 1000, primed: None, interval }
    };
    let files = vec![file("slow", None), file("quick", Some(TICK))];
    let seen = Arc::new(Seen::default());
    let options = Options { interval: Duration::from_secs(3600), outbox: Outbox::new(true) };
    let control = Control::start(jobs(&seen, files), options).unwrap();
    let published = |text: &str| seen.published().iter().any(|published| published == text);
    until("both", || published("0: good 1") && published("1: good 1"));
    for name in ["slow", "quick"] {
        fs::write(dir.path().join(name), "good 2").unwrap();
    }
    until("the quick one", || published("1: good 2"));
    control.stop();
    assert!(!published("0: good 2"), "{:?}", seen.published());
}
