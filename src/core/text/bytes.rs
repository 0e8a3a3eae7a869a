//! What all bytes of a text are: sixteen at a time, by comparisons that a processor makes at once.

/// Whether all bytes are what `is` says, which compares and does not branch: zero for such a byte.
#[inline]
pub(crate) fn all(bytes: &[u8], is_other: impl Fn(u8) -> u8) -> bool {
    let other = |sixteen: &[u8; 16]| u128::from_ne_bytes(sixteen.map(&is_other));
    let (sixteens, rest) = bytes.as_chunks();
    if sixteens.iter().any(|sixteen| other(sixteen) != 0) {
        return false;
    }
    match (bytes.last_chunk(), bytes.first()) {
        (Some(last), _) => rest.is_empty() || other(last) == 0,
        (None, None) => true,
        // What is left of sixteen is as the first one is.
        (None, Some(first)) => {
            let mut sixteen = [*first; 16];
            if let Some(head) = sixteen.get_mut(..bytes.len()) {
                head.copy_from_slice(bytes);
            }
            other(&sixteen) == 0
        }
    }
}

/// Whether a text has a control character.
pub(crate) fn has_control(text: &str) -> bool {
    // Those of two bytes begin with 0xc2.
    let is_plain = all(text.as_bytes(), |byte| {
        u8::from(byte < 0x20) | u8::from(byte == 0x7f) | u8::from(byte == 0xc2)
    });
    !is_plain && text.chars().any(char::is_control)
}

/// Whether a text has a letter of ASCII in upper case.
pub(crate) fn has_upper(text: &str) -> bool {
    !all(text.as_bytes(), |byte| u8::from(byte.wrapping_sub(b'A') < 26))
}

/// The places of a byte, eight at a time.
pub(crate) fn each(bytes: &[u8], wanted: u8, take: &mut impl FnMut(usize)) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = ONES * 0x7f;
    let pattern = ONES.wrapping_mul(u64::from(wanted));
    let (eights, rest) = bytes.as_chunks::<8>();
    let mut from = 0_usize;
    for eight in eights {
        let other = u64::from_le_bytes(*eight) ^ pattern;
        // The high bit of each byte that is zero, and of no other.
        let mut found = !((other & LOW).wrapping_add(LOW) | other | LOW);
        while found != 0 {
            take(from.saturating_add(usize::try_from(found.trailing_zeros() >> 3).unwrap_or(0)));
            found &= found.wrapping_sub(1);
        }
        from = from.saturating_add(8);
    }
    for (at, byte) in rest.iter().enumerate() {
        if *byte == wanted {
            take(from.saturating_add(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_what_its_letters_are(text in "[ -\u{ff}\u{1}/]{0,60}") {
            prop_assert_eq!(has_control(&text), text.chars().any(char::is_control));
            prop_assert_eq!(has_upper(&text), text.bytes().any(|byte| byte.is_ascii_uppercase()));
            let mut found = Vec::new();
            each(text.as_bytes(), b'/', &mut |at| found.push(at));
            let expected: Vec<usize> = text.match_indices('/').map(|(at, _)| at).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
