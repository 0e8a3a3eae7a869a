//! The header names that only the module may set.

/// The folded prefix of every name that the module exports by default.
pub const DEFAULT_PREFIX: &[u8] = b"x-mesh-";

/// Tells whether a header name belongs to the default reserved name space, `X-Mesh-*`.
///
/// ```
/// assert!(mesh_core::reserved::is_reserved(b"x_MESH.service"));
/// assert!(!mesh_core::reserved::is_reserved(b"x-meshed"));
/// ```
#[must_use]
#[inline]
pub fn is_reserved(name: &[u8]) -> bool {
    // Nearly no name begins so, and every header of every request is asked.
    matches!(name, [b'x' | b'X', ..]) && folds_to_prefix(name, DEFAULT_PREFIX)
}

/// Tells whether a header name begins with a prefix, once both are folded.
///
/// Folding makes letters lower-case and each byte that is neither a letter nor a digit a hyphen,
/// because that is what platforms do to a name on its way into CGI variables, WSGI environments
/// or their own maps: `X_Mesh_Service` and `X-Mesh-Service` are one header to them. An empty
/// prefix reserves nothing.
///
/// ```
/// use mesh_core::reserved::folds_to_prefix;
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
/// use mesh_core::reserved::folds_to;
///
/// assert!(folds_to(b"X_Token", b"x-token"));
/// assert!(!folds_to(b"x-tokens", b"x-token"));
/// ```
#[must_use]
pub fn folds_to(name: &[u8], other: &[u8]) -> bool {
    name.len() == other.len() && folds_to_prefix(name, other)
}

const fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
