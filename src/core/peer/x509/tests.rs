//! Certificates made for each rule, and made to break each rule.

use std::sync::LazyLock;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose as Purpose, IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

use super::*;
use crate::peer::spiffe::SpiffeIdError;

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
pub(super) fn certificate(names: &[SanType]) -> CertificateParams {
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

pub(super) fn issue(params: &CertificateParams) -> rcgen::Certificate {
    params.self_signed(&*KEY).unwrap()
}

pub(super) fn parse(params: &CertificateParams) -> Result<PeerCertificate, CertificateError> {
    PeerCertificate::parse(issue(params).pem().as_bytes())
}

/// The name as text, with its kind.
fn name(
    params: &CertificateParams,
    rules: impl Into<NameRules>,
) -> Result<String, CertificateError> {
    parse(params)?.name(&rules.into()).map(|name| match name {
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
fn a_kind_that_is_not_named_is_ignored_but_for_a_spiffe_id() {
    let everything = with_common_name(&[uri(ID), dns("a.example")], "x");
    let dns_and_cn = with_common_name(&[dns("a.example"), dns("b.example")], "x");
    let cn = with_common_name(&[], "x");
    let only = CertificateError::NoName;
    for (params, kinds, expected) in [
        (&everything, NameKinds::SPIFFE, Ok(format!("spiffe {ID}"))),
        (&everything, NameKinds::COMMON_NAME, Err(only(NameKinds::SPIFFE))),
        (&everything, NameKinds::DNS | NameKinds::COMMON_NAME, Err(only(NameKinds::SPIFFE))),
        (&dns_and_cn, NameKinds::COMMON_NAME, Ok("cn x".into())),
        (&dns_and_cn, NameKinds::SPIFFE | NameKinds::COMMON_NAME, Ok("cn x".into())),
        (&dns_and_cn, NameKinds::SPIFFE, Err(only(NameKinds::DNS | NameKinds::COMMON_NAME))),
        (&dns_and_cn, ANY, Err(CertificateError::DnsNames { matching: 2, of: 2 })),
        (&cn, NameKinds::default(), Err(only(NameKinds::COMMON_NAME))),
        (&cn, NameKinds::COMMON_NAME, Ok("cn x".into())),
        (&certificate(&[]), ANY, Err(only(NameKinds::NONE))),
        (&certificate(&[dns("a.example")]), NameKinds::COMMON_NAME, Err(only(NameKinds::DNS))),
    ] {
        assert_eq!(name(params, kinds), expected, "{kinds}");
    }
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
        (san(&[ID, "spiffe://prod.example/other"]), CertificateError::SeveralUris),
        (san(&[ID, ID]), CertificateError::SeveralUris),
        (san(&[ID, "https://a.example"]), CertificateError::SeveralUris),
        (san(&["https://a.example", ID]), CertificateError::SeveralUris),
        (san(&["https://a.example", "spiffe:"]), CertificateError::SeveralUris),
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
    let two = CertificateError::DnsNames { matching: 2, of: 2 };
    for (names, expected) in [
        (&[dns("a.example"), dns("b.example")][..], two),
        (&[dns("*.example")], CertificateError::Wildcard),
        (&[dns("a.example"), dns("*.example")], CertificateError::Wildcard),
        (&[dns("a b")], CertificateError::Malformed),
        (&[dns("")], CertificateError::Malformed),
        (&[dns("10.0.0.1")], CertificateError::Malformed),
    ] {
        let params = with_common_name(names, "x");
        assert_eq!(name(&params, ANY), Err(expected), "{names:?}");
        assert_eq!(name(&params, NameKinds::COMMON_NAME), Ok("cn x".into()));
    }
}

#[test]
fn a_pattern_finds_exactly_one_dns_name() {
    let rules = |pattern: &str, kinds| NameRules::new(kinds, DnsPattern::parse(pattern));
    let found = |names: &[&str], pattern: &str| {
        let names: Vec<_> = names.iter().map(|name| dns(name)).collect();
        name(&with_common_name(&names, "x"), rules(pattern, ANY))
    };
    let fault = |matching, of| Err(CertificateError::DnsNames { matching, of });
    let service = ["orders", "orders.shop", "orders.shop.svc", "Orders.Shop.Svc.Cluster.Local"];
    for (names, pattern, expected) in [
        (&service[..], "*.svc.cluster.local", Ok("dns orders.shop.svc.cluster.local".to_owned())),
        (&service, "*.SVC", Ok("dns orders.shop.svc".into())),
        (&service, "orders", Ok("dns orders".into())),
        (&service, "orders*", fault(3, 4)),
        (&service, "*.default.svc", fault(0, 4)),
        // Spellings of one name are one, in whatever order and case.
        (&["a.example", "b.test", "A.Example"], "*.example", Ok("dns a.example".into())),
        (&["b.example", "a.example"], "*.example", fault(2, 2)),
        // A wildcard is no name, and not passed over either.
        (&["*.a.example", "b.a.example"], "*.a.example", Err(CertificateError::Wildcard)),
        (&["*.example"], "*", Err(CertificateError::Wildcard)),
        (&["*.test", "a b", "b.a.example"], "*.a.example", Ok("dns b.a.example".into())),
        (&["a b.example", "b.example"], "*.example", Err(CertificateError::Malformed)),
        (&[], "*.example", Ok("cn x".into())),
    ] {
        assert_eq!(found(names, pattern), expected, "{names:?} {pattern}");
    }
    let svid = certificate(&[uri(ID), dns("a.example")]);
    let refused = Err(CertificateError::NoName(NameKinds::SPIFFE));
    assert_eq!(name(&svid, rules("*.example", NameKinds::COMMON_NAME)), refused);
    assert_eq!(name(&svid, rules("*.test", NameKinds::SPIFFE)), Ok(format!("spiffe {ID}")));
}

/// Certificates of the tools of Kubernetes, under the rules that are recommended for each.
#[test]
fn certificates_of_the_field_have_their_name() {
    let pattern = |text: &str, kinds| NameRules::new(kinds, DnsPattern::parse(text));
    let cn = NameRules::from(NameKinds::COMMON_NAME);
    let client = |mut params: CertificateParams, organization: Option<&str>| {
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![Purpose::ServerAuth, Purpose::ClientAuth];
        if let Some(organization) = organization {
            params.distinguished_name.push(DnType::OrganizationName, organization);
        }
        params
    };
    // Strimzi's KafkaUser: the name of the user and nothing else.
    let kafka_user = client(with_common_name(&[], "orders-api"), None);
    assert_eq!(name(&kafka_user, cn.clone()), Ok("cn orders-api".into()));
    // Strimzi's broker: a common name, and many names of services.
    let broker = with_common_name(
        &[
            dns("mesh-kafka-0.mesh-kafka-brokers.shop.svc"),
            dns("mesh-kafka-0.mesh-kafka-brokers.shop.svc.cluster.local"),
            dns("mesh-kafka-bootstrap"),
            dns("mesh-kafka-bootstrap.shop.svc.cluster.local"),
            dns("*.mesh-kafka-brokers.shop.svc"),
        ],
        "mesh-kafka",
    );
    let broker = client(broker, Some("io.strimzi"));
    assert_eq!(name(&broker, cn.clone()), Ok("cn mesh-kafka".into()));
    let expected = "dns mesh-kafka-0.mesh-kafka-brokers.shop.svc.cluster.local";
    let rules = pattern("*.mesh-kafka-brokers.shop.svc.cluster.local", NameKinds::SPIFFE);
    assert_eq!(name(&broker, rules), Ok(expected.into()));
    // cert-manager's Certificate: dnsNames alone.
    let names = ["orders", "orders.shop", "orders.shop.svc", "orders.shop.svc.cluster.local"];
    let workload = client(certificate(&names.map(dns)), None);
    let four = Err(CertificateError::DnsNames { matching: 4, of: 4 });
    assert_eq!(name(&workload, NameRules::default()), four);
    let rules = pattern("*.svc.cluster.local", NameKinds::SPIFFE);
    assert_eq!(name(&workload, rules), Ok("dns orders.shop.svc.cluster.local".into()));
    // A kubelet's serving certificate: the node's names and addresses.
    let node = [dns("ip-10-0-0-1.ec2.internal"), SanType::IpAddress([10, 0, 0, 1].into())];
    let kubelet = with_common_name(&node, "system:node:ip-10-0-0-1.ec2.internal");
    let kubelet = client(kubelet, Some("system:nodes"));
    let expected = "cn system:node:ip-10-0-0-1.ec2.internal";
    assert_eq!(name(&kubelet, cn.clone()), Ok(expected.into()));
    let expected = "dns ip-10-0-0-1.ec2.internal";
    assert_eq!(name(&kubelet, NameRules::default()), Ok(expected.into()));
    // SPIRE's with DNS names, or Istio's: the SPIFFE ID, whatever else is named.
    let svid = client(with_common_name(&[uri(ID), dns("orders.shop.svc")], "orders"), None);
    assert_eq!(name(&svid, NameRules::default()), Ok(format!("spiffe {ID}")));
    assert_eq!(name(&svid, cn), Err(CertificateError::NoName(NameKinds::SPIFFE)));
}

#[test]
fn a_name_is_remembered_under_the_number_of_its_settings() {
    let names = [dns("a.example"), dns("b.test")];
    let certificate = parse(&with_common_name(&names, "x")).unwrap();
    let rules = |text| NameRules::new(NameKinds::DNS, DnsPattern::parse(text));
    let choose = |settings, text| {
        let chosen = certificate.choose(settings, &rules(text))?;
        certificate.chosen(chosen).ok_or(CertificateError::Malformed)
    };
    let a = Ok(CertificateName::Dns("a.example"));
    let b = Ok(CertificateName::Dns("b.test"));
    assert_eq!((choose(7, "*.example"), choose(8, "*.test")), (a, b));
    assert_eq!((choose(7, "*.example"), choose(8, "*.test")), (a, b));
    let none = Err(CertificateError::DnsNames { matching: 0, of: 2 });
    assert_eq!(choose(9, "*.org"), none);
    let refused = parse(&with_common_name(&names, "x")).unwrap();
    for _ in 0..2 {
        assert_eq!(refused.choose(1, &rules("*.org")).err(), none.err());
        assert!(refused.choose(2, &rules("*.test")).is_ok());
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
        DnValue::BmpString("Bücher".try_into().unwrap()),
        DnValue::UniversalString("Bücher".try_into().unwrap()),
    ] {
        assert_eq!(cn(value), Ok("cn Bücher".into()));
    }
    assert_eq!(cn(DnValue::TeletexString("ab".try_into().unwrap())), Ok("cn ab".into()));
    for value in [
        DnValue::BmpString(" ab".try_into().unwrap()),
        DnValue::BmpString("spiffe://a/b".try_into().unwrap()),
        DnValue::UniversalString("a\u{202e}b".try_into().unwrap()),
        DnValue::TeletexString("a#".try_into().unwrap()),
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
    assert_eq!(name(&params, ANY), Err(CertificateError::SeveralCommonNames));
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
        CertificateError::Authority,
        CertificateError::DnsNames { matching: 2, of: 3 },
        CertificateError::Expired,
        CertificateError::Malformed,
        CertificateError::NoName(NameKinds::NONE),
        CertificateError::NoName(NameKinds::DNS | NameKinds::COMMON_NAME),
        CertificateError::NoPath,
        CertificateError::NotYetValid,
        CertificateError::Purpose,
        CertificateError::SeveralCommonNames,
        CertificateError::SeveralUris,
        CertificateError::Spiffe(SpiffeIdError::DotSegment),
        CertificateError::TooLarge,
        CertificateError::Wildcard,
    ];
    let texts: std::collections::HashSet<_> = all.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), all.len());
    assert!(texts.iter().all(|text| !text.ends_with('.')));
}
