//! `meshctl token verify`: what is accepted, and each way to be refused.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::desk::{Desk, Run};

const VERIFY: &str = "token verify --jwks jwks.json --issuer https://idp.example --audience kafka --at 2026-01-01T00:00:00Z";

/// A desk with the key `one`, and a token that [`VERIFY`] accepts.
fn desk() -> (Desk, String) {
    let desk = Desk::new();
    desk.key("one", "ES256");
    let token = mint(&desk, "one", "");
    (desk, token)
}

fn mint(desk: &Desk, key: &str, options: &str) -> String {
    desk.done(
        &format!(
            "token mint --key {key}.jwk --issuer https://idp.example --audience kafka
             --subject etl --at 2026-01-01T00:00:00Z {options}"
        ),
        &[],
    )
}

fn verify(desk: &Desk, token: &str) -> Run {
    desk.run_with(VERIFY, &[token], b"")
}

#[track_caller]
fn assert_refused(run: &Run, reason: &str) {
    assert_eq!((run.status, run.word()), (1, reason), "{run:?}");
    assert_eq!(run.out.lines().count(), 1, "{run:?}");
    assert!(!run.err.is_empty());
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(header), part(claims))
}

#[test]
fn minted_token_is_accepted_from_argument_and_standard_input() {
    let (desk, token) = desk();
    let run = verify(&desk, &token);
    assert_eq!((run.status, run.out.as_str(), run.err.as_str()), (0, "accepted\n", ""));
    for dash in [&["-"][..], &[]] {
        for end in ["", "\n", "\r\n"] {
            let run = desk.run_with(VERIFY, dash, format!("{token}{end}").as_bytes());
            assert_eq!(run.status, 0, "{run:?}");
        }
    }
}

#[test]
fn every_algorithm_is_accepted_where_it_is_listed() {
    let desk = Desk::new();
    for alg in [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES256K", "ES384", "ES512",
        "EdDSA", "Ed25519",
    ] {
        desk.key(alg, alg);
        let token = mint(&desk, alg, "");
        assert_eq!(crate::desk::part(&token, 0)["alg"], alg);
        assert_eq!(verify(&desk, &token).word(), "accepted", "{alg} by default");
        let run = desk.run_with(VERIFY, &["--algorithms", alg, &token], b"");
        assert_eq!((run.status, run.word()), (0, "accepted"), "{alg} {run:?}");
    }
}

#[test]
fn expiry_counts_at_the_time_given() {
    let (desk, token) = desk();
    let at = |time: &str| {
        let arguments = ["--leeway", "0", "--at", time, &token];
        desk.run_with("token verify --jwks jwks.json --audience kafka", &arguments, b"")
    };
    assert_eq!(at("2026-01-01T00:59:59Z").status, 0);
    assert_eq!(at("1767229199").status, 0);
    assert_refused(&at("1767229200"), "token_expired");
    assert_refused(&at("2027-01-01T00:00:00Z"), "token_expired");

    let lenient = |leeway: &str| {
        let arguments = ["--leeway", leeway, "--at", "1767229200", &token];
        desk.run_with("token verify --jwks jwks.json --audience kafka", &arguments, b"").status
    };
    assert_eq!((lenient("0"), lenient("1s"), lenient("1m"), lenient("-1")), (1, 0, 0, 2));
}

#[test]
fn token_is_checked_against_the_clock_without_a_time() {
    let (desk, _) = desk();
    let check = |token: &str| {
        desk.run_with("token verify --jwks jwks.json --audience kafka", &[token], b"")
    };
    let mint = "token mint --key one.jwk --issuer i --audience kafka --subject etl";
    assert_eq!(check(&desk.done(mint, &[])).status, 0);
    let past = desk.done(mint, &["--expires", "-1h"]);
    assert_refused(&check(&past), "token_expired");
    let future = desk.done(mint, &["--not-before", "10m"]);
    assert_refused(&check(&future), "token_not_yet_valid");
}

#[test]
fn other_audience_is_refused() {
    let (desk, token) = desk();
    let run = desk.run_with(
        "token verify --jwks jwks.json --at 2026-01-01T00:00:00Z --audience databricks",
        &[&token],
        b"",
    );
    assert_refused(&run, "audience_refused");
    let run = desk.run_with(VERIFY, &["--audience", "databricks", &token], b"");
    assert_eq!(run.status, 0, "one of several is enough: {run:?}");
}

#[test]
fn other_issuer_is_refused() {
    let (desk, token) = desk();
    let run = desk.run_with(
        "token verify --jwks jwks.json --at 2026-01-01T00:00:00Z --audience kafka --issuer",
        &["https://idp.example/", &token],
        b"",
    );
    assert_refused(&run, "issuer_refused");
}

#[test]
fn issuer_and_audience_that_are_not_given_are_not_compared() {
    let (desk, token) = desk();
    let run =
        desk.run_with("token verify --jwks jwks.json --at 2026-01-01T00:00:00Z", &[&token], b"");
    assert_eq!((run.status, run.word()), (0, "accepted"), "{run:?}");
    assert!(run.err.contains("--issuer") && run.err.contains("--audience"), "{run:?}");
}

#[test]
fn algorithm_none_is_refused() {
    let (desk, token) = desk();
    let claims = crate::desk::part(&token, 1);
    for alg in ["none", "None", "NONE"] {
        let forged = unsigned(&json!({"alg": alg, "kid": "one"}), &claims);
        assert_refused(&verify(&desk, &forged), "algorithm_refused");
    }
    let stripped = format!("{}.", token.rsplit_once('.').unwrap().0);
    let run = verify(&desk, &stripped);
    assert_eq!(run.status, 1, "{run:?}");
}

#[test]
fn hmac_with_the_public_key_as_the_secret_is_refused() {
    let desk = Desk::new();
    desk.key("one", "RS256");
    let set = desk.json("jwks.json");
    let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = Some("one".to_owned());
    let claims = crate::desk::part(&mint(&desk, "one", ""), 1);
    for secret in [set["keys"][0].to_string(), set["keys"][0]["n"].as_str().unwrap().to_owned()] {
        let key = EncodingKey::from_secret(secret.as_bytes());
        let forged = jsonwebtoken::encode(&header, &claims, &key).unwrap();
        assert_refused(&verify(&desk, &forged), "algorithm_refused");
    }
}

#[test]
fn forged_claims_and_a_foreign_signature_are_refused() {
    let (desk, token) = desk();
    let parts: Vec<_> = token.split('.').collect();
    let mut claims = crate::desk::part(&token, 1);
    claims["sub"] = "admin".into();
    let changed = URL_SAFE_NO_PAD.encode(claims.to_string());
    let forged = format!("{}.{changed}.{}", parts[0], parts[2]);
    assert_refused(&verify(&desk, &forged), "signature_invalid");

    // Another key under the same name.
    desk.done("key generate --alg ES256 --kid one --out other.jwk", &[]);
    assert_refused(&verify(&desk, &mint(&desk, "other", "")), "signature_invalid");
}

#[test]
fn unknown_kid_is_refused() {
    let (desk, _) = desk();
    let run = verify(&desk, &mint(&desk, "one", "--kid two"));
    assert_refused(&run, "unknown_key");
    let why = "the token names kid \"two\" and alg \"ES256\", the set has \"one\" (ES256)\n";
    assert!(run.err.contains(why), "{run:?}");
}

#[test]
fn encrypted_token_is_recognised() {
    let (desk, _) = desk();
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    let run = verify(&desk, &format!("{header}.AA.AA.AA.AA"));
    assert_refused(&run, "algorithm_refused");
    assert!(run.err.contains("the token is encrypted (a JWE)"), "{run:?}");
}

#[test]
fn signature_only_takes_an_empty_payload_and_any_algorithm_that_fits() {
    let desk = Desk::new();
    desk.key("rsa", "RS256");
    desk.key("ec", "ES512");
    let mut set = desk.json("jwks.json");
    for key in set["keys"].as_array_mut().unwrap() {
        key.as_object_mut().unwrap().remove("alg");
    }
    desk.write("jwks.json", &set.to_string());
    let only = "token verify --jwks jwks.json --signature-only";
    let [refused, unknown] = ["algorithm_refused", "unknown_key"];
    for (key, alg, otherwise) in
        [("rsa", "PS384", refused), ("rsa", "RS512", refused), ("ec", "ES512", unknown)]
    {
        let token = mint(&desk, key, &format!("--alg {alg}"));
        let run = desk.run_with(only, &[&token], b"");
        assert_eq!((run.status, run.word()), (0, "accepted"), "{alg} {run:?}");
        assert_refused(&verify(&desk, &token), otherwise);
    }

    let signer = Ed25519KeyPair::generate().unwrap();
    let x = URL_SAFE_NO_PAD.encode(signer.public_key());
    desk.write(
        "jwks.json",
        &json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}).to_string(),
    );
    let input = format!("{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#));
    let signature = URL_SAFE_NO_PAD.encode(signer.sign(input.as_bytes()));
    let token = format!("{input}.{signature}");
    let run = desk.run_with(only, &[&token], b"");
    assert_eq!((run.status, run.out.as_str(), run.err.as_str()), (0, "accepted\n", ""));
    assert_refused(&verify(&desk, &token), "token_malformed");
    for bad in [format!("{input}."), format!(".{input}{signature}"), format!("..{signature}")] {
        assert_refused(&desk.run_with(only, &[&bad], b""), "token_malformed");
    }
}

#[test]
fn algorithm_that_is_not_the_key_s_is_refused() {
    let desk = Desk::new();
    desk.key("one", "RS256");
    let token = mint(&desk, "one", "--alg PS256");
    let run = desk.run_with(VERIFY, &["--algorithms", "RS256,PS256", &token], b"");
    assert_refused(&run, "algorithm_refused");
}

#[test]
fn garbage_and_nothing_are_refused() {
    let (desk, token) = desk();
    for garbage in ["garbage", "..", "a.b.c", " ", &format!(" {token}"), &format!("{token}.x")] {
        assert_refused(&verify(&desk, garbage), "token_malformed");
    }
    for input in [&b""[..], b"\n", b"\xff\xfe", format!("{token}\n\n").as_bytes()] {
        assert_refused(&desk.run_with(VERIFY, &["-"], input), "token_malformed");
    }
}

#[test]
fn token_beyond_16_kib_is_refused_and_input_beyond_64_kib_not_read() {
    let (desk, _) = desk();
    assert_refused(&desk.run_with(VERIFY, &[], &[b'a'; 17 * 1024]), "token_too_large");
    let run = desk.run_with(VERIFY, &[], &[b'a'; 65 * 1024]);
    assert_eq!(
        (run.status, run.err.as_str()),
        (2, "meshctl: standard input: larger than 65536 bytes\n")
    );
}

#[test]
fn signature_only_takes_any_payload() {
    let desk = Desk::new();
    // RFC 8037 appendix A.4: the payload is the text "Example of Ed25519 signing".
    desk.write(
        "jwks.json",
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    );
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let only = "token verify --jwks jwks.json --signature-only";
    let run = desk.run_with(only, &[token], b"");
    assert_eq!((run.status, run.out.as_str(), run.err.as_str()), (0, "accepted\n", ""));
    assert_refused(
        &desk.run_with("token verify --jwks jwks.json", &[token], b""),
        "token_malformed",
    );
    let forged = token.replace(".RXh", ".RXi");
    assert_refused(&desk.run_with(only, &[&forged], b""), "signature_invalid");
}

#[test]
fn signature_only_accepts_an_expired_token_and_takes_no_claim_options() {
    let (desk, _) = desk();
    let old = mint(&desk, "one", "--expires -1h");
    assert_refused(&verify(&desk, &old), "token_expired");
    let only = "token verify --jwks jwks.json --signature-only";
    assert_eq!(desk.run_with(only, &[&old], b"").status, 0);
    assert_eq!(desk.run_with(only, &["--issuer", "i", &old], b"").status, 2);
}

#[test]
fn json_answer_is_one_object() {
    let (desk, token) = desk();
    let run = desk.run_with(VERIFY, &["--json", &token], b"");
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    assert_eq!(answer["accepted"], true);
    assert_eq!(answer["reason"], Value::Null);
    assert_eq!(answer["algorithm"], "ES256");
    assert_eq!(answer["kid"], "one");
    assert_eq!(answer["claims"], crate::desk::part(&token, 1));

    let run = desk.run_with(VERIFY, &["--json", "garbage"], b"");
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(run.status, 1);
    assert_eq!(answer["accepted"], false);
    assert_eq!(answer["reason"], "token_malformed");
    assert_eq!(answer["claims"], Value::Null);
}

#[test]
fn claims_that_nobody_signed_are_not_shown() {
    let (desk, _) = desk();
    desk.done("key generate --alg ES256 --kid one --out other.jwk", &[]);
    let forged = mint(&desk, "other", "");
    let run = desk.run_with(VERIFY, &["--json", &forged], b"");
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(answer["reason"], "signature_invalid");
    assert_eq!(answer["claims"], Value::Null);
    assert!(!run.out.contains("etl") && !run.err.contains("etl"), "{run:?}");
}

#[test]
fn file_at_fault_is_status_2_with_the_place() {
    let (desk, token) = desk();
    let run = desk.run_with("token verify --jwks nowhere.json", &[&token], b"");
    assert_eq!((run.status, run.out.as_str()), (2, ""));
    assert!(run.err.starts_with("meshctl: nowhere.json: "), "{}", run.err);

    desk.write("broken.json", "{\n  \"keys\": [\n    oops\n  ]\n}\n");
    let run = desk.run_with("token verify --jwks broken.json", &[&token], b"");
    assert_eq!((run.status, run.out.as_str()), (2, ""));
    assert!(run.err.starts_with("meshctl: broken.json:3:5: "), "{}", run.err);

    assert_eq!(desk.run_with("token verify", &[&token], b"").status, 2);
    assert_eq!(desk.run_with(VERIFY, &["--algorithms", "HS256", &token], b"").status, 2);
    assert_eq!(desk.run_with(VERIFY, &["--at", "yesterday", &token], b"").status, 2);
}

#[test]
fn set_without_a_usable_key_refuses_every_token() {
    let desk = Desk::new();
    desk.key("pss", "PS256");
    let token = mint(&desk, "pss", "");
    let run = desk.run_with(VERIFY, &["--algorithms", "RS256", &token], b"");
    assert_refused(&run, "keys_unavailable");
    assert!(run.err.contains("key \"pss\": "), "{run:?}");
}

#[test]
fn key_that_was_skipped_is_named_where_it_is_missed() {
    let (desk, token) = desk();
    desk.key("pss", "PS256");
    let pss = mint(&desk, "pss", "");
    let run = desk.run_with(VERIFY, &["--algorithms", "ES256", &pss], b"");
    assert_refused(&run, "algorithm_refused");
    assert!(run.err.contains("skipped key \"pss\": "), "{run:?}");
    assert_eq!(verify(&desk, &token).err, "");
}

#[test]
fn binding_that_was_not_compared_is_mentioned() {
    let (desk, _) = desk();
    let x5t = "X3jDMnTkP6neVlkmXB2RfiXANyLcsLjSfbjV_qqBOVM";
    let run = verify(&desk, &mint(&desk, "one", &format!("--thumbprint {x5t}")));
    assert_eq!((run.status, run.out.as_str()), (0, "accepted\n"));
    assert!(run.err.contains("bound to a certificate"), "{run:?}");
}

#[test]
fn service_is_named_by_the_claim_of_the_option() {
    let (desk, _) = desk();
    let token = desk.done(
        "token mint --key one.jwk --issuer https://idp.example --audience kafka --at 1767225600",
        &["--claims", r#"{"azp":"0oa1etl"}"#],
    );
    assert_refused(&verify(&desk, &token), "service_missing");
    let run = desk.run_with(VERIFY, &["--service-claim", "/azp", &token], b"");
    assert_eq!((run.status, run.word()), (0, "accepted"), "{run:?}");
    assert_eq!(desk.run_with(VERIFY, &["--service-claim", "azp", &token], b"").status, 2);
}
