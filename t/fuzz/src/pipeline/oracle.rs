//! The second opinion: who a request comes from, by the ledger of what was signed.

use mesh_core::peer::x509::ChainVerdict;
use serde_json::{Map, Value};

use super::case::Step;
use super::forge::Signed;
use super::world::{ISSUERS, LEAVES, Leaf, List, Place};
use crate::authorization_header::read;
use crate::keys::{KEYS, part};

/// What should come of a request in a location, limits aside.
pub struct Judgement {
    /// Who it is, or why nobody.
    pub identity: Result<Expected, &'static str>,
    /// Whether every required claim holds.
    pub permitted: bool,
}

/// What is said of an identity.
#[derive(Debug)]
pub struct Expected {
    pub issuer: Option<&'static str>,
    service: String,
    principal: String,
    spiffe: Option<&'static str>,
    method: &'static str,
    groups: Option<Value>,
}

impl Judgement {
    pub fn admits(&self) -> bool {
        self.identity.is_ok() && self.permitted
    }
}

impl Expected {
    /// The exported fields with their values before they are encoded.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("X-Mesh-Service", Some(self.service.clone())),
            ("X-Mesh-Principal", Some(self.principal.clone())),
            ("X-Mesh-Issuer", self.issuer.map(Into::into)),
            ("X-Mesh-Spiffe-Id", self.spiffe.map(Into::into)),
            ("X-Mesh-Method", Some(self.method.into())),
            ("X-Mesh-Groups", self.groups.as_ref().map(Value::to_string)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Judges a request; `published` holds the keys of each issuer, and `list` what is revoked.
pub fn judge(
    step: &Step,
    place: &Place,
    ledger: &[Signed],
    published: &[&'static [usize]],
    list: List,
) -> Judgement {
    let token = match step.sent.fields.as_slice() {
        _ if !place.token => Ok(None),
        [] => Ok(None),
        [(_, field)] => match read(field) {
            Err(_) => Err("no bearer token"),
            Ok(None) => Ok(None),
            // No request of a case holds the proof that this asks for.
            Ok(Some((true, _))) => Err("no proof"),
            Ok(Some((false, token))) => check_token(token, step, place, ledger, published)
                .and_then(|(signed, issuer)| {
                    check_revoked(signed, issuer, list).map(|()| Some((signed, issuer)))
                }),
        },
        _ => Err("several fields"),
    };
    let leaf = match step.leaf.filter(|_| place.certificate) {
        None => Ok(None),
        Some((leaf, verdict)) => check_leaf(&LEAVES[leaf], verdict, step, place).map(Some),
    };
    let permitted = match &token {
        Ok(Some((signed, _))) => requirements_hold(&signed.claims, place),
        _ => place.requirements.is_empty(),
    };
    Judgement { identity: token.and_then(|token| combine(token, leaf?, place)), permitted }
}

fn combine(
    token: Option<(&Signed, usize)>,
    leaf: Option<(&'static str, &'static str)>,
    place: &Place,
) -> Result<Expected, &'static str> {
    let missing = place.token && token.is_none() || place.certificate && leaf.is_none();
    if missing && !place.any || token.is_none() && leaf.is_none() {
        return Err("a credential is missing");
    }
    let spiffe = leaf.filter(|(kind, _)| *kind == "spiffe").map(|(_, name)| name);
    let Some((signed, issuer)) = token else {
        let (_, name) = leaf.ok_or("no credential")?;
        return Ok(Expected {
            issuer: None,
            service: name.into(),
            principal: name.into(),
            spiffe,
            method: "certificate",
            groups: None,
        });
    };
    let text = |name: &str| signed.claims.get(name).and_then(Value::as_str);
    let model = &ISSUERS[issuer];
    let service = text(model.service_claim).ok_or("no service")?;
    Ok(Expected {
        issuer: Some(model.name),
        service: service.into(),
        principal: text("sub").unwrap_or(service).into(),
        spiffe,
        method: if leaf.is_some() { "token certificate" } else { "token" },
        groups: model.groups_claim.and_then(|claim| groups(signed.claims.get(claim)?)),
    })
}

/// The groups as an array of strings; none where they are not known.
fn groups(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) => Some(Value::Array(vec![value.clone()])),
        Value::Array(all) if all.iter().all(Value::is_string) => Some(value.clone()),
        _ => None,
    }
}

/// Finds the entry of the ledger that the token is, if everything about it holds here and now.
fn check_token<'l>(
    token: &[u8],
    step: &Step,
    place: &Place,
    ledger: &'l [Signed],
    published: &[&'static [usize]],
) -> Result<(&'l Signed, usize), &'static str> {
    let token = str::from_utf8(token).map_err(|_| "not ASCII")?;
    let (input, signature) = token.rsplit_once('.').ok_or("no signature")?;
    let mut why = "nobody signed that";
    for signed in ledger.iter().filter(|signed| signed.input == input) {
        match check(signed, signature, step, place, published) {
            Ok(issuer) => return Ok((signed, issuer)),
            Err(reason) => why = reason,
        }
    }
    Err(why)
}

fn check(
    signed: &Signed,
    signature: &str,
    step: &Step,
    place: &Place,
    published: &[&'static [usize]],
) -> Result<usize, &'static str> {
    if signed.broken {
        return Err("broken");
    }
    let url = signed.claims.get("iss").and_then(Value::as_str).ok_or("no issuer")?;
    let issuer = ISSUERS.iter().position(|it| it.url == url).ok_or("a strange issuer")?;
    if place.accept.is_some_and(|(accepted, _)| accepted != issuer) {
        return Err("another issuer");
    }
    let algorithms = ISSUERS[issuer].algorithms;
    if !algorithms.contains(&&*signed.claimed)
        || signed.claimed != format!("{:?}", signed.algorithm)
        || named_key(signed, published[issuer]) != Some(signed.key)
    {
        return Err("another key");
    }
    if !KEYS[signed.key].verifies(signed.input.as_bytes(), signature, signed.algorithm) {
        return Err("another signature");
    }
    check_claims(signed, issuer, step, place)?;
    Ok(issuer)
}

/// The key that a header names: the only one of its name, or the only one that fits.
fn named_key(signed: &Signed, published: &[usize]) -> Option<usize> {
    let fits = |key: &&usize| KEYS[**key].fits.contains(&signed.algorithm);
    let mut fitting: Vec<&usize> = published.iter().filter(fits).collect();
    if let Some(kid) = &signed.kid {
        fitting.retain(|key| KEYS[**key].kid == Some(kid));
    }
    if let [only] = fitting[..] { Some(*only) } else { None }
}

fn check_claims(
    signed: &Signed,
    issuer: usize,
    step: &Step,
    place: &Place,
) -> Result<(), &'static str> {
    let (model, claims) = (&ISSUERS[issuer], &signed.claims);
    let now = i128::from(step.now);
    let expires = date(claims, "exp", f64::floor)?.ok_or("no expiry")?;
    if now >= expires + model.leeway {
        return Err("expired");
    }
    if date(claims, "nbf", f64::ceil)?.is_some_and(|begins| now + model.leeway < begins) {
        return Err("not yet");
    }
    let issued = date(claims, "iat", f64::ceil)?;
    if let Some(most) = model.max_lifetime {
        let issued = issued.ok_or("no age")?;
        if expires - issued > most || issued > now + model.leeway {
            return Err("too long a life");
        }
    }
    let wanted = place.accept.map_or(model.audiences, |(_, audiences)| audiences);
    let meant = match claims.get("aud") {
        Some(Value::String(one)) => wanted.contains(&&**one),
        Some(Value::Array(all)) if all.iter().all(Value::is_string) => {
            all.iter().filter_map(Value::as_str).any(|one| wanted.contains(&one))
        }
        _ => false,
    };
    if !meant {
        return Err("another audience");
    }
    let is_type = |types: &[&str]| signed.typ.as_deref().is_some_and(|typ| types.contains(&typ));
    if !model.types.is_none_or(is_type) {
        return Err("another type");
    }
    let named = |claim: &Value| claim.as_str().is_some_and(|text| !text.is_empty());
    if !claims.get("sub").is_none_or(named) || !claims.get(model.service_claim).is_some_and(named) {
        return Err("no name");
    }
    let leaf = step.leaf.and_then(|(leaf, _)| LEAVES[leaf].thumbprint);
    match (claims.get("cnf"), leaf.map(part)) {
        (None, _) => Ok(()),
        (Some(Value::Object(methods)), Some(thumbprint)) if methods.len() == 1 => {
            let bound = methods.get("x5t#S256").and_then(Value::as_str);
            if bound == Some(&thumbprint) { Ok(()) } else { Err("another certificate") }
        }
        _ => Err("no such binding"),
    }
}

/// Whether no entry of the list is about the token.
fn check_revoked(signed: &Signed, issuer: usize, list: List) -> Result<(), &'static str> {
    let entries = list.ok_or("what is revoked is not known")?;
    let subject = signed.claims.get("sub").and_then(Value::as_str);
    let issued = date(&signed.claims, "iat", f64::ceil)?;
    let names = entries.iter().any(|entry| {
        let name = if entry.member == "kid" { KEYS[signed.key].kid } else { subject };
        name == Some(entry.name)
            && entry.issuer.is_none_or(|at| at == issuer)
            && entry.before.is_none_or(|at| issued.is_none_or(|issued| issued <= at.into()))
    });
    if names { Err("revoked") } else { Ok(()) }
}

/// A date in whole seconds, if the claim is there and is one.
fn date(
    claims: &Map<String, Value>,
    name: &str,
    round: fn(f64) -> f64,
) -> Result<Option<i128>, &'static str> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    match (value.as_i64(), value.as_f64()) {
        (Some(whole), _) => Ok(Some(whole.into())),
        (None, Some(number)) if number.abs() <= 9e15 => Ok(Some(round(number) as i128)),
        _ => Err("no date"),
    }
}

fn requirements_hold(claims: &Map<String, Value>, place: &Place) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    place.requirements.iter().all(|(claim, values)| match claims.get(*claim) {
        None | Some(Value::Null | Value::Object(_)) => false,
        Some(Value::Array(all)) => all.iter().any(|one| values.contains(&&*text(one))),
        Some(Value::String(scopes)) if *claim == "scope" => {
            scopes.split(' ').any(|scope| values.contains(&scope))
        }
        Some(one) => values.contains(&&*text(one)),
    })
}

fn check_leaf(
    leaf: &'static Leaf,
    verdict: ChainVerdict,
    step: &Step,
    place: &Place,
) -> Result<(&'static str, &'static str), &'static str> {
    let (from, until) = leaf.valid;
    if verdict != ChainVerdict::Verified || leaf.thumbprint.is_none() {
        return Err("the certificate is not verified");
    }
    if !(from..=until).contains(&step.now) {
        return Err("the certificate has expired");
    }
    let name = leaf.name.filter(|(kind, _)| match *kind {
        "spiffe" => place.spiffe,
        "dns" => place.dns,
        _ => place.common_name,
    });
    name.ok_or("the certificate has no name of that kind")
}
