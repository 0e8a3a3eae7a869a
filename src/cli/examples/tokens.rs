//! Mints tokens by the thousand, which `meshctl token mint` would take minutes for.
//!
//! usage: tokens DIR KNOWN UNKNOWN
//!        tokens DIR proofs COUNT
//!
//! The first writes `jwks.json`, the file `known` with so many RS256 tokens, one a line, and the
//! files `rs256`, `es256` and `eddsa` with so many others each; it prints the cost of verifying the
//! signature of each by itself on this machine, in microseconds. The second comes after it: it writes
//! the file `bound` with a token that is bound to a key, and `proofs` with so many DPoP proofs of that
//! key, which expire soon.

use core::error::Error;
use core::ops::Range;
use std::fs;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use std::{env, thread};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mesh_core::key::algorithm::{Algorithm, AlgorithmSet};
use mesh_core::key::jwks::KeySet;
use mesh_core::key::jws::CompactJws;
use mesh_core::key::private::{Bits, PrivateKey};
use mesh_core::key::sign::Signer;
use serde_json::{Map, Value, json};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [directory, known, unknown] = arguments.as_slice() else {
        return Err("usage: tokens DIR KNOWN UNKNOWN, or: tokens DIR proofs COUNT".into());
    };
    let directory = Path::new(directory);
    if known == "proofs" {
        return write_proofs(directory, unknown.parse()?);
    }
    write_tokens(directory, known.parse()?, unknown.parse()?)
}

fn write_tokens(directory: &Path, known: usize, unknown: usize) -> Result<(), Failure> {
    let end = known.checked_add(unknown).ok_or("too many")?;
    let es256 = PrivateKey::generate(Algorithm::Es256, Bits::B2048, Some("es256"))?;
    fs::write(directory.join(PRIVATE_KEY), Value::Object(es256.to_jwk()?).to_string())?;
    let rs256 = Issuer::new("rs256", Algorithm::Rs256)?;
    fs::write(directory.join("known"), rs256.tokens(0..known)?)?;
    let issuers = [
        ("rs256", rs256),
        ("es256", Issuer::of(es256)?),
        ("eddsa", Issuer::new("eddsa", Algorithm::EdDsa)?),
    ];
    let keys: Vec<&Value> = issuers.iter().map(|(_, issuer)| &issuer.jwk).collect();
    let jwks = json!({ "keys": keys }).to_string();
    fs::write(directory.join("jwks.json"), &jwks)?;
    for (name, issuer) in &issuers {
        let tokens = issuer.tokens(known..end)?;
        fs::write(directory.join(name), &tokens)?;
        println!("{name} {:.1}", micros_of_a_signature(&tokens, jwks.as_bytes())?);
    }
    Ok(())
}

/// A token of the issuer es256 that is bound to a new key, and proofs of that key.
fn write_proofs(directory: &Path, count: usize) -> Result<(), Failure> {
    let issuer = Issuer::of(PrivateKey::read(&fs::read(directory.join(PRIVATE_KEY))?)?)?;
    let client = PrivateKey::generate(Algorithm::Es256, Bits::B2048, None)?;
    let issued = now()?;
    let cnf = json!({ "jkt": client.thumbprint()? });
    let token = issuer.token(0, issued, &cnf, issuer.padding(issued, &cnf)?)?;
    let header = object(json!({ "typ": "dpop+jwt", "jwk": client.to_proof_jwk()? }));
    let signer = Signer::new(client, Algorithm::Es256, header)?;
    let ath = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
    let proof = |number: usize| -> Result<String, Failure> {
        let proof = signer.sign(&json!({
            "jti": format!("{number:032x}"), "htm": "GET", "htu": PROVEN, "iat": now()?,
            "ath": ath,
        }))?;
        Ok(proof + "\n")
    };
    fs::write(directory.join("bound"), token + "\n")?;
    fs::write(directory.join("proofs"), (0..count).map(proof).collect::<Result<String, _>>()?)?;
    Ok(())
}

fn now() -> Result<u64, Failure> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// The least time of one verification, over all batches: other processes only add to it.
fn micros_of_a_signature(tokens: &str, jwks: &[u8]) -> Result<f64, Failure> {
    let (keys, _) = KeySet::parse(jwks, AlgorithmSet::DEFAULT)?;
    let tokens: Vec<_> = tokens
        .lines()
        .take(2_000)
        .map(|it| CompactJws::parse(it.as_bytes()))
        .collect::<Result<_, _>>()?;
    let mut least = f64::INFINITY;
    for batch in tokens.chunks(50) {
        let begun = Instant::now();
        batch.iter().try_for_each(|token| token.verify(&keys).map(drop))?;
        least = least.min(begun.elapsed().as_secs_f64() * 1e6 / batch.len() as f64);
    }
    Ok(least)
}

/// The signer of tokens, and the public JWK for it.
struct Issuer {
    jwk: Value,
    signer: Signer,
}

impl Issuer {
    fn new(kid: &str, algorithm: Algorithm) -> Result<Self, Failure> {
        Self::of(PrivateKey::generate(algorithm, Bits::B2048, Some(kid))?)
    }

    fn of(key: PrivateKey) -> Result<Self, Failure> {
        let jwk = key.to_public_jwk()?.into();
        let header = object(json!({ "kid": key.kid(), "typ": "at+jwt" }));
        let algorithm = key.algorithm();
        Ok(Self { jwk, signer: Signer::new(key, algorithm, header)? })
    }

    /// A token a line, by all processors: an RSA signature takes half a millisecond.
    fn tokens(&self, numbers: Range<usize>) -> Result<String, Failure> {
        let now = now()?;
        let padding = self.padding(now, &Value::Null)?;
        let share = numbers.len().div_ceil(thread::available_parallelism()?.get()).max(1);
        let part = |from: usize| -> Result<String, Failure> {
            (from..from.saturating_add(share).min(numbers.end))
                .map(|it| Ok(self.token(it, now, &Value::Null, padding)? + "\n"))
                .collect()
        };
        thread::scope(|scope| {
            let threads: Vec<_> = numbers
                .clone()
                .step_by(share)
                .map(|from| scope.spawn(move || part(from)))
                .collect();
            threads.into_iter().map(|it| it.join().map_err(|_| "a thread panicked")?).collect()
        })
    }

    /// The padding of a token that has [`LENGTH`] bytes with it: base64 makes four bytes of three.
    fn padding(&self, now: u64, cnf: &Value) -> Result<usize, Failure> {
        let missing = LENGTH.saturating_sub(self.token(0, now, cnf, 0)?.len());
        Ok(missing.saturating_mul(3).checked_div(4).unwrap_or_default())
    }

    fn token(
        &self,
        number: usize,
        now: u64,
        cnf: &Value,
        padding: usize,
    ) -> Result<String, Failure> {
        let mut claims = object(json!({
            "iss": "https://idp.example/oauth2/default",
            "sub": format!("service-{number:05}"),
            "aud": "api://bench",
            "iat": now, "nbf": now, "exp": now.saturating_add(86_400),
            "jti": format!("{number:032x}"),
            "groups": ["data-eng", "platform-oncall"],
            "scope": "kafka.read kafka.write",
            "padding": "x".repeat(padding),
        }));
        if !cnf.is_null() {
            claims.insert("cnf".to_owned(), cnf.clone());
        }
        Ok(self.signer.sign(&claims.into())?)
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The URL that the proofs are for.
const PROVEN: &str = "http://bench/dpop/static/";

/// The private key of the issuer es256, as a file.
const PRIVATE_KEY: &str = "es256.jwk";

/// Bytes of a token: an ordinary access token with a few groups.
const LENGTH: usize = 800;
