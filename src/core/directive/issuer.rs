//! The directives of a `mesh_issuer` block.

use core::time::Duration;
use std::path::PathBuf;

use super::{Context, Directive, Line, on_off, once, pointer, seconds, unknown};
use crate::algorithm::{Algorithm, AlgorithmSet};
use crate::config::{ConfigError, RawClient, RawIssuer, RawJwks};
use crate::endpoint::Endpoint;
use crate::introspection::SecretMethod;
use crate::issuer::{TENANT, is_guid, is_load_balancer};
use crate::spiffe::TrustDomain;

const HERE: &[Context] = &[Context::Issuer];

/// What may stand in a `mesh_issuer` block.
pub const ISSUER: &[Directive<RawIssuer>] = &[
    row("issuer", "url", "—", (1, 1), |raw, line| {
        let url = line.first();
        if url.is_empty() {
            return Err(ConfigError::new("the issuer is empty"));
        }
        if url.replacen(TENANT, "", 1).contains(['{', '}']) {
            return Err(unknown(url, &format!("a URL that holds \"{TENANT}\" once, if at all")));
        }
        once(&mut raw.url, url.into())
    }),
    row("audience", "value ...", "—", (1, 64), |raw, line| {
        if line.words.contains(&"") {
            return Err(ConfigError::new("an audience is empty"));
        }
        once(&mut raw.audiences, line.words.iter().map(|word| (*word).into()).collect())
    }),
    row("audience_claim", "pointer", "—", (1, 1), |raw, line| {
        let claim = pointer(line.first())?;
        if claim.root() == "aud" {
            return Err(ConfigError::new("counts in tokens without \"aud\", which it cannot name"));
        }
        once(&mut raw.audience_claim, claim)
    }),
    row("tenants", "guid ...", "—", (1, 1024), |raw, line| {
        let tenants = raw.tenants.get_or_insert_default();
        listed(tenants, line, |word| match is_guid(word) {
            true => Ok(()),
            false => Err(unknown(word, "a GUID in lower case")),
        })
    }),
    row("spiffe_trust_domain", "name", "—", (1, 1), |raw, line| {
        let name = line.first();
        let domain = TrustDomain::parse(name)
            .map_err(|error| ConfigError::new(format!("\"{name}\": {error}")))?;
        once(&mut raw.trust_domain, domain)
    }),
    row("alb", "arn ...", "—", (1, 64), |raw, line| {
        let signers = raw.alb.get_or_insert_default();
        listed(signers, line, |word| match is_load_balancer(word) {
            true => Ok(()),
            false => Err(unknown(word, "the ARN of an application load balancer")),
        })
    }),
    row("jwks", "file | url", "—", (1, 1), |raw, line| {
        let word = line.first();
        let jwks = if Endpoint::is_meant(word) {
            RawJwks::Server(endpoint(word)?)
        } else {
            RawJwks::File(file(word)?)
        };
        once(&mut raw.jwks, jwks)
    }),
    row("discovery", "url", "—", (1, 1), |raw, line| {
        once(&mut raw.discovery, endpoint(line.first())?)
    }),
    row("alb_keys", "url", "—", (1, 1), |raw, line| {
        let word = line.first();
        let base = endpoint(word)?;
        if !word.ends_with('/') || word.contains('?') {
            return Err(ConfigError::new(format!("\"{word}\" does not end in a slash")));
        }
        once(&mut raw.alb_keys, base)
    }),
    row("refresh", "time", "refresh 5m", (1, 1), |raw, line| {
        once(&mut raw.refresh, duration(line.first(), 1, WEEK)?)
    }),
    row("min_refresh", "time", "min_refresh 10s", (1, 1), |raw, line| {
        once(&mut raw.min_refresh, duration(line.first(), 1, WEEK)?)
    }),
    row("max_stale", "time", "max_stale 1d", (1, 1), |raw, line| {
        once(&mut raw.max_stale, duration(line.first(), 1, 4 * WEEK)?)
    }),
    row("trusted_certificate", "file", "—", (1, 1), |raw, line| {
        once(&mut raw.trusted_certificate, file(line.first())?)
    }),
    row("jwks_bearer", "file", "—", (1, 1), |raw, line| {
        once(&mut raw.jwks_bearer, file(line.first())?)
    }),
    row("algorithms", "name ...", "—", (1, 12), algorithms),
    row("leeway", "time", "leeway 30s", (1, 1), |raw, line| {
        let leeway = seconds(line.first())?;
        if leeway > MOST_LEEWAY {
            return Err(ConfigError::new(format!("\"{}\" is over 5m", line.first())));
        }
        once(&mut raw.leeway, leeway)
    }),
    row("max_lifetime", "time", "—", (1, 1), |raw, line| {
        let lifetime = seconds(line.first())?;
        if lifetime == 0 {
            return Err(ConfigError::new("must be over 0"));
        }
        once(&mut raw.max_lifetime, lifetime)
    }),
    row("token_type", "type", "—", (1, 1), |raw, line| {
        if line.first().is_empty() {
            return Err(ConfigError::new("the type is empty"));
        }
        once(&mut raw.token_type, line.first().into())
    }),
    row("service_claim", "pointer ...", "service_claim /sub", (1, 8), |raw, line| {
        let claims: Vec<_> =
            line.words.iter().map(|word| pointer(word)).collect::<Result<_, _>>()?;
        if claims.iter().enumerate().any(|(at, claim)| claims.iter().take(at).any(|it| it == claim))
        {
            return Err(ConfigError::new("names a claim twice"));
        }
        once(&mut raw.service_claim, claims.into())
    }),
    row("service_arn", "on | off", "service_arn off", (1, 1), |raw, line| {
        once(&mut raw.service_arn, on_off(line)?)
    }),
    row("groups_claim", "pointer", "—", (1, 1), |raw, line| {
        once(&mut raw.groups_claim, pointer(line.first())?)
    }),
    row("introspection", "url [always]", "—", (1, 2), |raw, line| {
        let always = match line.rest() {
            [] => false,
            ["always"] => true,
            [other, ..] => return Err(unknown(other, "always")),
        };
        once(&mut raw.introspection.endpoint, (endpoint(line.first())?, always))
    }),
    row(
        "introspection_client",
        "id secret=file [method=name] | id key=file [algorithm=name]",
        "—",
        (2, 3),
        introspection_client,
    ),
    row("introspection_cache", "time", "introspection_cache 60s", (1, 1), |raw, line| {
        once(&mut raw.introspection.cache, duration(line.first(), 1, DAY)?)
    }),
    row("introspection_negative", "time", "introspection_negative 10s", (1, 1), |raw, line| {
        once(&mut raw.introspection.negative, duration(line.first(), 1, DAY)?)
    }),
    row("introspection_timeout", "time", "introspection_timeout 5s", (1, 1), |raw, line| {
        once(&mut raw.introspection.timeout, duration(line.first(), 1, 60)?)
    }),
    row("introspection_signed", "on | off", "introspection_signed off", (1, 1), |raw, line| {
        once(&mut raw.introspection.signed, on_off(line)?)
    }),
    row(
        "introspection_audience",
        "required | optional",
        "introspection_audience required",
        (1, 1),
        |raw, line| {
            let needed = match line.first() {
                "optional" => false,
                "required" => true,
                other => return Err(unknown(other, "required or optional")),
            };
            once(&mut raw.introspection.needs_audience, needed)
        },
    ),
];

/// Adds the words of one of several lines, each of them once.
fn listed(
    list: &mut Vec<Box<str>>,
    line: &Line<'_>,
    check: fn(&str) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    for word in line.words {
        check(word)?;
        if list.iter().any(|known| **known == **word) {
            return Err(ConfigError::new(format!("\"{word}\" is named twice")));
        }
        list.push((*word).into());
    }
    Ok(())
}

fn introspection_client(raw: &mut RawIssuer, line: &Line<'_>) -> Result<(), ConfigError> {
    let id = line.first();
    // RFC 6749 appendix A.1: visible characters.
    if id.is_empty() || !id.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(ConfigError::new("the client's id is not of visible characters"));
    }
    let (mut secret, mut key, mut named, mut method) = (None, None, None, None);
    for word in line.rest() {
        match word.split_once('=') {
            Some(("algorithm", value)) => once(&mut named, algorithm(value)?)?,
            Some(("key", value)) => once(&mut key, file(value)?)?,
            Some(("method", value)) => once(&mut method, secret_method(value)?)?,
            Some(("secret", value)) => once(&mut secret, file(value)?)?,
            _ => return Err(unknown(word, "secret=, method=, key= or algorithm=")),
        }
    }
    let client = RawClient { id: id.into(), secret, key, algorithm: named, method };
    once(&mut raw.introspection.client, client)
}

/// As RFC 7591 section 2 names the methods.
fn secret_method(word: &str) -> Result<SecretMethod, ConfigError> {
    match word {
        "client_secret_basic" => Ok(SecretMethod::Basic),
        "client_secret_post" => Ok(SecretMethod::Post),
        other => Err(unknown(other, "client_secret_basic or client_secret_post")),
    }
}

fn endpoint(word: &str) -> Result<Endpoint, ConfigError> {
    word.parse().map_err(|error| ConfigError::new(format!("\"{word}\" {error}")))
}

fn file(word: &str) -> Result<PathBuf, ConfigError> {
    if word.is_empty() {
        return Err(ConfigError::new("the file's name is empty"));
    }
    Ok(word.into())
}

/// A time within bounds, both in seconds.
fn duration(word: &str, least: u64, most: u64) -> Result<Duration, ConfigError> {
    let secs = u64::try_from(seconds(word)?).ok().filter(|it| (least..=most).contains(it));
    secs.map(Duration::from_secs)
        .ok_or_else(|| unknown(word, &format!("a time from {least} to {most} seconds")))
}

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Seconds of a week.
const WEEK: u64 = 7 * 86_400;

/// More than this is not a clock that differs but one that is broken.
const MOST_LEEWAY: i64 = 300;

const fn row(
    name: &'static str,
    syntax: &'static str,
    default: &'static str,
    words: (usize, usize),
    apply: fn(&mut RawIssuer, &Line<'_>) -> Result<(), ConfigError>,
) -> Directive<RawIssuer> {
    Directive { name, syntax, default, contexts: HERE, words, block: false, apply }
}

fn algorithms(raw: &mut RawIssuer, line: &Line<'_>) -> Result<(), ConfigError> {
    let named = line.words.iter().map(|word| algorithm(word));
    once(&mut raw.algorithms, named.collect::<Result<AlgorithmSet, _>>()?)
}

fn algorithm(word: &str) -> Result<Algorithm, ConfigError> {
    word.parse().map_err(|_| unknown(word, &format!("one of {}", Algorithm::names())))
}
