//! The one name that a certificate gives its owner.

use x509_parser::{
    asn1_rs::{Any, Class, Tag},
    extensions::GeneralName,
    oid_registry::OID_X509_COMMON_NAME,
};

use crate::{
    spiffe::SpiffeId,
    x509::{
        CertificateError, CertificateName, NameKinds, dns::hostname, elements,
        extensions::Extensions, sequence,
    },
};

/// The longest common name, in characters (X.520, `ub-common-name`).
const MAX_COMMON_NAME_CHARS: usize = 64;

/// The name of the strongest kind that the certificate holds, or why that one does not count.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    CommonName(Result<Box<str>, CertificateError>),
    Dns(Result<Box<str>, CertificateError>),
    Spiffe(SpiffeId),
}

impl Subject {
    /// Chooses the kind; `subject` is the DER of the distinguished name.
    ///
    /// What only concerns names that may not be allowed is kept for [`Subject::name`] to tell.
    pub(super) fn read(
        extensions: &Extensions<'_>,
        subject: &[u8],
    ) -> Result<Self, CertificateError> {
        if let Some(id) = spiffe(extensions)? {
            return Ok(Self::Spiffe(id));
        }
        if !extensions.client && !extensions.any_purpose {
            return Err(CertificateError::Purpose);
        }
        match dns(&extensions.names) {
            Some(name) => Ok(Self::Dns(name)),
            None => Ok(Self::CommonName(common_name(subject))),
        }
    }

    /// The name, when its kind is allowed.
    pub(super) fn name(&self, allowed: NameKinds) -> Result<CertificateName<'_>, CertificateError> {
        match self {
            Self::CommonName(name) if allowed.contains(NameKinds::COMMON_NAME) => {
                name.as_deref().map(CertificateName::CommonName).map_err(|err| *err)
            }
            Self::Dns(name) if allowed.contains(NameKinds::DNS) => {
                name.as_deref().map(CertificateName::Dns).map_err(|err| *err)
            }
            Self::Spiffe(id) if allowed.contains(NameKinds::SPIFFE) => {
                Ok(CertificateName::Spiffe(id))
            }
            _ => Err(CertificateError::NoName),
        }
    }
}

/// The SPIFFE ID, or nothing when no URI has that scheme.
///
/// Once one has it, everything that X509-SVID asks for must hold: a certificate that claims to be
/// an SVID and is not must never count as anything else.
fn spiffe(extensions: &Extensions<'_>) -> Result<Option<SpiffeId>, CertificateError> {
    let uris = || {
        extensions.names.iter().filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        })
    };
    // A scheme behind a space or control byte would be one to lenient readers only.
    if !uris().all(|uri| uri.bytes().all(|b| b.is_ascii_graphic())) {
        return Err(CertificateError::Malformed);
    }
    let is_spiffe = |uri: &str| {
        uri.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("spiffe"))
    };
    let Some(uri) = uris().find(|uri| is_spiffe(uri)) else {
        return Ok(None);
    };
    if uris().count() != 1 {
        return Err(CertificateError::Ambiguous);
    }
    if extensions.authority {
        return Err(CertificateError::Authority);
    }
    // `anyExtendedKeyUsage` is not enough: an SVID's usage, if there is one, lists both roles.
    if !extensions.client {
        return Err(CertificateError::Purpose);
    }
    let id = SpiffeId::parse(uri).map_err(CertificateError::Spiffe)?;
    if id.path().is_empty() {
        return Err(CertificateError::NoPath);
    }
    Ok(Some(id))
}

/// The DNS name, or nothing when there is none; several spellings of one name are one.
fn dns(names: &[GeneralName<'_>]) -> Option<Result<Box<str>, CertificateError>> {
    names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(hostname(name)),
            _ => None,
        })
        .reduce(|first, next| {
            let (first, next) = (first?, next?);
            if first == next { Ok(first) } else { Err(CertificateError::Ambiguous) }
        })
}

/// The only common name in a distinguished name.
///
/// It is walked here because the parser drops, without a word, what follows an attribute that it
/// cannot read: a second common name would go unseen.
fn common_name(subject: &[u8]) -> Result<Box<str>, CertificateError> {
    let mut found = None;
    for attributes in sequence(subject)? {
        for attribute in elements(attributes.data) {
            let parts: Vec<_> = elements(attribute?.data).collect::<Result<_, _>>()?;
            let Ok([kind, value]) = <[Any<'_>; 2]>::try_from(parts) else {
                return Err(CertificateError::Malformed);
            };
            if kind.tag() != Tag::Oid {
                return Err(CertificateError::Malformed);
            }
            if kind.data != OID_X509_COMMON_NAME.as_bytes() {
                continue;
            }
            if found.replace(value).is_some() {
                return Err(CertificateError::Ambiguous);
            }
        }
    }
    let value = found.ok_or(CertificateError::NoName)?;
    // Free text may not read as what only a URI proves.
    text(&value)
        .filter(|text| !text.contains("://"))
        .map(Into::into)
        .ok_or(CertificateError::Malformed)
}

/// The text of a directory string, when it reads the same to a person and to a comparison.
fn text<'c>(value: &Any<'c>) -> Option<&'c str> {
    let plain = value.class() == Class::Universal
        && !value.header.is_constructed()
        && matches!(value.tag(), Tag::Utf8String | Tag::PrintableString | Tag::Ia5String);
    let text = core::str::from_utf8(value.data).ok().filter(|_| plain)?;
    // A header loses the spaces at its ends, and with them the difference between two names.
    let fits = !text.is_empty()
        && text.trim() == text
        && text.chars().count() <= MAX_COMMON_NAME_CHARS
        && text.chars().all(is_visible);
    fits.then_some(text)
}

/// No control character, no space but U+0020, and none that is invisible or turns the direction.
fn is_visible(c: char) -> bool {
    let invisible = matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    );
    !c.is_control() && !invisible && (c == ' ' || !c.is_whitespace())
}
