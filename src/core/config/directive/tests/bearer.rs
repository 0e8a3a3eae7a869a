use super::*;

#[test]
fn a_bearer_file_is_for_keys_that_a_server_shows_over_tls() {
    let of = |lines: &[(&str, &[&str])]| {
        let usual: &[(&str, &[&str])] =
            &[("issuer", &["https://a.example"]), ("audience", &["api"])];
        issuer(&[usual, lines, &[("jwks_bearer", &["token"])]].concat())
    };
    let bearer = |main: Result<RawMain, String>| match &main.unwrap().issuers[0].keys {
        KeySource::Remote(remote) => remote.bearer.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(bearer(of(&[])), Some("token".into()));
    assert_eq!(bearer(of(&[("jwks", &["https://b.example/keys"])])), Some("token".into()));
    let balancer = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/a/1";
    let asked: &[(&str, &[&str])] = &[
        ("introspection", &["https://a.example/i"]),
        ("introspection_client", &["gateway", "secret=s"]),
    ];
    for (lines, error) in [
        (&[("jwks", &["keys.json"][..])][..], "to which \"jwks_bearer\" does not apply"),
        (&[("jwks", &["http://127.0.0.1/keys"])], "is sent only over https"),
        (
            &[("alb", &[balancer]), ("alb_keys", &["https://b.example/"])],
            "has \"alb_keys\", to which \"jwks_bearer\" does not apply",
        ),
        (asked, "fetches no keys, so \"jwks_bearer\" does not apply"),
        (&[("jwks_bearer", &["other"])], "is duplicate"),
    ] {
        let refused = of(lines).unwrap_err();
        assert!(refused.contains(error), "{refused}");
    }
}
