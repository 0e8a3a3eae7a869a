//! The `DPoP` field beside a token that is bound to a key.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use mesh_core::config::{Location, Resolver};
use mesh_core::issuer::trust::Trust;
use mesh_core::key::jwks::KeySet;
use mesh_core::pipeline::{Memo, evaluate};
use mesh_core::refusal::Reason;
use mesh_core::testing::{self, NOW, Proven, Sent, Worker};
use serde_json::{Value, json};

use crate::keys::{self, BARE, EC, KEYS, part, token};
use crate::recipe;

static WORLD: LazyLock<World> = LazyLock::new(World::new);

/// A location, and a client with a token that is bound to its key.
struct World {
    trust: Arc<Trust>,
    location: Location,
    token: String,
    header: Vec<u8>,
    claims: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let main = testing::issuers(&[(
            "idp",
            &[("issuer", &["https://idp.example"]), ("audience", &["api"]), ("jwks", &["x"])],
        )]);
        let raw = testing::location(&[("mesh_authenticate", &["token"])]);
        let mut resolver = Resolver::new(&main);
        let location = resolver.resolve(&raw, &mut |_| None).expect("settings");
        let keys = KeySet::parse(&keys::set(&[EC]), main.issuers[0].algorithms).expect("keys").0;
        let trust = Trust::new(main.issuers, resolver.into_kept(), vec![Some(keys)]);
        let claims = json!({ "iss": "https://idp.example", "aud": "api", "sub": "orders",
            "exp": NOW + 600, "cnf": { "jkt": thumbprint(&KEYS[BARE].jwk()) } });
        let token = token(EC, &json!({ "alg": "ES256", "kid": "k1" }), &claims);
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": KEYS[BARE].jwk() });
        let claims = json!({ "jti": "one", "htm": "GET", "htu": "https://api.example/topics",
            "iat": NOW, "ath": part(digest(&SHA256, token.as_bytes())) });
        Self {
            trust: Arc::new(trust),
            location: location.expect("it authenticates"),
            token,
            header: header.to_string().into_bytes(),
            claims: claims.to_string().into_bytes(),
        }
    }

    /// What the client would send, had it signed these bytes.
    fn proof(&self, header: &[u8], claims: &[u8]) -> Vec<u8> {
        let input = format!("{}.{}", part(header), part(claims));
        let signature = KEYS[BARE].sign(input.as_bytes(), KEYS[BARE].fits[0]);
        format!("{input}.{signature}").into_bytes()
    }
}

/// A proof that is accepted was signed by the key of the token, over a header and claims that say
/// what RFC 9449, section 4.3, asks for; and it is accepted once.
///
/// Returns whether it was accepted. The input is a field, or a [`recipe`] over a proof, over the
/// claims of one that is then signed, or over its header.
pub fn dpop_proof(data: &[u8]) -> bool {
    let world = &*WORLD;
    let changed = |bytes: &[u8]| recipe::bake(&[bytes.to_vec()], data);
    let proof = match data.first() {
        Some(kind) if recipe::is_recipe(data) => match kind % 3 {
            0 => changed(&world.proof(&world.header, &world.claims)),
            1 => world.proof(&world.header, &changed(&world.claims)),
            _ => world.proof(&changed(&world.header), &world.claims),
        },
        _ => data.to_vec(),
    };
    // Half of a sixteenth of the slots is what one key may use at once, and a replay needs room of
    // its own to be told from a proof too many: 64 slots have it, 8 have not.
    let is_accepted = accepts_once(8, &proof, Reason::DpopReplayed);
    assert_eq!(accepts_once(1, &proof, Reason::DpopShareFull), is_accepted);
    if is_accepted {
        assert_proves(&proof, world);
    }
    is_accepted
}

/// Whether a proof is accepted with new memory of so many buckets; if so, it is refused as `again`
/// from then on.
fn accepts_once(buckets: usize, proof: &[u8], again: Reason) -> bool {
    let world = &*WORLD;
    let mut worker = Worker::new(Arc::clone(&world.trust));
    worker.proofs = Proven::of(buckets, 1);
    let sent = Sent::of(&[("authorization", &format!("DPoP {}", world.token))]).and("dpop", proof);
    let mut ask = || {
        let told = worker.work(|it| evaluate(&sent, &world.location, &mut Memo::default(), it));
        told.without_waiting().0.map(drop).map_err(|refusal| refusal.reason())
    };
    if let Err(reason) = ask() {
        let of_proof = reason.word().starts_with("dpop_") || reason == Reason::BindingMismatch;
        assert!(of_proof && reason.status() == 401, "{reason}");
        return false;
    }
    for _ in 0..3 {
        assert_eq!(ask(), Err(again), "it is accepted twice");
    }
    true
}

/// Reads a proof a second time, by other parsers.
fn assert_proves(proof: &[u8], world: &World) {
    let text = str::from_utf8(proof).expect("a proof is ASCII").trim();
    let (input, signature) = text.rsplit_once('.').expect("a proof has a signature");
    let signer = &KEYS[BARE];
    assert!(signer.verifies(input.as_bytes(), signature, signer.fits[0]), "nobody signed {input}");
    let (header, claims) = input.split_once('.').expect("a proof has claims");
    let [header, claims]: [Value; 2] = [header, claims].map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        serde_json::from_slice(&bytes).expect("JSON")
    });
    assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
    assert!(header.get("crit").is_none() && header["jwk"].get("d").is_none());
    assert_eq!(thumbprint(&header["jwk"]), thumbprint(&signer.jwk()));
    assert_eq!(claims["htm"], "GET");
    let uri = claims["htu"].as_str().expect("a string");
    let uri = uri.split(['?', '#']).next().expect("there is a first").to_ascii_lowercase();
    assert!(uri.starts_with("https://"), "{uri}");
    assert_eq!(claims["ath"], part(digest(&SHA256, world.token.as_bytes())));
    let issued_at = claims["iat"].as_f64().expect("a number");
    assert!((NOW as f64 - 61.0..=NOW as f64 + 10.0).contains(&issued_at), "{issued_at}");
    assert!(claims["jti"].as_str().is_some_and(|id| !id.is_empty()));
}

fn thumbprint(jwk: &Value) -> String {
    let jwk: Jwk = serde_json::from_value(jwk.clone()).expect("a key");
    jwk.thumbprint(ThumbprintHash::SHA256).expect("a thumbprint")
}
