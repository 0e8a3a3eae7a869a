//! Reading a document whole, and knowing when it has changed.

use core::fmt;
use core::time::Duration;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::task::yield_now;

mod seen;

pub(crate) use seen::Seen;

/// Reads a regular file of at most `max` bytes, and the stamp to know its next change by.
///
/// It never blocks on a FIFO or a device: those are refused. It reads in one go, so `max` also
/// bounds its time (a few milliseconds for 4 MiB in the page cache). The stamp of a file that
/// changed within the last 100 ms matches nothing, since a later write could leave the same
/// times behind: such a file is read once more by the background thread.
///
/// # Errors
///
/// [`ReadError`], if the file is not regular, empty, too large, not readable, or was written
/// while it was read.
pub fn read_capped(path: &Path, max: u64) -> Result<(Vec<u8>, FileStamp), ReadError> {
    let mut reading = Reading::open(path, max)?;
    while reading.read_chunk()? {}
    let (bytes, stamp) = reading.finish()?;
    Ok((bytes, stamp.settled()))
}

/// As [`read_capped`], but yields between two stretches, and returns the stamp unsettled: the
/// caller settles it, or gives it to [`Seen`].
pub(crate) async fn read_in_stretches(
    path: &Path,
    max: u64,
) -> Result<(Vec<u8>, FileStamp), ReadError> {
    let mut reading = Reading::open(path, max)?;
    while reading.read_chunk()? {
        yield_now().await;
    }
    reading.finish()
}

/// The state of a file by `stat`: as long as it is the same, nothing was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileStamp {
    /// The device that holds the file.
    pub device: u64,
    /// The number of the file on its device.
    pub inode: u64,
    /// The last write (mtime): seconds since the epoch, and nanoseconds.
    pub modified: (i64, i64),
    /// The last change of contents or attributes (ctime): seconds since the epoch, and nanoseconds.
    pub changed: (i64, i64),
    /// Bytes.
    pub size: u64,
}

impl FileStamp {
    /// The stamp of the regular file that a path leads to, through symbolic links.
    ///
    /// # Errors
    ///
    /// [`ReadError::Stat`] if there is none, [`ReadError::NotRegular`] if it is something else.
    pub fn of(path: &Path) -> Result<Self, ReadError> {
        Self::of_regular(&fs::metadata(path).map_err(ReadError::Stat)?)
    }

    fn of_regular(metadata: &Metadata) -> Result<Self, ReadError> {
        if !metadata.is_file() {
            return Err(ReadError::NotRegular);
        }
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
        })
    }

    /// How long this stamp must stay the same before it tells all writes apart: the granularity of the
    /// kernel's clock is at most 10 ms, and of old file systems one or two seconds.
    pub(crate) fn settle(&self) -> Duration {
        if self.changed.1 == 0 { Duration::from_secs(2) } else { Duration::from_millis(100) }
    }

    /// Whether the file had been left alone for [`Self::settle`] by the wall clock.
    pub(crate) fn held_still(&self, now: SystemTime) -> bool {
        let (Ok(seconds), Ok(nanos)) =
            (u64::try_from(self.changed.0), u32::try_from(self.changed.1))
        else {
            return false;
        };
        UNIX_EPOCH
            .checked_add(Duration::new(seconds, nanos))
            .and_then(|changed| now.duration_since(changed).ok())
            .is_some_and(|age| age >= self.settle())
    }

    /// This stamp, or one with a time that no file has if a later write could leave this one behind
    /// as well.
    fn settled(self) -> Self {
        if self.held_still(SystemTime::now()) {
            return self;
        }
        Self { changed: (self.changed.0, -1), ..self }
    }
}

/// Why a document could not be read; the text never changes while the cause stays the same.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// It was written while it was read.
    Changing,
    /// It has no bytes.
    Empty,
    /// There is no memory for it.
    Memory,
    /// It is a directory, a FIFO, a socket or a device.
    NotRegular,
    /// It exists but cannot be opened.
    Open(io::Error),
    /// It was opened but reading failed.
    Read(io::Error),
    /// It is not there, or cannot be reached.
    Stat(io::Error),
    /// It has more than this many bytes.
    TooLarge(u64),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changing => f.write_str("file changed while it was read"),
            Self::Empty => f.write_str("file is empty"),
            Self::Memory => f.write_str("no memory to read the file"),
            Self::NotRegular => f.write_str("not a regular file"),
            Self::Open(error) => write!(f, "cannot open: {error}"),
            Self::Read(error) => write!(f, "cannot read: {error}"),
            Self::Stat(error) => write!(f, "cannot stat: {error}"),
            Self::TooLarge(max) => write!(f, "file is larger than {max} bytes"),
        }
    }
}

impl core::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Open(error) | Self::Read(error) | Self::Stat(error) => Some(error),
            Self::Changing | Self::Empty | Self::Memory | Self::NotRegular | Self::TooLarge(_) => {
                None
            }
        }
    }
}

/// A document that is being read, chunk by chunk, so that the thread can yield between two.
#[derive(Debug)]
struct Reading {
    file: File,
    before: FileStamp,
    max: u64,
    bytes: Vec<u8>,
}

impl Reading {
    /// Opens a regular file that is not larger than `max` bytes.
    fn open(path: &Path, max: u64) -> Result<Self, ReadError> {
        // Looked at before it is opened as well: opening alone makes some devices act.
        FileStamp::of(path)?;
        let (file, before) = open_regular(path)?;
        if before.size > max {
            return Err(ReadError::TooLarge(max));
        }
        let mut bytes = Vec::new();
        let expected = usize::try_from(before.size).map_err(|_| ReadError::Memory)?;
        // One more byte lets the read that finds the end do without growing.
        bytes.try_reserve_exact(expected.saturating_add(1)).map_err(|_| ReadError::Memory)?;
        Ok(Self { file, before, max, bytes })
    }

    /// Reads up to 256 KiB more; `false` at the end.
    fn read_chunk(&mut self) -> Result<bool, ReadError> {
        let read = (&self.file).take(CHUNK).read_to_end(&mut self.bytes);
        let read = read.map_err(ReadError::Read)?;
        if u64::try_from(self.bytes.len()).map_or(true, |length| length > self.max) {
            return Err(ReadError::TooLarge(self.max));
        }
        Ok(u64::try_from(read).is_ok_and(|read| read == CHUNK))
    }

    /// The bytes and their stamp, if nothing was written since the file was opened.
    fn finish(self) -> Result<(Vec<u8>, FileStamp), ReadError> {
        let after = FileStamp::of_regular(&self.file.metadata().map_err(ReadError::Stat)?)?;
        if after != self.before {
            return Err(ReadError::Changing);
        }
        if self.bytes.is_empty() {
            return Err(ReadError::Empty);
        }
        Ok((self.bytes, after))
    }
}

/// Opens without waiting for a FIFO's writer or a device, and refuses all but regular files by
/// the opened file, whatever the path led to before.
fn open_regular(path: &Path) -> Result<(File, FileStamp), ReadError> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(ReadError::Open)?;
    let stamp = FileStamp::of_regular(&file.metadata().map_err(ReadError::Stat)?)?;
    Ok((file, stamp))
}

/// Bytes read in one stretch: well under a millisecond from the page cache.
const CHUNK: u64 = 256 * 1024;

#[cfg(test)]
mod tests;
