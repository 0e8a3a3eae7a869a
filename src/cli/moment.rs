//! Times and spans as they are typed.

use mesh_core::text::time::UnixTime;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Reads Unix seconds (`1767225600`) or RFC 3339 in UTC (`2026-01-01T00:00:00Z`).
///
/// A fraction of a second is dropped, as the claims are compared in whole seconds.
///
/// # Errors
/// Any other form, and an offset that is not zero: a time that is read in two ways is worse than
/// one that is refused.
pub(crate) fn parse_moment(text: &str) -> Result<UnixTime, String> {
    if let Ok(secs) = text.parse::<i64>() {
        return Ok(UnixTime::from_secs(secs));
    }
    let moment = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "expected Unix seconds or a time such as 2026-01-01T00:00:00Z".to_owned())?;
    if !moment.offset().is_utc() {
        return Err("expected a time in UTC, ending with Z".to_owned());
    }
    Ok(UnixTime::from_secs(moment.unix_timestamp()))
}

/// Reads a span such as `90`, `30s`, `5m`, `1h`, `7d`, or the same with a minus, into seconds.
///
/// # Errors
/// Any other form, and a span that does not fit 64 bits.
pub(crate) fn parse_span(text: &str) -> Result<i64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (text.get(..at), 1),
        Some((at, 'm')) => (text.get(..at), 60),
        Some((at, 'h')) => (text.get(..at), 3_600),
        Some((at, 'd')) => (text.get(..at), 86_400),
        _ => (Some(text), 1),
    };
    digits
        .filter(|digits| !digits.starts_with('+'))
        .and_then(|digits| digits.parse::<i64>().ok())
        .and_then(|count| count.checked_mul(unit))
        .ok_or_else(|| "expected a span such as 30s, 5m, 1h, 7d or -1h".to_owned())
}

/// Reads a span that is not negative.
///
/// # Errors
/// As [`parse_span`], and a negative span.
pub(crate) fn parse_forward_span(text: &str) -> Result<i64, String> {
    parse_span(text).and_then(|secs| {
        if secs < 0 { Err("expected a span of zero or more".to_owned()) } else { Ok(secs) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moment_is_seconds_or_rfc_3339() {
        let new_year = UnixTime::from_secs(1_767_225_600);
        assert_eq!(parse_moment("1767225600"), Ok(new_year));
        assert_eq!(parse_moment("2026-01-01T00:00:00Z"), Ok(new_year));
        assert_eq!(parse_moment("2026-01-01T00:00:00.999Z"), Ok(new_year));
        assert_eq!(parse_moment("2024-02-29T12:00:00Z"), Ok(UnixTime::from_secs(1_709_208_000)));
        assert_eq!(parse_moment("-1"), Ok(UnixTime::from_secs(-1)));
    }

    #[test]
    fn moment_in_another_form_is_refused() {
        for text in [
            "",
            "now",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00+02:00",
            "1e9",
            "99999999999999999999",
        ] {
            assert!(parse_moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn span_takes_a_unit_and_a_sign() {
        assert_eq!(parse_span("90"), Ok(90));
        assert_eq!(parse_span("30s"), Ok(30));
        assert_eq!(parse_span("5m"), Ok(300));
        assert_eq!(parse_span("1h"), Ok(3_600));
        assert_eq!(parse_span("-1h"), Ok(-3_600));
        assert_eq!(parse_span("7d"), Ok(604_800));
    }

    #[test]
    fn span_in_another_form_is_refused() {
        for text in ["", "h", "1w", "1.5h", "+1h", "--1", "1h30m", "é", "9223372036854775807d"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn forward_span_is_not_negative() {
        assert_eq!(parse_forward_span("0"), Ok(0));
        assert!(parse_forward_span("-1").is_err());
    }
}
