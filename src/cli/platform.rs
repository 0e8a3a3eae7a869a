//! `meshctl platform`: what a request to a platform reads as.

mod coverage;
pub(crate) mod matching;

use std::path::Path;
use std::sync::Arc;

use mesh_core::platform::Platform;
use mesh_core::platform::shipped::{SHIPPED, shipped};
use mesh_core::platform::table::Table;

use crate::error::Failure;
use crate::input;

pub(crate) use coverage::Coverage;
pub(crate) use matching::Match;

/// The platform that some words set, as `mesh_platform` would: its name or `file=TABLE`, and what is on.
///
/// # Errors
/// If a word is none of it, or the table is wrong.
pub(crate) fn of_words(words: &[String]) -> Result<Platform, Failure> {
    let Some((name, settings)) = words.split_first() else {
        return Err(Failure::Usage("name a platform".into()));
    };
    let table = match name.strip_prefix("file=") {
        Some(file) => of_file(Path::new(file))?,
        None => shipped(name).ok_or_else(|| {
            let known: Vec<&str> = SHIPPED.iter().map(|known| known.word).collect();
            Failure::Usage(format!(
                "{name}: no such platform: there are {}, and file=TABLE",
                known.join(", ")
            ))
        })?,
    };
    let mut platform = Platform::new(table);
    for setting in settings {
        platform.set(setting).map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
    }
    Ok(platform)
}

fn of_file(path: &Path) -> Result<Arc<Table>, Failure> {
    let text = input::text_of(path, input::FILE_MAX)?;
    let first = |errors: Vec<mesh_core::platform::table::Error>| {
        let errors =
            errors.iter().map(|error| format!("{}:{}: {}", path.display(), error.line, error.text));
        Failure::Usage(errors.collect::<Vec<_>>().join("\n"))
    };
    let table = Table::parse(&text).map_err(first)?;
    let overlaps = table.overlaps();
    if overlaps.is_empty() { Ok(Arc::new(table)) } else { Err(first(overlaps)) }
}
