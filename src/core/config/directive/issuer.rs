//! The directives of a `mesh_issuer` block.

use super::{
    Directive, Line, algorithm, duration, file, introspection, on_off, once, pointer, row, seconds,
    unknown,
};
use crate::config::{ConfigError, RawIssuer, RawJwks};
use crate::issuer::{TENANT, is_guid, is_load_balancer};
use crate::key::algorithm::AlgorithmSet;
use crate::peer::spiffe::TrustDomain;
use crate::text::endpoint::Endpoint;

/// The directives of a `mesh_issuer` block.
pub const ISSUER: &[Directive<RawIssuer>] = &[
    row(
        "issuer",
        "url",
        "—",
        "The token's `iss` must equal this URL byte by byte. Required, unless \
         `spiffe_trust_domain` is set. Use `{tenantid}` in the URL for a multi-tenant issuer such \
         as Entra ID; see `tenants`.",
        (1, 1),
        |raw, line| {
            let url = line.first();
            if url.is_empty() {
                return Err(ConfigError::new("the issuer is empty"));
            }
            if url.replacen(TENANT, "", 1).contains(['{', '}']) {
                return Err(unknown(
                    url,
                    &format!("a URL that holds \"{TENANT}\" once, if at all"),
                ));
            }
            once(&mut raw.url, url.into())
        },
    ),
    row(
        "audience",
        "value ...",
        "—",
        "The token's `aud` must contain one of these. Required; `mesh_accept` may name other \
         audiences for a location. Values are compared literally: `*` matches only itself, and \
         `nginx -t` warns about it.",
        (1, 64),
        |raw, line| {
            if line.words.contains(&"") {
                return Err(ConfigError::new("an audience is empty"));
            }
            once(&mut raw.audiences, line.words.iter().map(|word| (*word).into()).collect())
        },
    ),
    row(
        "audience_claim",
        "pointer",
        "—",
        include_str!("doc/audience_claim.md"),
        (1, 1),
        |raw, line| {
            let claim = pointer(line.first())?;
            if claim.root() == "aud" {
                return Err(ConfigError::new(
                    "applies to tokens without \"aud\", so it cannot be \"aud\"",
                ));
            }
            once(&mut raw.audience_claim, claim)
        },
    ),
    row("tenants", "guid ...", "—", include_str!("doc/tenants.md"), (1, 1024), |raw, line| {
        let tenants = raw.tenants.get_or_insert_default();
        listed(tenants, line, |word| match is_guid(word) {
            true => Ok(()),
            false => Err(unknown(word, "a GUID in lower case")),
        })
    }),
    row(
        "spiffe_trust_domain",
        "name",
        "—",
        include_str!("doc/spiffe_trust_domain.md"),
        (1, 1),
        |raw, line| {
            let name = line.first();
            let domain = TrustDomain::parse(name)
                .map_err(|error| ConfigError::new(format!("\"{name}\": {error}")))?;
            once(&mut raw.trust_domain, domain)
        },
    ),
    row("alb", "arn ...", "—", include_str!("doc/alb.md"), (1, 64), |raw, line| {
        let signers = raw.alb.get_or_insert_default();
        listed(signers, line, |word| match is_load_balancer(word) {
            true => Ok(()),
            false => Err(unknown(word, "the ARN of an application load balancer")),
        })
    }),
    row("jwks", "file | url", "—", include_str!("doc/jwks.md"), (1, 1), |raw, line| {
        let word = line.first();
        let jwks = if Endpoint::is_meant(word) {
            RawJwks::Server(endpoint(word)?)
        } else {
            RawJwks::File(file(word)?)
        };
        once(&mut raw.jwks, jwks)
    }),
    row("discovery", "url", "—", include_str!("doc/discovery.md"), (1, 1), |raw, line| {
        once(&mut raw.discovery, endpoint(line.first())?)
    }),
    row("alb_keys", "url", "—", include_str!("doc/alb_keys.md"), (1, 1), |raw, line| {
        let word = line.first();
        let base = endpoint(word)?;
        if !word.ends_with('/') || word.contains('?') {
            return Err(ConfigError::new(format!("\"{word}\" does not end in a slash")));
        }
        once(&mut raw.alb_keys, base)
    }),
    row(
        "refresh",
        "time",
        "refresh 5m",
        "The longest time between two successful fetches of the keys; see `jwks`. The actual \
         interval is shortened by a random 5–20 % so that hosts do not fetch at the same moment. \
         Publish a new key this long before its first use, and no token is refused.",
        (1, 1),
        |raw, line| once(&mut raw.refresh, duration(line.first(), 1, WEEK)?),
    ),
    row(
        "min_refresh",
        "time",
        "min_refresh 10s",
        "The shortest time between the starts of two fetches, whatever triggers them; at most \
         `refresh`. Only an issuer that never had keys is asked more often, starting with one \
         second.",
        (1, 1),
        |raw, line| once(&mut raw.min_refresh, duration(line.first(), 1, WEEK)?),
    ),
    row(
        "max_stale",
        "time",
        "max_stale 1d",
        "How long the last good keys stay in force while no fetch succeeds; at least `refresh`. \
         After that, the issuer's tokens get 503 (`keys_unavailable`), even tokens that were \
         verified before: a key may have been withdrawn in the meantime, and the module could not \
         know.",
        (1, 1),
        |raw, line| once(&mut raw.max_stale, duration(line.first(), 1, 4 * WEEK)?),
    ),
    row(
        "trusted_certificate",
        "file",
        "—",
        include_str!("doc/trusted_certificate.md"),
        (1, 1),
        |raw, line| once(&mut raw.trusted_certificate, file(line.first())?),
    ),
    row("jwks_bearer", "file", "—", include_str!("doc/jwks_bearer.md"), (1, 1), |raw, line| {
        once(&mut raw.jwks_bearer, file(line.first())?)
    }),
    row("algorithms", "name ...", "—", include_str!("doc/algorithms.md"), (1, 12), algorithms),
    row(
        "leeway",
        "time",
        "leeway 30s",
        "The tolerated difference between clocks, for `exp`, `nbf` and `iat`; up to 5m.",
        (1, 1),
        |raw, line| {
            let leeway = seconds(line.first())?;
            if leeway > MOST_LEEWAY {
                return Err(ConfigError::new(format!("\"{}\" is over 5m", line.first())));
            }
            once(&mut raw.leeway, leeway)
        },
    ),
    row(
        "max_lifetime",
        "time",
        "—",
        "The longest time from `iat` to `exp`. With it, a token with no `iat`, or with `iat` in \
         the future, is refused.",
        (1, 1),
        |raw, line| {
            let lifetime = seconds(line.first())?;
            if lifetime == 0 {
                return Err(ConfigError::new("must be over 0"));
            }
            once(&mut raw.max_lifetime, lifetime)
        },
    ),
    row(
        "token_type",
        "type",
        "—",
        "The required `typ` of the token's header, for example `at+jwt` (RFC 9068), which excludes \
         ID tokens.",
        (1, 1),
        |raw, line| {
            if line.first().is_empty() {
                return Err(ConfigError::new("the type is empty"));
            }
            once(&mut raw.token_type, line.first().into())
        },
    ),
    row(
        "service_claim",
        "pointer ...",
        "service_claim /sub",
        "The claim that names the service, as a JSON pointer (RFC 6901): `/azp`, `/client_id`, \
         `/cid`. Of several, the first that is present is used: list only claims whose values \
         cannot collide. A token without any of them is refused, and so is one whose claim is not \
         a string. In a pointer, `~1` stands for `/`: \
         `/https:~1~1sts.amazonaws.com~1/aws_account`.",
        (1, 8),
        |raw, line| {
            let claims: Vec<_> =
                line.words.iter().map(|word| pointer(word)).collect::<Result<_, _>>()?;
            if claims
                .iter()
                .enumerate()
                .any(|(at, claim)| claims.iter().take(at).any(|it| it == claim))
            {
                return Err(ConfigError::new("names a claim twice"));
            }
            once(&mut raw.service_claim, claims.into())
        },
    ),
    row(
        "service_arn",
        "on | off",
        "service_arn off",
        "The service claim is the ARN of an AWS role or of a session of a role, and the service is \
         account and role name: `123456789012/etl`, both for \
         `arn:aws:iam::123456789012:role/data/etl` and for \
         `arn:aws:sts::123456789012:assumed-role/etl/session`. `$mesh_account` shows the account. \
         Any other value is refused, including the ARN of a user.",
        (1, 1),
        |raw, line| once(&mut raw.service_arn, on_off(line)?),
    ),
    row(
        "groups_claim",
        "pointer",
        "—",
        include_str!("doc/groups_claim.md"),
        (1, 1),
        |raw, line| once(&mut raw.groups_claim, pointer(line.first())?),
    ),
    row(
        "introspection",
        "url [always]",
        "—",
        include_str!("doc/introspection.md"),
        (1, 2),
        |raw, line| {
            let always = match line.rest() {
                [] => false,
                ["always"] => true,
                [other, ..] => return Err(unknown(other, "always")),
            };
            once(&mut raw.introspection.endpoint, (endpoint(line.first())?, always))
        },
    ),
    row(
        "introspection_client",
        "id secret=file [method=name] | id key=file [algorithm=name]",
        "—",
        include_str!("doc/introspection_client.md"),
        (2, 3),
        introspection::client,
    ),
    row(
        "introspection_cache",
        "time",
        "introspection_cache 60s",
        "How long an `active: true` answer is cached, at most until its `exp`. **This is how long a \
         token stays valid after its issuer revokes it**, at most.",
        (1, 1),
        |raw, line| once(&mut raw.introspection.cache, duration(line.first(), 1, DAY)?),
    ),
    row(
        "introspection_negative",
        "time",
        "introspection_negative 10s",
        "How long an `active: false` answer is cached.",
        (1, 1),
        |raw, line| once(&mut raw.introspection.negative, duration(line.first(), 1, DAY)?),
    ),
    row(
        "introspection_timeout",
        "time",
        "introspection_timeout 5s",
        "How long to wait for an answer, up to 60s, including the time to queue, to connect and to \
         set up TLS.",
        (1, 1),
        |raw, line| once(&mut raw.introspection.timeout, duration(line.first(), 1, 60)?),
    ),
    row(
        "introspection_signed",
        "on | off",
        "introspection_signed off",
        "Whether to ask the issuer for signed answers (RFC 9701) and to refuse all others. A \
         signed answer has the type `token-introspection+jwt`, is signed by the issuer's keys for \
         the client of `introspection_client`, and is at most a minute old. The issuer then needs \
         keys, as any signing issuer does. Encrypted answers are not supported.",
        (1, 1),
        |raw, line| once(&mut raw.introspection.signed, on_off(line)?),
    ),
    row(
        "introspection_audience",
        "required | optional",
        "introspection_audience required",
        "Whether an answer without `aud` is refused (`audience_refused`). With `optional` it is \
         accepted, unless `mesh_accept` names an audience; an `aud` that is present must still \
         match. Use `optional` only if the issuer answers this client about its own tokens alone: \
         otherwise a token for another service is accepted here.",
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

fn endpoint(word: &str) -> Result<Endpoint, ConfigError> {
    word.parse().map_err(|error| ConfigError::new(format!("\"{word}\" {error}")))
}

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Seconds of a week.
const WEEK: u64 = 7 * 86_400;

/// More than this is not a clock that differs but one that is broken.
const MOST_LEEWAY: i64 = 300;

fn algorithms(raw: &mut RawIssuer, line: &Line<'_>) -> Result<(), ConfigError> {
    let named = line.words.iter().map(|word| algorithm(word));
    once(&mut raw.algorithms, named.collect::<Result<AlgorithmSet, _>>()?)
}
