//! The directives of limits.

use super::{Line, list, need, once, unknown};
use crate::config::{ConfigError, RawLimit, RawLimitKey, RawLocation, Setting};
use crate::limit::{LimitKey, MAX_LIMITS};
use crate::limit::{Quota, Rate};

pub(super) fn limit(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    let Some(items) = list(&mut raw.limits, line)? else { return Ok(()) };
    let name = line.first();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_word) {
        let message =
            format!("limit name \"{name}\" may hold letters, digits, \"-\", \"_\", \".\"");
        return Err(ConfigError::new(message));
    }
    if items.iter().any(|known| *known.quota.name() == *name) {
        return Err(ConfigError::new(format!("limit \"{name}\" is duplicate")));
    }
    if items.len() >= MAX_LIMITS {
        return Err(ConfigError::new(format!("more than {MAX_LIMITS} limits in one place")));
    }
    let (mut rate, mut burst, mut cost, mut key) = (None, None, None, None);
    for word in line.rest() {
        match word.split_once('=') {
            Some(("burst", value)) => once(&mut burst, number(value, 0)?)?,
            Some(("cost", value)) => once(&mut cost, number(value, 1)?)?,
            Some(("key", value)) => once(&mut key, limit_key(value)?)?,
            Some(("rate", value)) => once(&mut rate, parse_rate(value)?)?,
            _ => return Err(unknown(word, "rate=, key=, burst= or cost=")),
        }
    }
    let rate = rate.ok_or_else(|| ConfigError::new("has no rate="))?;
    let quota = Quota::new(name, rate, burst.unwrap_or(0), cost.unwrap_or(1))
        .map_err(|error| ConfigError::new(error.to_string()))?;
    let key = key.unwrap_or(RawLimitKey::Fixed(LimitKey::Service));
    let is_promise = matches!(
        key,
        RawLimitKey::Fixed(LimitKey::Issuer | LimitKey::Principal | LimitKey::Service)
    );
    items.push(RawLimit { quota, key, place: line.place.clone() });
    raw.needs.push(need(Setting::Limit, is_promise, line));
    Ok(())
}

pub(super) fn failure_limit(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    if line.words == ["off"] {
        return once(&mut raw.failure_limit, None);
    }
    let (mut rate, mut burst) = (None, None);
    for word in line.words {
        match word.split_once('=') {
            Some(("burst", value)) => once(&mut burst, number(value, 0)?)?,
            Some(("rate", value)) => once(&mut rate, parse_rate(value)?)?,
            _ => return Err(unknown(word, "off, rate= or burst=")),
        }
    }
    let rate = rate.ok_or_else(|| ConfigError::new("has no rate="))?;
    let quota = Quota::new("failures", rate, burst.unwrap_or(0), 1)
        .map_err(|error| ConfigError::new(error.to_string()))?;
    once(&mut raw.failure_limit, Some(quota))
}

fn limit_key(word: &str) -> Result<RawLimitKey, ConfigError> {
    Ok(match word {
        "address" => RawLimitKey::Fixed(LimitKey::Address),
        "issuer" => RawLimitKey::Fixed(LimitKey::Issuer),
        "principal" => RawLimitKey::Fixed(LimitKey::Principal),
        "service" => RawLimitKey::Fixed(LimitKey::Service),
        other => match other.strip_prefix('$').filter(|name| !name.is_empty()) {
            Some(name) => RawLimitKey::Variable(name.into()),
            None => {
                return Err(unknown(other, "service, principal, issuer, address or a $variable"));
            }
        },
    })
}

fn parse_rate(word: &str) -> Result<Rate, ConfigError> {
    Rate::parse(word).map_err(|_| {
        unknown(word, "a rate such as 100r/s, 60r/m, 100r/h or 1000r/d, up to 1000000")
    })
}

fn number(word: &str, least: u32) -> Result<u32, ConfigError> {
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let number = word.parse().ok().filter(|number| is_number && (least..=MOST).contains(number));
    number.ok_or_else(|| unknown(word, &format!("a number from {least} to {MOST}")))
}

/// Keeps a bucket's time in 64 bits of nanoseconds, whatever the rate.
const MOST: u32 = 1_000_000;
