//! Why a certificate is refused.

use core::{error::Error, fmt};

use crate::{peer::spiffe::SpiffeIdError, peer::x509::NameKinds};

/// Why a certificate is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CertificateError {
    /// A SPIFFE ID is in the certificate of an authority (X509-SVID, 4.1 and 4.3).
    Authority,
    /// Not exactly one of the DNS names matches `mesh_certificate_name`.
    DnsNames {
        /// How many match.
        matching: usize,
        /// How many there are; spellings of one name are one.
        of: usize,
    },
    /// The validity period is over.
    Expired,
    /// These bytes are not exactly one well-formed certificate, or its name is not well-formed.
    Malformed,
    /// There is no name of an allowed kind, only of these.
    NoName(NameKinds),
    /// The SPIFFE ID has no path, so it names a trust domain and no workload (X509-SVID, 2).
    NoPath,
    /// The validity period has not begun.
    NotYetValid,
    /// The extended key usage does not allow TLS clients.
    Purpose,
    /// The subject holds more than one common name.
    SeveralCommonNames,
    /// There is another URI beside a SPIFFE ID (X509-SVID, 2).
    SeveralUris,
    /// The URI is not a valid SPIFFE ID.
    Spiffe(SpiffeIdError),
    /// There are more than [`MAX_PEM_BYTES`](super::MAX_PEM_BYTES) bytes.
    TooLarge,
    /// The DNS name is a pattern.
    Wildcard,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authority => "certificate with a SPIFFE ID belongs to an authority",
            Self::DnsNames { matching, of } => {
                return write!(f, "{matching} of {of} DNS names of the certificate match, not one");
            }
            Self::Expired => "certificate has expired",
            Self::Malformed => "certificate is malformed",
            Self::NoName(NameKinds::NONE) => "certificate has no name",
            Self::NoName(kinds) => {
                return write!(f, "certificate has no name of an accepted kind, only: {kinds}");
            }
            Self::NoPath => "SPIFFE ID of the certificate has no path",
            Self::NotYetValid => "certificate is not yet valid",
            Self::Purpose => "certificate is not meant for TLS clients",
            Self::SeveralCommonNames => "certificate has more than one common name",
            Self::SeveralUris => "certificate has another URI beside its SPIFFE ID",
            Self::Spiffe(err) => return write!(f, "certificate is malformed: {err}"),
            Self::TooLarge => "certificate is larger than 16 KiB",
            Self::Wildcard => "DNS name of the certificate is a wildcard",
        })
    }
}

impl Error for CertificateError {}
