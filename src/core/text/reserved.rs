//! The header names that only the module may set.

/// The folded prefix of every name that the module exports by default.
pub const DEFAULT_PREFIX: &[u8] = b"x-mesh-";

/// Tells whether a header name belongs to the default reserved name space, `X-Mesh-*`.
///
/// ```
/// assert!(mesh_core::text::reserved::is_reserved(b"x_MESH.service"));
/// assert!(!mesh_core::text::reserved::is_reserved(b"x-meshed"));
/// ```
#[must_use]
#[inline]
pub fn is_reserved(name: &[u8]) -> bool {
    // Nearly no name begins so, and every header of every request is checked.
    matches!(name, [b'x' | b'X', _, b'm' | b'M', ..]) && folds_to_prefix(name, DEFAULT_PREFIX)
}

/// Tells whether a header name begins with a prefix, once both are folded.
///
/// Folding makes letters lower-case and each byte that is neither a letter nor a digit a hyphen,
/// because that is what platforms do to a name on its way into CGI variables, WSGI environments
/// or their own maps: `X_Mesh_Service` and `X-Mesh-Service` are one header to them. An empty
/// prefix reserves nothing.
///
/// ```
/// use mesh_core::text::reserved::folds_to_prefix;
///
/// assert!(folds_to_prefix(b"x_corp_id-service", b"X-Corp-Id-"));
/// assert!(!folds_to_prefix(b"x-corp", b"X-Corp-Id-"));
/// ```
#[must_use]
pub fn folds_to_prefix(name: &[u8], prefix: &[u8]) -> bool {
    !prefix.is_empty()
        && name.len() >= prefix.len()
        && name.iter().zip(prefix).all(|(&a, &b)| fold(a) == fold(b))
}

/// Tells whether two header names are one, once both are folded as by [`folds_to_prefix`].
///
/// ```
/// use mesh_core::text::reserved::folds_to;
///
/// assert!(folds_to(b"X_Token", b"x-token"));
/// assert!(!folds_to(b"x-tokens", b"x-token"));
/// ```
#[must_use]
pub fn folds_to(name: &[u8], other: &[u8]) -> bool {
    name.len() == other.len() && folds_to_prefix(name, other)
}

/// Tells whether Nginx's variable `$http_NAME` shows a header of this name
/// (`ngx_http_variable_unknown_header`): of all that [fold to it](folds_to), those that are spelled
/// alike but for the case of letters, and `_` for `-`.
///
/// ```
/// use mesh_core::text::reserved::is_shown_as;
///
/// assert!(is_shown_as(b"X_Token", b"x-token"));
/// assert!(!is_shown_as(b"X.Token", b"x-token"));
/// ```
#[must_use]
pub fn is_shown_as(name: &[u8], other: &[u8]) -> bool {
    let letter = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    name.len() == other.len() && name.iter().zip(other).all(|(a, b)| letter(a) == letter(b))
}

/// Tells whether a name is that word of lower-case letters, in any case.
///
/// ```
/// use mesh_core::text::reserved::is_word;
///
/// assert!(is_word(b"Authorization", b"authorization"));
/// assert!(!is_word(b"Proxy-Authorization", b"authorization"));
/// ```
#[must_use]
#[inline]
pub fn is_word<const N: usize>(name: &[u8], word: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else { return false };
    // Every header of every request is checked: eight bytes at a time, which may overlap.
    if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk())
        && let (Some(of), Some(at)) = (word.first_chunk(), word.last_chunk())
    {
        return differ(first, of) | differ(last, at) == 0;
    }
    name.iter().zip(word).fold(0, |other, (byte, letter)| other | ((byte | CASE) ^ letter)) == 0
}

/// 0 if the bytes are these lower-case letters, in any case.
const fn differ(bytes: &[u8; 8], letters: &[u8; 8]) -> u64 {
    (u64::from_ne_bytes(*bytes) | u64::from_ne_bytes([CASE; 8])) ^ u64::from_ne_bytes(*letters)
}

/// A letter's two cases differ in this bit, and nothing else becomes a letter by it.
const CASE: u8 = 0x20;

/// A byte of a name as [`folds_to_prefix`] sees it.
pub(crate) const fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_word_is_known_in_any_case_and_nothing_else_is(name in "[aAbBcC@`0\\[\\{\u{1}]{0,14}") {
            let name = name.as_bytes();
            prop_assert_eq!(is_word(name, b"abc"), name.eq_ignore_ascii_case(b"abc"));
        }

        #[test]
        fn one_other_byte_makes_another_word(at in 0_usize..13, byte: u8, upper: [bool; 13]) {
            let mut name = *b"authorization";
            for (letter, upper) in name.iter_mut().zip(upper) {
                if upper {
                    letter.make_ascii_uppercase();
                }
            }
            prop_assert!(is_word(&name, b"authorization"));
            name[at] = byte;
            let is_same = name.eq_ignore_ascii_case(b"authorization");
            prop_assert_eq!(is_word(&name, b"authorization"), is_same);
            prop_assert_eq!(is_word(&name[1..], b"authorization"), false);
        }
    }

    #[test]
    fn every_spelling_of_a_reserved_name_is_reserved() {
        for name in [
            "x-mesh-service",
            "X-Mesh-Service",
            "X_Mesh_Service",
            "x.mesh.service",
            "X-MESH_",
            "x-mesh-",
            "x mesh service",
        ] {
            assert!(is_reserved(name.as_bytes()), "{name}");
        }
        assert!(is_reserved(b"x\xe9mesh\xff"));
        assert!(is_reserved(b"x\0mesh\0service"));
    }

    #[test]
    fn other_names_are_not_reserved() {
        for name in ["", "x", "x-mesh", "x-meshservice", "xmesh-service", "y-mesh-service", "host"]
        {
            assert!(!is_reserved(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn an_empty_prefix_reserves_nothing() {
        assert!(!folds_to_prefix(b"host", b""));
    }

    proptest! {
        #[test]
        fn replacing_separators_and_case_cannot_hide_a_name(
            suffix in proptest::collection::vec(any::<u8>(), 0..20),
            separators in proptest::array::uniform2(any::<u8>()),
            upper in proptest::collection::vec(any::<bool>(), 7),
        ) {
            let mut name = DEFAULT_PREFIX.to_vec();
            for (byte, upper) in name.iter_mut().zip(upper) {
                if upper {
                    byte.make_ascii_uppercase();
                }
            }
            for (at, separator) in [1, 6].into_iter().zip(separators) {
                if !separator.is_ascii_alphanumeric() {
                    name[at] = separator;
                }
            }
            name.extend(suffix);
            prop_assert!(is_reserved(&name));
        }
    }
}
