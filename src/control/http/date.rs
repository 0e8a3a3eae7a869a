//! The time on a server's clock (RFC 9110 section 5.6.7).

use std::time::UNIX_EPOCH;

use mesh_core::text::time::UnixTime;

/// Reads a date in one of the three forms that a recipient takes, of which servers send the first:
/// `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn parse(text: &str) -> Option<UnixTime> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(UnixTime::from_secs(i64::try_from(since.as_secs()).ok()?))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

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
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
        ] {
            assert_eq!(parse(text), Some(UnixTime::from_secs(secs)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_date() {
        for text in [
            "",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun, 06 Nov 1994 08:49:37 x GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Thu, 30 Feb 1995 08:49:37 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn each_second_is_read_as_it_is_written(second in 0..253_402_300_800_u64) {
            let time = UNIX_EPOCH.checked_add(Duration::from_secs(second)).unwrap();
            let text = httpdate::fmt_http_date(time);
            prop_assert_eq!(parse(&text).map(UnixTime::secs), i64::try_from(second).ok());
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}|[A-Za-z0-9, :]{25,32} GMT") {
            let _ = parse(&text);
        }
    }
}
