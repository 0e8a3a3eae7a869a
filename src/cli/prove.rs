//! `meshctl token prove`: DPoP proofs for tests (RFC 9449).

use std::path::PathBuf;

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use mesh_core::{
    key::{algorithm::Named, sign::Signer},
    text::time::UnixTime,
};
use serde_json::{Map, Value};

use crate::{error::Failure, input, moment, output, private_key};

/// Prove possession of the key that a token is bound to, for one request (RFC 9449).
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  # A request with a token that is bound to client.jwk
  TOKEN=$(meshctl token mint --key signer.jwk --jkt-of client.jwk)
  PROOF=$(echo $TOKEN | meshctl token prove --key client.jwk --url https://mesh.example/topics)
  curl -H \"Authorization: DPoP $TOKEN\" -H \"DPoP: $PROOF\" https://mesh.example/topics

  # With the nonce of the DPoP-Nonce field of an answer
  meshctl token prove --key client.jwk --method POST --url URL --nonce NONCE TOKEN

A proof is for one request: make another for the next. Other users can see the command line: pass a
token that is still valid on standard input.
Exit status: 0 done, 2 usage or file error.")]
pub(crate) struct Prove {
    /// The private key that the token is bound to: a JWK, or PEM (PKCS#8, PKCS#1, SEC1)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// The algorithm to sign with [default: the JWK's alg, else RS256 or the one of the curve]
    #[arg(long, value_name = "ALG", value_parser = private_key::algorithm())]
    alg: Option<Named>,

    /// The claim htm: the request's method
    #[arg(long, default_value = "GET")]
    method: String,

    /// The claim htu: the request's URL; query and fragment are dropped
    #[arg(long)]
    url: String,

    /// The claim nonce: the one that the server issued
    #[arg(long)]
    nonce: Option<String>,

    /// The claim jti [default: 128 random bits]
    #[arg(long)]
    jti: Option<String>,

    /// The claim iat: Unix seconds or RFC 3339 in UTC [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = moment::parse_moment)]
    at: Option<UnixTime>,

    /// The token [default: standard input, without one trailing newline]
    #[arg(value_name = "TOKEN|-")]
    token: Option<String>,
}

impl Prove {
    /// Prints the proof.
    ///
    /// # Errors
    /// If the key or the token cannot be read.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let key = private_key::read(&self.key)?;
        let invalid = |error| Failure::invalid(self.key.display(), error);
        let mut header = Map::new();
        header.insert("typ".to_owned(), "dpop+jwt".into());
        header.insert("jwk".to_owned(), Value::Object(key.to_proof_jwk().map_err(invalid)?));
        let token = input::token(self.token.as_deref())?;
        let claims = self.claims(&token)?;
        let algorithm = self.alg.unwrap_or_else(|| key.algorithm());
        let signer = Signer::new(key, algorithm, header).map_err(invalid)?;
        let proof = signer.sign(&Value::Object(claims)).map_err(invalid)?;
        output::line(&proof)
    }

    fn claims(&self, token: &[u8]) -> Result<Map<String, Value>, Failure> {
        let id = match &self.jti {
            Some(id) => id.clone(),
            None => {
                let mut bits = [0; 16];
                rand::fill(&mut bits)
                    .map_err(|_| Failure::Usage("the system gave no random bytes".to_owned()))?;
                URL_SAFE_NO_PAD.encode(bits)
            }
        };
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        let at = self.at.unwrap_or_else(mesh_control::now);
        let mut claims = Map::new();
        let mut say = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        say("jti", id.into());
        say("htm", self.method.as_str().into());
        say("htu", url.into());
        say("iat", at.secs().into());
        say("ath", URL_SAFE_NO_PAD.encode(digest(&SHA256, token)).into());
        if let Some(nonce) = &self.nonce {
            say("nonce", nonce.as_str().into());
        }
        Ok(claims)
    }
}
