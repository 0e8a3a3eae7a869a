//! `meshctl token verify`: the verdict of the module, without Nginx.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use mesh_core::{
    claims::Kept,
    issuer::trust::Trust,
    issuer::{Accept, Form, Issuer, KeySource},
    key::algorithm::{Algorithm, AlgorithmSet, KeyAlgorithms},
    key::jwks::KeySet,
    key::jws::{CompactJws, Headers},
    refusal::{Reason, Refusal},
    text::json::{self, Pointer},
    text::time::UnixTime,
    token::{self, Confirmation},
};
use serde_json::{Value, json};

use crate::{Verdict, error::Failure, input, jwks, moment, output};

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
        let document = input::key_set(&self.jwks)?;
        let parsed = match KeySet::parse(&document, self.algorithms()) {
            Ok(parsed) => Ok(parsed),
            Err(error) => Err(jwks::unusable(&self.jwks, error)?),
        };
        let token = input::token(self.token.as_deref())?;
        let answer = match parsed {
            Ok((keys, skipped)) => {
                let mut answer = if self.signature_only {
                    signature(&token, &keys)
                } else {
                    self.claims(&token, keys)
                };
                if matches!(answer.verdict, Err(Reason::AlgorithmRefused | Reason::UnknownKey)) {
                    answer.notes.extend(skipped.iter().map(|key| format!("skipped {key}")));
                }
                answer
            }
            Err(unusable) => Answer {
                verdict: Err(Reason::KeysUnavailable),
                claims: None,
                notes: vec![format!("{}: {unusable}", self.jwks.display())],
            },
        };
        if self.json { answer.print_json(&token) } else { answer.print() }
    }

    fn algorithms(&self) -> KeyAlgorithms {
        let only = |listed: &[Algorithm]| listed.iter().copied().collect::<AlgorithmSet>().into();
        match (self.algorithms.as_slice(), self.signature_only) {
            ([], false) => KeyAlgorithms::OWN,
            ([], true) => only(&Algorithm::ALL),
            (listed, _) => only(listed),
        }
    }

    /// Verifies the token as the one issuer of a configuration that has these options.
    fn claims(&self, token: &[u8], keys: KeySet) -> Answer {
        let mut notes = Vec::new();
        let issuer = Issuer {
            name: "meshctl".into(),
            url: self.issuer.clone().unwrap_or_else(|| {
                notes.push("the issuer was not compared: give --issuer".to_owned());
                own_issuer(token)
            }),
            audiences: if self.audience.is_empty() {
                notes.push("the audience was not compared: give --audience".to_owned());
                own_audiences(token, self.audience_claim.as_ref())
            } else {
                self.audience.clone().into()
            },
            audience_claim: self.audience_claim.clone(),
            algorithms: self.algorithms(),
            leeway: self.leeway,
            max_lifetime: None,
            token_type: None,
            form: Form::Plain,
            service_claim: Box::new([self.service_claim.clone()]),
            service_arn: false,
            groups_claim: None,
            keys: KeySource::File(self.jwks.clone()),
            introspection: None,
        };
        let trust = Trust::new(vec![issuer], Kept::default(), vec![Some(keys)]);
        let snapshot = trust.load();
        let at = self.at.unwrap_or_else(mesh_control::now);
        let (headers, wish) = (&mut Headers::default(), &mut None);
        let accept = [Accept { issuer: 0, audiences: None }];
        let verified = match token::verify(token, &trust, &snapshot, at, headers, wish) {
            Ok(verified) => verified,
            Err(refusal) => {
                let (reason, keys) = (refusal.reason(), snapshot.keys(0, at));
                let why = keys
                    .and_then(|keys| token::explain_signature(token, reason, keys.set()))
                    .or_else(|| token::explain(token, reason, &accept, &trust, at))
                    .or_else(|| about(&refusal));
                return Answer {
                    verdict: Err(reason),
                    claims: None,
                    notes: why.into_iter().collect(),
                };
            }
        };
        let verdict = verified.check(&accept, &trust, &snapshot, at);
        let claims = unverified_claims(token);
        match &verdict {
            Ok(()) => {
                let bound = match verified.confirmation() {
                    Confirmation::Absent | Confirmation::Unsupported => None,
                    Confirmation::Certificate(_) => Some("a certificate, which was"),
                    Confirmation::CertificateAndKey(..) => {
                        Some("a certificate and a key, which were")
                    }
                    Confirmation::Key(_) => Some("a key, which was"),
                };
                notes.extend(bound.map(|to| format!("the token is bound to {to} not compared")));
            }
            Err(refusal) => {
                let compared = self.comparison(refusal.reason(), at, claims.as_ref());
                notes = compared.or_else(|| about(refusal)).into_iter().collect();
            }
        }
        Answer { verdict: verdict.map_err(|refusal| refusal.reason()), claims, notes }
    }

    /// The compared values, for refusals that are about values.
    fn comparison(&self, reason: Reason, at: UnixTime, claims: Option<&Value>) -> Option<String> {
        let claim = |name: &str| claims.and_then(|claims| claims.get(name)).map(Value::to_string);
        let instead = self.audience_claim.as_ref();
        let instead = instead.and_then(|claim| Some((claim, claims?.pointer(claim.as_str())?)));
        let (at, leeway) = (at.secs(), self.leeway);
        match reason {
            Reason::AudienceRefused => Some(match (claim("aud"), instead) {
                (Some(is), _) => format!("aud is {is}, expected one of {:?}", self.audience),
                (None, Some((claim, is))) => {
                    format!("{claim} is {is}, expected one of {:?}", self.audience)
                }
                (None, None) => "there is no aud".to_owned(),
            }),
            Reason::TokenExpired => {
                Some(format!("exp is {}, the time {at}, the leeway {leeway} s", claim("exp")?))
            }
            Reason::TokenNotYetValid => {
                Some(format!("nbf is {}, the time {at}, the leeway {leeway} s", claim("nbf")?))
            }
            _ => None,
        }
    }
}

/// The answer of the command.
struct Answer {
    verdict: Result<(), Reason>,
    /// The claims, once their signature is valid.
    claims: Option<Value>,
    /// More about the verdict, for people.
    notes: Vec<String>,
}

impl Answer {
    fn print(self) -> Result<Verdict, Failure> {
        let mut stderr = io::stderr().lock();
        // The status is the verdict, whether or not its explanation can be written.
        let mut explain = |text: &str| drop(writeln!(stderr, "meshctl: {text}"));
        match self.verdict {
            Ok(()) => output::line("accepted")?,
            Err(reason) => {
                output::line(reason.word())?;
                explain(reason.meaning());
            }
        }
        self.notes.iter().for_each(|note| explain(note));
        Ok(self.verdict.into())
    }

    fn print_json(self, token: &[u8]) -> Result<Verdict, Failure> {
        let header = CompactJws::parse_any(token).ok();
        let answer = json!({
            "accepted": self.verdict.is_ok(),
            "reason": self.verdict.err().map(Reason::word),
            "meaning": self.verdict.err().map(Reason::meaning),
            "algorithm": header.as_ref().map(|jws| jws.algorithm().as_str()),
            "kid": header.as_ref().and_then(CompactJws::kid),
            "claims": self.claims,
            "notes": self.notes,
        });
        output::line(&answer.to_string())?;
        Ok(self.verdict.into())
    }
}

impl From<Result<(), Reason>> for Verdict {
    fn from(verdict: Result<(), Reason>) -> Self {
        if verdict.is_ok() { Self::Accepted } else { Self::Refused }
    }
}

fn signature(token: &[u8], keys: &KeySet) -> Answer {
    let payload = CompactJws::parse_any(token).and_then(|jws| jws.verify(keys).map(<[u8]>::to_vec));
    let notes = payload
        .as_ref()
        .err()
        .and_then(|error| token::explain_signature(token, Reason::from(*error), keys));
    Answer {
        claims: payload.as_ref().ok().and_then(|payload| json::parse(payload).ok()),
        verdict: payload.map(drop).map_err(Reason::from),
        notes: notes.into_iter().collect(),
    }
}

/// The subject of a refusal, as the module's log has it.
fn about(refusal: &Refusal) -> Option<String> {
    let detail = refusal.detail().to_string();
    detail.strip_prefix(", ").map(str::to_owned)
}

/// The `iss` of the token itself; empty if there is none, which the verification refuses.
fn own_issuer(token: &[u8]) -> Box<str> {
    let claims = unverified_claims(token);
    claims.as_ref().and_then(|claims| claims.get("iss")?.as_str()).unwrap_or_default().into()
}

/// The audiences of the token itself; empty if it has none, which the verification refuses.
fn own_audiences(token: &[u8], instead: Option<&Pointer>) -> Box<[Box<str>]> {
    let claims = unverified_claims(token);
    let claims = claims.as_ref();
    match claims.and_then(|claims| claims.get("aud").or_else(|| claims.pointer(instead?.as_str())))
    {
        Some(Value::String(one)) => Box::new([one.as_str().into()]),
        Some(Value::Array(several)) => {
            several.iter().filter_map(|one| one.as_str().map(Into::into)).collect()
        }
        _ => Box::default(),
    }
}

fn unverified_claims(token: &[u8]) -> Option<Value> {
    json::parse(CompactJws::parse(token).ok()?.unverified_payload()).ok()
}
