#![expect(clippy::arithmetic_side_effects, reason = "the models add and multiply plainly")]

use proptest::prelude::*;

use super::*;

fn quota(rate: &str, burst: u32) -> Quota {
    Quota::new("q", Rate::parse(rate).unwrap(), burst, 1).unwrap()
}

#[test]
fn a_rate_reads_back_as_it_was_typed() {
    for text in ["1r/s", "100r/s", "60r/m", "100r/h", "1000r/d", "1000000r/s", "1000000r/d"] {
        assert_eq!(Rate::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn a_rate_in_any_other_notation_is_refused() {
    for text in
        ["", "r/s", "10", "10r", "10r/D", "10r/w", "10 r/s", "+1r/s", "-1r/s", "1.5r/s", "1r/sr/s"]
    {
        assert_eq!(Rate::parse(text), Err(RateError::Syntax), "{text}");
    }
    for text in ["0r/s", "000r/m", "1000001r/s", "4294967296r/s", "99999999999999999999r/s"] {
        assert_eq!(Rate::parse(text), Err(RateError::OutOfRange), "{text}");
    }
}

#[test]
fn a_quota_that_could_never_pass_or_never_be_paid_back_is_refused() {
    let rate = Rate::parse("1r/m").unwrap();
    assert_eq!(Quota::new("q", rate, 4, 6), Err(QuotaError::CostPastBurst { cost: 6, burst: 4 }));
    assert!(Quota::new("q", rate, 4, 5).is_ok());
    assert_eq!(Quota::new("q", rate, 4, 0), Err(QuotaError::CostZero));
    assert!(Quota::new("q", rate, 143_999, 1).is_ok());
    for burst in [144_000, u32::MAX] {
        assert_eq!(Quota::new("q", rate, burst, 1), Err(QuotaError::WindowTooLong { rate, burst }));
    }
    for name in ["", "a\"b", "a\\b", "a\nb", "caf\u{e9}"] {
        assert_eq!(Quota::new(name, rate, 4, 1), Err(QuotaError::Name), "{name:?}");
    }
}

#[test]
fn a_rate_by_hour_or_day_takes_as_long_as_it_says() {
    for (text, secs) in [("1r/h", 3_600), ("1r/d", 86_400), ("24r/d", 3_600), ("3600r/h", 1)] {
        assert_eq!(Rate::parse(text).unwrap().interval(), Duration::from_secs(secs), "{text}");
    }
    // A hundred days are the most, to the request.
    let rate = Rate::parse("1r/d").unwrap();
    assert!(Quota::new("q", rate, 99, 1).is_ok());
    let error = QuotaError::WindowTooLong { rate, burst: 100 };
    assert_eq!(Quota::new("q", rate, 100, 1), Err(error));
}

#[test]
fn a_bucket_that_is_shared_holds_16_times_the_burst_at_16_times_the_rate() {
    let quota = quota("1r/m", 4);
    let wide = quota.wide();
    assert_eq!(wide.remaining(0).units(), 65);
    assert_eq!(wide.price(16), quota.own().price(1));
    // The fastest rate has a grain left.
    assert_eq!(
        Quota::new("q", Rate::parse("1000000r/s").unwrap(), 0, 1).unwrap().wide().price(1),
        60
    );
}

#[test]
fn policy_parameters_name_the_rate_and_hold_the_burst() {
    for (rate, burst, q, w) in [
        ("100r/s", 0, 100, 1),
        ("100r/s", 99, 100, 1),
        ("100r/s", 200, 300, 3),
        ("60r/m", 5, 60, 60),
        ("1r/m", 4, 5, 300),
        ("100r/h", 0, 100, 3_600),
        ("1000r/d", 1_500, 2_000, 172_800),
    ] {
        let quota = quota(rate, burst);
        assert_eq!((quota.policy_quota(), quota.policy_window_secs()), (q, w), "{rate} {burst}");
    }
}

#[test]
fn a_refusal_says_how_long_to_wait() {
    let quota = quota("10r/s", 0);
    assert_eq!(quota.own().admit(0, quota.own().price(1)), Ok(100_000_000));
    assert_eq!(quota.own().admit(100_000_000, quota.own().price(1)), Err(100_000_000));
    assert_eq!(quota.own().admit(1, quota.own().price(1)), Err(1));
}

#[test]
fn a_debit_stops_one_interval_past_the_window_and_never_lowers_a_debt() {
    let quota = quota("10r/s", 2);
    assert_eq!(quota.own().debit(0, quota.own().price(2)), 200_000_000);
    assert_eq!(quota.own().debit(300_000_000, quota.own().price(1)), 400_000_000);
    assert_eq!(quota.own().debit(300_000_000, quota.own().price(3)), 400_000_000);
    assert_eq!(quota.own().debit(400_000_000, quota.own().price(1)), 400_000_000);
    assert_eq!(quota.own().debit(400_000_001, quota.own().price(1)), 400_000_001);
}

prop_compose! {
    fn any_rate()(count in 1..=MAX_COUNT, period in prop::sample::select(&Period::ALL)) -> Rate {
        Rate::new(count, period).unwrap()
    }
}

proptest! {
    #[test]
    fn an_interval_is_the_period_by_the_count_less_a_grain_at_most(rate in any_rate()) {
        let exact = u128::from(rate.period().secs()) * 1_000_000_000;
        let taken = rate.interval().as_nanos() * u128::from(rate.count());
        prop_assert!(taken <= exact && exact - taken < u128::from(rate.count()) * u128::from(GRAIN));
        prop_assert_eq!(Rate::parse(&rate.to_string()), Ok(rate));
    }

    #[test]
    fn an_idle_bucket_admits_burst_and_one(rate in any_rate(), burst in 0_u32..500) {
        let Ok(quota) = Quota::new("q", rate, burst, 1) else { return Ok(()) };
        let mut debt = 0;
        for left in (0..=burst).rev() {
            debt = quota.own().admit(debt, quota.own().price(1)).unwrap();
            prop_assert_eq!(quota.own().remaining(debt).units(), u64::from(left));
        }
        prop_assert_eq!(quota.own().admit(debt, quota.own().price(1)), Err(quota.own().price(1)));
    }

    #[test]
    fn who_keeps_to_the_rate_is_never_refused(rate in any_rate(), steps in 1_u64..2_000) {
        let quota = Quota::new("q", rate, 0, 1).unwrap();
        let period = rate.period().secs() * 1_000_000_000;
        let at = |n: u64| (n * period).div_ceil(rate.count().into());
        let (mut debt, mut now) = (0_u64, 0);
        for n in 0..steps {
            debt = debt.saturating_sub(at(n) - now);
            now = at(n);
            debt = quota.own().admit(debt, quota.own().price(1)).unwrap();
        }
    }

    #[test]
    fn a_window_never_admits_more_than_capacity_and_rate(
        rate in any_rate(), burst in 0_u32..50, gaps in prop::collection::vec(0_u64..1_000, 1..200),
    ) {
        let quota = Quota::new("q", rate, burst, 1).unwrap();
        let interval = quota.own().price(1);
        let (mut debt, mut elapsed, mut admitted) = (0_u64, 0_u64, 0_u64);
        for gap in gaps {
            let gap = interval * gap / 700;
            elapsed += gap;
            debt = debt.saturating_sub(gap);
            if let Ok(after) = quota.own().admit(debt, interval) {
                debt = after;
                admitted += 1;
            }
            prop_assert!(admitted <= quota.capacity() + elapsed / interval);
        }
    }

    #[test]
    fn no_debt_overflows(rate in any_rate(), burst: u32, debt: u64, units: u32) {
        if let Ok(quota) = Quota::new("q", rate, burst, 1) {
            let price = quota.own().price(units);
            match quota.own().admit(debt, price) {
                Ok(after) => prop_assert!(after <= quota.own().window() && after >= debt),
                Err(wait) => prop_assert!(wait > 0),
            }
            prop_assert!(quota.own().debit(debt, price) >= debt);
            prop_assert!(quota.own().remaining(debt).units() <= quota.capacity());
            prop_assert!(quota.own().window() <= MAX_WINDOW_NANOS);
        }
    }
}
