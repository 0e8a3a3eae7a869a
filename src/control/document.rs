//! Documents: how one is read and comes in force, whether a file or a server has it.

use core::fmt;
use std::sync::Arc;

use mesh_core::issuer::trust::Snapshot;
use mesh_core::text::time::UnixTime;

use crate::thread::message::Level;

pub(crate) mod file;
pub(crate) mod retired;
pub(crate) mod revocations;
pub(crate) mod shared;

/// Something that may change while Nginx runs; adopted on the background thread, or before there is
/// one.
///
/// What it says goes to the log: it must never carry contents of the document. A panic is caught,
/// reported and tried again with backoff.
pub trait Document: Send + 'static {
    /// What the bytes mean.
    type Contents;

    /// What it is of, as the log says it: `mesh_issuer "idp"`.
    fn name(&self) -> String;

    /// Reads the bytes, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`Rejected`]: the bytes are bad, and are not read again until they change.
    fn parse(&self, bytes: &[u8]) -> Result<Parsed<Self::Contents>, Rejected>;

    /// Puts in force what [`Self::parse`] read of this version. Returns the snapshot before it, for the
    /// caller to drop where that may take time. The same version can come again after a start or a panic.
    fn put(&mut self, contents: Self::Contents, version: &Version<'_>) -> Arc<Snapshot>;

    /// Takes what is in force away: nobody knows whether it still holds. Returns the snapshot before.
    fn withdraw(&mut self) -> Arc<Snapshot>;

    /// Reads a version and puts it in force.
    ///
    /// # Errors
    ///
    /// Those of [`Self::parse`]: what was in force stays in force.
    fn adopt(&mut self, version: &Version<'_>) -> Result<(Adopted, Arc<Snapshot>), Rejected> {
        let parsed = self.parse(version.bytes)?;
        let adopted = parsed.adopted(&format!("of {}", self.name()));
        Ok((adopted, self.put(parsed.contents, version)))
    }
}

/// One state of a document.
#[derive(Clone, Copy, Debug)]
pub struct Version<'b> {
    /// All its bytes.
    pub bytes: &'b [u8],
    /// When its server last said that it holds; `None` if it is a file's.
    pub confirmed: Option<UnixTime>,
}

impl<'b> Version<'b> {
    /// What a file holds.
    #[must_use]
    pub const fn of_file(bytes: &'b [u8]) -> Self {
        Self { bytes, confirmed: None }
    }
}

/// What the bytes of a document mean, and what there is to say of it.
#[derive(Clone, Debug)]
pub struct Parsed<C> {
    /// What they mean.
    pub contents: C,
    /// How much it is: `3 keys`.
    pub count: String,
    /// What is odd about it.
    pub warnings: Vec<String>,
    /// A notice, or a warning if something of it should be looked at.
    pub level: Level,
}

impl<C> Parsed<C> {
    /// What to say once it is in force; `whence` follows the count.
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

/// What there is to say of contents that are in force.
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
