//! Numbers by their digits: a double holds 15 of them, and names of tokens and accounts have more.

use std::borrow::Cow;

/// Digits that a number with a fraction or an exponent may have when it is written out.
pub const MAX_DIGITS: usize = 40;

/// The one spelling of a JSON number, by which it is compared.
///
/// An integer is its digits. A number with a fraction or an exponent is written out without them if
/// that takes at most [`MAX_DIGITS`] digits, so that `1.5e9` is `1500000000`; beyond that it is its own
/// text. `-0` is `0`.
///
/// ```
/// use mesh_core::text::json::canonical;
///
/// assert_eq!(canonical("340282366920938463463374607431768211455"), "340282366920938463463374607431768211455");
/// assert_eq!(canonical("1.50E9"), "1500000000");
/// assert_eq!(canonical("-2.5e-1"), "-0.25");
/// ```
pub fn canonical(number: &str) -> Cow<'_, str> {
    if !number.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        return if number == "-0" { "0".into() } else { number.into() };
    }
    written_out(number).map_or(Cow::Borrowed(number), Cow::Owned)
}

/// A number with a fraction or an exponent, written out without them if that is possible.
fn written_out(number: &str) -> Option<String> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    // Its digits, without the zeros at both ends, are so many places left of the point.
    let (digits, moved) = if fraction.is_empty() {
        let digits = whole.trim_end_matches('0');
        (digits.to_owned(), whole.len().saturating_sub(digits.len()))
    } else {
        (format!("{whole}{fraction}"), 0)
    };
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    let places = exponent
        .parse::<i64>()
        .ok()?
        .checked_add(i64::try_from(moved).ok()?)?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let zeros = usize::try_from(places.unsigned_abs()).ok().filter(|zeros| *zeros <= MAX_LEN)?;
    if places >= 0 {
        let is_short = digits.len().saturating_add(zeros) <= MAX_DIGITS;
        return is_short.then(|| format!("{sign}{digits}{}", "0".repeat(zeros)));
    }
    // `zeros` digits are behind the point.
    if digits.len().max(zeros.saturating_add(1)) > MAX_DIGITS {
        return None;
    }
    Some(match digits.len().checked_sub(zeros).filter(|whole| *whole > 0) {
        Some(whole) => {
            let (whole, fraction) = digits.split_at_checked(whole)?;
            format!("{sign}{whole}.{fraction}")
        }
        None => {
            let more = "0".repeat(zeros.saturating_sub(digits.len()));
            format!("{sign}0.{more}{digits}")
        }
    })
}

/// No number with more places than bytes in a token is written out.
const MAX_LEN: usize = 1 << 16;

/// An integer of 64 bits.
pub fn whole(number: &str) -> Option<i64> {
    // A zero with a sign is a double, as everywhere.
    number.parse().ok().filter(|_| number != "-0")
}

/// Whether a text is one whole JSON number.
pub fn is_number(text: &str) -> bool {
    let is_digit_or_sign = |byte: &u8| matches!(byte, b'-' | b'0'..=b'9');
    text.as_bytes().first().is_some_and(is_digit_or_sign)
        && text.as_bytes().last().is_some_and(u8::is_ascii_digit)
        && super::Document::parse(text.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for (number, spelling) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("0e5", "0"),
            ("0.000E-9999999999999999999", "0"),
            ("7", "7"),
            ("-7", "-7"),
            ("7.0", "7"),
            ("70e-1", "7"),
            ("0.7e1", "7"),
            ("1.5e9", "1500000000"),
            ("1.68e+09", "1680000000"),
            ("15E8", "1500000000"),
            ("1500000000.25", "1500000000.25"),
            ("150000000025e-2", "1500000000.25"),
            ("2.5e-1", "0.25"),
            ("-0.00250", "-0.0025"),
            ("1e39", "1000000000000000000000000000000000000000"),
            ("1e40", "1e40"),
            ("1E40", "1E40"),
            ("1e-39", "0.000000000000000000000000000000000000001"),
            ("1e-40", "1e-40"),
            ("1e99999999999999999999", "1e99999999999999999999"),
            ("1e-9223372036854775808", "1e-9223372036854775808"),
            ("1.5e9223372036854775807", "1.5e9223372036854775807"),
            ("18446744073709551616", "18446744073709551616"),
            (
                "10000000000000000000000000000000000000000000",
                "10000000000000000000000000000000000000000000",
            ),
        ] {
            assert_eq!(canonical(number), spelling, "{number}");
        }
        let long = format!("1.{}", "3".repeat(39));
        assert_eq!(canonical(&long), long);
        let longer = format!("{long}30");
        assert_eq!(canonical(&longer), longer, "by its text");
    }

    #[test]
    fn what_is_no_json_number_is_none() {
        for text in ["0", "-1", "1.5", "1e3", "123456789012345678901234567890"] {
            assert!(is_number(text), "{text}");
        }
        for text in
            ["", "-", "+1", "01", "1.", ".5", "0x1", "1 ", " 1", "1,2", "[1]", "one", "1e400"]
        {
            assert!(!is_number(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_value_is_kept(whole in 0_u64..1 << 40, fraction in "[0-9]{0,4}", exponent in -6_i32..6, minus: bool) {
            let sign = if minus { "-" } else { "" };
            let point = if fraction.is_empty() { "" } else { "." };
            let text = format!("{sign}{whole}{point}{fraction}e{exponent}");
            let spelling = canonical(&text);
            prop_assert!(!spelling.contains(['e', 'E']));
            prop_assert_eq!(spelling.parse::<f64>().unwrap(), text.parse::<f64>().unwrap());
            prop_assert_eq!(canonical(&spelling), spelling.as_ref(), "once is enough");
        }

        #[test]
        fn a_point_may_stand_anywhere(digits in "[1-9][0-9]{0,30}", left in 0_usize..30, more in 0_i32..9) {
            let text = format!("{digits}e{more}");
            let at = left.saturating_add(1).min(digits.len());
            let (whole, fraction) = digits.split_at(at);
            let places = i32::try_from(fraction.len()).unwrap().saturating_add(more);
            let moved = format!("{whole}.{fraction}0e{places}");
            prop_assert_eq!(canonical(&text), canonical(&moved));
        }

        #[test]
        fn any_text_has_a_spelling(text in "[-+0-9.eE]{0,50}") {
            let _ = canonical(&text);
        }
    }
}
