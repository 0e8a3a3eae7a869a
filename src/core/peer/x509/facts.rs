//! Facts about a certificate's owner besides the identity: for variables alone.

use core::fmt::Write as _;
use core::net::{Ipv4Addr, Ipv6Addr};

use x509_parser::{
    asn1_rs::{Any, Class, FromDer, Tag, ToDer as _},
    extensions::GeneralName,
};

use crate::{
    peer::x509::{elements, extensions::Extensions, sequence, subject::attribute_of, text::text},
    text::encode::json_array,
};

/// The facts of a certificate; each is `None` if it says nothing.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The subject as RFC 4514 writes it.
    pub(crate) subject: Option<Box<str>>,
    /// The e-mail addresses among the alternative names, as a JSON array in ASCII.
    pub(crate) emails: Option<Box<str>>,
    /// The IP addresses, in the same way.
    pub(crate) addresses: Option<Box<str>>,
    /// The user principal names of Microsoft, in the same way.
    pub(crate) user_names: Option<Box<str>>,
}

impl Facts {
    /// Reads them; what cannot be read is left out. `subject` is the DER of the distinguished name.
    pub(super) fn read(extensions: &Extensions<'_>, subject: &[u8]) -> Self {
        let array = |read: fn(&GeneralName<'_>) -> Option<Box<str>>| {
            let values: Vec<_> = extensions.names.iter().filter_map(read).collect();
            (!values.is_empty()).then(|| json_array(values.iter().map(|value| &**value)).into())
        };
        Self {
            subject: distinguished_name(subject).filter(|text| !text.is_empty()),
            emails: array(|name| match name {
                GeneralName::RFC822Name(email) => Some((*email).into()),
                _ => None,
            }),
            addresses: array(|name| match name {
                GeneralName::IPAddress(bytes) => address(bytes),
                _ => None,
            }),
            user_names: array(|name| match name {
                GeneralName::OtherName(kind, value) if kind.as_bytes() == USER_NAME => {
                    user_name(value)
                }
                _ => None,
            }),
        }
    }
}

/// 1.3.6.1.4.1.311.20.2.3
const USER_NAME: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03";

/// An address without a mask (RFC 5280, 4.2.1.6).
fn address(bytes: &[u8]) -> Option<Box<str>> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(bytes).to_string().into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).to_string().into())
}

/// The string in an explicit tag 0.
fn user_name(value: &[u8]) -> Option<Box<str>> {
    let ([], outer) = Any::from_der(value).ok()? else { return None };
    if outer.class() != Class::ContextSpecific || outer.tag() != Tag(0) {
        return None;
    }
    let ([], inner) = Any::from_der(outer.data).ok()? else { return None };
    text(&inner).map(Into::into)
}

/// A distinguished name as RFC 4514 writes it: the last part first. `None` if it cannot be read.
fn distinguished_name(der: &[u8]) -> Option<Box<str>> {
    let mut text = String::new();
    for set in sequence(der).ok()?.iter().rev() {
        if !text.is_empty() {
            text.push(',');
        }
        for (at, attribute) in elements(set.data).enumerate() {
            if at != 0 {
                text.push('+');
            }
            push_attribute(&mut text, &attribute.ok()?)?;
        }
    }
    Some(text.into())
}

/// Writes one attribute: as text if its type has a short name, else as RFC 4514 section 2.4 has it.
fn push_attribute(out: &mut String, attribute: &Any<'_>) -> Option<()> {
    let (kind, value) = attribute_of(attribute).ok()?;
    let short = SHORT_NAMES.iter().find(|(oid, _)| *oid == kind.data).map(|(_, short)| *short);
    let shown = short.and_then(|short| text(&value).map(|text| (short, text)));
    let Some((short, text)) = shown else {
        let kind = kind.as_oid().ok()?;
        write!(out, "{kind}=#").ok()?;
        return value.to_der_vec().ok()?.iter().try_for_each(|byte| write!(out, "{byte:02x}").ok());
    };
    out.push_str(short);
    out.push('=');
    let last = text.chars().count().saturating_sub(1);
    for (at, c) in text.chars().enumerate() {
        match c {
            '\0' => out.push_str("\\00"),
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            '#' if at == 0 => out.push_str("\\#"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    Some(())
}

/// The table of RFC 4514 section 3, and what OpenSSL calls the rest that is common.
const SHORT_NAMES: [(&[u8], &str); 12] = [
    (b"\x55\x04\x03", "CN"),
    (b"\x55\x04\x05", "serialNumber"),
    (b"\x55\x04\x06", "C"),
    (b"\x55\x04\x07", "L"),
    (b"\x55\x04\x08", "ST"),
    (b"\x55\x04\x09", "STREET"),
    (b"\x55\x04\x0a", "O"),
    (b"\x55\x04\x0b", "OU"),
    (b"\x55\x04\x0c", "title"),
    (b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID"),
    (b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress"),
];

#[cfg(test)]
mod tests {
    use rcgen::{DistinguishedName, DnType, DnValue, OtherNameValue, SanType};

    use crate::peer::x509::tests::{certificate, parse};

    fn email(text: &str) -> SanType {
        SanType::Rfc822Name(text.try_into().unwrap())
    }

    #[test]
    fn a_subject_is_written_from_its_end_and_escaped() {
        let mut params = certificate(&[]);
        let subject = |name: &DistinguishedName| {
            let mut params = certificate(&[]);
            params.distinguished_name = name.clone();
            parse(&params).unwrap().facts().subject.clone()
        };
        assert_eq!(subject(&params.distinguished_name), None, "an empty one");
        let name = &mut params.distinguished_name;
        name.push(DnType::CountryName, "DE");
        name.push(DnType::OrganizationName, "system:nodes, Ltd+\"<>;\\");
        name.push(DnType::CommonName, " #Bücher\0 ");
        let expected = "CN=\\ #Bücher\\00\\ ,O=system:nodes\\, Ltd\\+\\\"\\<\\>\\;\\\\,C=DE";
        assert_eq!(subject(name).as_deref(), Some(expected));
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "#a");
        name.push(DnType::CustomDnType(vec![1, 2, 3, 4]), "b");
        assert_eq!(subject(&name).as_deref(), Some("1.2.3.4=#0c0162,CN=\\#a"));
        let mut name = DistinguishedName::new();
        name.push(DnType::OrganizationName, DnValue::BmpString("本".try_into().unwrap()));
        name.push(DnType::CommonName, DnValue::TeletexString("a#".try_into().unwrap()));
        assert_eq!(subject(&name).as_deref(), Some("2.5.4.3=#14026123,O=本"));
    }

    #[test]
    fn addresses_and_user_names_are_arrays() {
        let upn = |text: &str| {
            let oid = vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3];
            SanType::OtherName((oid, OtherNameValue::Utf8String(text.to_owned())))
        };
        let other = SanType::OtherName((vec![1, 2, 3], OtherNameValue::Utf8String("x".into())));
        let params = certificate(&[
            email("a@b.example"),
            upn("jos\u{e9}@ad.example"),
            SanType::IpAddress([10, 0, 0, 1].into()),
            other,
            email("c\"@d.example"),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
        ]);
        let certificate = parse(&params).unwrap();
        let facts = certificate.facts();
        assert_eq!(facts.emails.as_deref(), Some(r#"["a@b.example","c\"@d.example"]"#));
        assert_eq!(facts.addresses.as_deref(), Some(r#"["10.0.0.1","2001:db8::1"]"#));
        assert_eq!(facts.user_names.as_deref(), Some(r#"["jos\u00e9@ad.example"]"#));
        assert_eq!(facts.subject, None);
    }

    #[test]
    fn what_is_not_there_or_cannot_be_read_is_none() {
        let san = |content: &[u8]| {
            let mut params = certificate(&[]);
            params.custom_extensions =
                vec![rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 17], content.to_vec())];
            parse(&params).unwrap()
        };
        let none = |content: &[u8]| {
            let certificate = san(content);
            let facts = certificate.facts();
            facts.emails.is_none() && facts.addresses.is_none() && facts.user_names.is_none()
        };
        assert!(none(b"\x30\x0b\x82\x09a.example"));
        assert!(none(b"\x30\x07\x87\x05\x0a\0\0\x01\0"), "an address of five bytes");
        assert!(none(b"\x30\x0a\x87\x08\x0a\0\0\0\xff\0\0\0"), "an address with a mask");
        for value in [
            &b"\xa0\x03\x0c\x01\xff"[..],
            b"\x0c\x01a",
            b"\xa0\x04\x0c\x01a\0",
            b"\xa1\x03\x0c\x01a",
        ] {
            let name = [b"\x06\x0a", super::USER_NAME, value].concat();
            let name = [&[0xa0, u8::try_from(name.len()).unwrap()], &name[..]].concat();
            let content = [&[0x30, u8::try_from(name.len()).unwrap()], &name[..]].concat();
            assert!(none(&content), "{value:?}");
        }
    }
}
