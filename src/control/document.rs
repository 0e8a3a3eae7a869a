//! Documents: how one from a file or a server is read and comes in force.

use core::fmt;
use std::sync::Arc;

use mesh_core::text::time::UnixTime;

use crate::thread::message::Level;

pub(crate) mod file;
pub(crate) mod policy;
pub(crate) mod retired;
pub(crate) mod revocations;
pub(crate) mod shared;

/// Something that may change while Nginx runs; adopted on the background thread, or before there is
/// one.
///
/// Its messages go to the log: they must never carry contents of the document. A panic is caught,
/// reported and tried again with backoff.
pub trait Document: Send + 'static {
    /// The meaning of the bytes.
    type Contents;

    /// Its name in the log: `mesh_issuer "idp"`.
    fn name(&self) -> String;

    /// Reads the bytes, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`Rejected`]: the bytes are bad, and are not read again until they change.
    fn parse(&self, bytes: &[u8]) -> Result<Parsed<Self::Contents>, Rejected>;

    /// Puts in force the contents that [`Self::parse`] read of this version. Returns what was in force before
    /// it, for the caller to drop if that may take time. The same version can come again after a start or a
    /// panic.
    fn put(&mut self, contents: Self::Contents, version: &Version<'_>) -> Replaced;

    /// Takes the contents in force away: it is unknown whether they still hold. Returns what was
    /// in force before.
    fn withdraw(&mut self) -> Replaced;

    /// Reads a version and puts it in force.
    ///
    /// # Errors
    ///
    /// Those of [`Self::parse`]: the old contents stay in force.
    fn adopt(&mut self, version: &Version<'_>) -> Result<(Adopted, Replaced), Rejected> {
        let parsed = self.parse(version.bytes)?;
        let adopted = parsed.adopted(&format!("of {}", self.name()));
        Ok((adopted, self.put(parsed.contents, version)))
    }
}

/// What was in force, and may still be read by requests.
pub type Replaced = Arc<dyn Readable>;

/// Something that requests read while it is in force.
pub trait Readable: fmt::Debug + Send + Sync {}

impl<T: fmt::Debug + Send + Sync> Readable for T {}

/// One state of a document.
#[derive(Clone, Copy, Debug)]
pub struct Version<'b> {
    /// All its bytes.
    pub bytes: &'b [u8],
    /// When its server last confirmed it; `None` if it is a file's.
    pub confirmed: Option<UnixTime>,
}

impl<'b> Version<'b> {
    /// The contents of a file.
    #[must_use]
    pub const fn of_file(bytes: &'b [u8]) -> Self {
        Self { bytes, confirmed: None }
    }
}

/// The contents of a document, and the messages about it.
#[derive(Clone, Debug)]
pub struct Parsed<C> {
    /// The meaning of the bytes.
    pub contents: C,
    /// Its size: `3 keys`.
    pub count: String,
    /// The warnings about it.
    pub warnings: Vec<String>,
    /// A notice, or a warning if something of it should be looked at.
    pub level: Level,
}

impl<C> Parsed<C> {
    /// The message once it is in force; `whence` follows the count.
    #[must_use]
    pub fn adopted(&self, whence: &str) -> Adopted {
        let mut summary = format!("{} {whence}", self.count);
        for warning in &self.warnings {
            summary.push_str(", ");
            summary.push_str(warning);
        }
        Adopted { summary, level: self.level }
    }
}

/// The message about contents that are in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Adopted {
    /// One line.
    pub summary: String,
    /// A notice, or a warning if something of it should be looked at.
    pub level: Level,
}

/// Why a document is not adopted: its bytes are bad.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rejected(Box<str>);

impl Rejected {
    /// For a reason that quotes nothing.
    pub fn because(why: impl fmt::Display) -> Self {
        Self(why.to_string().into())
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Rejected {}
