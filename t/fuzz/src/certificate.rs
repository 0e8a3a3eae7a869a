//! Peer certificates.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mesh_core::peer::x509::{
    CertificateName, DnsPattern, MAX_PEM_BYTES, NameKinds, NameRules, PeerCertificate,
};
use mesh_core::text::time::UnixTime;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

use crate::der::Certificate;
use crate::{assert_printable, recipe, spiffe_id};

/// A certificate over a fresh key with these alternative names, in DER.
pub(crate) fn make(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.contains(':') {
            true => SanType::URI((*name).try_into().expect("ASCII")),
            false => SanType::DnsName((*name).try_into().expect("ASCII")),
        })
        .collect();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("a certificate").der().to_vec()
}

/// The DER as Nginx hands it over.
pub(crate) fn pem(der: &[u8]) -> Vec<u8> {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        text.push_str(str::from_utf8(line).expect("base64 is ASCII"));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text.into_bytes()
}

static CERTIFICATES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let svid = "spiffe://prod.example/ns/shop/sa/orders";
    vec![
        make(&[svid], |_| {}),
        make(&["orders.example"], |_| {}),
        make(&[], |params| params.distinguished_name.push(DnType::CommonName, "orders")),
        make(&[svid, "orders.example"], |params| {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        }),
        make(&[svid], |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        make(&[svid, "spiffe://dev.example/w"], |_| {}),
        make(&[svid, "https://orders.example"], |_| {}),
        make(&["a.example", "A.EXAMPLE"], |_| {}),
        make(&["a.example", "b.example"], |_| {}),
        make(&["*.example"], |_| {}),
        make(&["spiffe://prod.example"], |_| {}),
        make(&["https://orders.example"], |params| {
            params.distinguished_name.push(DnType::CommonName, "orders");
            params.distinguished_name.push(DnType::OrganizationName, "shop");
        }),
        make(&[], |params| {
            params.distinguished_name.push(DnType::CommonName, "orders");
            params.custom_extensions =
                vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], vec![0x30, 0x00])];
        }),
    ]
});

/// A certificate that parses has the thumbprint of its bytes and one name at most under each rule:
/// one with a SPIFFE URI has no other URI, is no authority, and is never taken for its DNS or common
/// name; of the others, the first kind that is asked for and is there decides.
///
/// Returns whether it has a name. The input is PEM, DER, or a [`recipe`] over DER.
pub fn certificate(data: &[u8]) -> bool {
    let text = match data.first() {
        Some(0x80..) => pem(&recipe::bake(&CERTIFICATES, data)),
        Some(0x30) => pem(data),
        _ => data.to_owned(),
    };
    let Ok(parsed) = PeerCertificate::parse(&text) else { return false };
    assert!(text.len() <= MAX_PEM_BYTES);
    let der = decode(&text);
    assert_eq!(parsed.thumbprint().as_slice(), digest(&SHA256, &der).as_ref());
    let names = Certificate::walk(&der).expect("what parses can be walked");

    let ends = [i64::MIN, i64::MAX].map(|end| parsed.valid_at(UnixTime::from_secs(end)));
    assert!(ends.iter().all(Result::is_err), "it is not valid for ever");

    let (spiffe, dns, common) = (NameKinds::SPIFFE, NameKinds::DNS, NameKinds::COMMON_NAME);
    let name = |kinds: NameKinds| parsed.name(&kinds.into());
    let every = name(spiffe | dns | common);
    for kinds in [spiffe, dns, common, spiffe | dns, spiffe | common, dns | common] {
        match name(kinds) {
            Ok(name) => assert!(kinds.contains(kind(name)), "{name:?} was not asked for"),
            Err(error) => assert_printable(&error.to_string()),
        }
    }
    let pattern = NameRules::new(dns, DnsPattern::parse("*.example"));
    if let Ok(name) = parsed.name(&pattern) {
        let CertificateName::Dns(name) = name else { panic!("{name:?} is no DNS name") };
        assert!(name.ends_with(".example"));
        let matches = |one: &&Vec<u8>| one.to_ascii_lowercase().ends_with(b".example");
        let matching: Vec<_> = names.dns.iter().filter(matches).collect();
        assert!(!matching.is_empty());
        assert!(matching.iter().all(|one| one.to_ascii_lowercase() == name.as_bytes()));
    }
    let is_spiffe = |uri: &Vec<u8>| uri.to_ascii_lowercase().starts_with(b"spiffe:");
    if names.uris.iter().any(is_spiffe) {
        let Ok(CertificateName::Spiffe(id)) = every else { panic!("an SVID is {every:?}") };
        assert_eq!(names.uris, [id.as_str().as_bytes()]);
        assert!(spiffe_id::is_id(id.as_str()) && !id.path().is_empty());
        assert!(!names.authority, "an authority is an SVID");
        assert!(name(dns | common).is_err(), "an SVID is something else");
    } else {
        assert!(name(spiffe).is_err());
        // The first kind that is there decides.
        let first = if names.dns.is_empty() { name(common) } else { name(dns) };
        assert_eq!(every.ok(), first.ok());
    }
    for name in [name(dns), name(common)] {
        match name {
            Ok(CertificateName::Dns(name)) => {
                assert!(!names.dns.is_empty());
                assert!(names.dns.iter().all(|one| one.to_ascii_lowercase() == name.as_bytes()));
                assert_printable(name);
                assert!(!name.contains(['*', ' ', '/', ':', '%']), "{name:?}");
            }
            Ok(CertificateName::CommonName(name)) => {
                let Some([value]) = names.common_names.as_deref() else { panic!("{names:?}") };
                assert!(encodings(name).contains(value), "{name:?} {value:?}");
                assert!(!name.is_empty() && !name.chars().any(char::is_control), "{name:?}");
            }
            Ok(CertificateName::Spiffe(id)) => panic!("{id} was not asked for"),
            Err(_) => {}
        }
    }
    every.is_ok()
}

fn kind(name: CertificateName<'_>) -> NameKinds {
    match name {
        CertificateName::CommonName(_) => NameKinds::COMMON_NAME,
        CertificateName::Dns(_) => NameKinds::DNS,
        CertificateName::Spiffe(_) => NameKinds::SPIFFE,
    }
}

/// A text as each type of string holds it.
fn encodings(text: &str) -> [Vec<u8>; 3] {
    [
        text.as_bytes().to_owned(),
        text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
    ]
}

/// The DER in a PEM that was accepted.
fn decode(pem: &[u8]) -> Vec<u8> {
    let text = str::from_utf8(pem).expect("PEM is ASCII");
    let body: String = text.lines().map(str::trim).filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body.replace(char::is_whitespace, "")).expect("PEM is base64")
}
