//! The platforms and the policies that locations name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::raw::{RawLocation, RawPlatform, RawTable};
use super::{ConfigError, Place};
use crate::platform::Platform;
use crate::platform::shipped::{SHIPPED, shipped};
use crate::platform::table::Table;
use crate::stage::decide::Authorization;

/// The tables and the policies of one configuration, each once.
#[derive(Debug, Default)]
pub struct Platforms {
    tables: Vec<(RawTable, Arc<Table>)>,
    /// Those of files, as they were read: by the name that the configuration has.
    files: HashMap<PathBuf, Arc<Table>>,
    policies: Vec<(PathBuf, Place)>,
}

impl Platforms {
    /// The file of a table that a location needs and that was not [given](Self::give) yet.
    pub fn wants<'r>(&self, raw: &'r RawLocation) -> Option<&'r Path> {
        let platform = raw.platform.as_ref()?.as_ref()?;
        match &platform.table {
            RawTable::File(file) if !self.files.contains_key(file) => Some(file),
            RawTable::File(_) | RawTable::Shipped(_) => None,
        }
    }

    /// Takes the text of a table's file, whose full name is `shown`.
    ///
    /// # Errors
    ///
    /// Each fault, with its line; and rows that overlap.
    pub fn give(&mut self, file: &Path, shown: &Path, text: &str) -> Result<(), Vec<ConfigError>> {
        let faults = |faults: Vec<crate::platform::table::Error>| {
            let at =
                |line: u32| Place { file: shown.to_string_lossy().into(), line: line as usize };
            faults.into_iter().map(|it| ConfigError::at(&at(it.line), it.text)).collect::<Vec<_>>()
        };
        let table = Table::parse(text).map_err(faults)?;
        let overlaps = table.overlaps();
        if !overlaps.is_empty() {
            return Err(faults(overlaps));
        }
        self.files.insert(file.into(), Arc::new(table));
        Ok(())
    }

    /// The files of the policies, each with the place that names it first.
    pub fn policies(&self) -> &[(PathBuf, Place)] {
        &self.policies
    }

    /// The tables that the words of policies are of: those of the locations, and of every other platform
    /// that ships.
    pub fn tables(&self) -> Vec<Arc<Table>> {
        let mut tables: Vec<_> = self.tables.iter().map(|(_, table)| Arc::clone(table)).collect();
        for known in SHIPPED {
            let Some(table) = shipped(known.word) else { continue };
            if !tables.iter().any(|it| it.name() == table.name()) {
                tables.push(table);
            }
        }
        tables
    }

    /// What a merged location asks of its requests beside an identity; `None` if it has no platform.
    ///
    /// # Errors
    ///
    /// A platform without a policy, a word that the platform does not have, or two tables of one platform.
    pub(super) fn resolve(
        &mut self,
        raw: &RawLocation,
    ) -> Result<Option<Authorization>, ConfigError> {
        let Some(Some(line)) = &raw.platform else { return Ok(None) };
        let Some(Some(policy)) = &raw.policy else {
            let message = match &raw.policy {
                Some(_) => "mesh_platform needs a mesh_policy, which is off here",
                None => "mesh_platform needs a mesh_policy",
            };
            return Err(ConfigError::at(&line.place, message));
        };
        let (place, table) = self.table(line)?;
        let mut platform = Platform::new(table);
        let mut prefix: Option<&str> = None;
        for word in &line.settings {
            if let Some(path) = word.strip_prefix("prefix=") {
                prefix = Some(self::prefix(path, prefix, &line.place)?);
                continue;
            }
            platform
                .set(word)
                .map_err(|error| ConfigError::at(&line.place, format!("mesh_platform: {error}")))?;
        }
        let known = self.policies.iter().position(|(file, _)| *file == policy.file);
        let policy = known.unwrap_or_else(|| {
            self.policies.push((policy.file.clone(), policy.place.clone()));
            self.policies.len().saturating_sub(1)
        });
        let inspect = raw.body_inspect.unwrap_or(INSPECT);
        let prefix = prefix.unwrap_or_default().into();
        Ok(Some(Authorization {
            platform,
            place,
            policy,
            inspect,
            is_compared: raw.is_compared,
            prefix,
        }))
    }

    /// A line's table, and its place among the tables.
    fn table(&mut self, line: &RawPlatform) -> Result<(usize, Arc<Table>), ConfigError> {
        let known = self.tables.iter().enumerate().find(|(_, (known, _))| *known == line.table);
        if let Some((place, (_, table))) = known {
            return Ok((place, Arc::clone(table)));
        }
        let refused = |message: String| ConfigError::at(&line.place, message);
        let table = match &line.table {
            RawTable::Shipped(word) => shipped(word),
            RawTable::File(file) => self.files.get(file).map(Arc::clone),
        };
        let table = table.ok_or_else(|| refused("mesh_platform has no table".to_owned()))?;
        if let Some((other, _)) = self.tables.iter().find(|(_, it)| it.name() == table.name()) {
            let other = match other {
                RawTable::Shipped(word) => format!("{word}, which ships"),
                RawTable::File(file) => format!("file={}", file.display()),
            };
            let name = table.name();
            return Err(refused(format!(
                "mesh_platform: another location has the platform \"{name}\" by another table: {other}"
            )));
        }
        let place = self.tables.len();
        self.tables.push((line.table.clone(), Arc::clone(&table)));
        Ok((place, table))
    }
}

/// What the paths of a platform begin with, without a final slash.
fn prefix<'w>(path: &'w str, before: Option<&str>, place: &Place) -> Result<&'w str, ConfigError> {
    let refused = |what: &str| {
        Err(ConfigError::at(place, format!("mesh_platform: prefix=\"{path}\" {what}")))
    };
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"%?#;\\".contains(&byte);
    let parts = || path.split('/').skip(1);
    if before.is_some() {
        return refused("is the second one");
    }
    if !path.starts_with('/')
        || !path.bytes().all(is_plain)
        || parts().any(|it| matches!(it, "." | ".."))
    {
        return refused("is no path that begins with \"/\" and is written without escapes");
    }
    Ok(path.strip_suffix('/').unwrap_or(path))
}

/// `mesh_body_inspect` if none is given.
pub(super) const INSPECT: u64 = 1 << 20;
