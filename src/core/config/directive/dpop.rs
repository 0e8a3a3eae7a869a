//! The directives of proofs of possession.

use super::{Line, need, once, seconds, unknown};
use crate::config::{ConfigError, RawDpop, RawLocation, Setting};
use crate::proof::{Mode, Origin};

pub(super) fn dpop(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    let mode = match line.first() {
        "accept" => Mode::Accept,
        "off" => Mode::Off,
        "require" => Mode::Require,
        other => return Err(unknown(other, "off, accept or require")),
    };
    let mut max_age = None;
    for word in line.rest() {
        match word.split_once('=') {
            Some(("max_age", value)) => once(&mut max_age, time(value, MOST_AGE)?)?,
            _ => return Err(unknown(word, "max_age=")),
        }
    }
    if mode == Mode::Off && max_age.is_some() {
        return Err(ConfigError::new("\"off\" takes no max_age="));
    }
    once(&mut raw.dpop, RawDpop { mode, max_age })?;
    if mode == Mode::Require {
        raw.needs.push(need(Setting::Dpop, true, line));
    }
    Ok(())
}

pub(super) fn origin(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    let origin = match line.first() {
        "off" => None,
        word => Some(
            Origin::parse(word)
                .ok_or_else(|| unknown(word, "scheme, host and port as in https://api.example"))?,
        ),
    };
    once(&mut raw.dpop_origin, origin)
}

pub(super) fn nonce(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    let is_on = match line.first() {
        "off" => false,
        "on" => true,
        other => return Err(unknown(other, "on or off")),
    };
    let mut lifetime = None;
    for word in line.rest() {
        match word.split_once('=') {
            Some(("lifetime", value)) if is_on => once(&mut lifetime, time(value, MOST_LIFETIME)?)?,
            _ => return Err(unknown(word, "on with lifetime=")),
        }
    }
    once(&mut raw.dpop_nonce, is_on.then(|| lifetime.unwrap_or(LIFETIME)))
}

/// A time of at least a second.
fn time(word: &str, most: i64) -> Result<i64, ConfigError> {
    let time = seconds(word)?;
    if (1..=most).contains(&time) {
        return Ok(time);
    }
    Err(unknown(word, &format!("a time from 1 to {most} seconds")))
}

/// The memory of proofs is sized by it.
const MOST_AGE: i64 = 600;

/// Seconds of a nonce if none are given.
const LIFETIME: i64 = 300;

const MOST_LIFETIME: i64 = 86_400;
