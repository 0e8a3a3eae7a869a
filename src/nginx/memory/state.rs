//! How documents are kept on disk, for a start while an issuer's server is down.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use mesh_control::{ReadError, read_capped};
use mesh_core::documents::{Found, MAX_RECORD, Source, read_record, record};

/// The directory of `mesh_state_path`, with a file for each issuer.
#[derive(Clone, Debug)]
pub(crate) struct State {
    directory: PathBuf,
    issuers: Vec<(Box<str>, Source)>,
}

impl State {
    pub(crate) const fn new(directory: PathBuf, issuers: Vec<(Box<str>, Source)>) -> Self {
        Self { directory, issuers }
    }

    /// The document kept of an issuer; `None` if there is no file.
    pub(crate) fn load(&self, issuer: usize) -> Result<Option<Found>, String> {
        let Some((name, source)) = self.issuers.get(issuer) else { return Ok(None) };
        let path = self.path(name);
        let most = u64::try_from(MAX_RECORD).unwrap_or(u64::MAX);
        let bytes = match read_capped(&path, most) {
            Ok((bytes, _)) => bytes,
            Err(ReadError::Stat(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(format!("\"{}\": {error}", path.display())),
        };
        let found = read_record(&bytes, source);
        found.map(Some).map_err(|error| format!("\"{}\": {error}", path.display()))
    }

    /// Keeps a document, so that there is the old file or the new one at any moment.
    pub(crate) fn save(&self, issuer: usize, found: &Found) -> Result<(), String> {
        let Some((name, source)) = self.issuers.get(issuer) else { return Ok(()) };
        let path = self.path(name);
        let new = self.directory.join(format!(".{name}.{}", std::process::id()));
        let write = || {
            // A worker with the same pid left it if it died while it wrote.
            let _ = fs::remove_file(&new);
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&record(source, found))?;
            fs::rename(&new, &path)
        };
        write().map_err(|error: io::Error| {
            let _ = fs::remove_file(&new);
            format!(
                "keys of mesh_issuer \"{name}\" cannot be kept in \"{}\": {error}",
                path.display()
            )
        })
    }

    /// An issuer's name has no slash.
    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.keys"))
    }
}
