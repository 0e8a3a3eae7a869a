//! `meshctl jwks check`.

use crate::desk::Desk;

/// RFC 8037 appendix A.2.
const ED25519: &str =
    r#"{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

#[test]
fn usable_keys_are_listed_with_their_algorithms() {
    let desk = Desk::new();
    for alg in ["RS256", "ES256", "ES384", "EdDSA"] {
        desk.key(&format!("key-{alg}"), alg);
    }
    let run = desk.run("jwks check jwks.json");
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    let expected = "/keys/0 \"key-RS256\": usable: RS256\n\
                    /keys/1 \"key-ES256\": usable: ES256\n\
                    /keys/2 \"key-ES384\": usable: ES384\n\
                    /keys/3 \"key-EdDSA\": usable: EdDSA\n";
    assert_eq!(run.out, expected);
}

#[test]
fn algorithms_decide_what_is_usable() {
    let desk = Desk::new();
    desk.key("pss", "PS256");
    for only in ["ES256", "Ed25519"] {
        assert_eq!(desk.run(&format!("jwks check --algorithms {only} jwks.json")).status, 1);
    }
    let run = desk.run("jwks check jwks.json");
    assert_eq!((run.status, run.out.as_str()), (0, "/keys/0 \"pss\": usable: PS256\n"));
    let run = desk.run("jwks check --algorithms PS256,RS256 jwks.json");
    assert_eq!((run.status, run.out.as_str()), (0, "/keys/0 \"pss\": usable: PS256\n"));
    assert_eq!(desk.run("jwks check --algorithms HS256 jwks.json").status, 2);
}

#[test]
fn key_that_is_not_usable_says_why_beside_one_that_is() {
    let desk = Desk::new();
    let symmetric = r#"{"kty":"oct","kid":"hmac","k":"c2VjcmV0"}"#;
    let encryption = ED25519.replace("\"ed\"", "\"enc\",\"use\":\"enc\"");
    let hostile = r#"{"kty":"x","kid":"\u001b[31m\n/keys/9: usable"}"#;
    desk.write(
        "jwks.json",
        &format!("{{\"keys\":[{ED25519},{symmetric},{encryption},{hostile}]}}"),
    );
    let run = desk.run("jwks check jwks.json");
    assert_eq!(run.status, 1);
    let lines: Vec<_> = run.out.lines().collect();
    assert_eq!(lines.len(), 4, "{run:?}");
    assert_eq!(lines[0], "/keys/0 \"ed\": usable: EdDSA");
    assert!(lines[1].starts_with("/keys/1 \"hmac\": not usable: symmetric"), "{run:?}");
    assert!(lines[2].starts_with("/keys/2 \"enc\": not usable: \"use\""), "{run:?}");
    assert!(lines[3].starts_with("/keys/3 \"\\u{1b}[31m\\n"), "{run:?}");
}

#[test]
fn private_key_in_a_set_is_not_usable() {
    let desk = Desk::new();
    desk.key("one", "ES256");
    desk.write("leaked.json", &serde_json::json!({"keys": [desk.json("one.jwk")]}).to_string());
    let run = desk.run("jwks check leaked.json");
    assert_eq!(run.status, 1);
    assert!(run.out.contains("not usable") && run.out.contains("private"), "{run:?}");
}

#[test]
fn set_that_is_refused_whole_is_status_1() {
    let desk = Desk::new();
    let many = ["{}"; 1001].join(",");
    desk.write("many.json", &format!("{{\"keys\":[{many}]}}"));
    desk.write("none.json", "{\"keys\":[]}");
    for file in ["many.json", "none.json"] {
        let run = desk.run(&format!("jwks check {file}"));
        assert_eq!(run.status, 1, "{run:?}");
        assert!(run.out.starts_with("the set is refused: "), "{run:?}");
    }
}

#[test]
fn keys_of_one_name_are_not_usable_and_one_key_twice_is() {
    let desk = Desk::new();
    desk.write("twice.json", &format!("\u{feff}{{\"keys\":[{ED25519},{ED25519}]}}"));
    let run = desk.run("jwks check twice.json");
    assert_eq!((run.status, run.out.lines().count()), (0, 2), "{run:?}");

    desk.key("ed", "Ed25519");
    desk.key("one", "ES256");
    let mut set = desk.json("jwks.json");
    set["keys"].as_array_mut().unwrap().push(serde_json::from_str(ED25519).unwrap());
    desk.write("ambiguous.json", &set.to_string());
    let run = desk.run("jwks check ambiguous.json");
    let why = "\"ed\": not usable: another key has the same kid and algorithm, neither is used";
    let expected = format!("/keys/0 {why}\n/keys/1 \"one\": usable: ES256\n/keys/2 {why}\n");
    assert_eq!((run.status, run.out), (1, expected));
}

#[test]
fn file_that_is_no_key_set_is_status_2_with_the_place() {
    let desk = Desk::new();
    desk.write("broken.json", "{\n  \"keys\": [\n    oops\n  ]\n}\n");
    desk.write("twice.json", "{\"keys\": [],\n \"keys\": []}");
    desk.write("empty.json", "");
    desk.write("other.json", "{\"kty\":\"OKP\"}");
    for (file, expected) in [
        ("broken.json", "broken.json:3:5: invalid JSON"),
        ("twice.json", "twice.json:2:"),
        ("empty.json", "empty.json: "),
        ("other.json", "other.json: "),
        ("nowhere.json", "nowhere.json: "),
    ] {
        let run = desk.run(&format!("jwks check {file}"));
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{file}");
        assert!(run.err.starts_with(&format!("meshctl: {expected}")), "{}", run.err);
    }
    assert_eq!(desk.run("jwks check").status, 2);
}
