//! Which key finds a slot, and which makes room for a newcomer.

use super::*;

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
    // None of the keys that were there is forgotten.
    for who in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        assert!(table.charge(&[charge(&table, &quota, who)], at(1)).is_err());
    }
    // The first key that is idle again makes room.
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
        let quota = costing(cost, "q", "10r/s", 9);
        let _ = table.charge(&[charge(&table, &quota, who)], at(0)).unwrap();
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
