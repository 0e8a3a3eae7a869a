//! Certificates as bytes: sizes, sections, lengths, and certificates that were broken by hand.

#![expect(clippy::arithmetic_side_effects, reason = "indexes into certificates made here")]

use proptest::prelude::*;
use rcgen::CustomExtension;

use super::*;

/// Content of a SAN extension with `DNS:a.example`.
const SAN_DNS: &[u8] = b"\x30\x0b\x82\x09a.example";
const OID_SAN: &[u64] = &[2, 5, 29, 17];
const OID_KEY_USAGE: &[u64] = &[2, 5, 29, 15];

/// The PEM of any bytes, as Nginx would write them.
fn pem(der: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}

/// The certificate with other bytes in its subject, and in its issuer, which reads the same.
fn replaced(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at: Vec<_> = (0..der.len()).filter(|&at| der[at..].starts_with(from)).collect();
    assert_eq!((at.len(), from.len()), (2, to.len()));
    let mut der = der.to_vec();
    at.iter().for_each(|&at| der[at..at + to.len()].copy_from_slice(to));
    der
}

#[test]
fn an_unreadable_attribute_does_not_hide_a_second_common_name() {
    let mut params = with_common_name(&[], "a");
    params.distinguished_name.push(DnType::OrganizationName, "ooo");
    params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), "b");
    let der = issue(&params).der().to_vec();
    let attribute = b"\x06\x03\x55\x04\x0a\x0c\x03ooo";
    for (broken, expected) in [
        (b"\x06\x03\x55\x04\x0a\x13\x03\xffoo", CertificateError::SeveralCommonNames), // no UTF-8
        (b"\x05\x03\x55\x04\x0a\x0c\x03ooo", CertificateError::Malformed),             // no type
        (b"\x06\x03\x55\x04\x0a\x0c\x7fooo", CertificateError::Malformed), // overlong value
    ] {
        let der = replaced(&der, attribute, broken);
        let certificate = PeerCertificate::parse(pem(&der).as_bytes()).unwrap();
        assert_eq!(certificate.name(&ANY.into()), Err(expected), "{broken:?}");
    }
}

#[test]
fn a_common_name_that_is_no_plain_string_is_malformed() {
    let der = issue(&with_common_name(&[], "orders")).der().to_vec();
    let name = |der: &[u8]| {
        let certificate = PeerCertificate::parse(pem(der).as_bytes()).unwrap();
        certificate.name(&ANY.into()).map(|_| ())
    };
    assert_eq!(name(&der), Ok(()));
    for broken in [b"\x2c\x06orders", b"\x8c\x06orders", b"\x04\x06orders", b"\x0c\x06orde\xffs"] {
        let der = replaced(&der, b"\x0c\x06orders", broken);
        assert_eq!(name(&der), Err(CertificateError::Malformed), "{broken:?}");
    }
}

#[test]
fn extensions_belong_to_version_3() {
    let version = |n: u8| {
        let mut der = SVID.der().to_vec();
        let at = der.windows(5).position(|bytes| bytes == b"\xa0\x03\x02\x01\x02").unwrap();
        der[at + 4] = n;
        PeerCertificate::parse(pem(&der).as_bytes()).err()
    };
    assert_eq!(version(2), None);
    for other in [0, 1, 3] {
        assert_eq!(version(other), Some(CertificateError::Malformed), "{other}");
    }
}

#[test]
fn an_extension_that_repeats_or_cannot_be_read_is_malformed() {
    let custom = |names: &[SanType], oid: &[u64], contents: &[&[u8]]| {
        let mut params = certificate(names);
        params.custom_extensions = contents
            .iter()
            .map(|content| CustomExtension::from_oid_content(oid, content.to_vec()))
            .collect();
        parse(&params).err()
    };
    assert_eq!(custom(&[], OID_SAN, &[SAN_DNS]), None);
    let malformed = Some(CertificateError::Malformed);
    assert_eq!(custom(&[], OID_SAN, &[SAN_DNS, SAN_DNS]), malformed, "twice");
    assert_eq!(custom(&[uri(ID)], OID_SAN, &[SAN_DNS]), malformed, "with another content");
    assert_eq!(custom(&[uri(ID)], &[1, 2, 3, 4], &[b"x"]), None, "unknown");
    assert_eq!(custom(&[uri(ID)], &[1, 2, 3, 4], &[b"x", b"x"]), malformed, "unknown, twice");
    assert_eq!(custom(&[], OID_SAN, &[&[SAN_DNS, b"\0"].concat()]), malformed, "trailing byte");
    for content in [
        &b""[..],
        b"\x05\x00",                  // no sequence
        b"\x30\x0b\x82\x0aa.example", // name longer than its sequence
        b"\x30\x0b\x0c\x09a.example", // universal tag
        b"\x30\x03\x82\x01\xff",      // DNS name that is not UTF-8
        b"\x30\x03\x86\x01\xff",      // URI that is not UTF-8
        b"\x30\x03\x8a\x01a",         // no such kind of name
        b"\x30\x02\xa4\x00",          // directory name without its sequence
    ] {
        assert_eq!(custom(&[], OID_SAN, &[content]), malformed, "{content:?}");
    }
    assert_eq!(custom(&[uri(ID)], OID_KEY_USAGE, &[b"\x05\x00"]), malformed, "key usage");
    assert_eq!(custom(&[uri(ID)], &[2, 5, 29, 37], &[b"\x30\x01"]), malformed, "purposes");
    assert_eq!(custom(&[uri(ID)], &[2, 5, 29, 19], &[b"\x01\x01\xff"]), malformed, "constraints");
}

#[test]
fn the_thumbprint_is_the_digest_of_the_der() {
    let certificate = PeerCertificate::parse(SVID.pem().as_bytes()).unwrap();
    assert_eq!(&certificate.thumbprint()[..], digest(&SHA256, SVID.der()).as_ref());
}

#[test]
fn exactly_one_certificate_and_nothing_else() {
    let one = SVID.pem();
    for accepted in
        [one.clone(), one.replace('\n', "\r\n"), format!("\n {one}\n\n"), pem(SVID.der())]
    {
        assert!(PeerCertificate::parse(accepted.as_bytes()).is_ok(), "{accepted:?}");
    }
    let key = KEY.serialize_pem();
    for refused in [
        String::new(),
        "\n".into(),
        "-----BEGIN CERTIFICATE----------END CERTIFICATE-----".into(),
        pem(b""),
        pem(b"\x30\x00"),
        one.repeat(2),
        format!("{one}{key}"),
        format!("{key}{one}"),
        format!("subject=/CN=x\n{one}"),
        format!("{one}x"),
        one.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
        one.replace("-----BEGIN", "----BEGIN"),
        one.replacen("-----END CERTIFICATE-----", "", 1),
        one.replacen('M', "*", 2),
        pem(&[&**SVID.der(), b"\0"].concat()),
        pem(&[&**SVID.der(), &**SVID.der()].concat()),
    ] {
        let parsed = PeerCertificate::parse(refused.as_bytes()).err();
        assert_eq!(parsed, Some(CertificateError::Malformed), "{refused:?}");
    }
}

#[test]
fn bytes_that_the_parser_would_skip_are_refused() {
    let params = certificate(&[uri(ID), dns(&"a".repeat(63)), dns("a.example")]);
    let der = issue(&params).der().to_vec();
    // Both outer sequences have a two-byte length here.
    assert_eq!((der[1], der[5]), (0x82, 0x82));
    let length = |at: usize| usize::from(der[at]) << 8 | usize::from(der[at + 1]);
    let (all, tbs) = (length(2), length(6));
    let grown = |at: usize, grows_tbs: bool| {
        let mut grown = der.to_vec();
        grown.splice(at..at, *b"\x05\x00");
        grown[2..4].copy_from_slice(&u16::try_from(all + 2).unwrap().to_be_bytes());
        if grows_tbs {
            grown[6..8].copy_from_slice(&u16::try_from(tbs + 2).unwrap().to_be_bytes());
        }
        PeerCertificate::parse(pem(&grown).as_bytes()).err()
    };
    assert_eq!(grown(der.len(), false), Some(CertificateError::Malformed), "after the signature");
    assert_eq!(grown(8 + tbs, true), Some(CertificateError::Malformed), "after the extensions");
}

#[test]
fn the_size_limit_is_inclusive() {
    let padded = |n: usize| format!("{:<n$}", SVID.pem());
    assert!(PeerCertificate::parse(padded(MAX_PEM_BYTES).as_bytes()).is_ok());
    let parsed = PeerCertificate::parse(padded(MAX_PEM_BYTES + 1).as_bytes());
    assert_eq!(parsed.err(), Some(CertificateError::TooLarge));
    let names: Vec<_> = (0..2000).map(|n| dns(&format!("host-{n}.example"))).collect();
    assert_eq!(parse(&certificate(&names)).err(), Some(CertificateError::TooLarge));
}

#[test]
fn every_truncation_is_refused() {
    let (der, text) = (SVID.der(), SVID.pem());
    for end in 0..der.len() {
        assert!(PeerCertificate::parse(pem(&der[..end]).as_bytes()).is_err(), "der {end}");
    }
    for end in 0..text.trim_end().len() {
        assert!(PeerCertificate::parse(&text.as_bytes()[..end]).is_err(), "pem {end}");
    }
}

#[test]
fn no_flipped_bit_gives_an_invalid_name() {
    let all = [
        SVID.der().to_vec(),
        issue(&with_common_name(&[dns("orders.example")], "x")).der().to_vec(),
        issue(&with_common_name(&[], "orders")).der().to_vec(),
    ];
    for der in &all {
        for bit in 0..der.len() * 8 {
            let mut flipped = der.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(certificate) = PeerCertificate::parse(pem(&flipped).as_bytes()) else {
                continue;
            };
            assert_ne!(certificate.thumbprint()[..], *digest(&SHA256, der).as_ref());
            match certificate.name(&ANY.into()) {
                Ok(CertificateName::Spiffe(id)) => {
                    assert!(SpiffeId::parse(id.as_str()).is_ok() && !id.path().is_empty());
                }
                Ok(CertificateName::Dns(name)) => {
                    assert_eq!(dns::hostname(name).as_deref(), Ok(name));
                }
                Ok(CertificateName::CommonName(name)) => assert!(!name.contains(char::is_control)),
                Err(_) => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(PeerCertificate::parse(&bytes).is_err());
        prop_assert!(PeerCertificate::parse(pem(&bytes).as_bytes()).is_err());
    }

    #[test]
    fn an_overwritten_certificate_never_panics(
        at in 0_usize..300,
        bytes in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        let mut der = SVID.der().to_vec();
        let at = at.min(der.len() - bytes.len());
        der[at..at + bytes.len()].copy_from_slice(&bytes);
        if let Ok(certificate) = PeerCertificate::parse(pem(&der).as_bytes()) {
            let _ = certificate.valid_at(UnixTime::from_secs(0));
            if let Ok(CertificateName::Spiffe(id)) = certificate.name(&ANY.into()) {
                prop_assert!(SpiffeId::parse(id.as_str()).is_ok());
            }
        }
    }
}
