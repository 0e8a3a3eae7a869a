//! The directives of platforms and policies.

use super::{Line, bytes, need, once, unknown};
use crate::config::{ConfigError, RawLocation, RawPlatform, RawPolicy, RawTable, Setting};
use crate::platform::shipped::SHIPPED;

pub(super) fn platform(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    let word = line.first();
    if word == "off" {
        return match line.rest() {
            [] => once(&mut raw.platform, None),
            _ => Err(ConfigError::new("\"off\" must be alone")),
        };
    }
    let table = match word.strip_prefix("file=") {
        Some("") => return Err(ConfigError::new("the file's name is empty")),
        Some(file) => RawTable::File(file.into()),
        None if SHIPPED.iter().any(|known| known.word == word) => RawTable::Shipped(word.into()),
        None => {
            let known: Vec<&str> = SHIPPED.iter().map(|known| known.word).collect();
            return Err(unknown(word, &format!("off, file=table or one of {}", known.join(", "))));
        }
    };
    let settings = line.rest().iter().map(|word| (*word).into()).collect();
    once(&mut raw.platform, Some(RawPlatform { table, settings, place: line.place.clone() }))?;
    raw.needs.push(need(Setting::Platform, true, line));
    Ok(())
}

pub(super) fn policy(raw: &mut RawLocation, line: &Line<'_>) -> Result<(), ConfigError> {
    let policy = match line.first() {
        "off" => None,
        "" => return Err(ConfigError::new("the file's name is empty")),
        file => {
            raw.needs.push(need(Setting::Policy, true, line));
            Some(RawPolicy { file: file.into(), place: line.place.clone() })
        }
    };
    once(&mut raw.policy, policy)
}

/// `mesh_body_inspect`: bytes, up to 1 GiB.
pub(super) fn inspect(word: &str) -> Result<u64, ConfigError> {
    let size = u64::try_from(bytes(word)?).ok().filter(|size| (1..=MOST).contains(size));
    size.ok_or_else(|| unknown(word, "a size from 1 to 1024m"))
}

/// The most bytes of a body that are inspected.
const MOST: u64 = 1 << 30;
