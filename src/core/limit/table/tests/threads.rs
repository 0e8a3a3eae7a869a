//! Many threads at once, on real processors: `models` tries each order of a few.

use std::sync::Barrier;
use std::thread;

use super::clocks::Clock;
use super::*;

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
        // In every other round the key must take the slot of an idle one.
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
    // More keys than slots, each within its own capacity: every refusal is a false one.
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
