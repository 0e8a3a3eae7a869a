//! JWT-SVIDs.

use super::*;

const ID: &str = "spiffe://prod.example/ns/shop/sa/orders-api";

fn svid(key: &Key) -> Value {
    jwk_with(key, &json!({ "use": "jwt-svid", "alg": null }))
}

fn lines<'l>(domain: &'l [&'l str]) -> Vec<(&'l str, &'l [&'l str])> {
    vec![("spiffe_trust_domain", domain), ("audience", &["api"]), ("jwks", &["x"])]
}

/// Two trust domains and an ordinary issuer.
fn server(prod: &Key, dev: &Key, idp: &Key) -> Server {
    let certificates = json!({ "kty": "EC", "use": "x509-svid", "crv": "P-256", "x5c": ["MII"] });
    let prod_lines = [lines(&["prod.example"]), vec![("issuer", &["https://spire.example"][..])]];
    let issuers: &[(&str, Lines<'_>, Value)] = &[
        (
            "prod",
            &prod_lines.concat(),
            json!({ "keys": [certificates, svid(prod)], "spiffe_sequence": 7 }),
        ),
        ("dev", &lines(&["dev.example"]), json!({ "keys": [svid(dev)] })),
        (
            "idp",
            &[("issuer", &["https://idp.example"]), ("audience", &["api"]), ("jwks", &["x"])],
            json!({ "keys": [idp.jwk] }),
        ),
    ];
    Server::of(issuers, &[TOKEN])
}

fn claims(changes: &Value) -> Value {
    changed(&json!({ "sub": ID, "aud": ["api"], "exp": NOW + 300, "iat": NOW }), changes)
}

#[test]
fn a_jwt_svid_is_of_the_trust_domain_of_its_subject() {
    let [prod, dev, idp] = ["p", "d", "i"].map(Key::new);
    let mut server = server(&prod, &dev, &idp);
    for typ in [json!({}), json!({ "typ": "JWT" }), json!({ "typ": "JOSE" })] {
        for iss in [json!({}), json!({ "iss": "https://spire.example" })] {
            let admission =
                server.ask(&Sent::token(&prod.sign_under(&typ, &claims(&iss)))).unwrap();
            assert_eq!(attribute(&admission, Attribute::SpiffeId).as_deref(), Some(ID));
            assert_eq!(
                attribute(&admission, Attribute::TrustDomain).as_deref(),
                Some("prod.example")
            );
            assert_eq!(attribute(&admission, Attribute::Issuer).as_deref(), Some("prod"));
            assert!(exported(&admission).contains(&("X-Mesh-Spiffe-Id", ID.to_owned())));
        }
    }
    let of_dev = json!({ "sub": "spiffe://dev.example/w" });
    let admission =
        server.ask(&Sent::token(&dev.sign_under(&json!({}), &claims(&of_dev)))).unwrap();
    assert_eq!(attribute(&admission, Attribute::Issuer).as_deref(), Some("dev"));
}

#[test]
fn no_authority_speaks_for_another_trust_domain() {
    let [prod, dev, idp] = ["p", "d", "i"].map(Key::new);
    let mut server = server(&prod, &dev, &idp);
    let mut reason = |key: &Key, changes: &Value| {
        server.reason(&Sent::token(&key.sign_under(&json!({}), &claims(changes))))
    };
    let of_dev = json!({ "sub": "spiffe://dev.example/w" });
    assert_eq!(reason(&prod, &of_dev), Reason::UnknownKey);
    assert_eq!(reason(&dev, &json!({})), Reason::UnknownKey);
    assert_eq!(reason(&idp, &json!({})), Reason::UnknownKey);
    // The issuer's URL is no way round the subject, nor the subject one round the issuer.
    let with_issuer = |id: &str, url: &str| json!({ "sub": id, "iss": url });
    let spire = "https://spire.example";
    for id in [
        "spiffe://dev.example/w",
        "spiffe://prod.example.evil/w",
        "spiffe://x.prod.example/w",
        "spiffe://prod.example",
        "spiffe://prod.example/",
        "spiffe://prod.example/a/../b",
        "SPIFFE://prod.example/w",
        "orders-api",
    ] {
        assert_eq!(reason(&prod, &with_issuer(id, spire)), Reason::SpiffeIdRefused, "{id}");
    }
    assert_eq!(reason(&prod, &with_issuer(ID, "https://idp.example")), Reason::UnknownKey);
    for wrong in [json!("https://other.example"), json!(""), json!([spire]), json!(7)] {
        assert_eq!(reason(&prod, &json!({ "iss": wrong })), Reason::IssuerRefused);
    }
    for wrong in [json!("spiffe://nobody.example/w"), json!("orders-api"), json!(7), Value::Null] {
        assert_eq!(reason(&prod, &json!({ "sub": wrong })), Reason::IssuerRefused, "{wrong}");
    }
}

#[test]
fn a_jwt_svid_has_an_audience_an_expiry_and_a_plain_type() {
    let [prod, dev, idp] = ["p", "d", "i"].map(Key::new);
    let mut server = server(&prod, &dev, &idp);
    for (header, changes, expected) in [
        (json!({}), json!({ "aud": null }), Reason::AudienceRefused),
        (json!({}), json!({ "aud": "other" }), Reason::AudienceRefused),
        (json!({}), json!({ "exp": null }), Reason::ExpiryMissing),
        (json!({}), json!({ "exp": NOW - 60 }), Reason::TokenExpired),
        (json!({ "typ": "at+jwt" }), json!({}), Reason::TypeRefused),
        (json!({ "typ": "" }), json!({}), Reason::TypeRefused),
    ] {
        let sent = Sent::token(&prod.sign_under(&header, &claims(&changes)));
        assert_eq!(server.reason(&sent), expected, "{header} {changes}");
    }
}

#[test]
fn a_certificate_shows_its_own_spiffe_id_beside_a_token() {
    let key = Key::new("p");
    let location: Lines<'_> = &[("mesh_authenticate", &["token", "certificate"])];
    let set = json!({ "keys": [svid(&key)] });
    let mut server = Server::of(&[("prod", &lines(&["prod.example"]), set)], &[location]);
    let leaf = certificate(&["spiffe://edge.example/proxy"]);
    let sent = Sent::token(&key.sign_under(&json!({}), &claims(&json!({}))))
        .with(&leaf, ChainVerdict::Verified);
    let admission = server.ask(&sent).unwrap();
    assert_eq!(attribute(&admission, Attribute::Principal).as_deref(), Some(ID));
    assert_eq!(
        attribute(&admission, Attribute::SpiffeId).as_deref(),
        Some("spiffe://edge.example/proxy")
    );
    assert_eq!(attribute(&admission, Attribute::TrustDomain).as_deref(), Some("edge.example"));
}

#[test]
fn a_trust_domain_has_one_block() {
    for (second, expected) in [
        (lines(&["prod.example"]), "trust domain \"prod.example\" already belongs to"),
        (lines(&["Prod"]), "forbidden character"),
        (lines(&["spiffe://x"]), "forbidden character"),
    ] {
        let refused = refused_block(&second, &[&lines(&["prod.example"])]);
        assert!(refused.contains(expected), "{refused}");
    }
    let nameless: Lines<'_> = &[("spiffe_trust_domain", &["prod.example"]), ("audience", &["api"])];
    assert!(refused_block(nameless, &[]).contains("has no \"jwks\""));
}
