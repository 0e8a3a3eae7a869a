#![expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it panics")]

use std::path::PathBuf;

use mesh_core::issuer::Entry;
use proptest::prelude::*;

use super::*;

/// An issuer with these times, in seconds.
pub(in crate::keys) fn remote(refresh: u64, min_refresh: u64) -> Remote {
    Remote {
        entry: Entry::Jwks("https://idp.example/keys".parse().unwrap()),
        refresh: Duration::from_secs(refresh),
        min_refresh: Duration::from_secs(min_refresh),
        max_stale: Duration::from_secs(86_400),
        trusted_certificate: None::<PathBuf>,
        bearer: None,
    }
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A roll that makes a wait 20 % shorter.
const EVEN: u64 = 0;

#[test]
fn first_fetch_is_at_once_without_fresh_keys() {
    let remote = remote(300, 10);
    for age in [None, Some(secs(300)), Some(secs(100_000))] {
        assert!(Schedule::new(&remote, secs(7), age, EVEN).is_due(secs(7)), "{age:?}");
    }
    let schedule = Schedule::new(&remote, secs(7), Some(secs(100)), EVEN);
    assert_eq!(schedule.next(), Some(secs(147)));
}

#[test]
fn wait_is_5_to_20_percent_shorter() {
    assert_eq!(spread(secs(1000), 0), secs(800));
    assert_eq!(spread(secs(1000), 150), secs(950));
    assert_eq!(spread(secs(1000), 151), secs(800));
    assert_eq!(spread(Duration::MAX, 150), Duration::MAX / 1000);
}

#[test]
fn server_may_bring_the_next_fetch_forward_within_bounds() {
    for (fresh, wait) in [
        (None, 240),
        (Some(0), 240),
        (Some(1), 10),
        (Some(60), 48),
        (Some(290), 232),
        (Some(100_000), 240),
    ] {
        let mut schedule = Schedule::new(&remote(300, 10), secs(0), None, EVEN);
        schedule.begin(secs(0));
        schedule.succeed(secs(0), fresh.map(secs), EVEN);
        assert_eq!(schedule.next(), Some(secs(wait)), "{fresh:?}");
    }
}

#[test]
fn failures_wait_longer_each_time_up_to_refresh() {
    let waits = |age: Option<Duration>| {
        let mut now = secs(1000);
        let mut schedule = Schedule::new(&remote(300, 10), now, age, EVEN);
        let waits = (0..40).map(|_| {
            now = schedule.next().unwrap();
            schedule.begin(now);
            schedule.fail(now, EVEN);
            (schedule.next().unwrap() - now).as_millis()
        });
        waits.collect::<Vec<_>>()
    };
    let had = waits(Some(secs(500)));
    // The first is not shortened: it is the least.
    assert_eq!(had[..7], [10_000, 16_000, 32_000, 64_000, 128_000, 240_000, 240_000]);
    assert_eq!(had[39], 240_000);
    let never = waits(None);
    assert_eq!(never[..5], [1_000, 1_600, 3_200, 6_400, 12_800]);
    assert_eq!(never[39], 240_000);
}

#[test]
fn success_ends_the_long_waits() {
    let mut schedule = Schedule::new(&remote(300, 10), secs(0), Some(secs(300)), EVEN);
    for _ in 0..10 {
        schedule.begin(secs(0));
        schedule.fail(secs(0), EVEN);
    }
    schedule.succeed(secs(0), None, EVEN);
    schedule.begin(secs(400));
    schedule.fail(secs(400), EVEN);
    assert_eq!(schedule.next(), Some(secs(410)));
}

#[test]
fn wish_is_served_at_once_but_not_within_min_refresh() {
    let mut schedule = Schedule::new(&remote(300, 10), secs(0), None, EVEN);
    schedule.begin(secs(0));
    schedule.succeed(secs(1), None, EVEN);
    schedule.want();
    assert_eq!(schedule.next(), Some(secs(10)));
    schedule.begin(secs(10));
    schedule.succeed(secs(10), None, EVEN);
    assert_eq!(schedule.next(), Some(secs(250)));
    // Nothing wished for a key for a while.
    schedule.want();
    assert!(schedule.is_due(secs(200)));
}

#[test]
fn wish_right_after_another_leader_fetched_waits_as_well() {
    let mut schedule = Schedule::new(&remote(300, 10), secs(100), Some(secs(3)), EVEN);
    schedule.want();
    assert_eq!(schedule.next(), Some(secs(107)));
}

#[test]
fn issuer_that_rests_wakes_by_a_wish_alone() {
    let mut schedule = Schedule::new(&remote(300, 10), secs(0), None, EVEN);
    schedule.begin(secs(0));
    schedule.rest();
    assert_eq!(schedule.next(), None);
    assert!(!schedule.is_due(secs(100_000)));
    schedule.want();
    assert_eq!(schedule.next(), Some(secs(10)));
}

/// The event of one step of a schedule.
#[derive(Clone, Debug)]
enum Event {
    /// Time passes: milliseconds.
    Wait(u64),
    Wish,
    /// The fetch takes that many milliseconds, and brings keys of that freshness in seconds.
    Good(u64, Option<u64>),
    Bad(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        (0..400_000_u64).prop_map(Event::Wait),
        (0..2_000_u64).prop_map(Event::Wait),
        Just(Event::Wish),
        (0..20_000_u64, prop::option::of(0..1_000_u64))
            .prop_map(|(took, fresh)| Event::Good(took, fresh)),
        (0..20_000_u64).prop_map(Event::Bad),
    ];
    prop::collection::vec(event, 1..200)
}

proptest! {
    /// Runs a loop as the task does: a fetch begins as soon as one is due, whatever its result.
    #[test]
    fn fetches_keep_their_distance_and_never_stop(
        events in events(),
        refresh in 1..1_000_u64,
        min_refresh in 1..1_000_u64,
        age in prop::option::of(0..2_000_u64),
        roll in any::<u64>(),
    ) {
        let remote = remote(refresh.max(min_refresh), min_refresh);
        let (refresh, min_refresh) = (remote.refresh, remote.min_refresh);
        let mut now = secs(5_000);
        let mut schedule = Schedule::new(&remote, now, age.map(secs), roll);
        let mut has_keys = age.is_some();
        // When the last fetch began: here, or before the start, with the keys of the start.
        let mut began = age.map(|age| now - secs(age));
        let mut outcome = Vec::new();
        let mut roll = roll;
        for event in events {
            roll = roll.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match event {
                Event::Wait(millis) => now += Duration::from_millis(millis),
                Event::Wish => schedule.want(),
                event @ (Event::Good(..) | Event::Bad(_)) => outcome.push(event),
            }
            let Some(next) = schedule.next() else { panic!("it never rests") };
            prop_assert!(next <= now + refresh, "{next:?} after {now:?}");
            if !schedule.is_due(now) {
                continue;
            }
            if let Some(began) = began {
                let least = if has_keys { min_refresh } else { min_refresh.min(secs(1)) };
                prop_assert!(now - began >= least, "{now:?} after {began:?}");
            }
            began = Some(now);
            schedule.begin(now);
            prop_assert!(!schedule.is_due(now));
            match outcome.pop() {
                Some(Event::Good(took, fresh)) => {
                    now += Duration::from_millis(took);
                    schedule.succeed(now, fresh.map(secs), roll);
                    has_keys = true;
                }
                Some(Event::Bad(took)) => {
                    now += Duration::from_millis(took);
                    schedule.fail(now, roll);
                }
                _ => schedule.fail(now, roll),
            }
        }
    }

    #[test]
    fn constant_wishes_cause_one_fetch_in_min_refresh(
        refresh in 1..1_000_u64,
        min_refresh in 1..100_u64,
        fails in any::<bool>(),
        age in prop::option::of(0..100_u64),
    ) {
        let remote = remote(refresh.max(min_refresh), min_refresh);
        let mut schedule = Schedule::new(&remote, secs(0), age.map(secs), 0);
        let mut has_keys = age.is_some();
        let mut fetches = 0;
        let seconds = 10 * min_refresh;
        for tick in 0..seconds * 10 {
            let now = Duration::from_millis(tick * 100);
            schedule.want();
            if schedule.is_due(now) {
                fetches += 1;
                schedule.begin(now);
                if fails {
                    schedule.fail(now, tick);
                } else {
                    schedule.succeed(now, Some(secs(1)), tick);
                    has_keys = true;
                }
            }
        }
        // Without keys the retries that double come on top.
        let retries = if has_keys { 0 } else { 7 };
        prop_assert!((9..=11 + retries).contains(&fetches), "{fetches}");
    }
}
