//! What a worker keeps of verified tokens, and how much of it.

use super::*;

#[test]
fn the_bound_of_the_cache_holds_what_its_tokens_are_exported_as() {
    let key = Key::new("k1");
    let issuer: &[(&str, &[&str])] = &[("groups_claim", &["/groups"])];
    let mut server = Server::new(&key, issuer, &[&[("mesh_authenticate", &["token"])]]);
    for number in 0..40 {
        // Each byte of the names is exported as three, each character of the groups as six.
        let name = "\u{e9}".repeat(200 + number);
        let claims = json!({ "sub": format!("{name}{number}"), "groups": [name, "g"] });
        let token = Sent::token(&key.token(&claims));
        for _ in 0..2 {
            assert!(exported(&server.ask(&token).unwrap()).len() >= 4);
            assert!(server.ask(&token).unwrap().rendered().unwrap().text().len() > 2_000);
        }
        let [bytes, counted, taken, most] = server.cache.recount();
        assert_eq!(bytes, counted, "what comes and goes is counted alike");
        assert!(taken <= bytes, "{taken} bytes are taken, {bytes} are counted");
        assert!(bytes <= most, "{bytes} bytes are more than {most}");
    }
    assert!(!server.cache.is_empty() && server.cache.len() < 8, "the bound is reached");
}
