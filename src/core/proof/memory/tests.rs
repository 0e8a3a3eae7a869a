use std::collections::HashMap;

use proptest::prelude::*;

use super::search::State;
use super::*;
use crate::testing::NOW;
use crate::text::time::{Tick, UnixTime};

const MAX_AGE: i64 = 60;
const SECRETS: Secrets = Secrets { seed: [1, 2], nonces: [3, 4, 5, 6] };

struct Zone {
    header: MemoryHeader,
    buckets: Vec<MemoryBucket>,
    /// Empty if a test has more proofs of one key than a sixteenth of it.
    shares: Vec<ShareBucket>,
}

impl Zone {
    fn new(buckets: usize) -> Self {
        let zone = Self {
            header: MemoryHeader::default(),
            buckets: (0..buckets).map(|_| MemoryBucket::default()).collect(),
            shares: Vec::new(),
        };
        zone.begin(MAX_AGE, NOW).unwrap();
        zone
    }

    fn begin(&self, max_age: i64, now: i64) -> Result<Memory<'_>, MemoryError> {
        Memory::begin(&self.header, &self.buckets, &self.shares, &SECRETS, max_age, now)
    }

    fn memory(&self) -> Memory<'_> {
        Memory::open(&self.header, &self.buckets, &self.shares).unwrap()
    }

    fn remember(&self, proof: &str, issued_at: i64, now: i64) -> Remembered {
        let memory = self.memory();
        memory.remember(memory.fingerprint(&[proof.as_bytes()]), &[0; 32], issued_at, clock(now))
    }

    fn remember_of(&self, key: u8, proof: &str, now: i64) -> Remembered {
        let memory = self.memory();
        let proof = memory.fingerprint(&[&[key], proof.as_bytes()]);
        memory.remember(proof, &[key; 32], now, clock(now))
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "the numbers of a test are small")]
fn clock(secs: i64) -> Now {
    let tick = Tick::from_millis(u64::try_from(secs - NOW + 1_000).unwrap() * 1_000);
    Now { unix: UnixTime::from_secs(secs), tick }
}

#[test]
fn a_key_holds_a_sixteenth_at_most_and_a_replay_takes_nothing() {
    let (buckets, shares) = Memory::buckets_in(64 << 10);
    let mut zone = Zone::new(buckets);
    zone.shares = (0..shares).map(|_| ShareBucket::default()).collect();
    let most = buckets * SLOTS / 16;
    assert_eq!(zone.remember_of(1, "first", NOW), Remembered::First);
    for _ in 0..1_000 {
        assert_eq!(zone.remember_of(1, "first", NOW), Remembered::Known);
    }
    let mut told = Vec::new();
    for second in 0..MAX_AGE + SLACK {
        for turn in 0..8 {
            told.push(zone.remember_of(1, &format!("{second} {turn}"), NOW + second));
        }
    }
    let held = told.iter().filter(|told| **told == Remembered::First).count() + 1;
    assert!(held > most * 9 / 10 && held <= most, "{held} of {most}");
    assert!(told.iter().all(|told| [Remembered::First, Remembered::TooMany].contains(told)));
    // Half of it at once, and no other key is held to that.
    let later = NOW + MAX_AGE + SLACK - 1;
    for key in 2..8 {
        let at_once = (0..most).map(|n| zone.remember_of(key, &n.to_string(), later));
        assert_eq!(at_once.filter(|told| *told == Remembered::First).count(), most / 2);
    }
    assert_eq!(zone.memory().refused(), 0);
}

#[test]
fn a_proof_counts_once_as_long_as_anybody_accepts_it() {
    let zone = Zone::new(4);
    assert_eq!(zone.remember("a", NOW, NOW), Remembered::First);
    for now in [NOW, NOW + 1, NOW + MAX_AGE, NOW + MAX_AGE + SLACK - 1, NOW - 30] {
        assert_eq!(zone.remember("a", NOW, now), Remembered::Known, "{now}");
    }
    assert_eq!(zone.remember("b", NOW, NOW), Remembered::First);
}

#[test]
fn a_full_memory_refuses_and_forgets_nothing() {
    let zone = Zone::new(1);
    for n in 0..SLOTS {
        assert_eq!(zone.remember(&n.to_string(), NOW, NOW), Remembered::First);
    }
    for n in 0..SLOTS {
        assert_eq!(zone.remember(&n.to_string(), NOW, NOW + 1), Remembered::Known);
    }
    assert_eq!(zone.remember("one more", NOW, NOW + 1), Remembered::Full);
    assert_eq!(zone.memory().refused(), 1);
    // They have all gone, and there is room again.
    let later = NOW + MAX_AGE + SLACK;
    assert_eq!(zone.remember("one more", later, later), Remembered::First);
}

#[test]
fn parts_do_not_run_together() {
    let zone = Zone::new(1);
    let memory = zone.memory();
    assert_ne!(memory.fingerprint(&[b"ab", b"c"]), memory.fingerprint(&[b"a", b"bc"]));
    assert_ne!(memory.fingerprint(&[b"ab"]), memory.fingerprint(&[b"ab", b""]));
}

#[test]
fn proofs_that_are_older_than_the_memory_are_not_known() {
    let zone = Zone::new(1);
    assert!(!zone.memory().would_know(NOW - 1));
    assert!(zone.memory().would_know(NOW));
    assert!(!zone.memory().would_know(-1));
}

#[test]
fn a_longer_age_counts_for_proofs_that_are_still_kept() {
    let zone = Zone::new(4);
    assert_eq!(zone.remember("a", NOW, NOW), Remembered::First);
    let later = NOW + 1_000;
    // A reload with the same age, or a shorter one, changes nothing.
    zone.begin(MAX_AGE, later).unwrap();
    zone.begin(MAX_AGE - 1, later).unwrap();
    assert!(zone.memory().would_know(NOW));
    zone.begin(300, later).unwrap();
    assert!(!zone.memory().would_know(later - MAX_AGE - 1));
    assert!(zone.memory().would_know(later - MAX_AGE));
    assert_eq!(zone.remember("b", later, later), Remembered::First);
    assert_eq!(zone.remember("b", later, later + 300 + SLACK - 1), Remembered::Known);
}

#[test]
fn a_claim_whose_worker_died_is_refused_and_goes_in_time() {
    let zone = Zone::new(1);
    let memory = zone.memory();
    let proof = memory.fingerprint(&[b"a"]);
    let slot = &zone.buckets[0].0[3];
    let claim = State(0).claimed_by(proof, NOW + MAX_AGE + SLACK);
    assert!(slot.exchange(State(0), claim));
    assert_eq!(zone.remember("a", NOW, NOW + 1), Remembered::Known);
    assert_eq!(zone.remember("b", NOW, NOW + 1), Remembered::First);
    assert_eq!(zone.remember("a", NOW + 200, NOW + 200), Remembered::First);
}

#[test]
fn memory_of_another_kind_layout_or_size_is_refused() {
    let zone = Zone::new(2);
    let error = Memory::open(&zone.header, &zone.buckets[..1], &[]).unwrap_err();
    assert_eq!(error, MemoryError::Size { found: 2, given: 1 });
    assert_eq!(Memory::open(&zone.header, &[], &[]).unwrap_err(), MemoryError::Empty);
    zone.header.stamp.overwrite(LABEL.magic, 9);
    assert_eq!(
        zone.begin(MAX_AGE, NOW).unwrap_err(),
        MemoryError::Layout { found: 9, expected: 2 }
    );
    zone.header.stamp.overwrite(9, 2);
    assert_eq!(zone.begin(MAX_AGE, NOW).unwrap_err(), MemoryError::Foreign { expected: "proofs" });
    assert_eq!(
        Memory::open(&MemoryHeader::default(), &zone.buckets, &[]).unwrap_err(),
        MemoryError::Foreign { expected: "proofs" }
    );
}

#[test]
fn memory_keeps_its_secrets() {
    let zone = Zone::new(1);
    let before = zone.memory().fingerprint(&[b"a"]);
    let nonce = zone.memory().nonces().issue(60, NOW);
    let others = Secrets { seed: [9, 9], nonces: [9; 4] };
    Memory::begin(&zone.header, &zone.buckets, &[], &others, MAX_AGE, NOW).unwrap();
    assert_eq!(zone.memory().fingerprint(&[b"a"]), before);
    assert_eq!(zone.memory().nonces().issue(60, NOW), nonce);
    assert!(!format!("{SECRETS:?}").contains('3'));
}

#[test]
fn many_workers_with_different_clocks_accept_each_proof_once() {
    let zone = Zone::new(64);
    // The clocks disagree about what these still take up.
    for n in 0..100 {
        zone.remember(&format!("old {n}"), NOW - MAX_AGE - SLACK + n % 3, NOW - 120);
    }
    let accepted: Vec<_> = (0..200).map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for worker in 0..4_i64 {
            let (zone, accepted) = (&zone, &accepted);
            scope.spawn(move || {
                for (n, count) in accepted.iter().enumerate() {
                    let told = zone.remember(&n.to_string(), NOW, NOW + worker % 3);
                    count.fetch_add(u64::from(told == Remembered::First), Relaxed);
                }
            });
        }
    });
    assert!(accepted.iter().all(|count| count.load(Relaxed) == 1));
}

/// What the memory is told, against a set that never has to make room.
#[expect(clippy::arithmetic_side_effects, reason = "the numbers of a test are small")]
fn run(steps: Vec<(u8, i64, i64)>) {
    let zone = Zone::new(32);
    let mut model: HashMap<u8, i64> = HashMap::new();
    let mut now = NOW + 100;
    for (proof, age, pause) in steps {
        now += pause;
        let issued_at = now - age.min(MAX_AGE);
        let told = zone.remember(&proof.to_string(), issued_at, now);
        let known = model.get(&proof).is_some_and(|until| *until > now);
        assert_eq!(told, if known { Remembered::Known } else { Remembered::First });
        if !known {
            model.insert(proof, issued_at + MAX_AGE + SLACK);
        }
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "the numbers of a test are small")]
fn check_state(proof: Fingerprint, seen: State, until: i64) {
    let claim = seen.claimed_by(proof, until);
    assert!(claim.has_mark_of(proof) && !claim.is_certain() && claim.certain().is_certain());
    assert!(claim.is_kept(until - 1) && !claim.is_kept(until) && !claim.is_kept(until - 3_601));
    assert!(!claim.free().is_kept(until - 1));
    assert!(claim.free() != seen && claim.next_turn() != seen.next_turn());
    assert!(proof.places(1 << 20).iter().all(|place| *place < 1 << 20));
}

proptest! {
    #[test]
    fn it_is_a_set_that_forgets_in_time(
        steps in proptest::collection::vec((0..20_u8, 0..90_i64, 0..40_i64), 1..200),
    ) {
        run(steps);
    }

    #[test]
    fn whatever_the_size_none_that_is_kept_counts_twice(
        buckets in 1..4_usize,
        proofs in proptest::collection::vec(0..60_u8, 1..300),
    ) {
        let zone = Zone::new(buckets);
        let mut accepted = std::collections::HashSet::new();
        for proof in proofs {
            match zone.remember(&proof.to_string(), NOW, NOW) {
                Remembered::First => prop_assert!(accepted.insert(proof)),
                Remembered::Known => prop_assert!(accepted.contains(&proof)),
                Remembered::Full => prop_assert!(!accepted.contains(&proof)),
                Remembered::TooMany => prop_assert!(false, "no share is counted"),
            }
        }
    }

    #[test]
    fn a_state_says_what_it_was_made_of(first: u64, rest: u64, seen: u64, until in NOW..NOW + 4_000) {
        check_state(Fingerprint { first, rest }, State(seen), until);
    }
}
