//! Issuers: what a block needs, and what it cannot be.

use super::*;
use crate::issuer::Entry;

#[test]
fn an_issuer_needs_its_url_and_its_audience() {
    let (url, audience, jwks) = (
        ("issuer", &["https://a.example"][..]),
        ("audience", &["api"][..]),
        ("jwks", &["k.json"][..]),
    );
    let main = issuer(&[url, audience, jwks]).unwrap();
    assert_eq!(main.issuers[0].leeway, 30);
    assert_eq!(main.issuers[0].service_claim[0].to_string(), "/sub");
    for (lines, missing) in [([audience, jwks], "issuer"), ([url, jwks], "audience")] {
        assert_eq!(
            issuer(&lines).unwrap_err(),
            format!("mesh_issuer \"idp\" has no \"{missing}\" in x.conf:3")
        );
    }
}

#[test]
fn an_issuer_without_jwks_is_asked_by_discovery() {
    let keys = |lines: &[(&str, &[&str])]| {
        let audience = ("audience", &["api"][..]);
        issuer(&[&[audience], lines].concat()).map(|main| main.issuers[0].keys.clone())
    };
    let entry = |lines: &[(&str, &[&str])]| match keys(lines) {
        Ok(KeySource::Remote(remote)) => match remote.entry {
            Entry::AlbKeys(endpoint) => format!("alb_keys {endpoint}"),
            Entry::Discovery(endpoint) => format!("discovery {endpoint}"),
            Entry::Jwks(endpoint) => format!("jwks {endpoint}"),
        },
        other => format!("{other:?}"),
    };
    for url in ["https://a.example/t", "https://a.example/t/"] {
        assert_eq!(
            entry(&[("issuer", &[url])]),
            "discovery https://a.example/t/.well-known/openid-configuration"
        );
    }
    let url = ("issuer", &["https://a.example"][..]);
    assert_eq!(
        entry(&[("issuer", &["a.example"]), ("discovery", &["https://b.example/d"])]),
        "discovery https://b.example/d"
    );
    assert_eq!(entry(&[url, ("jwks", &["https://b.example/k"])]), "jwks https://b.example/k");
    assert_eq!(keys(&[url, ("jwks", &["k.json"])]).unwrap(), KeySource::File("k.json".into()));
    let balancer = ("alb_keys", &["https://keys.example/"][..]);
    let arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/edge/50dc6c495c0c9188";
    let alb = ("alb", &[arn][..]);
    assert_eq!(entry(&[url, alb, balancer]), "alb_keys https://keys.example/");
    let template = ("issuer", &["https://a.example/{tenantid}/"][..]);
    let tenants = ("tenants", &["8c1b5a2e-0f3d-4b6a-9c7e-1d2f3a4b5c6d"][..]);
    for (lines, error) in [
        (
            &[template, tenants][..],
            "has \"{tenantid}\" in its issuer, and no \"discovery\" or \"jwks\" to ask for its keys",
        ),
        (&[url, balancer][..], "has \"alb_keys\" without \"alb\""),
        (&[url, alb, balancer, ("jwks", &["https://a/k"])], "has both \"jwks\" and \"alb_keys\""),
        (
            &[url, alb, balancer, ("discovery", &["https://a/d"])],
            "has both \"discovery\" and \"alb_keys\"",
        ),
        (
            &[url, alb, balancer, ("jwks", &["k.json"])],
            "has a file for its \"jwks\", to which \"alb_keys\" does not apply",
        ),
        (
            &[("issuer", &["a.example"][..])],
            "has no \"jwks\", and its issuer is not an absolute URL: it cannot be asked",
        ),
        (
            &[url, ("jwks", &["https://a/k"]), ("discovery", &["https://a/d"])],
            "has both \"jwks\" and \"discovery\"",
        ),
        (
            &[url, ("jwks", &["k.json"]), ("refresh", &["1m"])],
            "has a file for its \"jwks\", to which \"refresh\" does not apply",
        ),
        (
            &[url, ("refresh", &["1m"]), ("min_refresh", &["2m"])],
            "has a \"min_refresh\" over its \"refresh\"",
        ),
        (
            &[url, ("refresh", &["2m"]), ("max_stale", &["1m"])],
            "has a \"refresh\" over its \"max_stale\"",
        ),
    ] {
        assert_eq!(keys(lines).unwrap_err(), format!("mesh_issuer \"idp\" {error} in x.conf:3"));
    }
    for word in ["https://keys.example", "https://keys.example/a", "https://keys.example/?a=/"] {
        let refused = keys(&[url, ("alb_keys", &[word])]).unwrap_err();
        assert!(refused.contains("does not end in a slash"), "{refused}");
    }
}

#[test]
fn two_issuers_cannot_share_a_url_or_a_name() {
    let mut main = issuer(&[
        ("issuer", &["https://a.example"]),
        ("audience", &["api"]),
        ("jwks", &["k.json"]),
    ])
    .unwrap();
    let place = Place::default();
    assert!(read(MAIN, &mut main, "mesh_issuer", &["idp"], &place).is_err());
    read(MAIN, &mut main, "mesh_issuer", &["other"], &place).unwrap();
    let open = main.open.as_mut().unwrap();
    for (name, word) in [("issuer", "https://a.example"), ("audience", "b"), ("jwks", "k.json")] {
        read(ISSUER, open, name, &[word], &place).unwrap();
    }
    assert!(main.close_issuer().unwrap_err().to_string().contains("already belongs to"));
}

#[test]
fn wrong_values_of_an_issuer_are_refused() {
    for (name, words) in [
        ("algorithms", &["HS256"][..]),
        ("algorithms", &["none"]),
        ("algorithms", &["rs256"]),
        ("audience", &[""]),
        ("issuer", &[""]),
        ("jwks", &["http://a.example/keys"]),
        ("jwks", &["https://me:secret@a.example/keys"]),
        ("jwks", &[""]),
        ("discovery", &["a.example"]),
        ("discovery", &["file:///etc/passwd"]),
        ("refresh", &["0"]),
        ("refresh", &["8d"]),
        ("min_refresh", &["0s"]),
        ("max_stale", &["29d"]),
        ("trusted_certificate", &[""]),
        ("leeway", &["6m"]),
        ("leeway", &["-1s"]),
        ("leeway", &["1y"]),
        ("leeway", &["s"]),
        ("max_lifetime", &["0"]),
        ("max_lifetime", &["99999999999999999999d"]),
        ("introspection", &["http://a.example/i"]),
        ("introspection", &["https://a.example/i", "never"]),
        ("introspection_client", &["", "secret=s"]),
        ("introspection_client", &["a\nb", "secret=s"]),
        ("introspection_client", &["a", "secret="]),
        ("introspection_client", &["a", "password=s"]),
        ("introspection_client", &["a", "key=k", "algorithm=HS256"]),
        ("introspection_cache", &["0"]),
        ("introspection_cache", &["2d"]),
        ("introspection_negative", &["0"]),
        ("introspection_timeout", &["0"]),
        ("introspection_timeout", &["61s"]),
        ("introspection_signed", &["yes"]),
        ("introspection_audience", &["off"]),
        ("service_claim", &["sub"]),
        ("service_claim", &["/a~2b"]),
        ("nothing", &["x"]),
    ] {
        assert!(issuer(&[(name, words)]).is_err(), "{name} {words:?}");
    }
}
