//! More about a refused token than the reason's word: what was compared with what.
//!
//! It is made when a refusal is logged, and by the tool: the token is read again then, so other
//! requests pay nothing for it. An issuer's values are shown short and clean, and of the token
//! nothing but `iss`: a client may write anything into a token, and a log is no place for that. The
//! tool shows its user more.

use core::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::origin::index_of;
use crate::issuer::trust::Trust;
use crate::issuer::{Accept, Issuer};
use crate::key::algorithm::Algorithm;
use crate::key::jwks::KeySet;
use crate::key::jws::CompactJws;
use crate::refusal::Reason;
use crate::text::clean::Clean;
use crate::text::json;
use crate::text::time::UnixTime;

/// More about a token that was refused for `reason` by a location that accepts `accept`; `None` if
/// the reason says it all.
pub fn explain(
    token: &[u8],
    reason: Reason,
    accept: &[Accept],
    trust: &Trust,
    now: UnixTime,
) -> Option<String> {
    let header = header(token)?;
    if is_encrypted(token, &header) {
        return about_form(reason).then(|| ENCRYPTED.to_owned());
    }
    let text = match reason {
        Reason::AlgorithmRefused | Reason::UnknownKey => keys(token, &header, trust, now),
        Reason::IssuerRefused => Some(issuer(token, accept, trust)),
        Reason::KeysUnavailable => owner(token, trust).map(|it| format!("of {it}")),
        Reason::SignatureInvalid => None,
        _ => return None,
    };
    // The signature of such a token is made over another header than the one that is sent.
    let is_for_graph = reason != Reason::KeysUnavailable && header.contains_key("nonce");
    let graph = is_for_graph.then(|| FOR_GRAPH.to_owned());
    match (text, graph) {
        (Some(text), Some(graph)) => Some(format!("{text}; {graph}")),
        (text, graph) => text.or(graph),
    }
}

/// As [`explain`], for a token whose signature alone was to be verified by `keys`.
pub fn explain_signature(token: &[u8], reason: Reason, keys: &KeySet) -> Option<String> {
    let header = header(token)?;
    if is_encrypted(token, &header) {
        return about_form(reason).then(|| ENCRYPTED.to_owned());
    }
    let is_about_keys = matches!(reason, Reason::AlgorithmRefused | Reason::UnknownKey);
    is_about_keys.then(|| {
        let said = |name: &str| header.get(name).and_then(Value::as_str);
        let alg = said("alg").unwrap_or_default();
        let mut text = String::from("the token names ");
        let _ = match NAMES.into_iter().find_map(|name| Some((name, said(name)?))) {
            Some((member, name)) => write!(text, "{member} \"{}\"", Short(name)),
            None => text.write_str("no key"),
        };
        let _ = write!(text, " and alg \"{}\", the set has ", Short(alg));
        list(&mut text, keys);
        text
    })
}

/// The names of a key that a token gives, of which the first is taken.
const NAMES: [&str; 3] = ["kid", "x5t#S256", "x5t"];

const ENCRYPTED: &str = "the token is encrypted (a JWE), and only signed tokens can be read here: have \
                         the issuer sign access tokens for this audience without encrypting them";

const FOR_GRAPH: &str = "the token's header has a nonce, as in tokens of Entra ID for Microsoft Graph, \
                         which only Graph can verify: the client must request a token for this API";

/// Whether the reason is about a token that cannot be read at all.
const fn about_form(reason: Reason) -> bool {
    matches!(reason, Reason::AlgorithmRefused | Reason::TokenCritical | Reason::TokenMalformed)
}

fn header(token: &[u8]) -> Option<Map<String, Value>> {
    if token.len() > CompactJws::MAX {
        return None;
    }
    let part = token.split(|byte| *byte == b'.').next()?;
    match json::parse(&URL_SAFE_NO_PAD.decode(part).ok()?) {
        Ok(Value::Object(header)) => Some(header),
        _ => None,
    }
}

/// Whether a token has the form of RFC 7516, section 7.1.
fn is_encrypted(token: &[u8], header: &Map<String, Value>) -> bool {
    header.contains_key("enc") && token.iter().filter(|byte| **byte == b'.').count() == 4
}

/// The issuer that a token names, as the configuration calls it.
fn owner(token: &[u8], trust: &Trust) -> Option<String> {
    let index = index_of(token, trust)?;
    Some(name(trust.issuers().get(index)?))
}

fn name(issuer: &Issuer) -> String {
    format!("mesh_issuer \"{}\"", issuer.name)
}

fn keys(token: &[u8], header: &Map<String, Value>, trust: &Trust, now: UnixTime) -> Option<String> {
    let alg = header.get("alg").and_then(Value::as_str)?;
    let Ok(alg) = alg.parse::<Algorithm>() else {
        let what = match alg {
            "HS256" | "HS384" | "HS512" => "is signed by a shared secret",
            _ if alg.eq_ignore_ascii_case("none") => "is not signed",
            _ => "names an alg that is not known",
        };
        return Some(format!("the token {what}"));
    };
    let index = index_of(token, trust)?;
    let owner = name(trust.issuers().get(index)?);
    let snapshot = trust.load();
    let keys = snapshot.keys(index, now)?;
    let named = NAMES.into_iter().find(|name| header.get(*name).is_some_and(Value::is_string));
    let named = named.map_or_else(|| "no key".to_owned(), |name| format!("its key by {name}"));
    let mut text = format!("the token is signed by {alg} and names {named}, {owner} has ");
    list(&mut text, keys.set());
    Some(text)
}

/// Names the keys of a set.
fn list(text: &mut String, keys: &KeySet) {
    for (at, (kid, algorithms)) in keys.keys().take(MOST_LISTED).enumerate() {
        let _ = text.write_str(if at == 0 { "" } else { ", " });
        let _ = match kid {
            Some(kid) => write!(text, "\"{}\" ({algorithms})", Short(kid)),
            None => write!(text, "one without kid ({algorithms})"),
        };
    }
    add_more(text, keys.count());
}

fn issuer(token: &[u8], accept: &[Accept], trust: &Trust) -> String {
    let accepted = || accept.iter().filter_map(|it| trust.issuers().get(it.issuer));
    let claims = token.split(|byte| *byte == b'.').nth(1);
    let claims = claims.and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let claims = claims.and_then(|claims| json::parse(&claims).ok()).unwrap_or_default();
    let mut text = match claims.get("iss") {
        None => "the token has no iss".to_owned(),
        Some(Value::String(url)) => {
            let iss = format!("the token's iss is \"{}\"", Short(url));
            if let Some(index) = trust.find(url)
                && let Some(issuer) = trust.issuers().get(index)
            {
                let why = if accept.iter().any(|it| it.issuer == index) {
                    "but its tenant or its key belongs to another issuer"
                } else {
                    "which is not accepted here"
                };
                return format!("{iss} ({}), {why}", name(issuer));
            }
            let bare = |url: &str| url.trim_end_matches('/').to_ascii_lowercase();
            let is_near = accepted().any(|issuer| bare(&issuer.url) == bare(url));
            let hint = if is_near { " (compared byte by byte)" } else { "" };
            format!("{iss}{hint}")
        }
        Some(_) => "the token's iss is no string".to_owned(),
    };
    let _ = text.write_str(", accepted here: ");
    for (at, issuer) in accepted().take(MOST_LISTED).enumerate() {
        let _ = write!(text, "{}\"{}\"", if at == 0 { "" } else { ", " }, Short(&issuer.url));
    }
    add_more(&mut text, accepted().count());
    text
}

/// Says how many of `all` were not listed.
fn add_more(text: &mut String, all: usize) {
    let more = all.saturating_sub(MOST_LISTED);
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
}

/// Keys or issuers that are listed by their names.
const MOST_LISTED: usize = 8;

/// The beginning of a foreign text, fit for a log line.
struct Short<'t>(&'t str);

impl Short<'_> {
    /// Bytes that are shown; a name has 64 if it is a SHA-256 in hexadecimal.
    const LIMIT: usize = 96;
}

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_bytes().get(..Self::LIMIT) {
            Some(beginning) if self.0.len() > Self::LIMIT => write!(f, "{}...", Clean(beginning)),
            _ => Clean(self.0.as_bytes()).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
