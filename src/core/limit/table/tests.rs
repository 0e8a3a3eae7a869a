#![expect(clippy::arithmetic_side_effects, reason = "the models add and multiply plainly")]

use core::time::Duration;
use std::collections::HashMap;
use std::sync::Barrier;
use std::thread;

use proptest::prelude::*;

use super::super::gcra::Rate;
use super::super::slot::{Mark, Word};
use super::*;
use crate::testing::NoHost;
use clocks::Clock;

mod clocks;
mod parts;

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
        &self.buckets[Part::Chosen.own(self.buckets.len()).start].0
    }
}

impl Table<'_> {
    fn left(&self, charge: &Charge<'_>, now: Tick) -> Result<u64, Limited> {
        self.peek(&[*charge], now)?;
        let debt = self.probe(charge, now).debt().unwrap_or(0);
        Ok(charge.measure().remaining(debt).units())
    }

    /// Of keys that clients choose.
    fn uncounted(&self) -> u64 {
        self.full(Part::Chosen)
    }
}

fn quota(name: &str, rate: &str, burst: u32) -> Quota {
    Quota::new(name, Rate::parse(rate).unwrap(), burst, 1).unwrap()
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
fn a_full_table_admits_newcomers_and_counts_them() {
    let zone = Zone::new(1);
    let (table, quota) = (zone.table(), quota("q", "1r/s", 0));
    for who in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        assert_eq!(table.charge(&[charge(&table, &quota, who)], at(0)).unwrap().uncounted(), 0);
    }
    assert_eq!((table.in_debt(Part::Chosen, at(0)), table.slots(Part::Chosen)), (8, 8));
    for count in 1..4 {
        let charged = table.charge(&[charge(&table, &quota, "newcomer")], at(1)).unwrap();
        assert_eq!((charged.uncounted(), charged.remaining()), (1, None));
        assert_eq!(table.uncounted(), count);
    }
    // None of those who were there is forgotten.
    for who in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        assert!(table.charge(&[charge(&table, &quota, who)], at(1)).is_err());
    }
    // The first one who is idle again makes room.
    assert_eq!(
        table.charge(&[charge(&table, &quota, "newcomer")], at(1_000)).unwrap().uncounted(),
        0
    );
    assert!(table.charge(&[charge(&table, &quota, "newcomer")], at(1_000)).is_err());
}

#[test]
fn the_owner_that_has_been_idle_longest_makes_room() {
    let zone = Zone::new(1);
    let (table, quota) = (zone.table(), quota("q", "10r/s", 9));
    for (cost, who) in
        [4, 2, 1, 3, 8, 7, 6, 5].into_iter().zip(["d", "b", "a", "c", "h", "g", "f", "e"])
    {
        let _ = table.charge(&[charge(&table, &quota, who).costing(cost)], at(0)).unwrap();
    }
    let owns = |who| {
        let key = table.key(&quota, &[str::as_bytes(who)]);
        zone.first().iter().any(|slot| slot.owner().is(key))
    };
    for (new, old) in [("new", "a"), ("newer", "b")] {
        assert!(owns(old));
        let _ = table.charge(&[charge(&table, &quota, new)], at(1_000)).unwrap();
        assert!(owns(new) && !owns(old));
    }
}

#[test]
fn a_peek_charges_nothing_and_a_cost_of_nothing_takes_no_slot() {
    let zone = Zone::new(1);
    let (table, quota) = (zone.table(), quota("q", "1r/s", 1));
    let a = charge(&table, &quota, "a");
    assert_eq!(table.left(&a, at(0)).unwrap(), 2);
    let _ = table.charge(&[a.costing(0)], at(0)).unwrap();
    assert!(zone.first()[0].owner().is_nobody());
    let _ = table.charge(&[a.costing(2)], at(0)).unwrap();
    assert!(table.left(&a, at(0)).is_err());
    assert!(table.charge(&[a.costing(0)], at(0)).is_ok());
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

#[test]
fn a_worker_whose_clock_is_behind_neither_forgets_nor_refuses() {
    let zone = Zone::new(1);
    let (table, quota) = (zone.table(), quota("q", "100r/s", 4));
    let a = [charge(&table, &quota, "a")];
    let admitted = (0..20).filter(|turn| table.charge(&a, at([30, 25][turn % 2])).is_ok()).count();
    assert_eq!(admitted, 5);
    assert!(table.charge(&[charge(&table, &quota, "b")], at(0)).is_ok());
    assert!(table.charge(&[charge(&table, &quota, "b")], at(30)).is_ok());
}

#[test]
fn a_debt_that_no_charge_can_have_left_heals_within_a_window() {
    let quota = quota("q", "1r/s", 4);
    for ahead in [Duration::from_secs(3_600), Duration::from_secs(30 * 86_400)] {
        let zone = Zone::new(1);
        let table = zone.table();
        let a = [charge(&table, &quota, "a")];
        let _ = table.charge(&a, at(0)).unwrap();
        let slot = &zone.first()[0];
        let nanos = u64::try_from(ahead.as_nanos()).unwrap();
        slot.exchange(slot.word(), Word::new(at(0), nanos, Mark::of(a[0].key()))).unwrap();

        assert_eq!(table.charge(&a, at(0)).unwrap_err().retry_after_secs(), 1);
        assert!(table.charge(&a, at(1_000)).is_ok());
    }
}

#[test]
fn a_lowered_burst_takes_hold_at_once_and_waits_no_longer_than_its_window() {
    let zone = Zone::new(1);
    let table = zone.table();
    let (before, after) = (quota("q", "1r/m", 1_000), quota("q", "1r/m", 1));
    for _ in 0..1_000 {
        let _ = table.charge(&[charge(&table, &before, "a")], at(0)).unwrap();
    }
    let limited = table.charge(&[charge(&table, &after, "a")], at(0)).unwrap_err();
    assert_eq!(limited.retry_after_secs(), 60);
}

#[test]
fn a_worker_killed_at_any_point_leaves_nothing_that_sticks() {
    let (mine, stranger) = (quota("q", "1r/s", 0), quota("other", "1r/m", 9));
    let zone = Zone::new(1);
    let table = zone.table();
    let key = |who: &str| table.key(&stranger, &[who.as_bytes()]);
    let slots = zone.first();
    // Killed after it took the slot, before it charged.
    assert!(slots[0].take(slots[0].owner(), key("dead")));
    // Killed after a charge that landed in a slot which had changed hands.
    assert!(slots[1].take(slots[1].owner(), charge(&table, &mine, "b").key()));
    let debt = Word::new(at(0), 600_000_000_000, Mark::of(key("gone")));
    assert_ne!(Mark::of(key("gone")), Mark::of(charge(&table, &mine, "b").key()));
    slots[1].exchange(slots[1].word(), debt).unwrap();

    for who in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let charged = table.charge(&[charge(&table, &mine, who)], at(0)).unwrap();
        assert_eq!((charged.uncounted(), charged.remaining().unwrap().units()), (0, 0), "{who}");
        assert!(table.charge(&[charge(&table, &mine, who)], at(0)).is_err());
    }
}

#[test]
fn a_hundred_thousand_identities_in_debt_fit_into_8_mib() {
    let zone = Zone::of(Table::buckets_in(8 << 20));
    let (table, quota) = (zone.table(), quota("q", "1r/m", 1));
    for pass in [0, 1] {
        for who in 0_u32..100_000 {
            let key = table.key(&quota, &[&who.to_le_bytes()]);
            let charge = Charge::new(&quota, Part::Identities, key);
            let charged = table.charge(&[charge], at(pass)).unwrap();
            assert_eq!(charged.remaining().unwrap().units(), 1 - pass);
        }
    }
    assert_eq!(table.full(Part::Identities), 0);
    let estimate = table.in_debt(Part::Identities, at(1));
    assert!((90_000..110_000).contains(&estimate), "{estimate}");
}

#[test]
fn at_32_bytes_a_key_one_newcomer_in_ten_thousand_finds_no_slot_at_most() {
    let zone = Zone::of(Table::buckets_in(1 << 20));
    let (table, quota) = (zone.table(), quota("q", "1r/m", 1));
    let keys = u32::try_from(Part::Identities.own(zone.buckets.len()).len() * SLOTS / 2).unwrap();
    for who in 0..keys {
        let key = table.key(&quota, &[&who.to_le_bytes()]);
        let charge = Charge::new(&quota, Part::Identities, key);
        assert!(table.charge(&[charge], at(0)).is_ok());
    }
    let full = table.full(Part::Identities);
    assert!(full * 10_000 <= u64::from(keys), "{full}");
}

/// Runs `work` on so many threads at once and returns what each made of it.
fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(threads);
    let run = |index| {
        start.wait();
        work(index)
    };
    thread::scope(|scope| {
        let run = &run;
        let spawn = |index| scope.spawn(move || run(index));
        let handles: Vec<_> = (0..threads).map(spawn).collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    })
}

#[test]
fn concurrent_charges_on_one_key_admit_exactly_its_capacity() {
    const CAPACITY: u32 = 50;
    let quota = quota("q", "1r/m", CAPACITY - 1);
    let clock = Clock::new(at(60_004));
    for round in 0..200 {
        let zone = Zone::new(1);
        let table = zone.table_in(&clock);
        // In every other round the key must take the slot of somebody who is idle.
        for stranger in 0..(round % 2) * 8 {
            let _ = table.charge(&[charge(&table, &quota, &format!("{stranger}"))], at(0)).unwrap();
        }
        // In every third round the clocks of the workers differ by milliseconds.
        let skew = u64::from(round % 3 == 0);
        let admitted = at_once(4, |worker| {
            let now = at(60_000 + skew * worker as u64);
            let a = [charge(&table, &quota, "a")];
            (0..40).filter(|_| table.charge(&a, now).is_ok()).count()
        });
        let admitted = admitted.iter().sum::<usize>();
        assert_eq!(admitted, CAPACITY as usize, "round {round}");
        assert_eq!(table.uncounted(), 0);
    }
}

#[test]
fn concurrent_charges_of_two_quotas_leave_exactly_what_was_admitted() {
    let (wide, narrow) = (quota("wide", "1r/m", 199), quota("narrow", "1r/m", 29));
    for _ in 0..100 {
        let zone = Zone::new(2);
        let table = zone.table();
        let admitted: usize = at_once(4, |worker| {
            let mut both = [charge(&table, &wide, "a"), charge(&table, &narrow, "a")];
            if worker % 2 == 0 {
                both.reverse();
            }
            (0..40).filter(|_| table.charge(&both, at(0)).is_ok()).count()
        })
        .into_iter()
        .sum();
        assert!(admitted <= 30);
        // Nothing that was refused is still owed.
        let left = table.left(&charge(&table, &wide, "a"), at(0)).unwrap();
        assert_eq!(left, 200 - admitted as u64);
    }
}

#[test]
fn strangers_in_a_crowded_table_never_refuse_each_other() {
    // More keys than slots, each within its own capacity: whoever is refused is refused falsely.
    let quota = quota("q", "1000r/s", 0);
    let zone = Zone::new(1);
    let table = zone.table();
    let millis = AtomicU64::new(0);
    let refused: usize = at_once(4, |worker| {
        (0..20_000_u64)
            .filter(|turn| {
                let who = format!("{worker} {}", turn % 5);
                // Each key comes once in 5 ms at least.
                let now = at(millis.fetch_add(1, Relaxed));
                table.charge(&[charge(&table, &quota, &who)], now).is_err()
            })
            .count()
    })
    .into_iter()
    .sum();
    assert_eq!(refused, 0);
}

proptest! {
    #[test]
    fn a_table_with_room_agrees_with_a_map(
        steps in prop::collection::vec((0_u8..12, 0_u64..400, 0_u8..3, 1_u32..4), 1..300),
    ) {
        let zone = Zone::new(4);
        let table = zone.table();
        let quota = quota("q", "10r/s", 3);
        let mut model: HashMap<u8, u64> = HashMap::new();
        let mut millis = 0;
        for (who, gap, kind, cost) in steps {
            millis += gap / 8;
            let charge = Charge::new(&quota, Part::Chosen, table.key(&quota, &[&[who]])).costing(cost);
            let tat = model.get(&who).copied().unwrap_or(0).max(millis);
            let after = tat + u64::from(cost) * 100;
            let passes = after <= millis + 400;
            match kind {
                0 => {
                    prop_assert_eq!(table.left(&charge, at(millis)).is_ok(), passes);
                }
                1 => {
                    table.debit(&[charge], at(millis));
                    model.insert(who, tat.max(after.min(millis + 500)));
                }
                _ => {
                    match table.charge(&[charge], at(millis)) {
                        Ok(charged) => {
                            prop_assert!(passes);
                            let left = (400 - (after - millis)) / 100;
                            prop_assert_eq!(charged.remaining().unwrap().units(), left);
                            model.insert(who, after);
                        }
                        Err(limited) => {
                            prop_assert!(!passes);
                            let wait = Duration::from_millis(after - millis - 400);
                            prop_assert_eq!(limited.retry_after(), wait);
                        }
                    }
                }
            }
        }
        prop_assert_eq!(table.uncounted(), 0);
    }

    #[test]
    fn a_crowded_table_never_refuses_whom_a_map_admits(
        steps in prop::collection::vec((0_u8..40, 0_u64..60), 1..400),
    ) {
        let zone = Zone::new(1);
        let table = zone.table();
        let quota = quota("q", "10r/s", 1);
        let mut model: HashMap<u8, u64> = HashMap::new();
        let mut millis = 0;
        for (who, gap) in steps {
            millis += gap / 4;
            let charge = Charge::new(&quota, Part::Chosen, table.key(&quota, &[&[who]]));
            let after = model.get(&who).copied().unwrap_or(0).max(millis) + 100;
            let admitted = table.charge(&[charge], at(millis));
            if after <= millis + 200 {
                prop_assert!(admitted.is_ok());
            }
            // What was not counted is not owed.
            if admitted.is_ok_and(|charged| charged.uncounted() == 0) {
                model.insert(who, after);
            }
        }
    }
}
