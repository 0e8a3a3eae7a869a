//! `meshctl key generate`.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::desk::Desk;

#[test]
fn private_key_is_readable_by_its_owner_alone() {
    let desk = Desk::new();
    desk.key("one", "ES256");
    let mode = fs::metadata(desk.path("one.jwk")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn private_key_goes_to_standard_output_without_a_file() {
    let desk = Desk::new();
    let jwk = desk.done("key generate --alg EdDSA --kid one", &[]);
    let jwk: serde_json::Value = serde_json::from_str(&jwk).unwrap();
    assert_eq!(jwk["kid"], "one");
    assert!(jwk["d"].is_string());
    assert_eq!(fs::read_dir(desk.path("")).unwrap().count(), 0);
}

#[test]
fn existing_private_key_is_not_overwritten_and_the_set_stays() {
    let desk = Desk::new();
    desk.key("one", "ES256");
    let (key, set) = (desk.json("one.jwk"), desk.json("jwks.json"));
    let run = desk.run("key generate --alg ES256 --kid two --out one.jwk --jwks jwks.json");
    assert_eq!(run.status, 2, "{run:?}");
    assert_eq!(run.err, "meshctl: one.jwk: exists already, and is not overwritten\n");
    assert_eq!((desk.json("one.jwk"), desk.json("jwks.json")), (key, set));
    assert!(!desk.path("jwks.json.new").exists());
}

#[test]
fn key_set_grows_by_public_keys_and_keeps_its_mode() {
    let desk = Desk::new();
    desk.key("one", "RS256");
    fs::set_permissions(desk.path("jwks.json"), fs::Permissions::from_mode(0o640)).unwrap();
    desk.key("two", "ES384");
    desk.key("three", "EdDSA");
    let set = desk.json("jwks.json");
    let kids: Vec<_> = set["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    assert_eq!(kids, ["one", "two", "three"]);
    assert!(set["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none()));
    let mode = fs::metadata(desk.path("jwks.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn kid_that_the_set_has_is_refused_before_a_key_is_written() {
    let desk = Desk::new();
    desk.key("one", "ES256");
    let run = desk.run("key generate --alg ES256 --kid one --out again.jwk --jwks jwks.json");
    assert_eq!(run.status, 2);
    assert!(
        run.err.starts_with(
            "meshctl: jwks.json: /keys/0: has the same kid, and a token could mean either"
        ),
        "{}",
        run.err
    );
    assert!(!desk.path("again.jwk").exists());
    assert_eq!(desk.json("jwks.json")["keys"].as_array().unwrap().len(), 1);
}

#[test]
fn set_that_is_not_json_is_left_alone_and_located() {
    let desk = Desk::new();
    desk.write("jwks.json", "{\n  \"keys\": [}\n");
    let run = desk.run("key generate --alg ES256 --jwks jwks.json");
    assert_eq!((run.status, run.out.as_str()), (2, ""));
    assert!(run.err.starts_with("meshctl: jwks.json:2:12: "), "{}", run.err);
    assert_eq!(fs::read(desk.path("jwks.json")).unwrap(), b"{\n  \"keys\": [}\n");
}

#[test]
fn set_that_another_is_writing_is_not_touched() {
    let desk = Desk::new();
    desk.key("one", "ES256");
    desk.write("jwks.json.new", "");
    let run = desk.run("key generate --alg ES256 --jwks jwks.json");
    assert_eq!((run.status, run.out.as_str()), (2, ""));
    assert!(run.err.contains("jwks.json.new: exists already"), "{}", run.err);
    assert!(desk.path("jwks.json.new").exists());
    assert_eq!(desk.json("jwks.json")["keys"].as_array().unwrap().len(), 1);
}

#[test]
fn symmetric_algorithm_is_a_usage_error() {
    let desk = Desk::new();
    assert_eq!(desk.run("key generate --alg HS256").status, 2);
    assert_eq!(desk.run("key generate --alg RS256 --bits 1024").status, 2);
}
