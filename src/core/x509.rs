//! The peer's certificate: from the PEM that Nginx hands over to the one name it proves.
//!
//! Nginx has verified the chain, or not ([`ChainVerdict`]); here the leaf is read. Reading is
//! strict about names and extensions: what could be read in two ways there is refused. The rest of
//! the encoding is OpenSSL's to judge, which has read the certificate before.

use core::{cell::OnceCell, error::Error, fmt, ops::BitOr};

use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{
    asn1_rs::{Any, FromDer},
    certificate::X509CertificateParser,
    nom::Parser,
    x509::X509Version,
};

use crate::{
    export::Rendered,
    spiffe::{SpiffeId, SpiffeIdError},
    time::UnixTime,
    x509::{extensions::Extensions, subject::Subject},
};

mod dns;
mod extensions;
mod subject;
#[cfg(test)]
mod tests;

/// The largest certificate that is read, in bytes of PEM.
pub const MAX_PEM_BYTES: usize = 16 * 1024;

/// Nginx's word on the chain of the certificate that the peer sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChainVerdict {
    /// The chain does not lead to a certificate that this server trusts.
    Failed,
    /// The chain was judged by the settings of another server: SNI and `Host` differ.
    Foreign,
    /// The chain leads to a certificate that this server trusts.
    Verified,
}

/// A certificate as the peer presented it: parsed once a connection, believed by nobody.
///
/// It keeps what the module asks for and no DER, so every question is answered without allocating.
#[derive(Clone, Debug)]
pub struct PeerCertificate {
    thumbprint: [u8; 32],
    not_before: UnixTime,
    not_after: UnixTime,
    subject: Subject,
    /// What goes upstream of it alone, under the kinds of names of its first export.
    rendered: OnceCell<(NameKinds, Box<Rendered>)>,
}

impl PeerCertificate {
    /// Reads one PEM certificate with nothing before or after it but white space.
    ///
    /// # Errors
    /// - [`CertificateError::TooLarge`] over [`MAX_PEM_BYTES`];
    /// - [`CertificateError::Malformed`] when this is not exactly one X.509 certificate, an
    ///   extension appears twice, or one that matters here cannot be parsed (RFC 5280, 4.2);
    /// - [`CertificateError::Purpose`] when the extended key usage leaves out TLS clients;
    /// - for a certificate with a `spiffe` URI whatever X509-SVID (sections 2 and 4) forbids:
    ///   [`CertificateError::Ambiguous`], [`CertificateError::Authority`],
    ///   [`CertificateError::Spiffe`] and [`CertificateError::NoPath`].
    pub fn parse(pem: &[u8]) -> Result<Self, CertificateError> {
        if pem.len() > MAX_PEM_BYTES {
            return Err(CertificateError::TooLarge);
        }
        let der = decode(pem)?;
        // Extensions are parsed by us: the parser would do it leniently, and all of them.
        let (_, certificate) = X509CertificateParser::new()
            .with_deep_parse_extensions(false)
            .parse(&der)
            .map_err(|_| CertificateError::Malformed)?;
        let tbs = &certificate.tbs_certificate;
        // The parser skips what follows the signature.
        let [_, _, _] = *sequence(&der)?.as_slice() else {
            return Err(CertificateError::Malformed);
        };
        if tbs.version() != X509Version::V3 && !tbs.extensions().is_empty() {
            return Err(CertificateError::Malformed);
        }
        let extensions = Extensions::read(tbs)?;
        Ok(Self {
            thumbprint: digest(&SHA256, &der)
                .as_ref()
                .try_into()
                .map_err(|_| CertificateError::Malformed)?,
            not_before: UnixTime::from_secs(tbs.validity().not_before.timestamp()),
            not_after: UnixTime::from_secs(tbs.validity().not_after.timestamp()),
            subject: Subject::read(&extensions, tbs.subject().as_raw())?,
            rendered: OnceCell::new(),
        })
    }

    /// What an identity that is this certificate alone is exported as; none under other kinds of
    /// names than the first.
    pub(crate) fn rendered(
        &self,
        names: NameKinds,
        make: impl FnOnce() -> Rendered,
    ) -> Option<&Rendered> {
        let (known, rendered) = self.rendered.get_or_init(|| (names, Box::new(make())));
        (*known == names).then_some(rendered)
    }

    /// SHA-256 of the DER: what `cnf.x5t#S256` of a bound token must equal (RFC 8705, 3.1).
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// Whether `now` lies in the validity period, both ends included (RFC 5280, 4.1.2.5).
    ///
    /// Nginx asks this once, in the handshake; a connection may outlive its certificate.
    ///
    /// # Errors
    /// [`CertificateError::NotYetValid`] or [`CertificateError::Expired`].
    pub fn valid_at(&self, now: UnixTime) -> Result<(), CertificateError> {
        if now < self.not_before {
            Err(CertificateError::NotYetValid)
        } else if now > self.not_after {
            Err(CertificateError::Expired)
        } else {
            Ok(())
        }
    }

    /// The one name of the certificate, when it is of an allowed kind.
    ///
    /// The certificate decides which kind it is: one with a SPIFFE ID never counts as its DNS
    /// name, one with a DNS name never as its common name.
    ///
    /// # Errors
    /// [`CertificateError::NoName`] when there is none of an allowed kind; or why the name that
    /// is there does not count.
    pub fn name(&self, allowed: NameKinds) -> Result<CertificateName<'_>, CertificateError> {
        self.subject.name(allowed)
    }
}

/// The kinds of names that may identify a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NameKinds(u8);

impl NameKinds {
    /// The common name of the subject, for certificates that have no DNS name.
    pub const COMMON_NAME: Self = Self(1);
    /// The DNS name among the subject's alternative names.
    pub const DNS: Self = Self(2);
    /// The SPIFFE ID among the subject's alternative names.
    pub const SPIFFE: Self = Self(4);

    /// Whether every kind in `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The kinds that are in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Default for NameKinds {
    /// SPIFFE IDs and DNS names: a common name is free text, so it must be asked for.
    fn default() -> Self {
        Self::SPIFFE.union(Self::DNS)
    }
}

impl BitOr for NameKinds {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

/// The name that a certificate proves once its chain is verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CertificateName<'c> {
    /// The common name, as it is written.
    CommonName(&'c str),
    /// The DNS name, in lower case.
    Dns(&'c str),
    /// The SPIFFE ID.
    Spiffe(&'c SpiffeId),
}

/// Why a certificate does not count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CertificateError {
    /// There are several names where exactly one is allowed.
    Ambiguous,
    /// A SPIFFE ID stands in the certificate of an authority (X509-SVID, 4.1 and 4.3).
    Authority,
    /// The validity period is over.
    Expired,
    /// These bytes are not exactly one well-formed certificate, or its name is not well-formed.
    Malformed,
    /// There is no name of an allowed kind.
    NoName,
    /// The SPIFFE ID has no path, so it names a trust domain and no workload (X509-SVID, 2).
    NoPath,
    /// The validity period has not begun.
    NotYetValid,
    /// The extended key usage does not allow TLS clients.
    Purpose,
    /// The URI is not a valid SPIFFE ID.
    Spiffe(SpiffeIdError),
    /// There are more than [`MAX_PEM_BYTES`] bytes.
    TooLarge,
    /// The DNS name is a pattern.
    Wildcard,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ambiguous => "certificate has more than one name",
            Self::Authority => "certificate with a SPIFFE ID belongs to an authority",
            Self::Expired => "certificate has expired",
            Self::Malformed => "certificate is malformed",
            Self::NoName => "certificate has no name of an accepted kind",
            Self::NoPath => "SPIFFE ID of the certificate has no path",
            Self::NotYetValid => "certificate is not yet valid",
            Self::Purpose => "certificate is not meant for TLS clients",
            Self::Spiffe(err) => return write!(f, "certificate is malformed: {err}"),
            Self::TooLarge => "certificate is larger than 16 KiB",
            Self::Wildcard => "DNS name of the certificate is a wildcard",
        })
    }
}

impl Error for CertificateError {}

/// The DER in exactly one PEM section; no text around it, as Nginx writes none (RFC 7468, 2).
fn decode(pem: &[u8]) -> Result<CertificateDer<'static>, CertificateError> {
    let pem = pem.trim_ascii();
    let body = pem
        .strip_prefix(b"-----BEGIN CERTIFICATE-----")
        .and_then(|rest| rest.strip_suffix(b"-----END CERTIFICATE-----"))
        .ok_or(CertificateError::Malformed)?;
    // Without a dash there is no second section inside.
    if body.contains(&b'-') {
        return Err(CertificateError::Malformed);
    }
    CertificateDer::from_pem_slice(pem).map_err(|_| CertificateError::Malformed)
}

/// The elements of a sequence that makes up all of `der`.
fn sequence(der: &[u8]) -> Result<Vec<Any<'_>>, CertificateError> {
    match Any::from_der(der) {
        Ok(([], any)) => elements(any.data).collect(),
        _ => Err(CertificateError::Malformed),
    }
}

/// The elements that follow each other in `content`, up to its last byte.
fn elements(mut content: &[u8]) -> impl Iterator<Item = Result<Any<'_>, CertificateError>> {
    core::iter::from_fn(move || {
        if content.is_empty() {
            return None;
        }
        let parsed = Any::from_der(content);
        content = parsed.as_ref().map_or(&[], |(rest, _)| *rest);
        Some(parsed.map(|(_, any)| any).map_err(|_| CertificateError::Malformed))
    })
}
