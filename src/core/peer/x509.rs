//! The peer's certificate: from the PEM that Nginx hands over to the one name it proves.
//!
//! Nginx has verified the chain, or not ([`ChainVerdict`]); here the leaf is read. Reading is
//! strict about names and extensions: ambiguous ones are refused. The rest of the encoding is left
//! to OpenSSL, which has read the certificate before.

use core::cell::OnceCell;

use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{
    asn1_rs::{Any, FromDer},
    certificate::X509CertificateParser,
    nom::Parser,
    x509::X509Version,
};

use crate::{
    peer::spiffe::SpiffeId,
    peer::x509::{extensions::Extensions, subject::Subject},
    text::{rendered::Rendered, time::UnixTime},
};

mod dns;
mod error;
mod extensions;
mod facts;
mod rules;
mod server;
mod subject;
#[cfg(test)]
mod tests;
mod text;

pub use error::CertificateError;
pub(crate) use facts::Facts;
pub use rules::{DnsPattern, NameKinds, NameRules};
pub use server::{ServerFault, check_server};
pub(crate) use subject::Chosen;

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

/// A certificate as the peer presented it: parsed once per connection, and not verified.
///
/// It keeps what the module asks for and no DER, so every question is answered without allocating.
#[derive(Clone, Debug)]
pub struct PeerCertificate {
    thumbprint: [u8; 32],
    not_before: UnixTime,
    not_after: UnixTime,
    subject: Subject,
    facts: Facts,
    /// Its name under the settings that asked first.
    known: OnceCell<Known>,
}

/// The name of a certificate under some settings: most requests of a connection are judged by the
/// same ones.
#[derive(Clone, Debug)]
struct Known {
    /// The number of the settings.
    settings: usize,
    name: Result<Chosen, CertificateError>,
    /// The exported form of an identity that is this certificate alone.
    rendered: OnceCell<Box<Rendered>>,
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
    ///   [`CertificateError::SeveralUris`], [`CertificateError::Authority`],
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
            facts: Facts::read(&extensions, tbs.subject().as_raw()),
            known: OnceCell::new(),
        })
    }

    /// The name under these settings, which are remembered by their number.
    pub(crate) fn choose(
        &self,
        settings: usize,
        rules: &NameRules,
    ) -> Result<Chosen, CertificateError> {
        let choose = || self.subject.choose(rules);
        let known = self.known.get_or_init(|| Known {
            settings,
            name: choose(),
            rendered: OnceCell::new(),
        });
        if known.settings == settings { known.name } else { choose() }
    }

    /// The name that was chosen from this certificate.
    pub(crate) fn chosen(&self, name: Chosen) -> Option<CertificateName<'_>> {
        self.subject.chosen(name)
    }

    /// The exported form of an identity that is this certificate alone; `None` under other settings
    /// than the first.
    pub(crate) fn rendered(
        &self,
        settings: usize,
        make: impl FnOnce() -> Rendered,
    ) -> Option<&Rendered> {
        let known = self.known.get().filter(|known| known.settings == settings)?;
        Some(known.rendered.get_or_init(|| Box::new(make())))
    }

    /// What else the certificate says about its owner; it is no identity.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// SHA-256 of the DER: what `cnf.x5t#S256` of a bound token must equal (RFC 8705, 3.1).
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// Whether `now` is in the validity period, both ends included (RFC 5280, 4.1.2.5).
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

    /// The one name of the certificate under these rules.
    ///
    /// The order of the kinds applies, not the order of the rules: the SPIFFE ID, else the DNS
    /// name, else the common name. A certificate with a SPIFFE ID is never anything else. A kind
    /// that the rules leave out is ignored; a kind that they name and the certificate has must be
    /// an identity, without fallback to a weaker kind.
    ///
    /// # Errors
    /// [`CertificateError::NoName`] if the certificate has no name of an allowed kind; or why its
    /// name is not valid.
    pub fn name(&self, rules: &NameRules) -> Result<CertificateName<'_>, CertificateError> {
        let chosen = self.subject.choose(rules)?;
        self.chosen(chosen).ok_or(CertificateError::Malformed)
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
