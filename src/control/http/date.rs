//! The time that a server says it is (RFC 9110 section 5.6.7).

use mesh_core::text::time::UnixTime;

/// Reads an IMF-fixdate, the one form that a server may send: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn parse(text: &str) -> Option<UnixTime> {
    let (_day_name, rest) = text.split_once(", ")?;
    let rest = rest.strip_suffix(" GMT")?;
    let mut words = rest.split(' ');
    let (day, month, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)?;
    let month = i64::try_from(month).ok()?.checked_add(1)?;
    let days = days_since_epoch(number(year, 4)?, month, number(day, 2)?)?;
    let hours = days.checked_mul(24)?.checked_add(within(number(hour, 2)?, 23)?)?;
    let minutes = hours.checked_mul(60)?.checked_add(within(number(minute, 2)?, 59)?)?;
    // 60 is a leap second.
    let seconds = minutes.checked_mul(60)?.checked_add(within(number(second, 2)?, 60)?)?;
    Some(UnixTime::from_secs(seconds))
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let is_whole = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_whole.then(|| text.parse().ok())?
}

fn within(value: i64, most: i64) -> Option<i64> {
    (value <= most).then_some(value)
}

/// Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March so that a
/// leap day is the last of its year.
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    let years = if month > 2 { year } else { year.checked_sub(1)? };
    let months = month.checked_add(9)?.checked_rem(12)?;
    // 153 days are five months, which alternate between 31 and 30 days from March on.
    let before = months.checked_mul(153)?.checked_add(2)?.checked_div(5)?;
    let leaps = (years / 4).checked_sub(years / 100)?.checked_add(years / 400)?;
    let days = years.checked_mul(365)?.checked_add(leaps)?;
    days.checked_add(before)?.checked_add(day)?.checked_sub(719_469)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn date_is_read_to_the_second() {
        for (text, secs) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Mon, 31 Dec 2040 12:00:00 GMT", 2_240_568_000),
        ] {
            assert_eq!(parse(text), Some(UnixTime::from_secs(secs)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_date() {
        for text in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun, 06 Nov 1994 08:49:37 x GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn each_second_is_one_more(
            day in 1..=28_i64, month in 0..12_usize, year in 1970..10_000_i64, second in 0..86_399_i64,
        ) {
            let text = |second: i64| {
                let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
                let month = MONTHS[month];
                format!("Mon, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
            };
            let (one, next) = (parse(&text(second)).unwrap(), parse(&text(second.saturating_add(1))).unwrap());
            prop_assert_eq!(one.saturating_add(1), next);
            prop_assert_eq!(one.secs().rem_euclid(86_400), second);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}|[A-Za-z0-9, :]{25,32} GMT") {
            let _ = parse(&text);
        }
    }
}
