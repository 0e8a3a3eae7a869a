//! Faults of the server's side of TLS.

use core::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError, OtherError};
use webpki::Error as PathError;

/// A fault of the server's side of TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsFault {
    /// Its certificate, or one above it, is signed by an algorithm that is not accepted.
    Algorithm,
    /// Its certificate is an authority's.
    Authority,
    /// It asks for a client's certificate.
    Client,
    /// Its certificate breaks a constraint of an authority.
    Constraint,
    /// It closed the connection in the handshake.
    Ended,
    /// Its certificate is past its end.
    Expired,
    /// Its certificate has a critical extension that is not understood.
    Extension,
    /// Its certificate breaks another rule.
    Invalid,
    /// It does not have the key of its certificate.
    Key,
    /// Its certificate cannot be read.
    Malformed,
    /// It breaks the rules of TLS.
    Misbehaved,
    /// Its certificate is for another name.
    Name,
    /// It does not speak TLS.
    NotTls,
    /// Its certificate is not valid yet.
    NotYet,
    /// The handshake ended some other way.
    Other,
    /// Its certificate is not one for servers.
    Purpose,
    /// It refuses: it sent an alert.
    Refused,
    /// It does not know the name that it was asked by.
    ServerName,
    /// It and we share no version or cipher.
    Unsupported,
    /// Its certificate comes from an authority that is not trusted.
    Untrusted,
    /// Its certificate is of an old version of X.509.
    Version,
}

impl TlsFault {
    /// Every fault.
    pub const ALL: [Self; 21] = [
        Self::Algorithm,
        Self::Authority,
        Self::Client,
        Self::Constraint,
        Self::Ended,
        Self::Expired,
        Self::Extension,
        Self::Invalid,
        Self::Key,
        Self::Malformed,
        Self::Misbehaved,
        Self::Name,
        Self::NotTls,
        Self::NotYet,
        Self::Other,
        Self::Purpose,
        Self::Refused,
        Self::ServerName,
        Self::Unsupported,
        Self::Untrusted,
        Self::Version,
    ];

    /// The fault behind a handshake that failed.
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        Self::within(error).unwrap_or(match error.kind() {
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Self::Ended,
            _ => Self::Other,
        })
    }

    /// The fault that hides in the sources of an error.
    pub(super) fn within(error: &(dyn core::error::Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return error.get_ref()?.downcast_ref::<TlsError>().map(Self::of);
            }
            next = error.source();
        }
        None
    }

    /// The fault behind an error of the handshake.
    fn of(error: &TlsError) -> Self {
        match error {
            TlsError::InvalidCertificate(fault) => Self::of_certificate(fault),
            TlsError::AlertReceived(AlertDescription::CertificateRequired) => Self::Client,
            TlsError::AlertReceived(AlertDescription::UnrecognisedName) => Self::ServerName,
            TlsError::AlertReceived(AlertDescription::ProtocolVersion)
            | TlsError::PeerIncompatible(_)
            | TlsError::NoApplicationProtocol => Self::Unsupported,
            TlsError::AlertReceived(_) => Self::Refused,
            TlsError::InvalidMessage(_) => Self::NotTls,
            TlsError::NoCertificatesPresented
            | TlsError::PeerMisbehaved(_)
            | TlsError::InappropriateMessage { .. }
            | TlsError::InappropriateHandshakeMessage { .. }
            | TlsError::DecryptError => Self::Misbehaved,
            _ => Self::Other,
        }
    }

    fn of_certificate(fault: &CertificateError) -> Self {
        match fault {
            CertificateError::BadEncoding => Self::Malformed,
            // A bad signature in a path is `UnknownIssuer` by our verifier.
            CertificateError::BadSignature => Self::Key,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::Purpose
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYet
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::Name
            }
            CertificateError::UnhandledCriticalExtension => Self::Extension,
            CertificateError::UnknownIssuer => Self::Untrusted,
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::Algorithm
            }
            CertificateError::Other(OtherError(error)) => {
                error.downcast_ref::<PathError>().map_or(Self::Invalid, Self::of_path)
            }
            _ => Self::Invalid,
        }
    }

    /// The faults for which the TLS library has no words of its own.
    const fn of_path(error: &PathError) -> Self {
        match error {
            PathError::CaUsedAsEndEntity => Self::Authority,
            PathError::EmptyEkuExtension => Self::Purpose,
            PathError::EndEntityUsedAsCa
            | PathError::NameConstraintViolation
            | PathError::PathLenConstraintViolated => Self::Constraint,
            PathError::ExtensionValueInvalid
            | PathError::InvalidSerialNumber
            | PathError::MalformedDnsIdentifier
            | PathError::MalformedExtensions
            | PathError::MalformedNameConstraint => Self::Malformed,
            PathError::SignatureAlgorithmMismatch => Self::Algorithm,
            PathError::UnsupportedCertVersion => Self::Version,
            PathError::UnsupportedCriticalExtension => Self::Extension,
            _ => Self::Invalid,
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => {
                "the server's certificate is signed by an algorithm that is not used here"
            }
            Self::Authority => "the server's certificate is an authority's",
            Self::Client => "the server asks for a client certificate",
            Self::Constraint => "the server's certificate breaks a constraint of its authorities",
            Self::Ended => "the server ended the TLS handshake",
            Self::Expired => "the server's certificate has expired",
            Self::Extension => {
                "the server's certificate has a critical extension that is not known"
            }
            Self::Invalid => "the server's certificate is not valid",
            Self::Key => "the server does not have the key of its certificate",
            Self::Malformed => "the server's certificate is malformed",
            Self::Misbehaved => "the server breaks the rules of TLS",
            Self::Name => "the server's certificate is for another name",
            Self::NotTls => "the server does not speak TLS",
            Self::NotYet => "the server's certificate is not valid yet",
            Self::Other => "the TLS handshake failed",
            Self::Purpose => "the server's certificate is not meant for servers",
            Self::Refused => "the server refused the TLS handshake",
            Self::ServerName => "the server does not know its name",
            Self::Unsupported => "the server offers no TLS version or cipher that is used here",
            Self::Untrusted => "the server's certificate comes from no trusted authority",
            Self::Version => "the server's certificate is not of X.509 version 3",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_fault_has_words_of_its_own() {
        let texts: HashSet<_> = TlsFault::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), TlsFault::ALL.len());
    }
}
