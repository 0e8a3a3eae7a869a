//! `meshctl token mint`.

use crate::desk::{Desk, part};

#[test]
fn token_says_what_the_options_say() {
    let desk = Desk::new();
    desk.key("one", "ES256");
    let token = desk.done(
        "token mint --key one.jwk --issuer https://idp.example --audience kafka --subject etl
         --at 2026-01-01T00:00:00Z --expires 5m --not-before -1m --typ at+jwt",
        &["--claims", r#"{"groups":["a","b"]}"#],
    );
    assert_eq!(part(&token, 0), serde_json::json!({"alg": "ES256", "kid": "one", "typ": "at+jwt"}));
    assert_eq!(
        part(&token, 1),
        serde_json::json!({
            "iss": "https://idp.example", "aud": "kafka", "sub": "etl", "groups": ["a", "b"],
            "iat": 1_767_225_600, "exp": 1_767_225_900, "nbf": 1_767_225_540,
        })
    );
}

#[test]
fn token_lives_an_hour_unless_told_otherwise() {
    let desk = Desk::new();
    desk.key("one", "EdDSA");
    let token = desk.done("token mint --key one.jwk", &[]);
    let claims = part(&token, 1);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3_600);
    assert!(claims.get("aud").is_none());

    let token = desk.done("token mint --key one.jwk --claims", &[r#"{"exp":7,"iat":5}"#]);
    assert_eq!(part(&token, 1), serde_json::json!({"exp": 7, "iat": 5}));

    let token = desk.done("token mint --key one.jwk --expires -1h --at 10000", &[]);
    assert_eq!(part(&token, 1), serde_json::json!({"exp": 6_400, "iat": 10_000}));
}

#[test]
fn header_can_leave_out_kid_and_typ() {
    let desk = Desk::new();
    desk.key("one", "RS256");
    let token = desk.done("token mint --key one.jwk --alg PS384", &["--kid", "", "--typ", ""]);
    assert_eq!(part(&token, 0), serde_json::json!({"alg": "PS384"}));
}

#[test]
fn header_can_hold_more() {
    let desk = Desk::new();
    desk.key("one", "ES512");
    let token =
        desk.done("token mint --key one.jwk --header", &[r#"{"signer":"arn:x","kid":"two"}"#]);
    assert_eq!(
        part(&token, 0),
        serde_json::json!({"alg": "ES512", "kid": "two", "signer": "arn:x", "typ": "JWT"})
    );
    let run = desk.run_with("token mint --key one.jwk --header", &[r#"{"alg":"none"}"#], b"");
    assert_eq!(run.status, 2);
}

#[test]
fn several_audiences_are_a_list() {
    let desk = Desk::new();
    desk.key("one", "ES256");
    let token = desk.done("token mint --key one.jwk --audience a --audience b", &[]);
    assert_eq!(part(&token, 1)["aud"], serde_json::json!(["a", "b"]));
}

#[test]
fn certificate_binds_the_token() {
    let desk = Desk::new();
    desk.key("one", "ES256");
    // The thumbprint is of the DER, whatever it holds: here four bytes.
    desk.write("client.pem", "-----BEGIN CERTIFICATE-----\n3q2+7w==\n-----END CERTIFICATE-----\n");
    let token = desk.done("token mint --key one.jwk --thumbprint-of client.pem", &[]);
    let x5t = "X3jDMnTkP6neVlkmXB2RfiXANyLcsLjSfbjV_qqBOVM";
    assert_eq!(part(&token, 1)["cnf"], serde_json::json!({"x5t#S256": x5t}));
    let same = desk.done("token mint --key one.jwk --thumbprint", &[x5t]);
    assert_eq!(part(&same, 1)["cnf"], part(&token, 1)["cnf"]);

    assert_eq!(desk.run("token mint --key one.jwk --thumbprint abcd").status, 2);
    let run = desk.run("token mint --key one.jwk --thumbprint-of one.jwk");
    assert_eq!(run.err, "meshctl: one.jwk: no certificate in PEM found\n");
}

#[test]
fn claim_that_is_said_twice_is_a_usage_error() {
    let desk = Desk::new();
    desk.key("one", "ES256");
    for (options, claims) in [
        ("--issuer a", r#"{"iss":"b"}"#),
        ("--audience a", r#"{"aud":"b"}"#),
        ("--expires 1h", r#"{"exp":1}"#),
    ] {
        let run =
            desk.run_with(&format!("token mint --key one.jwk {options} --claims"), &[claims], b"");
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{options}");
        assert!(run.err.contains("already"), "{}", run.err);
    }
}

#[test]
fn file_at_fault_is_named_with_the_place() {
    let desk = Desk::new();
    desk.key("one", "ES256");
    desk.write("claims.json", "{\n  \"a\": 1,\n  \"b\": }\n");
    let run = desk.run("token mint --key one.jwk --claims @claims.json");
    assert_eq!((run.status, run.err.as_str()), (2, "meshctl: claims.json:3:8: invalid JSON\n"));

    desk.write("broken.jwk", "{\"kty\": \"EC\",\n");
    let run = desk.run("token mint --key broken.jwk");
    assert_eq!(run.status, 2);
    assert!(run.err.starts_with("meshctl: broken.jwk:2:1: "), "{}", run.err);

    desk.write("public.jwk", &desk.json("jwks.json")["keys"][0].to_string());
    let run = desk.run("token mint --key public.jwk");
    assert_eq!(run.err, "meshctl: public.jwk: member \"d\" is missing\n");

    let run = desk.run("token mint --key nowhere.jwk");
    assert_eq!(run.status, 2);
    assert!(run.err.starts_with("meshctl: nowhere.jwk: "), "{}", run.err);
}

#[test]
fn algorithm_of_another_key_type_is_refused() {
    let desk = Desk::new();
    desk.key("one", "ES256");
    let run = desk.run("token mint --key one.jwk --alg RS256");
    assert_eq!(run.err, "meshctl: one.jwk: algorithm RS256 does not fit a P-256 key\n");
    assert_eq!(run.status, 2);
    assert_eq!(desk.run("token mint --key one.jwk --alg none").status, 2);
}
