//! `meshctl issuer check`, against servers over TLS.

use serde_json::{Value, json};

use crate::desk::{Desk, Run};
use crate::host::{Host, ok};

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// RFC 8037 appendix A.2, and a symmetric key with an escape code of terminals in its `kid`.
const KEYS: &str = r#"{"keys":[
    {"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    {"kty":"oct","kid":"\u001b[2J","k":"c2VjcmV0"}]}"#;

/// A server that is an issuer, whose keys come with these header lines.
fn issuer(headers: &'static str) -> Host {
    Host::new(move |path, port| match path {
        DISCOVERY => discovery(&format!("https://localhost:{port}"), port),
        "/keys" => ok(headers, KEYS),
        _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
    })
}

fn discovery(issuer: &str, port: u16) -> String {
    let keys = format!("https://localhost:{port}/keys");
    ok("", &json!({ "issuer": issuer, "jwks_uri": keys }).to_string())
}

fn check(host: &Host, path: &str) -> Run {
    let desk = Desk::new();
    desk.write("ca.pem", &host.authority);
    desk.run(&format!("issuer check --trusted-certificate ca.pem {}", host.url(path)))
}

#[test]
fn a_good_issuer_is_told_key_by_key() {
    let host = issuer("Cache-Control: max-age=60\r\nETag: \"1\"\r\n");
    let run = check(&host, "");
    assert_eq!((run.status, run.err.as_str()), (0, ""), "{}", run.out);
    let url = host.url("");
    let expected = [
        format!("mesh_issuer \"issuer\", {url}"),
        format!(
            "  ok       discovery: {url}{DISCOVERY}: the issuer is the same, the keys are at {url}/keys"
        ),
        format!("  ok       keys: {url}/keys: 1 of 2 keys are usable"),
        "  ok       key: \"ed\": EdDSA".to_owned(),
        "  warning  key: \"\\u{1b}[2J\" is not used: symmetric key".to_owned(),
        "  note     clock: the server does not tell its time".to_owned(),
        "  note     refresh: the server says that they are fresh for 60 s, with an ETag: they are \
         asked for again within 60 s"
            .to_owned(),
    ];
    assert_eq!(run.out.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn an_issuer_that_differs_is_shown_beside_what_was_expected() {
    for (named, hint) in [
        ("https://localhost:PORT/", "by the slash at the end"),
        ("https://LOCALHOST:PORT", "by capital letters"),
        ("https://localhost:PORT/{tenantid}/v2.0", "for many tenants"),
        ("https://other.example", "another issuer"),
    ] {
        let host =
            Host::new(move |_, port| discovery(&named.replace("PORT", &port.to_string()), port));
        let run = check(&host, "");
        assert_eq!(run.status, 1, "{run:?}");
        let named = named.replace("PORT", host.url("").rsplit(':').next().unwrap());
        let both = format!(
            "  error    issuer: the configuration says {:?}, the discovery document {named:?}",
            host.url("")
        );
        assert!(run.out.contains(&both), "{}", run.out);
        assert!(run.out.contains(hint), "{hint}: {}", run.out);
    }
}

#[test]
fn what_is_wrong_with_tls_is_told_in_plain_words() {
    let (good, other) = (issuer(""), issuer(""));
    let desk = Desk::new();
    desk.write("ca.pem", &other.authority);
    let run = desk.run(&format!("issuer check --trusted-certificate ca.pem {}", good.url("")));
    assert_eq!(run.status, 1);
    assert!(run.out.contains("comes from no trusted authority"), "{}", run.out);
    assert!(run.out.contains("`trusted_certificate`"), "{}", run.out);
    for (name, years, expected) in [
        ("other.example", (2020, 2040), "the server's certificate is for another name"),
        ("localhost", (2020, 2021), "the server's certificate has expired"),
        ("localhost", (2039, 2040), "the server's certificate is not valid yet"),
    ] {
        let host = Host::named(name, years, |_, _| ok("", "{}"));
        let run = check(&host, "");
        assert_eq!(run.status, 1);
        let line = format!("  error    discovery: {}: {expected}", host.url(DISCOVERY));
        assert!(run.out.contains(&line), "{}", run.out);
    }
}

#[test]
fn answers_that_the_module_would_not_take_are_told_why() {
    let large = ok("", &" ".repeat(300_000));
    let encoded = ok("Content-Encoding: gzip\r\n", "x");
    for (answer, expected) in [
        (
            "HTTP/1.1 302 Found\r\nLocation: https://a/\r\n\r\n",
            "redirect (302), which is not followed",
        ),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "the server answers 404"),
        (&encoded, "has a Content-Encoding"),
        (&large, "larger than 262144 bytes"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "ended before the answer did"),
        ("SSH-2.0\r\n", "is not HTTP/1"),
        (&ok("", "<html>"), "discovery document: invalid JSON at line 1 column 1"),
        (&ok("", "{}"), "has no \"issuer\""),
    ] {
        let answer = answer.to_owned();
        let host = Host::new(move |_, _| answer.clone());
        let run = check(&host, "");
        assert_eq!((run.status, run.err.as_str()), (1, ""), "{expected}");
        assert!(run.out.contains("  error    discovery: "), "{}", run.out);
        assert!(run.out.contains(expected), "{expected}: {}", run.out);
    }
    // Nothing listens there any more.
    let gone = { issuer("").url("") };
    let run = Desk::new().run(&format!("issuer check {gone}"));
    assert_eq!(run.status, 1);
    assert!(run.out.contains("cannot connect") || run.out.contains("trusted"), "{}", run.out);
}

#[test]
fn clocks_are_compared_with_the_leeway() {
    for (date, level, text) in [
        (
            "Thu, 26 Nov 2020 08:00:00 GMT",
            "error",
            "ahead of the server's, more than the leeway of 30 s",
        ),
        (
            "Fri, 01 Jan 2100 00:00:00 GMT",
            "error",
            "behind the server's, more than the leeway of 30 s",
        ),
    ] {
        let host = Host::new(move |path, port| match path {
            DISCOVERY => discovery(&format!("https://localhost:{port}"), port),
            _ => ok(&format!("Date: {date}\r\n"), KEYS),
        });
        let run = check(&host, "");
        assert_eq!(run.status, 1);
        let line = run.out.lines().find(|line| line.contains("clock: ")).unwrap();
        assert!(line.starts_with(&format!("  {level}")) && line.ends_with(text), "{line}");
    }
}

#[test]
fn every_issuer_of_a_configuration_is_checked_with_its_own_settings() {
    let (one, two) = (issuer(""), issuer(""));
    let desk = Desk::new();
    desk.write("one.pem", &one.authority);
    desk.write("keys.json", KEYS);
    desk.write(
        "nginx.conf",
        "events { }\nhttp {\n  include issuers*.conf;\n  server { listen 1; }\n\
             mesh_issuer file { issuer https://f; audience a; jwks keys.json; }\n\
             mesh_issuer bad { issuer https://b; audience a; jwks none.json; algorithms HS256; }\n\
             mesh_issuer rsa { issuer https://r; audience a; jwks keys.json; algorithms RS256; }\n}\n",
    );
    desk.write(
        "issuers-1.conf",
        &format!(
            "mesh_issuer one {{ issuer {}; audience a; trusted_certificate one.pem; }}\n\
             mesh_issuer two {{ issuer x; audience a; jwks {}; trusted_certificate one.pem; }}\n",
            one.url(""),
            two.url("/keys")
        ),
    );
    let run = desk.run("issuer check --json nginx.conf");
    assert_eq!((run.status, run.err.as_str()), (1, ""));
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(report["good"], false);
    let faults = report["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 1, "{report:#}");
    assert!(faults[0].as_str().unwrap().starts_with("nginx.conf:6: algorithms: \"HS256\""));
    let verdicts: Vec<_> = report["issuers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["name"].as_str().unwrap(), it["good"].as_bool().unwrap()))
        .collect();
    assert_eq!(verdicts, [("one", true), ("two", false), ("file", true), ("rsa", false)]);
    let two = &report["issuers"][1]["findings"][0];
    assert_eq!((&two["level"], &two["check"]), (&json!("error"), &json!("keys")));
    let rsa = &report["issuers"][3]["findings"][0];
    assert_eq!(rsa["text"], "keys.json: 0 of 2 keys are usable");
}

#[test]
fn what_cannot_be_asked_is_status_2() {
    let desk = Desk::new();
    desk.write("broken.conf", "http {");
    for (words, expected) in [
        ("issuer check", "required"),
        ("issuer check nowhere.conf", "nowhere.conf: "),
        ("issuer check broken.conf", "broken.conf:1: unexpected end of file"),
        ("issuer check --algorithms RS256 broken.conf", "are for a URL"),
        ("issuer check http://idp.example", "plain http to another host"),
        ("issuer check https://idp.example/.well-known/openid-configuration", "give the issuer"),
    ] {
        let run = desk.run(words);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{words}");
        assert!(run.err.contains(expected), "{words}: {}", run.err);
    }
    desk.write("none.conf", "http { server { } }");
    let run = desk.run("issuer check none.conf");
    assert_eq!((run.status, run.out.lines().count()), (1, 2), "{run:?}");
    assert!(run.out.contains("there is no mesh_issuer in it"));
}

#[test]
fn a_bundle_of_a_trust_domain_is_judged_as_one() {
    let desk = Desk::new();
    desk.write(
        "bundle.json",
        &KEYS.replace("\"kid\":\"ed\"", "\"kid\":\"ed\",\"use\":\"jwt-svid\""),
    );
    let issuer = "{ audience a; jwks bundle.json; issuer https://a; }";
    desk.write("plain.conf", &format!("mesh_issuer plain {issuer}"));
    assert_eq!(desk.run("issuer check plain.conf").status, 1, "a key for something else");
    let spiffe = issuer.replace("issuer https://a", "spiffe_trust_domain prod.example");
    desk.write("spiffe.conf", &format!("mesh_issuer prod {spiffe}"));
    let run = desk.run("issuer check spiffe.conf");
    assert_eq!(run.status, 0, "{run:?}");
    let line = run.out.lines().nth(1);
    assert_eq!(line, Some("  ok       keys: bundle.json: 1 of 2 keys are usable"), "{}", run.out);
}
