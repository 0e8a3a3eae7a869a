//! What happens if a part is full, and that no part takes from another.

use std::sync::Mutex;

use super::*;

/// A log of what was told.
#[derive(Debug, Default)]
struct Log(Mutex<Vec<(Part, u64)>>);

impl Host for Log {
    fn clock(&self) -> Tick {
        Tick::from_nanos(0)
    }

    fn tell_full(&self, part: Part, charges: u64) {
        self.0.lock().unwrap().push((part, charges));
    }
}

fn on<'q>(table: &Table<'_>, part: Part, quota: &'q Quota, who: u32) -> Charge<'q> {
    Charge::new(quota, part, table.key(quota, &[&who.to_le_bytes()]))
}

#[test]
fn no_part_takes_from_another() {
    let quota = quota("q", "1r/m", 4);
    for crowded in Part::ALL {
        let zone = Zone::of(Table::buckets_in(64 << 10));
        let table = zone.table();
        for who in 0..65_536 {
            let charge = [on(&table, crowded, &quota, who)];
            if crowded == Part::Failures {
                table.debit(&charge, at(0));
            } else {
                let _ = table.charge(&charge, at(0));
            }
        }
        for part in Part::ALL {
            assert_eq!(table.full(part) > 0, part == crowded, "{part:?}");
        }
        for part in Part::ALL.into_iter().filter(|part| *part != crowded) {
            for who in 0..20 {
                let charge = [on(&table, part, &quota, who)];
                let admitted = (0..20).filter(|_| table.charge(&charge, at(0)).is_ok()).count();
                assert_eq!(admitted, 5, "{part:?}");
            }
        }
    }
}

#[test]
fn newcomers_of_a_quota_share_a_bucket_and_who_is_in_debt_stays_limited() {
    let zone = Zone::of(FEWEST);
    let table = zone.table();
    let (calls, other) = (quota("calls", "1r/m", 1), quota("other", "1r/m", 0));
    let mut owners = Vec::new();
    for who in 0.. {
        let charge = [on(&table, Part::Identities, &calls, who)];
        let _ = table.charge(&charge, at(0)).unwrap();
        if table.full(Part::Identities) > 0 {
            break;
        }
        owners.push(charge);
    }
    assert_eq!(owners.len(), SLOTS);
    // 16 times the burst, and one; the first of them is spent.
    for left in (0..16).rev() {
        let charge = [on(&table, Part::Identities, &calls, 1_000 + left)];
        assert!(table.peek(&charge, at(0)).is_ok());
        let charged = table.charge(&charge, at(0)).unwrap();
        assert_eq!((charged.uncounted(), charged.remaining().unwrap().units()), (0, left.into()));
    }
    let newcomer = [on(&table, Part::Identities, &calls, 2_000)];
    for told in [table.peek(&newcomer, at(0)), table.charge(&newcomer, at(0)).map(drop)] {
        let limited = told.unwrap_err();
        assert!(limited.is_overflow());
        assert_eq!(limited.retry_after(), Duration::from_millis(3_750));
    }
    // Another quota overflows by itself.
    let both = [on(&table, Part::Identities, &other, 1), newcomer[0]];
    assert!(table.charge(&both[..1], at(0)).is_ok());
    assert!(table.charge(&both[..1], at(0)).unwrap_err().is_overflow());
    // If one of several charges is refused, the overflow gets its own back.
    assert!(table.charge(&both, at(3_750)).is_ok());
    assert!(table.charge(&newcomer, at(7_500)).is_ok());
    assert!(table.charge(&both, at(7_500)).unwrap_err().is_overflow());
    assert!(table.charge(&both[..1], at(7_500)).is_ok());
    for owner in owners {
        assert!(table.charge(&owner, at(7_500)).is_ok());
        let limited = table.charge(&owner, at(7_500)).unwrap_err();
        assert!(!limited.is_overflow());
    }
}

#[test]
fn more_quotas_than_the_overflow_holds_are_refused() {
    let zone = Zone::of(FEWEST);
    let table = zone.table();
    let quotas: Vec<_> = (0..40).map(|n| quota(&format!("q{n}"), "1r/m", 0)).collect();
    let told: Vec<_> = quotas
        .iter()
        .map(|quota| table.charge(&[on(&table, Part::Identities, quota, 1)], at(0)))
        .collect();
    assert!(told[..SLOTS * 2].iter().all(Result::is_ok));
    let refused = told[SLOTS * 2..].iter().all(|told| told.is_err_and(|it| it.is_overflow()));
    assert!(refused);
}

#[test]
fn a_debit_is_on_the_first_charge_that_finds_a_slot() {
    let zone = Zone::of(FEWEST);
    let (table, quota) = (zone.table(), quota("failures", "1r/m", 1));
    let debit = |who: u32, network: u32| {
        let address = on(&table, Part::Failures, &quota, who);
        [address, address.shared(on(&table, Part::Failures, &quota, network).key())]
    };
    for who in 0..8 {
        table.debit(&debit(who, 900), at(0));
    }
    assert_eq!(table.full(Part::Failures), 0);
    // The network owes for 17 failures and one.
    for who in 8..28 {
        table.debit(&debit(who, 900), at(0));
    }
    assert_eq!(table.full(Part::Failures), 20);
    let newcomer = debit(100, 900);
    // A minute in 16 parts, twice.
    let limited = table.peek_debit(&newcomer, at(0)).unwrap_err();
    assert_eq!(limited.retry_after(), Duration::from_millis(7_500));
    assert!(table.peek_debit(&newcomer, at(7_500)).is_ok());
    table.debit(&newcomer, at(7_500));
    assert!(table.peek_debit(&newcomer, at(7_500)).is_err());
    assert!(table.peek_debit(&debit(5, 900), at(7_500)).is_ok(), "it has its own");
    assert_eq!(table.full(Part::Failures), 21);
    // If there is no room for the network either, the failure is counted, and no request is
    // refused.
    for network in 901..908 {
        table.debit(&debit(100, network), at(7_500));
    }
    let stranger = debit(100, 908);
    for full in 29..32 {
        table.debit(&stranger, at(7_500));
        assert!(table.peek_debit(&stranger, at(7_500)).is_ok());
        assert_eq!(table.full(Part::Failures), full);
    }
}

#[test]
fn a_full_part_is_told_once_a_minute() {
    let (zone, quota, log) = (Zone::of(FEWEST), quota("q", "1r/d", 0), Log::default());
    let table = zone.table_in(&log);
    let come = |millis, newcomers: Range<u32>| {
        for who in newcomers {
            let _ = table.charge(&[on(&table, Part::Chosen, &quota, who)], at(millis)).unwrap();
        }
        core::mem::take(&mut *log.0.lock().unwrap())
    };
    assert_eq!(come(0, 0..8), []);
    assert_eq!(come(1, 100..103), [(Part::Chosen, 1)]);
    assert_eq!(come(60_000, 100..103), []);
    assert_eq!(come(60_001, 100..101), [(Part::Chosen, 6)]);
    assert_eq!(table.full(Part::Chosen), 7);
}
