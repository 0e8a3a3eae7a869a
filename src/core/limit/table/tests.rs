#![expect(clippy::arithmetic_side_effects, reason = "the models add and multiply plainly")]

use core::time::Duration;

use proptest::prelude::*;

use super::super::gcra::Rate;
use super::super::slot::{Mark, Word};
use super::*;
use crate::testing::NoHost;

mod clocks;
mod faults;
mod model;
mod parts;
mod room;
mod threads;

const SEED: [u64; 2] = [0x5eed, 0xdeed];

/// A zone whose part for keys that clients choose has so many buckets: what is charged here is in
/// it, unless a test says otherwise.
struct Zone {
    header: Header,
    buckets: Vec<Bucket>,
}

impl Zone {
    fn new(chosen: usize) -> Self {
        Self::of(chosen * 8)
    }

    fn of(buckets: usize) -> Self {
        Self {
            header: Header::default(),
            buckets: (0..buckets).map(|_| Bucket::default()).collect(),
        }
    }

    fn table(&self) -> Table<'_> {
        self.table_in(&NoHost)
    }

    fn table_in<'z>(&'z self, host: &'z dyn Host) -> Table<'z> {
        Table::open(&self.header, &self.buckets, SEED, host).unwrap()
    }

    /// The slots of the first bucket of that part.
    fn first(&self) -> &[Slot] {
        self.buckets[Part::Chosen.own(self.buckets.len()).start].slots()
    }
}

impl Table<'_> {
    fn left(&self, charge: &Charge<'_>, now: Tick) -> Result<u64, Limited> {
        self.peek(&[*charge], now)?;
        let debt = self.probe(charge, now).debt().unwrap_or(0);
        Ok(charge.measure().remaining(debt).units())
    }

    /// The uncounted charges on keys that clients choose.
    fn uncounted(&self) -> u64 {
        self.full(Part::Chosen)
    }
}

fn quota(name: &str, rate: &str, burst: u32) -> Quota {
    costing(1, name, rate, burst)
}

/// Quotas of one name charge one key, whatever they cost.
fn costing(cost: u32, name: &str, rate: &str, burst: u32) -> Quota {
    Quota::new(name, Rate::parse(rate).unwrap(), burst, cost).unwrap()
}

fn charge<'q>(table: &Table<'_>, quota: &'q Quota, who: &str) -> Charge<'q> {
    Charge::new(quota, Part::Chosen, table.key(quota, &[who.as_bytes()]))
}

fn at(millis: u64) -> Tick {
    Tick::from_millis(1_000_000 + millis)
}

#[test]
fn a_zone_keeps_its_seed_and_its_counters_when_it_is_opened_again() {
    let zone = Zone::new(4);
    let quota = quota("q", "1r/s", 0);
    let before = zone.table();
    assert!(before.charge(&[charge(&before, &quota, "a")], at(0)).is_ok());

    let after = Table::open(&zone.header, &zone.buckets, [7, 7], &NoHost).unwrap();
    assert_eq!(after.key(&quota, &[b"a"]), before.key(&quota, &[b"a"]));
    assert!(after.charge(&[charge(&after, &quota, "a")], at(1)).is_err());
}

#[test]
fn memory_of_another_kind_is_refused() {
    let zone = Zone::new(4);
    let few = &zone.buckets[..3];
    assert_eq!(Table::open(&zone.header, few, SEED, &NoHost).unwrap_err(), MemoryError::Empty);
    let _table = zone.table();
    assert_eq!(
        Table::open(&zone.header, &zone.buckets[..31], SEED, &NoHost).unwrap_err(),
        MemoryError::Size { found: 32, given: 31 }
    );
    zone.header.stamp.overwrite(LABEL.magic, 9);
    assert_eq!(
        Table::open(&zone.header, &zone.buckets, SEED, &NoHost).unwrap_err(),
        MemoryError::Layout { found: 9, expected: 2 }
    );
    zone.header.stamp.overwrite(9, 2);
    assert_eq!(
        Table::open(&zone.header, &zone.buckets, SEED, &NoHost).unwrap_err(),
        MemoryError::Foreign { expected: "limits" }
    );
}

#[test]
fn buckets_fit_behind_the_header() {
    assert_eq!(Table::buckets_in(0), 0);
    assert_eq!(Table::buckets_in(511), 0);
    assert_eq!(Table::buckets_in(512), 1);
    assert_eq!(Table::buckets_in(8 << 20), (8 << 20) / 128 - 3);
}

#[test]
fn a_key_is_admitted_burst_and_one_and_then_at_its_rate() {
    let zone = Zone::new(4);
    let (table, quota) = (zone.table(), quota("q", "10r/s", 2));
    let charges = [charge(&table, &quota, "a")];
    for left in [2, 1, 0] {
        let charged = table.charge(&charges, at(0)).unwrap();
        assert_eq!(charged.remaining().unwrap().units(), left);
    }
    let limited = table.charge(&charges, at(0)).unwrap_err();
    assert_eq!(limited.retry_after(), Duration::from_millis(100));
    assert!(table.charge(&charges, at(99)).is_err());
    assert!(table.charge(&charges, at(100)).is_ok());
    assert!(table.charge(&charges, at(100)).is_err());
}

#[test]
fn the_first_millisecond_of_the_clock_is_no_exception() {
    let zone = Zone::new(1);
    let (table, quota) = (zone.table(), quota("q", "10r/s", 1));
    let charges = [charge(&table, &quota, "a")];
    let admitted = (0..5).filter(|_| table.charge(&charges, Tick::from_millis(0)).is_ok()).count();
    assert_eq!(admitted, 2);
}

#[test]
fn a_refusal_by_one_quota_charges_none() {
    let zone = Zone::new(4);
    let (table, wide, narrow) =
        (zone.table(), quota("wide", "10r/s", 9), quota("narrow", "1r/s", 0));
    let both = [charge(&table, &wide, "a"), charge(&table, &narrow, "a")];
    assert_eq!(table.charge(&both, at(0)).unwrap().index(), Some(1));
    let limited = table.charge(&both, at(0)).unwrap_err();
    assert_eq!((limited.index(), limited.retry_after_secs()), (1, 1));
    assert_eq!(table.left(&both[0], at(0)).unwrap(), 9);
}

#[test]
fn a_charge_that_fails_after_the_look_gives_the_others_back() {
    let zone = Zone::new(4);
    let (table, wide, narrow) =
        (zone.table(), quota("wide", "10r/s", 9), quota("narrow", "1r/s", 0));
    let (wide, narrow) = (charge(&table, &wide, "a"), charge(&table, &narrow, "a"));
    // The same key twice passes the look and fails at its second turn.
    let limited = table.charge(&[wide, narrow, narrow], at(0)).unwrap_err();
    assert_eq!(limited.index(), 2);
    assert_eq!(table.left(&wide, at(0)).unwrap(), 10);
    assert_eq!(table.left(&narrow, at(0)).unwrap(), 1);
}

#[test]
fn of_several_refusals_the_longest_wait_speaks() {
    let zone = Zone::new(4);
    let (table, slow, fast) = (zone.table(), quota("slow", "1r/m", 0), quota("fast", "1r/s", 0));
    let charges =
        [charge(&table, &fast, "a"), charge(&table, &slow, "a"), charge(&table, &fast, "b")];
    let _ = table.charge(&charges, at(0)).unwrap();
    let limited = table.charge(&charges, at(0)).unwrap_err();
    assert_eq!((limited.index(), limited.retry_after_secs()), (1, 60));
}

#[test]
fn a_peek_charges_nothing() {
    let zone = Zone::new(1);
    let (table, quota) = (zone.table(), quota("q", "1r/s", 1));
    let a = charge(&table, &quota, "a");
    assert_eq!(table.left(&a, at(0)).unwrap(), 2);
    assert!(zone.first()[0].owner().is_nobody());
    let both = costing(2, "q", "1r/s", 1);
    let _ = table.charge(&[charge(&table, &both, "a")], at(0)).unwrap();
    assert!(table.left(&a, at(0)).is_err());
}

#[test]
fn failures_count_past_the_bound_but_no_further_than_one_interval() {
    let zone = Zone::new(1);
    let (table, quota) = (zone.table(), quota("failures", "1r/s", 2));
    let a = charge(&table, &quota, "a");
    for _ in 0..100 {
        table.debit(&[a], at(0));
    }
    assert_eq!(table.left(&a, at(0)).unwrap_err().retry_after(), Duration::from_secs(2));
    assert!(table.left(&a, at(2_000)).is_ok());
}
