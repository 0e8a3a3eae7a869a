//! Peer certificates, alone and beside tokens.

use rcgen::DnType;

use super::*;

#[test]
fn a_certificate_is_an_identity_when_nginx_verified_it_for_this_server() {
    let key = Key::new("k1");
    let mut server = Server::new(&key, &[], &[&[("mesh_authenticate", &["certificate"])]]);
    let svid = certificate(&["spiffe://prod.example/ns/shop/sa/orders"]);
    let admission = server.ask(&Sent::default().with(&svid, ChainVerdict::Verified)).unwrap();
    assert_eq!(
        exported(&admission),
        [
            ("X-Mesh-Service", "spiffe://prod.example/ns/shop/sa/orders".to_owned()),
            ("X-Mesh-Principal", "spiffe://prod.example/ns/shop/sa/orders".to_owned()),
            ("X-Mesh-Spiffe-Id", "spiffe://prod.example/ns/shop/sa/orders".to_owned()),
            ("X-Mesh-Method", "certificate".to_owned()),
        ]
    );
    let identity = admission.identity().unwrap();
    assert_eq!(identity.attribute(Attribute::TrustDomain).unwrap(), "prod.example");
    for (verdict, reason) in [
        (ChainVerdict::Failed, Reason::CertificateUnverified),
        (ChainVerdict::Foreign, Reason::CertificateMisdirected),
    ] {
        assert_eq!(server.reason(&Sent::default().with(&svid, verdict)), reason);
    }
    assert_eq!(server.reason(&Sent::default()), Reason::CertificateMissing);
    assert_eq!(
        server.reason(&Sent::token(&key.token(&json!({})))),
        Reason::CertificateMissing,
        "a token is not read where it is not named"
    );
    server.now.unix = UnixTime::from_secs(4_000_000_000);
    assert_eq!(
        server.reason(&Sent::default().with(&svid, ChainVerdict::Verified)),
        Reason::CertificateExpired
    );
}

#[test]
fn a_kind_of_name_that_is_not_configured_is_no_identity() {
    let key = Key::new("k1");
    let spiffe_only: &[(&str, &[&str])] =
        &[("mesh_authenticate", &["certificate"]), ("mesh_certificate_name", &["spiffe"])];
    let mut server = Server::new(&key, &[], &[spiffe_only]);
    let dns = certificate(&["orders.example"]);
    assert_eq!(
        server.reason(&Sent::default().with(&dns, ChainVerdict::Verified)),
        Reason::CertificateNameless
    );
}

#[test]
fn with_any_one_is_enough_and_whatever_is_presented_must_verify() {
    let key = Key::new("k1");
    let mut server = Server::new(&key, &[], &[&[("mesh_authenticate", &["any"])]]);
    let dns = certificate(&["orders.example"]);
    let good = key.token(&json!({ "sub": "tokens-own" }));
    let bad = key.token(&json!({ "exp": 1 }));
    server.ask(&Sent::token(&good)).unwrap();
    server.ask(&Sent::default().with(&dns, ChainVerdict::Verified)).unwrap();
    let both = server.ask(&Sent::token(&good).with(&dns, ChainVerdict::Verified)).unwrap();
    let identity = both.identity().unwrap();
    assert_eq!(identity.service(), "tokens-own", "the principal is the token's");
    assert_eq!(identity.attribute(Attribute::Method).unwrap(), "token certificate");
    assert_eq!(server.reason(&Sent::default()), Reason::CredentialMissing);
    assert_eq!(
        server.reason(&Sent::token(&bad).with(&dns, ChainVerdict::Verified)),
        Reason::TokenExpired
    );
    assert_eq!(
        server.reason(&Sent::token(&good).with(&dns, ChainVerdict::Failed)),
        Reason::CertificateUnverified
    );
}

#[test]
fn both_are_needed_where_both_are_named() {
    let key = Key::new("k1");
    let mut server = Server::new(&key, &[], &[&[("mesh_authenticate", &["token", "certificate"])]]);
    let dns = certificate(&["orders.example"]);
    let token = key.token(&json!({}));
    assert_eq!(server.reason(&Sent::token(&token)), Reason::CertificateMissing);
    assert_eq!(
        server.reason(&Sent::default().with(&dns, ChainVerdict::Verified)),
        Reason::CredentialMissing
    );
    server.ask(&Sent::token(&token).with(&dns, ChainVerdict::Verified)).unwrap();
}

#[test]
fn a_bound_token_needs_its_certificate_on_the_connection() {
    let key = Key::new("k1");
    let mut server = Server::tokens(&key);
    let (own, other) = (certificate(&["a.example"]), certificate(&["b.example"]));
    let thumbprint = URL_SAFE_NO_PAD.encode(own.thumbprint());
    let token = key.token(&json!({ "cnf": { "x5t#S256": thumbprint } }));
    assert_eq!(server.reason(&Sent::token(&token)), Reason::BindingMismatch);
    server.ask(&Sent::token(&token).with(&own, ChainVerdict::Verified)).unwrap();
    // RFC 8705 section 3: the chain need not be trusted, the possession of the key decides.
    server.ask(&Sent::token(&token).with(&own, ChainVerdict::Failed)).unwrap();
    assert_eq!(
        server.reason(&Sent::token(&token).with(&other, ChainVerdict::Verified)),
        Reason::BindingMismatch
    );
}

/// A certificate with these DNS names and a common name.
fn named(dns: &[&str], common_name: &str) -> PeerCertificate {
    certificate_with(dns, |params| params.distinguished_name.push(DnType::CommonName, common_name))
}

#[test]
fn what_is_rendered_is_that_of_the_location() {
    let key = Key::new("k1");
    let methods: &[&str] = &["certificate"];
    let of = |names| [("mesh_authenticate", methods), ("mesh_certificate_name", names)];
    let (a, b, cn) = (of(&["dns=*.a.example"]), of(&["dns=*.b.example"]), of(&["cn"]));
    let mut server = Server::new(&key, &[], &[&a, &b, &cn]);
    let peer = named(&["x.a.example", "x.b.example"], "x.c.example");
    let sent = Sent::default().with(&peer, ChainVerdict::Verified);
    // On one connection, in one order and in the other.
    for location in [0, 1, 2, 1, 0, 2, 2, 0] {
        let admission = server.ask_in(location, &sent, &mut Memo::default()).unwrap();
        let expected = ["x.a.example", "x.b.example", "x.c.example"][location];
        let rendered = admission.rendered().unwrap();
        let text = String::from_utf8_lossy(rendered.text());
        assert_eq!(text, format!("{expected}\0{expected}\0certificate\0"));
        assert_eq!(admission.identity().unwrap().principal(), expected);
    }
}

#[test]
fn a_common_name_and_a_dns_name_are_two_identities() {
    let key = Key::new("k1");
    let settings: &[(&str, &[&str])] = &[
        ("mesh_authenticate", &["certificate"]),
        ("mesh_certificate_name", &["spiffe", "dns", "cn"]),
        ("mesh_limit", &["calls", "rate=1r/m"]),
    ];
    let mut server = Server::new(&key, &[], &[settings]);
    let (dns, cn) = (named(&["orders.example"], "x"), named(&[], "orders.example"));
    for (certificate, expected) in [(&dns, "dns"), (&cn, "cn")] {
        let sent = Sent::default().with(certificate, ChainVerdict::Verified);
        let admission = server.ask(&sent).unwrap();
        let identity = admission.identity().unwrap();
        assert_eq!(identity.attribute(Attribute::PrincipalKind).unwrap(), expected);
        assert_eq!(identity.service(), "orders.example");
        assert_eq!(server.reason(&sent), Reason::Limited);
    }
}

#[test]
fn the_log_is_told_which_rule_does_not_hold() {
    let key = Key::new("k1");
    let methods: &[&str] = &["certificate"];
    let of = |names| [("mesh_authenticate", methods), ("mesh_certificate_name", names)];
    let (pattern, all) = (of(&["spiffe", "dns=*.example"]), of(&["spiffe", "dns", "cn"]));
    let mut server = Server::new(&key, &[], &[&pattern, &all]);
    let mut told = |location: usize, certificate: &PeerCertificate| {
        let sent = Sent::default().with(certificate, ChainVerdict::Verified);
        let refusal = server.ask_in(location, &sent, &mut Memo::default()).unwrap_err();
        let settings = &server.locations[location].authentication;
        explain(&sent, settings, &refusal, &server.trust, server.now.unix)
    };
    let three = named(&["a.example", "b.example", "c.test"], "x");
    assert_eq!(
        told(0, &three).unwrap(),
        "2 of 3 DNS names of the certificate match, not one (mesh_certificate_name spiffe dns=*.example)"
    );
    assert_eq!(
        told(1, &three).unwrap(),
        "3 of 3 DNS names of the certificate match, not one (mesh_certificate_name spiffe dns cn)"
    );
    assert_eq!(
        told(0, &named(&[], "x")).unwrap(),
        "certificate has no name of an accepted kind, only: cn (mesh_certificate_name spiffe dns=*.example)"
    );
    assert_eq!(
        told(1, &named(&[], "a\u{202e}b")).unwrap(),
        "certificate is malformed (mesh_certificate_name spiffe dns cn)"
    );
    server.now.unix = UnixTime::from_secs(80_000_000_000);
    let sent = Sent::default().with(&three, ChainVerdict::Verified);
    let refusal = server.ask(&sent).unwrap_err();
    let settings = &server.locations[0].authentication;
    let why = explain(&sent, settings, &refusal, &server.trust, server.now.unix);
    assert_eq!(why.unwrap(), "certificate has expired");
}
