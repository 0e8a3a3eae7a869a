//! Every interleaving of a few workers on a bucket of two slots, by loom.

use std::sync::Arc;

use loom::thread;

use super::super::gcra::Rate;
use super::*;
use crate::testing::NoHost;

struct Zone {
    header: Header,
    buckets: Vec<Bucket>,
}

/// The true time: no worker's clock is ahead of it.
#[derive(Debug)]
struct Clock;

impl Host for Clock {
    fn clock(&self) -> Tick {
        Tick::from_millis(60_012)
    }

    fn tell_full(&self, _: Part, _: u64) {}
}

impl Zone {
    /// Each use of each part has one bucket.
    fn new() -> Self {
        let buckets = (0..FEWEST).map(|_| Bucket::default()).collect();
        let zone = Self { header: Header::default(), buckets };
        let _ = zone.table(&NoHost);
        zone
    }

    fn table<'z>(&'z self, host: &'z dyn Host) -> Table<'z> {
        Table::open(&self.header, &self.buckets, [1, 2], host).unwrap()
    }

    fn admits(&self, quota: &Quota, who: &[&str], now: Tick) -> bool {
        self.admits_in(&NoHost, Part::Chosen, quota, who, now)
    }

    fn admits_in(
        &self,
        host: &dyn Host,
        part: Part,
        quota: &Quota,
        who: &[&str],
        now: Tick,
    ) -> bool {
        let table = self.table(host);
        let charge = |who: &&str| Charge::new(quota, part, table.key(quota, &[who.as_bytes()]));
        let charges: Vec<_> = who.iter().map(charge).collect();
        table.charge(&charges, now).is_ok()
    }
}

fn quota() -> Quota {
    Quota::new("q", Rate::parse("1r/s").unwrap(), 0, 1).unwrap()
}

impl Zone {
    fn uncounted(&self) -> u64 {
        self.table(&NoHost).full(Part::Chosen)
    }
}

/// Lets one worker charge each of these keys at these milliseconds, after the keys of `before` were
/// charged long ago, and checks what they were told in every interleaving.
fn race<const N: usize>(
    before: &'static [&'static str],
    workers: [(&'static [&'static str], u64); N],
    check: fn(&Zone, &Quota, [bool; N]),
) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let zone = Arc::new(Zone::new());
        for who in before {
            assert!(zone.admits(&quota(), &[who], Tick::from_millis(1_000)));
        }
        let told = workers.map(|(who, millis)| {
            let zone = Arc::clone(&zone);
            thread::spawn(move || zone.admits(&quota(), who, Tick::from_millis(millis)))
        });
        check(&zone, &quota(), told.map(|worker| worker.join().unwrap()));
    });
}

fn exactly_one(zone: &Zone, quota: &Quota, told: [bool; 2]) {
    assert_eq!(told.iter().filter(|admitted| **admitted).count(), 1);
    assert!(!zone.admits(quota, &["a"], Tick::from_millis(60_000)));
}

#[test]
fn two_workers_place_a_new_key_once() {
    race(&[], [(&["a"], 60_000), (&["a"], 60_000)], exactly_one);
}

#[test]
fn two_workers_place_a_key_once_in_the_slots_of_others() {
    race(&["b", "c"], [(&["a"], 60_000), (&["a"], 60_000)], exactly_one);
}

#[test]
fn two_workers_charge_an_idle_key_once() {
    race(&["a", "b"], [(&["a"], 60_000), (&["a"], 60_000)], exactly_one);
}

#[test]
fn workers_with_different_clocks_place_a_key_once() {
    // By the second clock "c" has been idle, by the first it still owes.
    race(&["b", "c"], [(&["a"], 1_990), (&["a"], 2_010)], |zone, quota, told| {
        let admitted = told.iter().filter(|admitted| **admitted).count();
        // The first may find no slot free: it is admitted and not counted.
        assert_eq!(admitted as u64, 1 + zone.uncounted());
        assert!(!zone.admits(quota, &["a"], Tick::from_millis(2_010)));
    });
}

#[test]
fn a_key_is_placed_once_while_another_owner_comes_back() {
    let workers: [(&[&str], u64); 3] = [(&["a"], 60_000), (&["a"], 60_000), (&["b"], 60_000)];
    race(&["b", "c"], workers, |zone, quota, [one, two, back]| {
        assert!(back && (one || two));
        assert!(!(one && two) || zone.uncounted() > 0);
        assert!(!zone.admits(quota, &["a"], Tick::from_millis(60_000)));
    });
}

#[test]
fn a_key_that_loses_its_slot_is_not_refused_for_the_newcomer() {
    race(&["b", "c"], [(&["a"], 60_000), (&["b"], 60_000)], |zone, quota, told| {
        assert_eq!(told, [true, true]);
        assert!(!zone.admits(quota, &["a"], Tick::from_millis(60_000)));
    });
}

#[test]
fn two_newcomers_do_not_refuse_each_other() {
    race(&["b", "c"], [(&["a"], 60_000), (&["d"], 60_000)], |_, _, told| {
        assert_eq!(told, [true, true]);
    });
}

#[test]
fn what_is_refused_is_given_back() {
    race(&[], [(&["a", "b"], 60_000), (&["b"], 60_000)], |zone, quota, [both, _]| {
        // Every admitted key owes, and no other.
        assert_eq!(zone.admits(quota, &["a"], Tick::from_millis(60_000)), !both);
    });
}

/// Of so many workers with these clocks, each charges a key that has room for two. The more workers,
/// the fewer preemptions a model can look at in an hour.
fn lag<const N: usize>(clocks: [u64; N], preemptions: usize, admitted: usize) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(move || {
        let zone = Arc::new(Zone::new());
        let two = || Quota::new("q", Rate::parse("1r/m").unwrap(), 1, 1).unwrap();
        let told = clocks.map(|millis| {
            let zone = Arc::clone(&zone);
            thread::spawn(move || {
                let now = Tick::from_millis(millis);
                zone.admits_in(&Clock, Part::Chosen, &two(), &["a"], now)
            })
        });
        let told = told.map(|worker| worker.join().unwrap());
        assert_eq!(told.iter().filter(|told| **told).count(), admitted);
    });
}

#[test]
fn a_worker_whose_clock_lags_is_not_refused_for_that() {
    lag([60_000, 60_012], 3, 2);
}

#[test]
fn workers_whose_clocks_lag_admit_no_more_than_there_is_room_for() {
    lag([60_000, 60_012, 60_005], 1, 2);
}

#[test]
fn newcomers_share_one_overflow_bucket() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let zone = Arc::new(Zone::new());
        let admits = |zone: &Zone, who: &str| {
            let now = Tick::from_millis(60_000);
            zone.admits_in(&NoHost, Part::Identities, &quota(), &[who], now)
        };
        for who in ["a", "b"] {
            assert!(admits(&zone, who));
        }
        let told = ["c", "d"].map(|who| {
            let zone = Arc::clone(&zone);
            thread::spawn(move || admits(&zone, who))
        });
        let told = told.map(|worker| worker.join().unwrap());
        assert_eq!(told.iter().filter(|told| **told).count(), 1);
    });
}
