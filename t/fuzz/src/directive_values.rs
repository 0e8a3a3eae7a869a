//! The words of directives, from the line to the resolved settings.

use std::collections::HashSet;

use mesh_core::config::directive::{ISSUER, LOCATION, MAIN, read};
use mesh_core::config::{DryRun, Location, Place, RawIssuer, RawLocation, RawMain, Resolver};
use mesh_core::key::algorithm::Algorithm;
use mesh_core::limit::{LimitKey, MAX_LIMITS, Period};
use mesh_core::request::Method;

const KNOWN_VARIABLE: &str = "remote_user";

/// A configuration is refused with a message, or it resolves into settings that mean what was
/// typed: numbers and times are read a second time, and every index leads to something.
///
/// Returns whether at least one location authenticates. A line of the input is a directive and
/// its words, `}` ends a `mesh_issuer` block, and `location` begins a level within the first.
pub fn directive_values(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let mut main = RawMain::default();
    let mut levels = vec![RawLocation::default()];
    for (at, line) in text.lines().take(200).enumerate() {
        let place = Place { file: "fuzz.conf".into(), line: at + 1 };
        let words: Vec<&str> = line.split(' ').collect();
        match (words[0], &words[1..]) {
            ("location", []) => levels.push(RawLocation::default()),
            ("}", []) => close(&mut main),
            (name, words) => apply(&mut main, &mut levels, name, words, &place),
        }
    }
    close(&mut main);
    assert_main(&main);
    let (outer, inner) = levels.split_first_mut().expect("there is a first level");
    for level in inner.iter_mut() {
        let before = level.clone();
        level.inherit(outer);
        let kept = before.limit_status.or(outer.limit_status);
        assert_eq!(level.limit_status, kept, "what is nearer counts");
        assert_eq!(level.authenticate, before.authenticate.clone().or(outer.authenticate.clone()));
    }
    resolve(&main, &levels)
}

fn apply(
    main: &mut RawMain,
    levels: &mut [RawLocation],
    name: &str,
    words: &[&str],
    place: &Place,
) {
    let level = levels.last_mut().expect("there is a first level");
    let done = if let Some(issuer) = &mut main.open {
        let done = read(ISSUER, issuer, name, words, place);
        if done.is_ok() {
            assert_issuer_line(issuer, name, words);
        }
        done
    } else if MAIN.iter().any(|row| row.name == name) {
        let done = read(MAIN, main, name, words, place);
        if done.is_ok() && name == "mesh_zone" {
            assert_eq!(main.zone.map(|zone| zone as u128), bytes(words[0]), "{words:?}");
        }
        done
    } else {
        // Nginx ends at an error; here the line is forgotten, so that the next ones count.
        let mut next = level.clone();
        let done = read(LOCATION, &mut next, name, words, place);
        if done.is_ok() {
            *level = next;
            assert_location_line(level, name, words);
        }
        done
    };
    if let Err(error) = done {
        assert!(!error.to_string().is_empty());
    }
}

fn close(main: &mut RawMain) {
    let (before, open) = (main.issuers.len(), main.open.is_some());
    match main.close_issuer() {
        Ok(()) => assert_eq!(main.issuers.len(), before + usize::from(open)),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!(main.issuers.len(), before);
        }
    }
    assert!(main.open.is_none());
}

fn assert_issuer_line(issuer: &RawIssuer, name: &str, words: &[&str]) {
    let typed = |value: Option<i64>| {
        assert_eq!(value.map(i128::from), seconds(words[0]), "{name} {words:?}");
    };
    match name {
        "leeway" => typed(issuer.leeway),
        "max_lifetime" => typed(issuer.max_lifetime),
        "issuer" => assert_eq!(issuer.url.as_deref(), Some(words[0])),
        "audience" => {
            let audiences = issuer.audiences.as_deref().expect("audiences");
            assert!(audiences.iter().map(|audience| &**audience).eq(words.iter().copied()));
        }
        "algorithms" => {
            let set = issuer.algorithms.expect("algorithms");
            assert!(set.iter().all(|algorithm| words.contains(&algorithm.as_str())));
            let known = |word: &&str| set.iter().any(|algorithm| algorithm.as_str() == *word);
            assert!(words.iter().all(known), "{words:?}");
        }
        _ => {}
    }
}

fn assert_location_line(level: &RawLocation, name: &str, words: &[&str]) {
    match name {
        "mesh_limit_status" => {
            let status = digits(words[0].trim_start_matches('+')).expect("a number");
            assert_eq!(level.limit_status.map(u128::from), Some(status));
        }
        "mesh_limit" if words != ["off"] => {
            let limit = level.limits.as_ref().and_then(|limits| limits.last()).expect("a limit");
            let value = |name: &str| {
                words[1..].iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            };
            assert_eq!(limit.quota.name(), words[0]);
            let typed = value("rate").expect("a rate").trim_start_matches('0');
            assert_eq!(rate(limit.quota.rate()), typed);
            let number = |name, otherwise| value(name).map_or(Some(otherwise), digits);
            assert_eq!(number("burst", 0), Some(u128::from(limit.quota.burst())));
            assert_eq!(number("cost", 1), Some(u128::from(limit.quota.cost())));
        }
        "mesh_authenticate" => {
            let methods = level.authenticate.as_ref().expect("it was set").methods;
            assert_eq!(methods.is_none(), words == ["off"]);
            if let Some(methods) = methods {
                let all = [("token", Method::Token), ("certificate", Method::Certificate)];
                for (word, method) in all {
                    let is_named = words.contains(&word);
                    assert_eq!(methods.reads(method), is_named || words == ["any"]);
                    assert_eq!(methods.requires(method), is_named);
                }
            }
        }
        "mesh_forward_credential" => {
            assert_eq!(level.forward_credential, Some(words == ["on"]));
        }
        "mesh_export" => assert_eq!(level.export, Some(words == ["headers"])),
        "mesh_dry_run" => assert_eq!(level.dry_run == Some(DryRun::Off), words == ["off"]),
        _ => {}
    }
}

fn assert_main(main: &RawMain) {
    assert!(main.zone.is_none_or(|zone| zone >= 64 * 1024));
    let (mut names, mut urls) = (HashSet::new(), HashSet::new());
    for issuer in &main.issuers {
        assert!(names.insert(&issuer.name) && urls.insert(&issuer.url), "{issuer:?} twice");
        assert!((0..=300).contains(&issuer.leeway));
        assert!(issuer.max_lifetime.is_none_or(|lifetime| lifetime > 0));
        let some = Algorithm::ALL.into_iter().any(|it| issuer.algorithms.allows(it));
        assert!(some && !issuer.audiences.is_empty());
        assert!(!issuer.url.is_empty() && issuer.audiences.iter().all(|one| !one.is_empty()));
    }
    let mut claims = HashSet::new();
    assert!(main.claims.iter().all(|(name, _)| !name.is_empty() && claims.insert(name)));
}

fn resolve(main: &RawMain, levels: &[RawLocation]) -> bool {
    let mut resolver = Resolver::new(main);
    let mut variable = |name: &str| (name == KNOWN_VARIABLE).then_some(7);
    let mut resolved: Vec<Location> = Vec::new();
    for raw in levels {
        match resolver.resolve(raw, &mut variable) {
            Ok(Some(location)) => {
                assert!(raw.authenticate.as_ref().is_some_and(|line| line.methods.is_some()));
                resolved.push(location);
            }
            Ok(None) => assert!(
                raw.authenticate.as_ref().is_none_or(|line| line.methods.is_none()),
                "it would be open"
            ),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let limited =
        |it: &Location| !it.limits.is_empty() || it.authentication.failure_limit.is_some();
    assert!(resolver.has_limits() || !resolved.iter().any(limited), "the zone would be missing");
    let kept = resolver.into_kept();
    for location in &resolved {
        let settings = &location.authentication;
        let reads = |method| settings.methods.reads(method);
        assert!(reads(Method::Token) || reads(Method::Certificate));
        assert_eq!(settings.accept.is_empty(), !reads(Method::Token), "nobody is believed");
        for accept in &settings.accept {
            assert!(accept.issuer < main.issuers.len());
            assert!(accept.audiences.as_ref().is_none_or(|audiences| !audiences.is_empty()));
        }
        for requirement in &location.requirements {
            assert_eq!(kept.required.get(requirement.index), Some(&requirement.requirement));
        }
        assert!(location.limits.len() <= MAX_LIMITS);
        for limit in &location.limits {
            assert!(!matches!(limit.key, LimitKey::Variable(index) if index != 7));
        }
        assert!((400..=599).contains(&location.limit_status));
        for other in &resolved {
            let (one, other) = (settings, &other.authentication);
            let same = (one.methods, &one.names, &one.accept, &one.failure_limit)
                == (other.methods, &other.names, &other.accept, &other.failure_limit)
                && one.failure_limit_enforced == other.failure_limit_enforced;
            assert_eq!(one.id == other.id, same, "equal ids are equal settings");
        }
    }
    !resolved.is_empty()
}

/// A number of decimal digits and nothing else.
fn digits(word: &str) -> Option<u128> {
    let next = |sum: u128, c: char| {
        Some(sum.saturating_mul(10).saturating_add(u128::from(c.to_digit(10)?)))
    };
    if word.is_empty() { None } else { word.chars().try_fold(0, next) }
}

fn seconds(word: &str) -> Option<i128> {
    let scaled = |unit: char, scale| Some(digits(word.strip_suffix(unit)?)?.saturating_mul(scale));
    let found = scaled('s', 1)
        .or_else(|| scaled('m', 60))
        .or_else(|| scaled('h', 3_600))
        .or_else(|| scaled('d', 86_400))
        .or_else(|| digits(word));
    found.map(u128::cast_signed)
}

fn bytes(word: &str) -> Option<u128> {
    let scaled =
        |units, scale| Some(digits(word.strip_suffix::<[char; 2]>(units)?)?.saturating_mul(scale));
    scaled(['k', 'K'], 1024).or_else(|| scaled(['m', 'M'], 1024 * 1024)).or_else(|| digits(word))
}

/// A rate as it was typed; leading zeros are not kept.
fn rate(rate: mesh_core::limit::Rate) -> String {
    let unit = match rate.period() {
        Period::Day => "d",
        Period::Hour => "h",
        Period::Minute => "m",
        Period::Second => "s",
    };
    format!("{}r/{unit}", rate.count())
}
