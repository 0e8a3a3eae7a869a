//! What an answer says about its own freshness (RFC 9111).

use core::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};

/// For how long the answer says that it is fresh; `None` if it does not say.
///
/// If it cannot be read for sure, it is zero: a directive that is malformed or given twice makes
/// the answer stale at once (RFC 9111 section 4.2.1). A cache on the way has used up a part of the
/// time, which `Age` tells.
pub(super) fn freshness(headers: &HeaderMap) -> Option<Duration> {
    let mut max_age = None;
    for line in headers.get_all(CACHE_CONTROL) {
        let Ok(line) = line.to_str() else { return Some(Duration::ZERO) };
        for directive in line.split(',') {
            let (name, value) = match directive.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (directive.trim(), None),
            };
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            if name.eq_ignore_ascii_case("max-age") {
                match value.and_then(seconds) {
                    Some(seconds) if max_age.is_none() => max_age = Some(seconds),
                    _ => return Some(Duration::ZERO),
                }
            }
        }
    }
    let age = headers.get(AGE).and_then(|age| seconds(age.to_str().ok()?)).unwrap_or(0);
    max_age.map(|max_age| Duration::from_secs(max_age.saturating_sub(age)))
}

/// Delta seconds (RFC 9111 section 1.2.2), which stay at their most rather than overflow.
fn seconds(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse::<u64>().unwrap_or(u64::MAX).min(MOST))
}

/// RFC 9111 asks for at least 2^31.
const MOST: u64 = 1 << 31;

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn freshness_of(lines: &[&str], age: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
        }
        if let Some(age) = age {
            headers.insert(AGE, HeaderValue::from_str(age).unwrap());
        }
        freshness(&headers).map(|it| it.as_secs())
    }

    #[test]
    fn max_age_counts_wherever_it_stands() {
        for lines in [
            &["max-age=60"][..],
            &["public, MAX-AGE=60 , must-revalidate"],
            &["public", "max-age = 60"],
            &["s-maxage=7,max-age=60,x=\"a\""],
        ] {
            assert_eq!(freshness_of(lines, None), Some(60), "{lines:?}");
        }
        assert_eq!(freshness_of(&["max-age=99999999999999999999999"], None), Some(1 << 31));
    }

    #[test]
    fn answer_that_says_nothing_has_no_freshness() {
        for lines in [&[][..], &["public"], &["s-maxage=60"], &[""], &[",,"]] {
            assert_eq!(freshness_of(lines, Some("5")), None, "{lines:?}");
        }
    }

    #[test]
    fn what_is_not_sure_is_stale() {
        for line in [
            "no-store, max-age=60",
            "max-age=60, no-cache",
            "no-cache=\"set-cookie\"",
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=+1",
            "max-age=1.5",
            "max-age=\"60\"",
            "max-age=60s",
            "max-age=60, max-age=70",
        ] {
            assert_eq!(freshness_of(&[line], None), Some(0), "{line}");
        }
        assert_eq!(freshness_of(&["max-age=60", "max-age=60"], None), Some(0));
    }

    #[test]
    fn time_in_a_cache_on_the_way_is_used_up() {
        assert_eq!(freshness_of(&["max-age=60"], Some("50")), Some(10));
        assert_eq!(freshness_of(&["max-age=60"], Some("70")), Some(0));
        assert_eq!(freshness_of(&["max-age=60"], Some("soon")), Some(60));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fresher_than_it_says(
            before in "[ -~]{0,20}", secs in 0..1_000_000_u64, after in "[ -~]{0,20}",
        ) {
            // Without digits of its own, the rest can only make it stale.
            let rest = |text: &str| text.replace(|it: char| it.is_ascii_digit(), "");
            let line = format!("{},max-age={secs},{}", rest(&before), rest(&after));
            let fresh = freshness_of(&[&line], None);
            prop_assert!(fresh == Some(secs) || fresh == Some(0), "{fresh:?} of {line}");
        }
    }
}
