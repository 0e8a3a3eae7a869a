//! Which process gets the lock, by the file alone: the module itself links only inside Nginx.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::process::Command;

use mesh_core::documents::{Documents, Header, Holder, Layout, Word};

#[path = "../writer.rs"]
#[expect(dead_code, reason = "the rest of it needs the shell")]
mod writer;

use writer::Writer;

/// Documents of no issuer: there is a lock all the same.
fn documents() -> Documents<'static> {
    let header: &Header = Box::leak(Box::default());
    let words: Vec<Word> = (0..Layout::of(0).count).map(|_| Word::default()).collect();
    Documents::begin(header, &[], words.leak(), &[]).unwrap()
}

/// The process that holds the lock.
fn holder_of(documents: &Documents<'_>) -> Holder {
    documents.lock(Holder::new(1, 1).unwrap()).unwrap_err()
}

#[test]
fn who_comes_back_is_not_taken_for_one_that_stays() {
    let documents = documents();
    let mut writer = Writer::new(&documents).unwrap();
    let lock = writer.lock().unwrap();
    let before = holder_of(&documents);
    drop(lock);
    let _lock = writer.lock().unwrap();
    let after = holder_of(&documents);
    assert_eq!(before.pid(), after.pid());
    assert_ne!(before, after);
}

#[test]
fn living_process_keeps_the_lock_and_a_dead_one_does_not() {
    let documents = documents();
    let mut writer = Writer::new(&documents).unwrap();
    let lock = writer.lock().unwrap();
    let mut other = Writer::new(&documents).unwrap();
    assert!(other.lock().is_none());
    assert!(lock.is_held());
    drop(lock);
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let dead = documents.lock(Holder::new(child.id(), 1).unwrap()).unwrap();
    let lock = other.lock().unwrap();
    assert!(lock.is_held() && !dead.is_held());
}
