//! Every interleaving of a few workers on a bucket of two slots, by loom.

use std::sync::Arc;

use loom::thread;

use super::*;
use crate::testing::NOW;
use crate::text::time::{Tick, UnixTime};

struct Zone {
    header: MemoryHeader,
    buckets: Vec<MemoryBucket>,
}

impl Zone {
    fn new() -> Self {
        let zone = Self { header: MemoryHeader::default(), buckets: vec![MemoryBucket::default()] };
        let secrets = Secrets { seed: [1, 2], nonces: [0; 4] };
        let _ = Memory::begin(&zone.header, &zone.buckets, &[], &secrets, 60, NOW - 1_000).unwrap();
        zone
    }

    fn remember(&self, proof: &str, issued_at: i64, now: i64) -> Remembered {
        let memory = Memory::open(&self.header, &self.buckets, &[]).unwrap();
        let now = Now { unix: UnixTime::from_secs(now), tick: Tick::from_millis(1) };
        memory.remember(memory.fingerprint(&[proof.as_bytes()]), &[0; 32], issued_at, now)
    }
}

/// Lets workers whose clocks are so far apart remember proofs, after others that go at these
/// seconds, and checks what they were told in every interleaving.
fn race<const N: usize>(
    before: &'static [(&'static str, i64)],
    workers: [(&'static str, i64); N],
    check: fn(&Zone, [Remembered; N]),
) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let zone = Arc::new(Zone::new());
        for (proof, goes) in before {
            let issued_at = NOW + goes - 60 - SLACK;
            assert_eq!(zone.remember(proof, issued_at, issued_at), Remembered::First);
        }
        let told = workers.map(|(proof, apart)| {
            let zone = Arc::clone(&zone);
            thread::spawn(move || zone.remember(proof, NOW, NOW + apart))
        });
        check(&zone, told.map(|worker| worker.join().unwrap()));
    });
}

fn exactly_one<const N: usize>(zone: &Zone, told: [Remembered; N]) {
    assert_eq!(told.iter().filter(|told| **told == Remembered::First).count(), 1, "{told:?}");
    assert_eq!(zone.remember("a", NOW, NOW), Remembered::Known);
}

#[test]
fn two_workers_accept_a_proof_once() {
    race(&[], [("a", 0), ("a", 0)], exactly_one);
}

#[test]
fn two_workers_accept_a_proof_once_in_a_slot_that_was_taken() {
    race(&[("b", 0), ("c", 0)], [("a", 0), ("a", 0)], exactly_one);
}

#[test]
fn workers_with_different_clocks_accept_a_proof_once() {
    // To the second, both slots are free; to the first, only the one behind.
    race(&[("b", 1), ("c", 0)], [("a", 0), ("a", 1)], exactly_one);
}

#[test]
fn three_workers_with_different_clocks_accept_a_proof_at_most_once() {
    race(&[("b", 1)], [("a", 0), ("a", 0), ("a", 1)], exactly_one);
}

#[test]
fn two_proofs_do_not_refuse_each_other() {
    race(&[], [("a", 0), ("b", 0)], |zone, told| {
        assert_eq!(told, [Remembered::First; 2]);
        assert_eq!(zone.remember("b", NOW, NOW), Remembered::Known);
    });
}
