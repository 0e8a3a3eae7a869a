//! The extensions that say what a certificate is for and whom it names.

use x509_parser::{
    asn1_rs::{FromDer, Oid},
    certificate::TbsCertificate,
    error::X509Error,
    extensions::{
        BasicConstraints, ExtendedKeyUsage, GeneralName, KeyUsage, SubjectAlternativeName,
    },
    oid_registry::{
        OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE,
        OID_X509_EXT_SUBJECT_ALT_NAME,
    },
};

use crate::peer::x509::CertificateError;

/// What the extensions say; the others are left to Nginx, which verified the chain.
pub(super) struct Extensions<'c> {
    /// It may sign certificates or revocation lists.
    pub(super) authority: bool,
    /// The extended key usage lists `clientAuth`, or there is none.
    pub(super) client: bool,
    /// The extended key usage lists `anyExtendedKeyUsage`.
    pub(super) any_purpose: bool,
    /// The extended key usage lists `serverAuth`, or there is none.
    pub(super) server: bool,
    /// The alternative names; none of them unparsable.
    pub(super) names: Vec<GeneralName<'c>>,
}

impl<'c> Extensions<'c> {
    /// Reads four extensions of the certificate; a repeated one, known or not, is refused.
    pub(super) fn read(tbs: &TbsCertificate<'c>) -> Result<Self, CertificateError> {
        let extensions = tbs.extensions_map().map_err(|_| CertificateError::Malformed)?;
        let value = |oid: &Oid<'_>| extensions.get(oid).map(|extension| extension.value);

        let constraints =
            whole(value(&OID_X509_EXT_BASIC_CONSTRAINTS), BasicConstraints::from_der)?;
        let usage = whole(value(&OID_X509_EXT_KEY_USAGE), KeyUsage::from_der)?;
        let purposes = whole(value(&OID_X509_EXT_EXTENDED_KEY_USAGE), ExtendedKeyUsage::from_der)?;
        let names = whole(value(&OID_X509_EXT_SUBJECT_ALT_NAME), SubjectAlternativeName::from_der)?
            .map(|alternative| alternative.general_names)
            .unwrap_or_default();
        if names.iter().any(|name| matches!(name, GeneralName::Invalid(..))) {
            return Err(CertificateError::Malformed);
        }
        Ok(Self {
            authority: constraints.is_some_and(|constraints| constraints.ca)
                || usage.is_some_and(|usage| usage.key_cert_sign() || usage.crl_sign()),
            client: purposes.as_ref().is_none_or(|purposes| purposes.client_auth),
            server: purposes.as_ref().is_none_or(|purposes| purposes.server_auth),
            any_purpose: purposes.is_some_and(|purposes| purposes.any),
            names,
        })
    }
}

/// Parses an extension's value to its last byte.
fn whole<'c, T>(
    value: Option<&'c [u8]>,
    parse: impl FnOnce(&'c [u8]) -> Result<(&'c [u8], T), x509_parser::nom::Err<X509Error>>,
) -> Result<Option<T>, CertificateError> {
    value
        .map(|value| match parse(value) {
            Ok(([], parsed)) => Ok(parsed),
            _ => Err(CertificateError::Malformed),
        })
        .transpose()
}
