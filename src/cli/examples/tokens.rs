//! Mints tokens by the thousand, which `meshctl token mint` would take minutes for.
//!
//! usage: tokens DIR KNOWN UNKNOWN
//!        tokens DIR proofs COUNT
//!
//! The first writes `jwks.json`, the file `known` with so many RS256 tokens, one a line, and the
//! files `rs256`, `es256` and `eddsa` with so many others each; it prints what the signature of each
//! costs by itself on this machine, in microseconds. The second comes after it: it writes the file
//! `bound` with a token that is bound to a key, and `proofs` with so many DPoP proofs of that key,
//! which expire soon.

use core::error::Error;
use core::ops::Range;
use std::fs;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use std::{env, thread};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mesh_core::key::algorithm::AlgorithmSet;
use mesh_core::key::jwks::{self, KeySet};
use mesh_core::key::jws::CompactJws;
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
    let signers = [Signer::rs256()?, Signer::es256()?, Signer::eddsa()?];
    for signer in &signers {
        fs::write(directory.join(signer.kid), signer.tokens(known..end)?)?;
    }
    let [rs256, ..] = &signers;
    fs::write(directory.join("known"), rs256.tokens(0..known)?)?;
    let keys: Vec<&Value> = signers.iter().map(|signer| &signer.jwk).collect();
    let jwks = json!({ "keys": keys }).to_string();
    fs::write(directory.join("jwks.json"), &jwks)?;
    if let [_, Signer { key: Key::Ecdsa(key), .. }, _] = &signers {
        fs::write(directory.join(PRIVATE_KEY), key.to_pkcs8v1()?)?;
    }
    for signer in &signers {
        let tokens = fs::read_to_string(directory.join(signer.kid))?;
        println!("{} {:.1}", signer.kid, micros_of_a_signature(&tokens, jwks.as_bytes())?);
    }
    Ok(())
}

/// A token of the es256 signer that is bound to a new key, and proofs of that key.
fn write_proofs(directory: &Path, count: usize) -> Result<(), Failure> {
    let issuer = Signer::of_ecdsa(EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &fs::read(directory.join(PRIVATE_KEY))?,
    )?)?;
    let client = Signer::es256()?;
    let public = |name: &str| Some((name.to_owned(), client.jwk.get(name)?.clone()));
    let jwk: Map<String, Value> = ["kty", "crv", "x", "y"].into_iter().filter_map(public).collect();
    let jkt = jwks::thumbprint(&jwk).ok_or("a key without a thumbprint")?;
    let token = issuer.token(0, now()?, &json!({ "jkt": URL_SAFE_NO_PAD.encode(jkt) }))?;
    let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
    let ath = digest(&SHA256, token.trim_end().as_bytes());
    let ath = URL_SAFE_NO_PAD.encode(ath);
    let proof = |number: usize| -> Result<String, Failure> {
        client.jws(
            &header,
            &json!({
                "jti": format!("{number:032x}"), "htm": "GET", "htu": PROVEN, "iat": now()?,
                "ath": ath,
            }),
        )
    };
    fs::write(directory.join("bound"), &token)?;
    fs::write(directory.join("proofs"), (0..count).map(proof).collect::<Result<String, _>>()?)?;
    Ok(())
}

fn now() -> Result<u64, Failure> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// The least that a batch of verifications took, each: what others do meanwhile only adds to it.
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

struct Signer {
    kid: &'static str,
    jwk: Value,
    key: Key,
}

enum Key {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn rs256() -> Result<Self, Failure> {
        let key = RsaKeyPair::generate(KeySize::Rsa2048)?;
        let modulus = key.public_key().modulus().big_endian_without_leading_zero();
        let exponent = key.public_key().exponent().big_endian_without_leading_zero();
        let jwk = json!({
            "kty": "RSA", "kid": "rs256", "alg": "RS256",
            "n": URL_SAFE_NO_PAD.encode(modulus), "e": URL_SAFE_NO_PAD.encode(exponent),
        });
        Ok(Self { kid: "rs256", jwk, key: Key::Rsa(key) })
    }

    fn es256() -> Result<Self, Failure> {
        Self::of_ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?)
    }

    fn of_ecdsa(key: EcdsaKeyPair) -> Result<Self, Failure> {
        // An uncompressed point: 4, x, y.
        let point = key.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = point.split_at_checked(32).ok_or("not a point of P-256")?;
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "kid": "es256", "alg": "ES256",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        });
        Ok(Self { kid: "es256", jwk, key: Key::Ecdsa(key) })
    }

    fn eddsa() -> Result<Self, Failure> {
        let key = Ed25519KeyPair::generate()?;
        let jwk = json!({
            "kty": "OKP", "crv": "Ed25519", "kid": "eddsa", "alg": "EdDSA",
            "x": URL_SAFE_NO_PAD.encode(key.public_key()),
        });
        Ok(Self { kid: "eddsa", jwk, key: Key::Ed25519(key) })
    }

    /// A token a line, by all processors: an RSA signature takes half a millisecond.
    fn tokens(&self, numbers: Range<usize>) -> Result<String, Failure> {
        let now = now()?;
        let share = numbers.len().div_ceil(thread::available_parallelism()?.get()).max(1);
        let part = |from: usize| -> Result<String, Failure> {
            (from..from.saturating_add(share).min(numbers.end))
                .map(|it| self.token(it, now, &Value::Null))
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

    fn token(&self, number: usize, now: u64, cnf: &Value) -> Result<String, Failure> {
        let header = json!({ "alg": self.jwk.get("alg"), "kid": self.kid, "typ": "at+jwt" });
        let claims = |padding: usize| {
            let mut claims = json!({
                "iss": "https://idp.example/oauth2/default",
                "sub": format!("service-{number:05}"),
                "aud": "api://bench",
                "iat": now, "nbf": now, "exp": now.saturating_add(86_400),
                "jti": format!("{number:032x}"),
                "groups": ["data-eng", "platform-oncall"],
                "scope": "kafka.read kafka.write",
                "padding": "x".repeat(padding),
            });
            if let Some(claims) = claims.as_object_mut().filter(|_| !cnf.is_null()) {
                claims.insert("cnf".to_owned(), cnf.clone());
            }
            claims
        };
        let unpadded = encode(&header).len().saturating_add(encode(&claims(0)).len());
        // Base64 makes four bytes of three; two dots.
        let signature = self.signature_bytes().saturating_mul(4).div_ceil(3);
        let missing = LENGTH.saturating_sub(2).saturating_sub(unpadded).saturating_sub(signature);
        let padding = missing.saturating_mul(3).checked_div(4).unwrap_or_default();
        self.jws(&header, &claims(padding))
    }

    /// A line of its own.
    fn jws(&self, header: &Value, payload: &Value) -> Result<String, Failure> {
        let input = format!("{}.{}", encode(header), encode(payload));
        let signature = self.sign(input.as_bytes())?;
        Ok(format!("{input}.{}\n", URL_SAFE_NO_PAD.encode(signature)))
    }

    const fn signature_bytes(&self) -> usize {
        match self.key {
            Key::Rsa(_) => 256,
            Key::Ecdsa(_) | Key::Ed25519(_) => 64,
        }
    }

    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut signature = vec![0; self.signature_bytes()];
        match &self.key {
            Key::Rsa(key) => {
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature)?;
            }
            Key::Ecdsa(key) => {
                signature = key.sign(&SystemRandom::new(), input)?.as_ref().to_vec();
            }
            Key::Ed25519(key) => signature = key.sign(input).as_ref().to_vec(),
        }
        Ok(signature)
    }
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The URL that the proofs are for.
const PROVEN: &str = "http://bench/dpop/static/";

/// The private key of the es256 signer, as a file.
const PRIVATE_KEY: &str = "es256.pk8";

/// Bytes of a token: an ordinary access token with a few groups.
const LENGTH: usize = 800;
