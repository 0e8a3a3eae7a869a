//! Workers whose clocks lag, each by its own.

use super::*;

/// The true time, which stays the same unless it is set.
#[derive(Debug)]
pub(super) struct Clock(AtomicU64);

impl Clock {
    pub(super) fn new(time: Tick) -> Self {
        Self(AtomicU64::new(time.nanos()))
    }

    fn set(&self, time: Tick) {
        self.0.store(time.nanos(), Relaxed);
    }
}

impl Host for Clock {
    fn clock(&self) -> Tick {
        Tick::from_nanos(self.0.load(Relaxed))
    }

    fn tell_full(&self, _: Part, _: u64) {}
}

#[test]
fn a_worker_whose_clock_lags_charges_by_the_latest_tick() {
    let (zone, quota) = (Zone::new(1), quota("q", "1r/m", 9));
    let table = zone.table();
    let a = [charge(&table, &quota, "a")];
    for worker in [12, 0, 5, 0, 12, 0, 7, 0, 0, 12] {
        assert!(table.charge(&a, at(worker)).is_ok());
    }
    assert!(table.charge(&a, at(12)).is_err());
}

#[test]
fn before_a_refusal_the_clock_is_read() {
    let (zone, quota, clock) = (Zone::new(1), quota("q", "1000r/s", 0), Clock::new(at(1)));
    let table = zone.table_in(&clock);
    let a = [charge(&table, &quota, "a")];
    assert!(table.charge(&a, at(0)).is_ok());
    assert!(table.peek(&a, at(0)).is_ok(), "a peek reads it, too");
    assert!(table.charge(&a, at(0)).is_ok());
    let limited = table.charge(&a, at(0)).unwrap_err();
    assert_eq!(limited.retry_after(), Duration::from_millis(1));
    clock.set(at(2));
    let both = [a[0], charge(&table, &quota, "b")];
    assert!(table.charge(&both, at(0)).is_ok(), "and so do several charges");
}

#[test]
fn a_shared_tick_that_is_far_ahead_is_not_believed() {
    let (quota, clock) = (quota("q", "1r/m", 0), Clock::new(at(0)));
    for (ahead, is_believed) in [(9_999, true), (10_001, false), (1 << 40, false)] {
        let zone = Zone::new(1);
        let table = zone.table_in(&clock);
        zone.header.tick.set(at(ahead));
        assert!(table.charge(&[charge(&table, &quota, "a")], at(0)).is_ok());
        let wait = table.charge(&[charge(&table, &quota, "a")], at(0)).unwrap_err().retry_after();
        // A charge by a tick that is ahead is owed until then.
        assert_eq!(wait, Duration::from_secs(60), "{ahead}");
        let shared = zone.header.tick.latest(Tick::from_nanos(0), &clock);
        assert_eq!(shared, at(if is_believed { ahead } else { 0 }));
    }
    // A worker that was asleep believes a time that the clock confirms.
    let zone = Zone::new(1);
    let table = zone.table_in(&clock);
    clock.set(at(60_000));
    assert!(table.charge(&[charge(&table, &quota, "a")], at(60_000)).is_ok());
    let wait = table.charge(&[charge(&table, &quota, "a")], at(0)).unwrap_err().retry_after();
    assert_eq!(wait, Duration::from_secs(60));
}

proptest! {
    #[test]
    fn who_has_room_is_not_refused_and_a_window_admits_its_rate_and_the_lag(
        per_second in 1_u32..2_000,
        burst in 0_u32..20,
        steps in prop::collection::vec((0_u64..4_000, 0_usize..3, any::<bool>()), 1..400),
    ) {
        const LAG: u64 = 12_000_000;
        let quota = quota("q", &format!("{per_second}r/s"), burst);
        let (interval, window) = (quota.own().price(1), quota.own().window());
        let (zone, clock) = (Zone::new(1), Clock::new(at(0)));
        let table = zone.table_in(&clock);
        let a = [charge(&table, &quota, "a")];
        let mut time = at(0).nanos();
        let mut workers = [time; 3];
        let mut tat = 0_u64;
        let mut admitted = Vec::new();
        for (micros, worker, turns) in steps {
            time += micros * 1_000;
            clock.set(Tick::from_nanos(time));
            let own = &mut workers[worker];
            // Nginx's clock counts whole milliseconds, once a turn.
            if turns || time - *own > LAG {
                *own = time / 1_000_000 * 1_000_000;
            }
            match table.charge(&a, Tick::from_nanos(*own)) {
                Ok(_) => {
                    tat = tat.max(time) + interval;
                    admitted.push(time);
                }
                Err(_) => prop_assert!(tat + interval > time + window, "refused in spite of room"),
            }
        }
        for (first, from) in admitted.iter().enumerate() {
            for (last, to) in admitted.iter().enumerate().skip(first) {
                let count = (last - first + 1) as u64;
                let most = quota.capacity() + (to - from + LAG + 1_000_000).div_ceil(interval);
                prop_assert!(count <= most, "{count} in {}", to - from);
            }
        }
    }
}
