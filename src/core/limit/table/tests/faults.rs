//! Faults that do no lasting harm: clocks that lag, debts of no request, workers that are killed,
//! settings that were lowered.

use super::*;

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
