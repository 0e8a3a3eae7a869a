use super::*;
use crate::config::Resolver;
use crate::issuer::{ClientProof, SecretMethod};
use crate::testing;

const EITHER: &str = "needs either secret= or key= in \"introspection_client\", method= with secret= \
                      alone, and algorithm= with key= alone";
const METHOD: &str = "\"post\" is not client_secret_basic or client_secret_post";

#[test]
fn an_issuer_is_asked_about_tokens_as_a_client_that_proves_itself() {
    let asked = |lines: &[(&str, &[&str])]| {
        let url = ("issuer", &["https://a.example"][..]);
        issuer(&[&[url], lines].concat()).map(|main| main.issuers[0].clone())
    };
    let (audience, url) =
        (("audience", &["api"][..]), ("introspection", &["https://a.example/i"][..]));
    let secret = ("introspection_client", &["gateway", "secret=s"][..]);
    let found = asked(&[audience, url, secret]).unwrap();
    assert_eq!(found.keys, KeySource::None);
    let introspection = found.introspection.unwrap();
    assert_eq!(introspection.client.proof, ClientProof::Secret("s".into(), SecretMethod::Basic));
    let times = [introspection.cache, introspection.negative, introspection.timeout];
    assert_eq!(times.map(|time| time.as_secs()), [60, 10, 5]);
    assert!(introspection.needs_audience && !introspection.signed && !introspection.always);

    for (method, sent) in
        [("client_secret_post", SecretMethod::Post), ("client_secret_basic", SecretMethod::Basic)]
    {
        let method = format!("method={method}");
        let words = ["gateway", &method, "secret=s"];
        let found = asked(&[audience, url, ("introspection_client", &words)]).unwrap();
        assert_eq!(
            found.introspection.unwrap().client.proof,
            ClientProof::Secret("s".into(), sent)
        );
    }
    let key = ("introspection_client", &["gateway", "key=k", "algorithm=PS256"][..]);
    let signed = ("introspection_signed", &["on"][..]);
    let found = asked(&[audience, url, key, signed, ("refresh", &["1m"])]).unwrap();
    assert!(matches!(found.keys, KeySource::Remote(_)), "a signed answer needs keys");
    let optional = ("introspection_audience", &["optional"][..]);
    assert!(asked(&[url, secret, optional]).unwrap().audiences.is_empty());
    let trusted = ("trusted_certificate", &["ca.pem"][..]);
    assert!(asked(&[audience, url, secret, trusted, ("jwks", &["k.json"])]).is_ok());

    for (lines, error) in [
        (&[audience, url][..], "has \"introspection\" without \"introspection_client\""),
        (&[audience, secret], "has \"introspection_client\" without \"introspection\""),
        (&[audience, signed], "has \"introspection_signed\" without \"introspection\""),
        (&[url, secret], "has no \"audience\""),
        (
            &[audience, url, secret, ("refresh", &["1m"])],
            "fetches no keys, so \"refresh\" does not apply",
        ),
        (
            &[audience, url, ("introspection_client", &["gateway", "secret=s", "algorithm=RS256"])],
            EITHER,
        ),
        (&[audience, url, ("introspection_client", &["gateway", "secret=s", "key=k"])], EITHER),
        (
            &[
                audience,
                url,
                ("introspection_client", &["gateway", "key=k", "method=client_secret_post"]),
            ],
            EITHER,
        ),
        (
            &[audience, url, ("introspection_client", &["gateway", "secret=s", "method=post"])],
            METHOD,
        ),
    ] {
        let error = match error {
            METHOD => error.to_owned(),
            error => format!("mesh_issuer \"idp\" {error} in x.conf:3"),
        };
        assert_eq!(asked(lines).unwrap_err(), error);
    }
}

#[test]
fn a_location_asks_one_issuer_about_opaque_tokens() {
    let place = Place { file: "x.conf".into(), line: 9 };
    let audience = ("audience", &["api"][..]);
    let asked = ("introspection", &["https://a.example/i"][..]);
    let client = ("introspection_client", &["gateway", "secret=s"][..]);
    let main = testing::issuers(&[
        ("one", &[("issuer", &["https://one.example"]), audience, asked, client]),
        ("two", &[("issuer", &["https://two.example"]), audience, asked, client]),
        ("keys", &[("issuer", &["https://keys.example"]), audience, ("jwks", &["k.json"])]),
    ]);
    let mut resolver = Resolver::new(&main);
    let mut introspector = |accepted: &[&str]| {
        let mut raw = RawLocation::default();
        read(LOCATION, &mut raw, "mesh_authenticate", &["token"], &place).unwrap();
        for name in accepted {
            read(LOCATION, &mut raw, "mesh_accept", &[name], &place).unwrap();
        }
        let location = resolver.resolve(&raw, &mut |_| None);
        location.map(|it| it.unwrap().authentication.introspector).map_err(|it| it.to_string())
    };
    assert_eq!(introspector(&["two", "keys"]), Ok(Some(1)));
    assert_eq!(introspector(&["keys"]), Ok(None));
    for ambiguous in [&[][..], &["one", "keys", "two"]] {
        assert_eq!(
            introspector(ambiguous).unwrap_err(),
            "mesh_issuer \"one\" and \"two\" both introspect, and an opaque token does not say whose \
             it is: name one of them by mesh_accept in x.conf:9"
        );
    }
}
