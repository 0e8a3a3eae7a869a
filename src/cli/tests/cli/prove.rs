//! `meshctl token prove`.

use crate::desk::{Desk, part};

const URL: &str = "https://api.example/topics";

#[test]
fn proof_says_what_the_options_say() {
    let desk = Desk::new();
    desk.key("client", "ES256");
    let proof = desk.done(
        "token prove --key client.jwk --method POST --at 1800000000 --jti one --nonce two
         --url https://api.example/topics?a=b#c",
        &["Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"],
    );
    let key = &desk.json("jwks.json")["keys"][0];
    assert_eq!(
        part(&proof, 0),
        serde_json::json!({
            "typ": "dpop+jwt", "alg": "ES256",
            "jwk": { "kty": "EC", "crv": "P-256", "x": key["x"], "y": key["y"] },
        })
    );
    // `ath` is from RFC 9449 section 7.1.
    assert_eq!(
        part(&proof, 1),
        serde_json::json!({
            "jti": "one", "htm": "POST", "htu": URL, "iat": 1_800_000_000, "nonce": "two",
            "ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo",
        })
    );
}

#[test]
fn each_proof_has_an_identifier_of_its_own() {
    let desk = Desk::new();
    desk.key("client", "EdDSA");
    let prove = || desk.done("token prove --key client.jwk --url https://api.example/", &["token"]);
    let ids = [part(&prove(), 1)["jti"].clone(), part(&prove(), 1)["jti"].clone()];
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0].as_str().unwrap().len(), 22);
}

#[test]
fn token_comes_from_standard_input() {
    let desk = Desk::new();
    desk.key("client", "RS256");
    let words = "token prove --key client.jwk --alg PS256 --url https://api.example/";
    let run = desk.run_with(words, &[], b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU\n");
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(part(&run.out, 1)["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    let header = part(&run.out, 0);
    assert_eq!(header["alg"], "PS256");
    assert_eq!(header["jwk"].as_object().unwrap().len(), 3, "the public members alone");
}

#[test]
fn token_is_bound_to_a_key_by_its_thumbprint() {
    let desk = Desk::new();
    desk.key("one", "ES256");
    // Its kid is its thumbprint.
    let run = desk.run("key generate --alg ES256 --out client.jwk");
    assert_eq!(run.status, 0, "{run:?}");
    let jkt = desk.json("client.jwk")["kid"].clone();
    let token = desk.done("token mint --key one.jwk --jkt-of client.jwk", &[]);
    assert_eq!(part(&token, 1)["cnf"], serde_json::json!({ "jkt": jkt }));
    let x5t = "X3jDMnTkP6neVlkmXB2RfiXANyLcsLjSfbjV_qqBOVM";
    let token = desk.done("token mint --key one.jwk --jkt-of client.jwk --thumbprint", &[x5t]);
    assert_eq!(part(&token, 1)["cnf"], serde_json::json!({ "jkt": jkt, "x5t#S256": x5t }));
}
