//! Every interleaving of a writer that may be killed, one that takes over, and a reader, by loom.

use std::sync::Arc;

use loom::thread;

use super::*;

struct Zone {
    header: Header,
    slots: Vec<Slot>,
    words: Vec<Word>,
    /// Not a part of the model: each process has another pid.
    pids: core::sync::atomic::AtomicU32,
}

/// Where the tests' document comes from.
const SOURCE: Source = Source([7; 32]);

impl Zone {
    fn new() -> Self {
        let words = (0..rows(1) + 2).map(|_| Word::default()).collect();
        let slots = vec![Slot::default()];
        let zone = Self { header: Header::default(), slots, words, pids: 1.into() };
        let _ = Documents::begin(&zone.header, &zone.slots, &zone.words, &[SOURCE]).unwrap();
        zone
    }

    /// A process that is killed after so many strokes.
    fn process(&self, strokes: u32) -> Documents<'_> {
        let open = Documents::open(&self.header, &self.slots, &self.words).unwrap();
        Documents { pen: Pen::dying_after(strokes), ..open }
    }

    fn read(&self) -> Option<String> {
        let found = self.process(0).read(0)?;
        Some(String::from_utf8(found.bytes).unwrap())
    }

    /// Publishes as a worker of that cycle, whoever has the lock.
    fn publish(&self, cycle: u32, text: &str, strokes: u32) -> bool {
        let documents = self.process(strokes);
        let Some(lead) = documents.take_lead(cycle) else { return false };
        let holder = Holder::new(self.pids.fetch_add(1, Relaxed), 1).unwrap();
        let mut lock = documents.lock(holder);
        // As a worker does that takes the other one for dead.
        while let Err(other) = lock
            && other != holder
        {
            lock = documents.seize(other, holder);
        }
        let Ok(lock) = lock else { return false };
        documents.publish(0, text.as_bytes(), UnixTime::from_secs(1), lead, &lock)
    }
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

const LIVES: u32 = u32::MAX;

#[test]
fn a_reader_sees_the_old_or_the_new_document_whole() {
    check(|| {
        let zone = Arc::new(Zone::new());
        assert!(zone.publish(0, "one", LIVES));
        let writer = {
            let zone = Arc::clone(&zone);
            thread::spawn(move || assert!(zone.publish(0, "two", LIVES)))
        };
        let read = zone.read();
        assert!(read == Some("one".to_owned()) || read == Some("two".to_owned()), "{read:?}");
        writer.join().unwrap();
        assert_eq!(zone.read(), Some("two".to_owned()));
    });
}

#[test]
fn a_writer_that_is_killed_anywhere_leaves_a_document_and_room_for_the_next() {
    // Enough strokes for all of a publication.
    for strokes in 0..16 {
        check(move || {
            let zone = Arc::new(Zone::new());
            assert!(zone.publish(0, "one", LIVES));
            let killed = {
                let zone = Arc::clone(&zone);
                thread::spawn(move || zone.publish(0, "two", strokes))
            };
            let read = zone.read();
            assert!(read == Some("one".to_owned()) || read == Some("two".to_owned()), "{read:?}");
            let published = killed.join().unwrap();
            let read = zone.read();
            assert!(!published || read == Some("two".to_owned()), "{read:?}");
            assert!(read == Some("one".to_owned()) || read == Some("two".to_owned()), "{read:?}");
            assert!(zone.publish(0, "three", LIVES));
            assert_eq!(zone.read(), Some("three".to_owned()));
        });
    }
}

#[test]
fn two_writers_at_once_leave_a_document_that_one_of_them_wrote_or_the_one_before() {
    check(|| {
        let zone = Arc::new(Zone::new());
        assert!(zone.publish(0, "one", LIVES));
        // The second one seizes the lock whatever the first one does with it.
        let first = {
            let zone = Arc::clone(&zone);
            thread::spawn(move || zone.publish(0, "two", LIVES))
        };
        let second = zone.publish(1, "three", LIVES);
        let first = first.join().unwrap();
        let read = zone.read().unwrap();
        assert!(["one", "two", "three"].contains(&&*read), "{read}");
        assert!(first || second || read == "one", "{read}");
        assert!(zone.publish(1, "four", LIVES));
        assert_eq!(zone.read(), Some("four".to_owned()));
    });
}

#[test]
fn the_lead_stays_with_the_newest_cycle() {
    check(|| {
        let zone = Arc::new(Zone::new());
        let late = {
            let zone = Arc::clone(&zone);
            thread::spawn(move || zone.process(LIVES).take_lead(1))
        };
        let documents = zone.process(LIVES);
        let new = documents.take_lead(2).unwrap();
        let late = late.join().unwrap();
        assert!(documents.leads(new));
        assert!(late.is_none_or(|late| !documents.leads(late)));
        assert_eq!(documents.take_lead(1), None);
    });
}

#[test]
fn a_wish_arrives_whole_or_not_at_all() {
    check(|| {
        let zone = Arc::new(Zone::new());
        let workers = ["a1", "b2"].map(|kid| {
            let zone = Arc::clone(&zone);
            thread::spawn(move || zone.process(LIVES).wish(0, kid))
        });
        let leader = zone.process(LIVES);
        let is_whole =
            |wish: Option<Box<str>>| wish.is_none_or(|kid| ["a1", "b2"].contains(&&*kid));
        assert!(is_whole(leader.take_wish(0)));
        for worker in workers {
            worker.join().unwrap();
        }
        assert!(is_whole(leader.take_wish(0)));
    });
}
