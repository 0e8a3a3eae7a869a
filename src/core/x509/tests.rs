//! Certificates made for each rule, and made to break each rule.

use std::sync::LazyLock;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose as Purpose, IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

use super::*;

mod bytes;

const ID: &str = "spiffe://prod.example/ns/shop/sa/orders-api";
const ANY: NameKinds = NameKinds::SPIFFE.union(NameKinds::DNS).union(NameKinds::COMMON_NAME);

static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate().unwrap());
static SVID: LazyLock<rcgen::Certificate> = LazyLock::new(|| issue(&certificate(&[uri(ID)])));

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// A leaf with these alternative names and no common name.
fn certificate(names: &[SanType]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.to_vec();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2026, 12, 31);
    params
}

fn with_common_name(names: &[SanType], common_name: impl Into<DnValue>) -> CertificateParams {
    let mut params = certificate(names);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn issue(params: &CertificateParams) -> rcgen::Certificate {
    params.self_signed(&*KEY).unwrap()
}

fn parse(params: &CertificateParams) -> Result<PeerCertificate, CertificateError> {
    PeerCertificate::parse(issue(params).pem().as_bytes())
}

/// The name as text, with its kind.
fn name(params: &CertificateParams, allowed: NameKinds) -> Result<String, CertificateError> {
    parse(params)?.name(allowed).map(|name| match name {
        CertificateName::CommonName(name) => format!("cn {name}"),
        CertificateName::Dns(name) => format!("dns {name}"),
        CertificateName::Spiffe(id) => format!("spiffe {id}"),
    })
}

#[test]
fn names_by_spiffe_id_then_dns_then_common_name() {
    for (params, expected) in [
        (certificate(&[uri(ID)]), format!("spiffe {ID}")),
        (
            with_common_name(&[dns("b.example"), uri(ID), dns("a.example")], "x"),
            format!("spiffe {ID}"),
        ),
        (certificate(&[dns("Orders.Example")]), "dns orders.example".into()),
        (certificate(&[dns("a.example"), dns("A.EXAMPLE")]), "dns a.example".into()),
        (
            with_common_name(&[uri("https://a.example/x"), dns("a.example")], "x"),
            "dns a.example".into(),
        ),
        (
            certificate(&[uri("https://a/x"), uri("urn:b"), dns("a.example")]),
            "dns a.example".into(),
        ),
        (with_common_name(&[], "Orders API 1"), "cn Orders API 1".into()),
        (with_common_name(&[uri("https://a.example/x")], "orders"), "cn orders".into()),
    ] {
        assert_eq!(name(&params, ANY), Ok(expected));
    }
}

#[test]
fn a_kind_that_is_not_allowed_is_no_name_and_gives_way_to_no_weaker_one() {
    let everything = with_common_name(&[uri(ID), dns("a.example")], "x");
    let dns_and_cn = with_common_name(&[dns("a.example")], "x");
    let cn = with_common_name(&[], "x");
    for (params, allowed) in [
        (&everything, NameKinds::DNS | NameKinds::COMMON_NAME),
        (&dns_and_cn, NameKinds::SPIFFE | NameKinds::COMMON_NAME),
        (&cn, NameKinds::default()),
        (&certificate(&[]), ANY),
    ] {
        assert_eq!(name(params, allowed), Err(CertificateError::NoName));
    }
    assert_eq!(name(&everything, NameKinds::SPIFFE), Ok(format!("spiffe {ID}")));
    assert_eq!(name(&dns_and_cn, NameKinds::DNS), Ok("dns a.example".into()));
    assert_eq!(name(&cn, NameKinds::COMMON_NAME), Ok("cn x".into()));
}

#[test]
fn a_broken_svid_is_refused_as_a_whole() {
    let san = |uris: &[&str]| {
        let names: Vec<_> = uris.iter().map(|text| uri(text)).chain([dns("a.example")]).collect();
        with_common_name(&names, "x")
    };
    let mut authority = san(&[ID]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let usage = |usage| {
        let mut params = san(&[ID]);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, usage];
        params
    };
    for (params, expected) in [
        (san(&[ID, "spiffe://prod.example/other"]), CertificateError::Ambiguous),
        (san(&[ID, ID]), CertificateError::Ambiguous),
        (san(&[ID, "https://a.example"]), CertificateError::Ambiguous),
        (san(&["https://a.example", ID]), CertificateError::Ambiguous),
        (san(&["https://a.example", "spiffe:"]), CertificateError::Ambiguous),
        (san(&["spiffe://prod.example"]), CertificateError::NoPath),
        (san(&["spiffe://prod.example/"]), CertificateError::Spiffe(SpiffeIdError::TrailingSlash)),
        (san(&["SPIFFE://prod.example/w"]), CertificateError::Spiffe(SpiffeIdError::Scheme)),
        (san(&["sPiFfE:x"]), CertificateError::Spiffe(SpiffeIdError::Scheme)),
        (san(&["spiffe://a/b%2Fc"]), CertificateError::Spiffe(SpiffeIdError::PathCharacter)),
        (san(&[" spiffe://a/b"]), CertificateError::Malformed),
        (san(&["https://a/\0"]), CertificateError::Malformed),
        (authority, CertificateError::Authority),
        (usage(KeyUsagePurpose::KeyCertSign), CertificateError::Authority),
        (usage(KeyUsagePurpose::CrlSign), CertificateError::Authority),
    ] {
        assert_eq!(parse(&params).err(), Some(expected), "{:?}", params.subject_alt_names);
    }
    let mut plain = usage(KeyUsagePurpose::KeyAgreement);
    plain.is_ca = IsCa::ExplicitNoCa;
    assert!(parse(&plain).is_ok());
}

#[test]
fn a_dns_name_that_does_not_count_is_told_only_when_asked_for() {
    for (names, expected) in [
        (&[dns("a.example"), dns("b.example")][..], CertificateError::Ambiguous),
        (&[dns("*.example")], CertificateError::Wildcard),
        (&[dns("a.example"), dns("*.example")], CertificateError::Wildcard),
        (&[dns("a b")], CertificateError::Malformed),
        (&[dns("")], CertificateError::Malformed),
        (&[dns("10.0.0.1")], CertificateError::Malformed),
    ] {
        let params = with_common_name(names, "x");
        assert_eq!(name(&params, ANY), Err(expected), "{names:?}");
        assert_eq!(name(&params, NameKinds::COMMON_NAME), Err(CertificateError::NoName));
    }
}

#[test]
fn a_common_name_is_one_short_visible_text() {
    let cn = |value: DnValue| name(&with_common_name(&[], value), ANY);
    let text = |text: &str| cn(DnValue::from(text));
    assert_eq!(text("Bücher 本"), Ok("cn Bücher 本".into()));
    assert_eq!(cn(DnValue::PrintableString("a".try_into().unwrap())), Ok("cn a".into()));
    assert_eq!(cn(DnValue::Ia5String("a@b".try_into().unwrap())), Ok("cn a@b".into()));
    assert!(text(&"ü".repeat(64)).is_ok());
    let long = "a".repeat(65);
    for refused in [
        "",
        " ",
        " a",
        "spiffe://a/b",
        "a ",
        "a\n",
        "a\0b",
        "a\u{7f}",
        "a\u{85}b",
        "a\u{a0}b",
        "a\u{2028}b",
        "a\u{200b}b",
        "a\u{202e}b",
        "\u{feff}a",
        &long,
    ] {
        assert_eq!(text(refused), Err(CertificateError::Malformed), "{refused:?}");
    }
    for value in [
        DnValue::BmpString("ab".try_into().unwrap()),
        DnValue::TeletexString("ab".try_into().unwrap()),
        DnValue::UniversalString("ab".try_into().unwrap()),
    ] {
        assert_eq!(cn(value), Err(CertificateError::Malformed));
    }
}

#[test]
fn two_common_names_are_ambiguous() {
    let mut params = with_common_name(&[], "a");
    params.distinguished_name.push(DnType::OrganizationName, "o");
    assert_eq!(name(&params, ANY), Ok("cn a".into()));
    params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), "b");
    assert_eq!(name(&params, ANY), Err(CertificateError::Ambiguous));
}

#[test]
fn an_extended_key_usage_must_allow_clients() {
    let refused = |names: &[SanType], purposes: &[Purpose]| {
        let mut params = certificate(names);
        params.extended_key_usages = purposes.to_vec();
        parse(&params).err()
    };
    for names in [[uri(ID)], [dns("a.example")]] {
        for purposes in
            [&[][..], &[Purpose::ClientAuth], &[Purpose::ServerAuth, Purpose::ClientAuth]]
        {
            assert_eq!(refused(&names, purposes), None, "{purposes:?}");
        }
        for purposes in [&[Purpose::ServerAuth][..], &[Purpose::CodeSigning, Purpose::OcspSigning]]
        {
            assert_eq!(refused(&names, purposes), Some(CertificateError::Purpose), "{purposes:?}");
        }
    }
    assert_eq!(refused(&[dns("a.example")], &[Purpose::Any]), None);
    assert_eq!(refused(&[uri(ID)], &[Purpose::Any]), Some(CertificateError::Purpose));
}

#[test]
fn validity_includes_both_of_its_ends() {
    let certificate = parse(&certificate(&[uri(ID)])).unwrap();
    let at = |secs| certificate.valid_at(UnixTime::from_secs(secs));
    let (from, until) = (1_767_225_600, 1_798_675_200);
    assert_eq!(at(from - 1), Err(CertificateError::NotYetValid));
    assert_eq!(at(from), Ok(()));
    assert_eq!(at(until), Ok(()));
    assert_eq!(at(until + 1), Err(CertificateError::Expired));
    assert_eq!(at(i64::MIN), Err(CertificateError::NotYetValid));
    assert_eq!(at(i64::MAX), Err(CertificateError::Expired));
}

#[test]
fn a_validity_that_no_time_can_meet_is_never_valid() {
    let mut params = certificate(&[uri(ID)]);
    (params.not_before, params.not_after) = (date_time_ymd(2060, 1, 1), date_time_ymd(2020, 1, 1));
    let certificate = parse(&params).unwrap();
    for secs in [0, 1_600_000_000, 2_000_000_000, 3_000_000_000] {
        assert!(certificate.valid_at(UnixTime::from_secs(secs)).is_err());
    }
}

#[test]
fn errors_read_as_the_end_of_a_sentence() {
    let all = [
        CertificateError::Ambiguous,
        CertificateError::Authority,
        CertificateError::Expired,
        CertificateError::Malformed,
        CertificateError::NoName,
        CertificateError::NoPath,
        CertificateError::NotYetValid,
        CertificateError::Purpose,
        CertificateError::Spiffe(SpiffeIdError::DotSegment),
        CertificateError::TooLarge,
        CertificateError::Wildcard,
    ];
    let texts: std::collections::HashSet<_> = all.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), all.len());
    assert!(texts.iter().all(|text| !text.ends_with('.')));
}
