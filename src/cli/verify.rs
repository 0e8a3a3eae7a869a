//! `meshctl token verify`: the verdict of the module, without Nginx.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use mesh_core::{
    issuer::Form,
    key::algorithm::{Algorithm, AlgorithmSet, KeyAlgorithms},
    key::jwks::KeySet,
    key::jws::CompactJws,
    refusal::Reason,
    text::json::{self, Pointer},
    text::time::UnixTime,
    token,
};
use serde_json::json;

use crate::judge::{Judged, Rules, by_keys, judge};
use crate::{Verdict, error::Failure, input, moment, output};

/// Say whether the module would accept a token, and why not.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  # As a location with `mesh_authenticate token` would, now
  meshctl token verify --jwks jwks.json --issuer https://idp.example --audience kafka < token

  # As it would have at another time, without leeway for clocks
  meshctl token verify --jwks jwks.json --at 2026-01-01T00:00:00Z --leeway 0 TOKEN

  # The signature alone, whatever the payload is
  meshctl token verify --jwks jwks.json --signature-only TOKEN

  # For scripts: one JSON object with accepted, reason, algorithm, kid and claims
  meshctl token verify --jwks jwks.json --json TOKEN | jq .reason

Standard output is `accepted`, or the reason of the refusal as in $mesh_reason; its meaning goes to
standard error. Without --issuer or --audience, that claim must be present, as the module requires,
but is not compared; a note says so. Claims are shown only if their signature is valid.
Other users can see the command line: pass a token that is still valid on standard input.
Exit status: 0 accepted, 1 refused, 2 usage or file error.")]
pub(crate) struct Verify {
    /// The issuer's key set, as it publishes it
    #[arg(long, value_name = "FILE")]
    jwks: PathBuf,

    /// The required iss, compared byte by byte
    #[arg(long, value_name = "URL", conflicts_with = "signature_only")]
    issuer: Option<Box<str>>,

    /// An accepted audience; aud must contain one of them; may be repeated
    #[arg(long, conflicts_with = "signature_only")]
    audience: Vec<Box<str>>,

    /// The claim that serves as aud in a token without aud, as `audience_claim` of mesh_issuer
    #[arg(long, value_name = "POINTER", conflicts_with = "signature_only")]
    audience_claim: Option<Pointer>,

    /// The time to verify at: Unix seconds or RFC 3339 in UTC [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = moment::parse_moment)]
    at: Option<UnixTime>,

    /// The tolerated difference between clocks: 0, 30s, 5m
    #[arg(long, value_name = "SPAN", default_value = "30s", allow_hyphen_values = true,
          value_parser = moment::parse_forward_span)]
    leeway: i64,

    /// The accepted algorithms [default: those that each key names, else EdDSA, ES256, ES384 or RS256, as in
    /// mesh_issuer; with --signature-only every algorithm that fits the key]
    #[arg(long, value_name = "ALG,...", value_delimiter = ',')]
    algorithms: Vec<Algorithm>,

    /// The claim that names the service, as `service_claim` of mesh_issuer
    #[arg(long, value_name = "POINTER", default_value = "/sub", conflicts_with = "signature_only")]
    service_claim: Pointer,

    /// Verify the signature alone: the payload may be anything, and nothing in it is checked
    #[arg(long)]
    signature_only: bool,

    /// Print one JSON object instead of words
    #[arg(long)]
    json: bool,

    /// The token [default: standard input, without one trailing newline]
    #[arg(value_name = "TOKEN|-")]
    token: Option<String>,
}

impl Verify {
    /// Prints the verdict.
    ///
    /// # Errors
    /// If a file or standard input cannot be read, or the file is no JSON key set.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let token = input::token(self.token.as_deref())?;
        let (form, algorithms) = (Form::Plain, self.algorithms());
        let judged = by_keys(&self.jwks, &form, algorithms, |keys| {
            if self.signature_only {
                return signature(&token, &keys);
            }
            let at = self.at.unwrap_or_else(mesh_control::now);
            let Judged { verdict, claims, notes } = judge(&token, self.rules(), keys, at);
            Judged { verdict: verdict.map(drop), claims, notes }
        })?;
        if self.json { print_json(&judged, &token) } else { print(&judged) }
    }

    fn algorithms(&self) -> KeyAlgorithms {
        let only = |listed: &[Algorithm]| listed.iter().copied().collect::<AlgorithmSet>().into();
        match (self.algorithms.as_slice(), self.signature_only) {
            ([], false) => KeyAlgorithms::OWN,
            ([], true) => only(&Algorithm::ALL),
            (listed, _) => only(listed),
        }
    }

    /// The one issuer of a configuration that has these options.
    fn rules(&self) -> Rules {
        Rules {
            jwks: self.jwks.clone(),
            url: self.issuer.clone(),
            audiences: self.audience.clone(),
            audience_claim: self.audience_claim.clone(),
            algorithms: self.algorithms(),
            leeway: self.leeway,
            form: Form::Plain,
            service_claim: self.service_claim.clone(),
            groups_claim: None,
        }
    }
}

fn print(judged: &Judged<()>) -> Result<Verdict, Failure> {
    let mut stderr = io::stderr().lock();
    // The status is the verdict, whether or not its explanation can be written.
    let mut explain = |text: &str| drop(writeln!(stderr, "meshctl: {text}"));
    match judged.verdict {
        Ok(()) => output::line("accepted")?,
        Err(reason) => {
            output::line(reason.word())?;
            explain(reason.meaning());
        }
    }
    judged.notes.iter().for_each(|note| explain(note));
    Ok(judged.verdict.into())
}

fn print_json(judged: &Judged<()>, token: &[u8]) -> Result<Verdict, Failure> {
    let header = CompactJws::parse_any(token).ok();
    let answer = json!({
        "accepted": judged.verdict.is_ok(),
        "reason": judged.verdict.err().map(Reason::word),
        "meaning": judged.verdict.err().map(Reason::meaning),
        "algorithm": header.as_ref().map(|jws| jws.algorithm().as_str()),
        "kid": header.as_ref().and_then(CompactJws::kid),
        "claims": judged.claims,
        "notes": judged.notes,
    });
    output::line(&answer.to_string())?;
    Ok(judged.verdict.into())
}

impl From<Result<(), Reason>> for Verdict {
    fn from(verdict: Result<(), Reason>) -> Self {
        if verdict.is_ok() { Self::Accepted } else { Self::Refused }
    }
}

fn signature(token: &[u8], keys: &KeySet) -> Judged<()> {
    let payload = CompactJws::parse_any(token).and_then(|jws| jws.verify(keys).map(<[u8]>::to_vec));
    let notes = payload
        .as_ref()
        .err()
        .and_then(|error| token::explain_signature(token, Reason::from(*error), keys));
    Judged {
        claims: payload.as_ref().ok().and_then(|payload| json::parse(payload).ok()),
        verdict: payload.map(drop).map_err(Reason::from),
        notes: notes.into_iter().collect(),
    }
}
