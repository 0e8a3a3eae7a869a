//! Every interleaving of two workers on a bucket of two slots, by loom.

use std::sync::Arc;

use loom::thread;

use super::super::gcra::Rate;
use super::*;

struct Zone {
    header: Header,
    buckets: Vec<Bucket>,
}

impl Zone {
    fn new() -> Self {
        let zone = Self { header: Header::default(), buckets: vec![Bucket::default()] };
        let _ = zone.table();
        zone
    }

    fn table(&self) -> Table<'_> {
        Table::open(&self.header, &self.buckets, [1, 2]).unwrap()
    }

    fn admits(&self, quota: &Quota, who: &[&str], now: Tick) -> bool {
        let table = self.table();
        let charge = |who: &&str| Charge::new(quota, table.key(quota, &[who.as_bytes()]));
        let charges: Vec<_> = who.iter().map(charge).collect();
        table.charge(&charges, now).is_ok()
    }
}

fn quota(burst: u32) -> Quota {
    Quota::new("q", Rate::parse("1r/s").unwrap(), burst, 1).unwrap()
}

/// What two workers were told that charge these keys at these milliseconds, both after the keys of
/// `before` were charged long ago; and what is left.
fn race(
    burst: u32,
    before: &'static [&'static str],
    [one, two]: [(&'static [&'static str], u64); 2],
    check: fn(&Zone, &Quota, [bool; 2]),
) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let zone = Arc::new(Zone::new());
        for who in before {
            assert!(zone.admits(&quota(burst), &[who], Tick::from_millis(1_000)));
        }
        let spawn = |(who, millis): (&'static [&'static str], u64)| {
            let zone = Arc::clone(&zone);
            thread::spawn(move || zone.admits(&quota(burst), who, Tick::from_millis(millis)))
        };
        let (one, two) = (spawn(one), spawn(two));
        let told = [one.join().unwrap(), two.join().unwrap()];
        check(&zone, &quota(burst), told);
    });
}

fn exactly_one(zone: &Zone, quota: &Quota, told: [bool; 2]) {
    assert_eq!(told.iter().filter(|admitted| **admitted).count(), 1);
    assert!(!zone.admits(quota, &["a"], Tick::from_millis(60_000)));
}

#[test]
fn two_workers_place_a_new_key_once() {
    race(0, &[], [(&["a"], 60_000), (&["a"], 60_000)], exactly_one);
}

#[test]
fn two_workers_place_a_key_once_in_the_slots_of_others() {
    race(0, &["b", "c"], [(&["a"], 60_000), (&["a"], 60_000)], exactly_one);
}

#[test]
fn two_workers_charge_an_idle_key_once() {
    race(0, &["a", "b"], [(&["a"], 60_000), (&["a"], 60_000)], exactly_one);
}

#[test]
fn workers_with_different_clocks_place_a_key_once() {
    // By the second clock "c" has been idle, by the first it still owes.
    race(0, &["b", "c"], [(&["a"], 1_990), (&["a"], 2_010)], |zone, quota, told| {
        let admitted = told.iter().filter(|admitted| **admitted).count();
        // The first may find no slot free: it is admitted and not counted.
        assert_eq!(admitted as u64, 1 + zone.table().uncounted());
        assert!(!zone.admits(quota, &["a"], Tick::from_millis(2_010)));
    });
}

#[test]
fn a_key_that_loses_its_slot_is_not_refused_for_the_newcomer() {
    race(0, &["b", "c"], [(&["a"], 60_000), (&["b"], 60_000)], |zone, quota, told| {
        assert_eq!(told, [true, true]);
        assert!(!zone.admits(quota, &["a"], Tick::from_millis(60_000)));
    });
}

#[test]
fn two_newcomers_do_not_refuse_each_other() {
    race(0, &["b", "c"], [(&["a"], 60_000), (&["d"], 60_000)], |_, _, told| {
        assert_eq!(told, [true, true]);
    });
}

#[test]
fn what_is_refused_is_given_back() {
    race(0, &[], [(&["a", "b"], 60_000), (&["b"], 60_000)], |zone, quota, [both, _]| {
        // Whoever was admitted owes, and nobody else.
        assert_eq!(zone.admits(quota, &["a"], Tick::from_millis(60_000)), !both);
    });
}
