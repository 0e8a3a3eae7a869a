//! The one name that a certificate gives its owner.

use x509_parser::{
    asn1_rs::{Any, Tag},
    extensions::GeneralName,
    oid_registry::OID_X509_COMMON_NAME,
};

use crate::{
    peer::spiffe::SpiffeId,
    peer::x509::{
        CertificateError, CertificateName, NameKinds, NameRules,
        dns::hostname,
        elements,
        extensions::Extensions,
        sequence,
        text::{is_plain, text},
    },
};

/// The longest common name, in characters (X.520, `ub-common-name`).
const MAX_COMMON_NAME_CHARS: usize = 64;

/// The names that may be an identity, or why they are invalid.
///
/// An error about names that the rules may leave out is kept, for [`Subject::choose`] to report.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// A SPIFFE ID is the only name of its certificate.
    Spiffe(SpiffeId),
    Others {
        /// Each once.
        dns: Box<[DnsName]>,
        common_name: Result<Box<str>, CertificateError>,
    },
}

/// A DNS name in lower case, and why it is no host name.
#[derive(Clone, Debug)]
pub(super) struct DnsName {
    name: Box<str>,
    fault: Option<CertificateError>,
}

/// Which of the names is the identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Chosen {
    CommonName,
    /// By its place among the DNS names.
    Dns(usize),
    Spiffe,
}

impl Subject {
    /// Reads the names; `subject` is the DER of the distinguished name.
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
        Ok(Self::Others { dns: dns(&extensions.names), common_name: common_name(subject) })
    }

    /// Which name is the identity under these rules.
    pub(super) fn choose(&self, rules: &NameRules) -> Result<Chosen, CertificateError> {
        let is_named = |kind| rules.kinds().contains(kind);
        match self {
            Self::Spiffe(_) if is_named(NameKinds::SPIFFE) => Ok(Chosen::Spiffe),
            Self::Others { dns, .. } if is_named(NameKinds::DNS) && !dns.is_empty() => {
                one(dns, rules).map(Chosen::Dns)
            }
            Self::Others { common_name, .. } if is_named(NameKinds::COMMON_NAME) => {
                match common_name {
                    Ok(_) => Ok(Chosen::CommonName),
                    Err(CertificateError::NoName(_)) => Err(self.nameless()),
                    Err(error) => Err(*error),
                }
            }
            Self::Spiffe(_) | Self::Others { .. } => Err(self.nameless()),
        }
    }

    /// The name that [`Self::choose`] chose.
    pub(super) fn chosen(&self, chosen: Chosen) -> Option<CertificateName<'_>> {
        match (self, chosen) {
            (Self::Spiffe(id), Chosen::Spiffe) => Some(CertificateName::Spiffe(id)),
            (Self::Others { dns, .. }, Chosen::Dns(at)) => {
                dns.get(at).map(|it| CertificateName::Dns(&it.name))
            }
            (Self::Others { common_name, .. }, Chosen::CommonName) => {
                common_name.as_deref().ok().map(CertificateName::CommonName)
            }
            (Self::Spiffe(_) | Self::Others { .. }, _) => None,
        }
    }

    /// The error that says which kinds of names are there.
    fn nameless(&self) -> CertificateError {
        CertificateError::NoName(match self {
            Self::Spiffe(_) => NameKinds::SPIFFE,
            Self::Others { dns, common_name } => {
                let no_common_name = matches!(common_name, Err(CertificateError::NoName(_)));
                let has = |kind, has| if has { kind } else { NameKinds::NONE };
                has(NameKinds::DNS, !dns.is_empty()) | has(NameKinds::COMMON_NAME, !no_common_name)
            }
        })
    }
}

/// The SPIFFE ID; `None` if no URI has that scheme.
///
/// If one has it, all rules of X509-SVID must hold: a certificate that claims to be an SVID and is
/// not must never pass as anything else.
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
        return Err(CertificateError::SeveralUris);
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

/// The DNS names; several spellings of one name are one.
fn dns(names: &[GeneralName<'_>]) -> Box<[DnsName]> {
    let mut all: Vec<DnsName> = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(match hostname(name) {
                Ok(name) => DnsName { name, fault: None },
                Err(fault) => DnsName { name: name.to_lowercase().into(), fault: Some(fault) },
            }),
            _ => None,
        })
        .collect();
    all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    all.dedup_by(|one, other| one.name == other.name);
    all.into()
}

/// The place of the only name that matches; several are an error.
fn one(names: &[DnsName], rules: &NameRules) -> Result<usize, CertificateError> {
    let mut matching = names.iter().enumerate().filter(|(_, it)| rules.matches(&it.name));
    let Some((at, name)) = matching.next() else {
        return Err(CertificateError::DnsNames { matching: 0, of: names.len() });
    };
    let (mut count, mut fault) = (1_usize, name.fault);
    for (_, other) in matching {
        count = count.saturating_add(1);
        fault = fault.or(other.fault);
    }
    match (fault, count) {
        (Some(fault), _) => Err(fault),
        (None, 1) => Ok(at),
        (None, matching) => Err(CertificateError::DnsNames { matching, of: names.len() }),
    }
}

/// The only common name in a distinguished name.
///
/// It is walked here because the parser silently drops everything after an attribute that it cannot
/// read: a second common name would go unseen.
fn common_name(subject: &[u8]) -> Result<Box<str>, CertificateError> {
    let mut found = None;
    for attributes in sequence(subject)? {
        for attribute in elements(attributes.data) {
            let (kind, value) = attribute_of(&attribute?)?;
            if kind.data != OID_X509_COMMON_NAME.as_bytes() {
                continue;
            }
            if found.replace(value).is_some() {
                return Err(CertificateError::SeveralCommonNames);
            }
        }
    }
    let value = found.ok_or(CertificateError::NoName(NameKinds::NONE))?;
    // Free text must not look like a name that only a URI proves.
    text(&value)
        .filter(|text| is_plain(text) && text.chars().count() <= MAX_COMMON_NAME_CHARS)
        .filter(|text| !text.contains("://"))
        .map(Into::into)
        .ok_or(CertificateError::Malformed)
}

/// The type and the value of an attribute of a distinguished name.
pub(super) fn attribute_of<'c>(
    attribute: &Any<'c>,
) -> Result<(Any<'c>, Any<'c>), CertificateError> {
    let parts: Vec<_> = elements(attribute.data).collect::<Result<_, _>>()?;
    match <[Any<'_>; 2]>::try_from(parts) {
        Ok([kind, value]) if kind.tag() == Tag::Oid => Ok((kind, value)),
        _ => Err(CertificateError::Malformed),
    }
}
