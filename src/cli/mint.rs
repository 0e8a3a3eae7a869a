//! `meshctl token mint`: tokens for tests, good and bad ones.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use mesh_core::{
    key::{algorithm::Named, private::PrivateKey, sign::Signer},
    text::time::UnixTime,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Map, Value};

use crate::{error::Failure, input, moment, output, private_key};

/// Sign a token for tests.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  # A token for an hour
  meshctl token mint --key signer.jwk --issuer https://idp.example --audience kafka --subject etl

  # One that expired an hour ago, to see it refused
  meshctl token mint --key signer.jwk --issuer https://idp.example --audience kafka --expires -1h

  # Any claims, from the command line or a file
  meshctl token mint --key signer.jwk --claims '{\"groups\":[\"data-eng\"]}'
  meshctl token mint --key signer.pem --alg PS256 --kid 2026-08 --claims @claims.json

  # Bound to a client certificate (RFC 8705)
  meshctl token mint --key signer.jwk --thumbprint-of client.pem

  # Bound to a key (RFC 9449), to be sent with what `meshctl token prove` makes
  meshctl token mint --key signer.jwk --jkt-of client.jwk

  # For curl
  curl -H \"Authorization: Bearer $(meshctl token mint --key signer.jwk)\" https://mesh.example/

iat is the present time, or --at; exp follows from --expires. If --claims holds one of
them, that value stays. An option that repeats a claim of --claims is an error.
Exit status: 0 done, 2 usage or file error.")]
pub(crate) struct Mint {
    /// The private key: a JWK, or PEM (PKCS#8, PKCS#1, SEC1)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// The algorithm to sign with [default: the JWK's alg, else RS256 or the one of the curve]
    #[arg(long, value_name = "ALG", value_parser = private_key::algorithm())]
    alg: Option<Named>,

    /// The header's kid; empty to leave it out [default: the JWK's kid]
    #[arg(long)]
    kid: Option<String>,

    /// The header's typ, such as at+jwt; empty to leave it out
    #[arg(long, default_value = "JWT")]
    typ: String,

    /// More members of the header: a JSON object, or @FILE that holds one; they go before --kid
    /// and --typ
    #[arg(long, value_name = "JSON|@FILE")]
    header: Option<String>,

    /// The claims: a JSON object, or @FILE that holds one
    #[arg(long, value_name = "JSON|@FILE")]
    claims: Option<String>,

    /// The claim iss
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,

    /// The claim aud; repeat it for a list
    #[arg(long)]
    audience: Vec<String>,

    /// The claim sub
    #[arg(long)]
    subject: Option<String>,

    /// The claim exp, from the time of issue: 30s, 5m, 1h, 7d, or -1h in the past [default: 1h]
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true, value_parser = moment::parse_span)]
    expires: Option<i64>,

    /// The claim nbf, from the time of issue
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true, value_parser = moment::parse_span)]
    not_before: Option<i64>,

    /// The claim cnf.x5t#S256: SHA-256 of a certificate in base64url
    #[arg(long, value_name = "X5T", conflicts_with = "thumbprint_of", value_parser = parse_thumbprint)]
    thumbprint: Option<String>,

    /// The claim cnf.x5t#S256, from the first certificate of this file
    #[arg(long, value_name = "CERT.pem")]
    thumbprint_of: Option<PathBuf>,

    /// The claim cnf.jkt, from this private key: a JWK, or PEM
    #[arg(long, value_name = "FILE")]
    jkt_of: Option<PathBuf>,

    /// The time of issue: Unix seconds or RFC 3339 in UTC [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = moment::parse_moment)]
    at: Option<UnixTime>,
}

impl Mint {
    /// Prints the token.
    ///
    /// # Errors
    /// If the key or the claims cannot be read, or the options contradict them.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let key = private_key::read(&self.key)?;
        let header = self.header(&key)?;
        let claims = self.claims(self.at.unwrap_or_else(mesh_control::now))?;
        let algorithm = self.alg.unwrap_or_else(|| key.algorithm());
        let token = Signer::new(key, algorithm, header)
            .and_then(|signer| signer.sign(&Value::Object(claims)))
            .map_err(|error| Failure::invalid(self.key.display(), error))?;
        output::line(&token)
    }

    fn header(&self, key: &PrivateKey) -> Result<Map<String, Value>, Failure> {
        let mut header = match &self.header {
            Some(given) => given_object("--header", given)?,
            None => Map::new(),
        };
        if header.contains_key("alg") {
            return Err(Failure::Usage("--header holds \"alg\": say it by --alg".to_owned()));
        }
        let kid = self.kid.as_deref().or(key.kid());
        for (name, value) in [("typ", Some(&*self.typ)), ("kid", kid)] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                header.entry(name).or_insert_with(|| value.into());
            }
        }
        Ok(header)
    }

    fn claims(&self, at: UnixTime) -> Result<Map<String, Value>, Failure> {
        let mut claims = self.given_claims()?;
        let mut say = |name: &str, option: &str, value: Option<Value>| match value {
            Some(_) if claims.contains_key(name) => Err(Failure::Usage(format!(
                "--claims holds \"{name}\" already: leave out {option} or the claim"
            ))),
            Some(value) => {
                claims.insert(name.to_owned(), value);
                Ok(())
            }
            None => Ok(()),
        };
        let after = |span: i64| at.saturating_add(span).secs();
        say("iss", "--issuer", self.issuer.clone().map(Value::String))?;
        say("sub", "--subject", self.subject.clone().map(Value::String))?;
        say("aud", "--audience", audience(&self.audience))?;
        say("exp", "--expires", self.expires.map(|span| after(span).into()))?;
        say("nbf", "--not-before", self.not_before.map(|span| after(span).into()))?;
        let thumbprint = match &self.thumbprint_of {
            Some(path) => Some(thumbprint_of(path)?),
            None => self.thumbprint.clone(),
        };
        let mut confirmation = Map::new();
        if let Some(x5t) = thumbprint {
            confirmation.insert("x5t#S256".to_owned(), x5t.into());
        }
        if let Some(path) = &self.jkt_of {
            let jkt = private_key::read(path)?.thumbprint();
            let jkt = jkt.map_err(|error| Failure::invalid(path.display(), error))?;
            confirmation.insert("jkt".to_owned(), jkt.into());
        }
        let confirmation = (!confirmation.is_empty()).then_some(Value::Object(confirmation));
        say("cnf", "--thumbprint and --jkt-of", confirmation)?;

        claims.entry("iat").or_insert(at.secs().into());
        claims.entry("exp").or_insert(after(LIFETIME).into());
        Ok(claims)
    }

    fn given_claims(&self) -> Result<Map<String, Value>, Failure> {
        self.claims.as_ref().map_or_else(|| Ok(Map::new()), |given| given_object("--claims", given))
    }
}

/// The object in an option, or in the file that it names.
fn given_object(option: &str, given: &str) -> Result<Map<String, Value>, Failure> {
    match given.strip_prefix('@') {
        Some(path) => input::object(path, &input::file(Path::new(path))?),
        None => input::object(option, given.as_bytes()),
    }
}

/// One audience is a string, several are an array (RFC 7519 section 4.1.3).
fn audience(values: &[String]) -> Option<Value> {
    match values {
        [] => None,
        [one] => Some(one.as_str().into()),
        several => Some(several.into()),
    }
}

/// The `x5t#S256` of a certificate (RFC 8705 section 3.1).
fn thumbprint_of(path: &Path) -> Result<String, Failure> {
    let certificate = CertificateDer::from_pem_slice(&input::file(path)?)
        .map_err(|_| Failure::invalid(path.display(), "no certificate in PEM found"))?;
    Ok(URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate)))
}

fn parse_thumbprint(text: &str) -> Result<String, String> {
    match URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) if bytes.len() == SHA256.output_len() => Ok(text.to_owned()),
        _ => Err("expected SHA-256 in base64url without padding: 43 characters".to_owned()),
    }
}

/// Seconds that a token lives if nothing else is said.
const LIFETIME: i64 = 3_600;
