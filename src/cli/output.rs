//! Files that are written whole or not at all.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::error::Failure;

/// Writes one line to standard output.
///
/// # Errors
/// If the reader is gone: a missing answer must not look like an answer.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{text}").map_err(Failure::Output)
}

/// Writes a new file that its owner alone may read.
///
/// # Errors
/// If the file exists already, or cannot be written; a part of it does not stay behind.
pub(crate) fn secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(
        |error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::Exists(path.to_owned()),
            _ => Failure::Write { path: path.to_owned(), error },
        },
    )?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| {
        // The first error is the one to report; this file is ours, made just now.
        drop(fs::remove_file(path));
        Failure::Write { path: path.to_owned(), error }
    })
}

/// A file's next content, beside it until it is put in place.
///
/// It is the lock as well: while one exists, no other meshctl can begin to change the same file.
#[derive(Debug)]
pub(crate) struct Replacement {
    target: PathBuf,
    staged: PathBuf,
    file: File,
    committed: bool,
}

impl Replacement {
    /// Begins to replace `path`, whether or not it exists; a symbolic link stays one.
    ///
    /// # Errors
    /// If the directory cannot be written, or another process is replacing the file.
    pub(crate) fn begin(path: &Path) -> Result<Self, Failure> {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut name = OsString::from(&target);
        name.push(".new");
        let staged = PathBuf::from(name);
        match OpenOptions::new().write(true).create_new(true).open(&staged) {
            Ok(file) => Ok(Self { target, staged, file, committed: false }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::Usage(format!(
                "{}: exists already: another meshctl is writing, or was killed: then remove it",
                staged.display()
            ))),
            Err(error) => Err(Failure::Write { path: staged, error }),
        }
    }

    /// Writes the content beside the file; the file itself is not touched yet.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = match fs::metadata(&self.target) {
            Ok(old) => self.file.set_permissions(old.permissions()),
            Err(_) => Ok(()),
        };
        written
            .and_then(|()| self.file.write_all(bytes))
            .and_then(|()| self.file.sync_all())
            .map_err(|error| Failure::Write { path: self.staged.clone(), error })
    }

    /// Puts the content in place: a reader finds the old file or the new one.
    ///
    /// # Errors
    /// If the file cannot be renamed.
    pub(crate) fn commit(mut self) -> Result<(), Failure> {
        fs::rename(&self.staged, &self.target)
            .map_err(|error| Failure::Write { path: self.target.clone(), error })?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // After a commit the name is free, and may be another's by now.
        if !self.committed {
            drop(fs::remove_file(&self.staged));
        }
    }
}
