//! DNS names in certificates.

use crate::peer::x509::CertificateError;

/// The host name in lower case: letters, digits, `-` and `_` in dotted labels (RFC 1034, 3.5;
/// the underscore is no host's letter but many services have it).
///
/// An address is refused: it belongs in `iPAddress` (RFC 5280, 4.2.1.6).
pub(super) fn hostname(name: &str) -> Result<Box<str>, CertificateError> {
    if name.contains('*') {
        return Err(CertificateError::Wildcard);
    }
    let numeric = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    if name.len() > 253
        || !name.split('.').all(is_label)
        || name.rsplit('.').next().is_none_or(numeric)
    {
        return Err(CertificateError::Malformed);
    }
    Ok(name.to_ascii_lowercase().into())
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lowers_the_case_of_a_host_name() {
        for (name, expected) in [
            ("orders.example", "orders.example"),
            ("Orders.EXAMPLE", "orders.example"),
            ("localhost", "localhost"),
            ("a-b.x_y.1c.xn--bcher-kva", "a-b.x_y.1c.xn--bcher-kva"),
        ] {
            assert_eq!(hostname(name).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn refuses_what_no_host_is_called() {
        for name in [
            "", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a b", "a/b", "a:1", "a\0.b", "bücher",
            "10.0.0.1", "1", "a.1", "a\n", "%61",
        ] {
            assert_eq!(hostname(name), Err(CertificateError::Malformed), "{name:?}");
        }
        for name in ["*", "*.example", "a.*.example", "a*.example"] {
            assert_eq!(hostname(name), Err(CertificateError::Wildcard), "{name:?}");
        }
    }

    #[test]
    fn length_limits_are_inclusive() {
        let label = |n: usize| "a".repeat(n);
        assert!(hostname(&label(63)).is_ok());
        assert!(hostname(&label(64)).is_err());
        let name = |last: usize| format!("{0}.{0}.{0}.{1}", label(63), label(last));
        assert!(hostname(&name(61)).is_ok());
        assert!(hostname(&name(62)).is_err());
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_its_own_lower_case(name in "[a-zA-Z0-9._*-]{0,30}|\\PC{0,10}") {
            if let Ok(host) = hostname(&name) {
                prop_assert!(name.eq_ignore_ascii_case(&host));
                prop_assert_eq!(hostname(&host), Ok(host));
            }
        }
    }
}
