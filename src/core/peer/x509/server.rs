//! The certificate of a server that is trusted by itself: every check but the path.

use core::{error::Error, fmt};

use x509_parser::{certificate::X509CertificateParser, nom::Parser};

use crate::{peer::x509::extensions::Extensions, text::time::UnixTime};

/// Why the certificate of a server is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServerFault {
    /// The validity period is over.
    Expired,
    /// The validity period has not begun.
    NotYet,
    /// The extended key usage leaves out servers.
    Purpose,
    /// It is no well-formed certificate.
    Malformed,
}

impl fmt::Display for ServerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "the server's certificate has expired",
            Self::NotYet => "the server's certificate is not valid yet",
            Self::Purpose => "the server's certificate is not meant for servers",
            Self::Malformed => "the server's certificate is malformed",
        })
    }
}

impl Error for ServerFault {}

/// Whether a certificate is one of a server at this time: valid, and `serverAuth` in its extended key
/// usage, if it has one (RFC 5280, 4.2.1.12). Names, path and signatures are not looked at.
///
/// # Errors
/// The first of these that does not hold.
pub fn check_server(der: &[u8], now: UnixTime) -> Result<(), ServerFault> {
    let parsed = X509CertificateParser::new().with_deep_parse_extensions(false).parse(der);
    let Ok(([], certificate)) = parsed else { return Err(ServerFault::Malformed) };
    let tbs = &certificate.tbs_certificate;
    let extensions = Extensions::read(tbs).map_err(|_| ServerFault::Malformed)?;
    if now.secs() < tbs.validity().not_before.timestamp() {
        Err(ServerFault::NotYet)
    } else if now.secs() > tbs.validity().not_after.timestamp() {
        Err(ServerFault::Expired)
    } else if extensions.server {
        Ok(())
    } else {
        Err(ServerFault::Purpose)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose as Purpose, IsCa};

    use super::*;
    use crate::peer::x509::tests::{certificate, issue};

    #[test]
    fn a_server_is_judged_by_time_and_purpose() {
        let check = |ca: bool, purposes: &[Purpose], secs| {
            let mut params = certificate(&[]);
            params.extended_key_usages = purposes.to_vec();
            if ca {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }
            check_server(issue(&params).der(), UnixTime::from_secs(secs))
        };
        let (from, until) = (1_767_225_600, 1_798_675_200);
        for ca in [false, true] {
            assert_eq!(check(ca, &[], from - 1), Err(ServerFault::NotYet));
            assert_eq!(check(ca, &[], from), Ok(()));
            assert_eq!(check(ca, &[], until), Ok(()));
            assert_eq!(check(ca, &[], until + 1), Err(ServerFault::Expired));
            assert_eq!(check(ca, &[Purpose::ServerAuth, Purpose::ClientAuth], from), Ok(()));
            for purposes in [Purpose::ClientAuth, Purpose::Any] {
                assert_eq!(check(ca, &[purposes], from), Err(ServerFault::Purpose));
            }
        }
    }

    #[test]
    fn what_is_no_certificate_is_malformed() {
        let der = issue(&certificate(&[])).der().to_vec();
        let check = |der: &[u8]| check_server(der, UnixTime::from_secs(1_767_225_600));
        assert_eq!(check(&der), Ok(()));
        assert_eq!(check(&[&der[..], b"\0"].concat()), Err(ServerFault::Malformed));
        assert!((0..der.len()).all(|end| check(&der[..end]) == Err(ServerFault::Malformed)));
    }
}
