//! The envelope of a token.

use std::sync::LazyLock;

use mesh_core::key::algorithm::{Algorithm, AlgorithmSet};
use mesh_core::key::jwks::KeySet;
use mesh_core::key::jws::CompactJws;
use serde_json::{Value, json};

use crate::keys::{self, BARE, EC, ED, FORGER, KEYS, P384, RSA, part, token};
use crate::recipe;

const PUBLISHED: [usize; 5] = [EC, ED, RSA, BARE, P384];

static SET: LazyLock<KeySet> = LazyLock::new(|| {
    let all = AlgorithmSet::from_iter(Algorithm::ALL);
    KeySet::parse(&keys::set(&PUBLISHED), all).expect("a valid key set").0
});

static TOKENS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let claims = json!({ "iss": "https://idp.example", "sub": "orders", "exp": 1_900_000_000 });
    [
        token(EC, &json!({ "alg": "ES256", "kid": "k1" }), &claims),
        token(ED, &json!({ "alg": "EdDSA", "kid": "k2", "typ": "JWT" }), &claims),
        token(RSA, &json!({ "alg": "RS256", "kid": "r1" }), &claims),
        token(BARE, &json!({ "alg": "ES256" }), &claims),
        token(P384, &json!({ "alg": "ES384" }), &claims),
        token(FORGER, &json!({ "alg": "ES256", "kid": "k1" }), &claims),
        token(EC, &json!({ "alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false }), &claims),
        token(EC, &json!({ "alg": "none", "kid": "k1" }), &claims),
    ]
    .map(String::into_bytes)
    .to_vec()
});

/// A token that parses has one spelling and is what it says; one that verifies carries a
/// signature by the key that it names, over its own bytes.
///
/// Returns whether it verified. The input is a token, or a [`recipe`] over signed ones.
pub fn compact_jws(data: &[u8]) -> bool {
    let bytes = if recipe::is_recipe(data) { recipe::bake(&TOKENS, data) } else { data.to_owned() };
    let Ok(jws) = CompactJws::parse(&bytes) else { return false };
    assert!(bytes.len() <= CompactJws::MAX);
    let text = str::from_utf8(&bytes).expect("a token is ASCII");
    let [header, payload, signature] = text.split('.').collect::<Vec<_>>()[..] else {
        panic!("a token has three parts")
    };
    assert_eq!(part(jws.unverified_payload()), payload, "a payload has one spelling");

    let members = read_header(header);
    let member = |name: &str| members.get(name).map(|it| it.as_str().expect("a string"));
    assert_eq!(member("alg"), Some(jws.algorithm().as_str()));
    assert_eq!(member("kid"), jws.kid());
    assert_eq!(member("typ"), jws.typ());
    assert!(members.get("crit").is_none() && members.get("b64").is_none());

    let Ok(verified) = jws.verify(&SET) else { return false };
    assert_eq!(part(verified), payload, "what is verified is what was read");
    let algorithm = jws.algorithm().as_str().parse().expect("both know its algorithm");
    let signer = PUBLISHED.iter().map(|key| &KEYS[*key]).find(|signer| match jws.kid() {
        Some(kid) => signer.kid == Some(kid),
        None => signer.fits.contains(&algorithm),
    });
    let (input, _) = text.rsplit_once('.').expect("a token has three parts");
    let signer = signer.expect("a token names a published key");
    assert!(signer.verifies(input.as_bytes(), signature, algorithm), "nobody signed {input}");
    true
}

/// The header as another parser reads it.
fn read_header(part: &str) -> Value {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part);
    let header = serde_json::from_slice(&bytes.expect("a header is base64url"));
    header.expect("a header is JSON")
}
