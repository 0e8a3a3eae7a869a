//! `meshctl key generate`: a signing key for tests, and its public half in a key set.

use std::path::{Path, PathBuf};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use mesh_core::key::{
    algorithm::Named,
    private::{Bits, PrivateKey},
};
use serde_json::{Map, Value};

use crate::{
    error::Failure,
    input,
    output::{self, Replacement},
    private_key,
};

/// Make a signing key, and add its public half to a key set.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  # A private key in a file of mode 0600, its public half in a key set for mesh_issuer
  meshctl key generate --alg ES256 --out signer.jwk --jwks jwks.json

  # A second key in the same set, for a rotation
  meshctl key generate --alg RS256 --bits 3072 --kid 2026-08 --out next.jwk --jwks jwks.json

  # The private JWK on standard output
  meshctl key generate --alg EdDSA

Exit status: 0 done, 2 usage or file error.
These keys are for tests: an issuer keeps its own in a vault.")]
pub(crate) struct Generate {
    /// The algorithm of the key
    #[arg(long, value_name = "ALG", value_parser = private_key::algorithm())]
    alg: Named,

    /// The key's name in tokens and key sets [default: its RFC 7638 thumbprint]
    #[arg(long)]
    kid: Option<String>,

    /// Length of an RSA modulus; other keys have the length of their algorithm
    #[arg(long, default_value = "2048",
          value_parser = PossibleValuesParser::new(Bits::NAMES).try_map(|bits| Bits::parse(&bits)))]
    bits: Bits,

    /// Where the private JWK goes: a new file of mode 0600 [default: standard output]
    #[arg(long, value_name = "PRIVATE.jwk")]
    out: Option<PathBuf>,

    /// The key set that the public JWK joins; it is created if missing
    #[arg(long, value_name = "PUBLIC.jwks")]
    jwks: Option<PathBuf>,
}

impl Generate {
    /// Makes the key; the key set changes last, so that no set names a key that does not exist.
    ///
    /// # Errors
    /// If a file cannot be written, or the key set has the `kid` already.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let key = PrivateKey::generate(self.alg, self.bits, self.kid.as_deref())
            .map_err(|error| Failure::Usage(error.to_string()))?;
        let encoded = |error| Failure::Usage(format!("{error}"));
        let private = pretty(&Value::Object(key.to_jwk().map_err(encoded)?));
        let set = match &self.jwks {
            Some(path) => Some(extend(path, key.to_public_jwk().map_err(encoded)?)?),
            None => None,
        };
        match &self.out {
            Some(path) => output::secret(path, format!("{private}\n").as_bytes())?,
            None => output::line(&private)?,
        }
        set.map_or(Ok(()), Replacement::commit)
    }
}

/// Stages the key set of `path`, or a new one, with one more key.
fn extend(path: &Path, jwk: Map<String, Value>) -> Result<Replacement, Failure> {
    let mut replacement = Replacement::begin(path)?;
    let mut set = match input::key_set(path) {
        Ok(bytes) => input::object(&path.display().to_string(), &bytes)?,
        Err(failure) if failure.is_not_found() => Map::new(),
        Err(failure) => return Err(failure),
    };
    let keys = set.entry("keys").or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(keys) = keys else {
        return Err(Failure::invalid(path.display(), "/keys: expected an array"));
    };
    let kid = jwk.get("kid");
    if let Some(at) = keys.iter().position(|other| other.get("kid") == kid) {
        return Err(Failure::invalid(
            path.display(),
            format_args!("/keys/{at}: has the same kid, and a token could mean either"),
        ));
    }
    keys.push(Value::Object(jwk));
    replacement.write(format!("{}\n", pretty(&Value::Object(set))).as_bytes())?;
    Ok(replacement)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}
