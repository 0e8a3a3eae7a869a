//! A token judged as the module would, without Nginx.

use std::path::{Path, PathBuf};

use mesh_core::{
    claims::Kept,
    issuer::trust::Trust,
    issuer::{Accept, Form, Issuer, KeySource},
    key::algorithm::KeyAlgorithms,
    key::jwks::KeySet,
    key::jws::{CompactJws, Headers},
    refusal::{Reason, Refusal},
    text::json::{self, Pointer},
    text::time::UnixTime,
    token::{self, Confirmation, VerifiedToken},
};
use serde_json::Value;

use crate::{error::Failure, input, jwks};

/// What the one issuer of a configuration would say.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Where its keys are.
    pub(crate) jwks: PathBuf,
    /// Its `iss`; None to take the token's own.
    pub(crate) url: Option<Box<str>>,
    /// Its audiences; none to take the token's own.
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) audience_claim: Option<Pointer>,
    pub(crate) algorithms: KeyAlgorithms,
    pub(crate) leeway: i64,
    pub(crate) form: Form,
    pub(crate) service_claim: Pointer,
    pub(crate) groups_claim: Option<Pointer>,
}

/// The verdict on a token.
pub(crate) struct Judged<T> {
    /// What is accepted.
    pub(crate) verdict: Result<T, Reason>,
    /// The claims, once their signature is valid.
    pub(crate) claims: Option<Value>,
    /// More about the verdict, for people.
    pub(crate) notes: Vec<String>,
}

/// Lets `judge` judge by the keys of a file.
///
/// # Errors
/// If the file cannot be read, or is no JSON key set.
pub(crate) fn by_keys<T>(
    path: &Path,
    form: &Form,
    algorithms: KeyAlgorithms,
    judge: impl FnOnce(KeySet) -> Judged<T>,
) -> Result<Judged<T>, Failure> {
    let (keys, skipped) = match form.read_keys(&input::key_set(path)?, algorithms) {
        Ok(keys) => keys,
        Err(error) => {
            let unusable = jwks::unusable(path, error)?;
            let notes = vec![format!("{}: {unusable}", path.display())];
            return Ok(Judged { verdict: Err(Reason::KeysUnavailable), claims: None, notes });
        }
    };
    let mut judged = judge(keys);
    if matches!(judged.verdict, Err(Reason::AlgorithmRefused | Reason::UnknownKey)) {
        judged.notes.extend(skipped.iter().map(|key| format!("skipped {key}")));
    }
    Ok(judged)
}

/// Judges a token.
pub(crate) fn judge(
    token: &[u8],
    rules: Rules,
    keys: KeySet,
    at: UnixTime,
) -> Judged<VerifiedToken> {
    let mut notes = Vec::new();
    let issuer = Issuer {
        name: "meshctl".into(),
        url: rules.url.unwrap_or_else(|| {
            notes.push("the issuer was not compared: give --issuer".to_owned());
            own_issuer(token)
        }),
        audiences: if rules.audiences.is_empty() {
            notes.push("the audience was not compared: give --audience".to_owned());
            own_audiences(token, rules.audience_claim.as_ref())
        } else {
            rules.audiences.into()
        },
        audience_claim: rules.audience_claim,
        algorithms: rules.algorithms,
        leeway: rules.leeway,
        max_lifetime: None,
        token_type: None,
        form: rules.form,
        service_claim: Box::new([rules.service_claim]),
        service_arn: false,
        groups_claim: rules.groups_claim,
        keys: KeySource::File(rules.jwks),
        introspection: None,
    };
    let trust = Trust::new(vec![issuer], Kept::default(), vec![Some(keys)]);
    let snapshot = trust.load();
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
            return Judged { verdict: Err(reason), claims: None, notes: why.into_iter().collect() };
        }
    };
    let claims = unverified_claims(token);
    let Err(refusal) = verified.check(&accept, &trust, &snapshot, at) else {
        let bound = match verified.confirmation() {
            Confirmation::Absent | Confirmation::Unsupported => None,
            Confirmation::Certificate(_) => Some("a certificate, which was"),
            Confirmation::CertificateAndKey(..) => Some("a certificate and a key, which were"),
            Confirmation::Key(_) => Some("a key, which was"),
        };
        notes.extend(bound.map(|to| format!("the token is bound to {to} not compared")));
        return Judged { verdict: Ok(verified), claims, notes };
    };
    let issuer = trust.issuers().first();
    let compared = issuer.and_then(|it| comparison(it, refusal.reason(), at, claims.as_ref()));
    let notes = compared.or_else(|| about(&refusal)).into_iter().collect();
    Judged { verdict: Err(refusal.reason()), claims, notes }
}

/// The compared values, for refusals that are about values.
fn comparison(
    issuer: &Issuer,
    reason: Reason,
    at: UnixTime,
    claims: Option<&Value>,
) -> Option<String> {
    let claim = |name: &str| claims.and_then(|claims| claims.get(name)).map(Value::to_string);
    let instead = issuer.audience_claim.as_ref();
    let instead = instead.and_then(|claim| Some((claim, claims?.pointer(claim.as_str())?)));
    let (at, leeway, audiences) = (at.secs(), issuer.leeway, &issuer.audiences);
    match reason {
        Reason::AudienceRefused => Some(match (claim("aud"), instead) {
            (Some(is), _) => format!("aud is {is}, expected one of {audiences:?}"),
            (None, Some((claim, is))) => format!("{claim} is {is}, expected one of {audiences:?}"),
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
