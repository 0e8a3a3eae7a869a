//! The directives of `http`, `server` and `location`.

use super::{
    Context, Directive, Line, authorization, dpop, duration, limit, list, metadata, need, on_off,
    once, row, unknown,
};
use std::sync::Arc;

use crate::claims::Requirement;
use crate::config::{
    ConfigError, DryRun, LogLevel, RawAccept, RawAuthenticate, RawLocation, Setting, Subrequests,
};
use crate::peer::x509::{DnsPattern, NameKinds, NameRules};
use crate::request::Methods;
use crate::request::source::{MAX_SOURCES, Source, is_name, may_be_source};
use crate::request::upgrade::{Upgrades, is_protocol};

/// The directives that are allowed in `http`, `server` and `location`.
pub const LOCATION: &[Directive<RawLocation>] = &[
    row(
        "mesh_authenticate",
        Methods::SYNTAX,
        "mesh_authenticate off",
        include_str!("doc/mesh_authenticate.md"),
        (1, 2),
        authenticate,
    ),
    row(
        "mesh_token_source",
        "authorization[=scheme] | header name | cookie name | websocket ...",
        "mesh_token_source authorization",
        include_str!("doc/mesh_token_source.md"),
        (1, 16),
        token_source,
    ),
    row(
        "mesh_certificate_name",
        "spiffe | dns[=pattern] | cn ...",
        "mesh_certificate_name spiffe dns",
        include_str!("doc/mesh_certificate_name.md"),
        (1, 3),
        certificate_name,
    ),
    row(
        "mesh_accept",
        "off | issuer [audience=value] ...",
        "mesh_accept off",
        "An issuer that is accepted here, and optionally the audiences that replace its own. \
         Several lines add up. `off`: all issuers, each with its own audiences.",
        (1, 65),
        accept,
    ),
    row(
        "mesh_dpop",
        "off | accept | require [max_age=time]",
        "mesh_dpop accept max_age=60s",
        include_str!("doc/mesh_dpop.md"),
        (1, 2),
        dpop::dpop,
    ),
    row(
        "mesh_dpop_origin",
        "off | origin",
        "mesh_dpop_origin off",
        include_str!("doc/mesh_dpop_origin.md"),
        (1, 1),
        dpop::origin,
    ),
    row(
        "mesh_dpop_nonce",
        "off | on [lifetime=time]",
        "mesh_dpop_nonce off",
        include_str!("doc/mesh_dpop_nonce.md"),
        (1, 2),
        dpop::nonce,
    ),
    row(
        "mesh_resource",
        "off | url [scope=value] ... [name=text] [documentation=url]",
        "mesh_resource off",
        include_str!("doc/mesh_resource.md"),
        (1, 67),
        metadata::resource,
    ),
    Directive {
        contexts: &[Context::Location],
        ..row(
            "mesh_resource_metadata",
            "",
            "—",
            include_str!("doc/mesh_resource_metadata.md"),
            (0, 0),
            metadata::metadata,
        )
    },
    row(
        "mesh_require_claim",
        "off | pointer[|pointer ...] [!]value ...",
        "mesh_require_claim off",
        include_str!("doc/mesh_require_claim.md"),
        (1, 65),
        require_claim,
    ),
    row(
        "mesh_limit",
        "off | name rate=N(r/s|r/m|r/h|r/d) [key=service|principal|issuer|address|$variable] [burst=N] [cost=N]",
        "mesh_limit off",
        include_str!("doc/mesh_limit.md"),
        (1, 5),
        limit::limit,
    ),
    row(
        "mesh_failure_limit",
        "off | rate=N(r/s|r/m|r/h|r/d) [burst=N]",
        "mesh_failure_limit off",
        include_str!("doc/mesh_failure_limit.md"),
        (1, 2),
        limit::failure_limit,
    ),
    row(
        "mesh_platform",
        "off | platform [setting ...] | file=table [setting ...]",
        "mesh_platform off",
        include_str!("doc/mesh_platform.md"),
        (1, 16),
        authorization::platform,
    ),
    row(
        "mesh_policy",
        "off | file",
        "mesh_policy off",
        include_str!("doc/mesh_policy.md"),
        (1, 1),
        authorization::policy,
    ),
    row(
        "mesh_body_inspect",
        "size",
        "mesh_body_inspect 1m",
        include_str!("doc/mesh_body_inspect.md"),
        (1, 1),
        |raw, line| once(&mut raw.body_inspect, authorization::inspect(line.first())?),
    ),
    row(
        "mesh_body_timeout",
        "time",
        "mesh_body_timeout 30s",
        "How long the whole body of a request may take to arrive if the decision needs it, up to 1h. \
         After that the client gets 408 (`body_timeout`), and its connection ends; in a dry run the body \
         goes upstream all the same. Nginx's own `client_body_timeout` is about the time between two \
         reads, and applies as well.",
        (1, 1),
        |raw, line| once(&mut raw.body_timeout, duration(line.first(), 1, 3_600)?),
    ),
    row(
        "mesh_explain",
        "on | off",
        "mesh_explain off",
        "Whether the body of a refusal by a location with a `mesh_platform` holds the reason's word. \
         It never holds the rule: that is in the log and in `$mesh_rule`.",
        (1, 1),
        |raw, line| once(&mut raw.explain, on_off(line)?),
    ),
    row(
        "mesh_forward_credential",
        "on | off",
        "mesh_forward_credential off",
        include_str!("doc/mesh_forward_credential.md"),
        (1, 1),
        |raw, line| once(&mut raw.forward_credential, on_off(line)?),
    ),
    row(
        "mesh_export",
        "headers | off",
        "mesh_export headers",
        "Whether the identity is sent to the upstream in `X-Mesh-…` headers; `meshctl help \
         headers` lists them. Fields with these names that a client sends are removed in any case.",
        (1, 1),
        |raw, line| {
            let export = match line.first() {
                "headers" => true,
                "off" => false,
                other => return Err(unknown(other, "headers or off")),
            };
            once(&mut raw.export, export)
        },
    ),
    row(
        "mesh_upgrade",
        "off | any | name ...",
        "mesh_upgrade websocket",
        include_str!("doc/mesh_upgrade.md"),
        (1, 16),
        upgrade,
    ),
    row(
        "mesh_dry_run",
        "off | limit | policy | all",
        "mesh_dry_run off",
        include_str!("doc/mesh_dry_run.md"),
        (1, 1),
        |raw, line| {
            let dry_run = match line.first() {
                "all" => DryRun::All,
                "limit" => DryRun::Limit,
                "off" => DryRun::Off,
                "policy" => DryRun::Policy,
                other => return Err(unknown(other, "off, limit, policy or all")),
            };
            once(&mut raw.dry_run, dry_run)?;
            if dry_run == DryRun::All {
                let message = "mesh_dry_run all lets every request pass that would be refused";
                raw.advice.push(ConfigError::at(line.place, message));
            }
            Ok(())
        },
    ),
    row(
        "mesh_subrequests",
        "judge | pass",
        "mesh_subrequests judge",
        include_str!("doc/mesh_subrequests.md"),
        (1, 1),
        |raw, line| {
            let subrequests = match line.first() {
                "judge" => Subrequests::Judge,
                "pass" => Subrequests::Pass,
                other => return Err(unknown(other, "judge or pass")),
            };
            once(&mut raw.subrequests, subrequests)
        },
    ),
    row(
        "mesh_log_level",
        "info | notice | warn | error",
        "mesh_log_level error",
        include_str!("doc/mesh_log_level.md"),
        (1, 1),
        |raw, line| {
            let level = match line.first() {
                "error" => LogLevel::Error,
                "info" => LogLevel::Info,
                "notice" => LogLevel::Notice,
                "warn" => LogLevel::Warn,
                other => return Err(unknown(other, "info, notice, warn or error")),
            };
            once(&mut raw.log_level, level)
        },
    ),
    row(
        "mesh_limit_status",
        "code",
        "mesh_limit_status 429",
        "The status of a refusal by a limit, from 400 to 599.",
        (1, 1),
        |raw, line| {
            let word = line.first();
            let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
            let status = word.parse().ok().filter(|it| is_number && (400..=599).contains(it));
            once(
                &mut raw.limit_status,
                status.ok_or_else(|| unknown(word, "a status from 400 to 599"))?,
            )
        },
    ),
];

fn authenticate(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    let methods = match line.words {
        ["off"] => None,
        words => {
            let methods = Methods::parse(words);
            Some(methods.ok_or_else(|| unknown(&words.join(" "), Methods::EXPECTED))?)
        }
    };
    once(&mut raw.authenticate, RawAuthenticate { methods, place: line.place.clone() })
}

fn token_source(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    let sources = raw.token_sources.get_or_insert_default();
    let mut words = line.words.iter();
    while let Some(word) = words.next() {
        let mut name = || {
            let name = words.next().copied().unwrap_or_default();
            if is_name(name) {
                Ok(name)
            } else {
                Err(unknown(name, &format!("the name of a {word}")))
            }
        };
        let source = match *word {
            "authorization" => Source::Authorization,
            word if word.starts_with("authorization=") => Source::Scheme(scheme(word)?),
            "cookie" => Source::Cookie(name()?.into()),
            "header" => {
                let name = name()?.to_ascii_lowercase();
                if !may_be_source(&name) {
                    return Err(ConfigError::new(format!(
                        "the header \"{name}\" has another meaning"
                    )));
                }
                Source::Header(name.into())
            }
            "websocket" => Source::WebSocket,
            other => {
                let expected = "authorization, header name, cookie name or websocket";
                return Err(unknown(other, expected));
            }
        };
        if sources.iter().any(|known| known.is_same(&source)) {
            return Err(ConfigError::new("names a place twice"));
        }
        if sources.len() >= MAX_SOURCES {
            return Err(ConfigError::new(format!("more than {MAX_SOURCES} places")));
        }
        sources.push(source);
    }
    Ok(())
}

/// The scheme of `authorization=Token`, in lower case.
fn scheme(word: &str) -> Result<Box<str>, ConfigError> {
    let name = word.trim_start_matches("authorization=").to_ascii_lowercase();
    if matches!(&*name, "bearer" | "dpop") {
        return Err(ConfigError::new(format!("\"{word}\" is what \"authorization\" reads")));
    }
    if !is_name(&name) || matches!(&*name, "basic" | "digest" | "negotiate") {
        return Err(unknown(word, "authorization=scheme, whose scheme carries a token"));
    }
    Ok(name.into())
}

fn certificate_name(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    let (mut kinds, mut pattern) = (NameKinds::NONE, None);
    for word in line.words {
        let kind = match (*word, word.strip_prefix("dns=")) {
            ("cn", _) => NameKinds::COMMON_NAME,
            ("dns", _) => NameKinds::DNS,
            ("spiffe", _) => NameKinds::SPIFFE,
            (_, Some(text)) => {
                pattern = DnsPattern::parse(text);
                if pattern.is_none() {
                    return Err(unknown(text, "a DNS name or a pattern such as *.example"));
                }
                NameKinds::DNS
            }
            (other, None) => return Err(unknown(other, "spiffe, dns, dns=pattern or cn")),
        };
        if kinds.contains(kind) {
            let name = if kind == NameKinds::DNS { "dns" } else { word };
            return Err(ConfigError::new(format!("\"{name}\" is named twice")));
        }
        kinds = kinds | kind;
    }
    once(&mut raw.names, NameRules::new(kinds, pattern))
}

fn upgrade(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    let upgrades = match line.words {
        ["any"] => Upgrades::Any,
        ["off"] => Upgrades::Off,
        words => {
            let mut names: Vec<Box<str>> = Vec::new();
            for word in words {
                if matches!(*word, "any" | "off") {
                    return Err(ConfigError::new(format!("\"{word}\" must be alone")));
                }
                if !is_protocol(word) {
                    return Err(unknown(word, "a protocol"));
                }
                if names.iter().any(|name| name.eq_ignore_ascii_case(word)) {
                    return Err(ConfigError::new(format!("\"{word}\" is named twice")));
                }
                names.push((*word).into());
            }
            Upgrades::Named(names.into())
        }
    };
    once(&mut raw.upgrades, upgrades)
}

fn accept(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    let Some(items) = list(&mut raw.accept, line)? else { return Ok(()) };
    let issuer = line.first();
    if items.iter().any(|known| *known.issuer == *issuer) {
        return Err(ConfigError::new(format!("issuer \"{issuer}\" is accepted twice")));
    }
    let audiences = line.rest().iter().map(|word| {
        word.strip_prefix("audience=")
            .filter(|audience| !audience.is_empty())
            .map(Into::into)
            .ok_or_else(|| unknown(word, "audience=value"))
    });
    let audiences: Vec<Box<str>> = audiences.collect::<Result<_, _>>()?;
    if audiences.iter().any(|it| **it == *"*") {
        let message = "mesh_accept has audience=*, which matches only itself";
        raw.advice.push(ConfigError::at(line.place, message));
    }
    raw.needs.push(need(Setting::Accept, true, line));
    items.push(RawAccept { issuer: issuer.into(), audiences, place: line.place.clone() });
    Ok(())
}

fn require_claim(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    let Some(items) = list(&mut raw.requirements, line)? else { return Ok(()) };
    let required =
        Requirement::parse(line.words).map_err(|error| ConfigError::new(error.to_string()))?;
    items.push(Arc::new(required));
    raw.needs.push(need(Setting::RequireClaim, true, line));
    Ok(())
}
