//! The files that something was read from, to be read again once one of them has changed.

use std::path::{Path, PathBuf};

use super::FileStamp;

/// Files as they were when something was read from them.
///
/// A file that is missing is a state like another: without it, what was read is current until it is
/// there; with it, until it is gone. The reader alone knows what it is worth then.
#[derive(Debug, Default)]
pub(crate) struct Seen(Vec<(PathBuf, Option<FileStamp>)>);

impl Seen {
    /// Looks at files that are about to be read: what is written from now on is a change.
    pub(crate) fn before<const N: usize>(files: [&Path; N]) -> Self {
        let look = |file: &Path| FileStamp::of(file).ok().map(FileStamp::settled);
        Self(files.map(|file| (file.to_owned(), look(file))).into())
    }

    /// A file that was read just now, with this stamp.
    pub(crate) fn after(file: &Path, stamp: FileStamp) -> Self {
        Self(vec![(file.to_owned(), Some(stamp.settled()))])
    }

    /// Whether all files are as they were; true of none.
    pub(crate) fn is_current(&self) -> bool {
        self.0.iter().all(|(file, stamp)| FileStamp::of(file).ok() == *stamp)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::fs;
    use std::thread::sleep;

    use tempfile::TempDir;

    use super::*;
    use crate::file::read_capped;

    #[test]
    fn a_file_that_changes_comes_or_goes_is_a_change() {
        let dir = TempDir::new().unwrap();
        let [file, other] = ["file", "other"].map(|name| dir.path().join(name));
        fs::write(&file, "a").unwrap();
        sleep(Duration::from_millis(120));
        let look = || Seen::before([&file, &other]);
        let seen = look();
        assert!(seen.is_current(), "one of them is missing, and stays so");
        fs::write(&other, "b").unwrap();
        assert!(!seen.is_current());
        sleep(Duration::from_millis(120));
        let seen = look();
        assert!(seen.is_current());
        fs::write(&file, "ab").unwrap();
        assert!(!seen.is_current());
        fs::remove_file(&file).unwrap();
        assert!(!seen.is_current());
        let seen = look();
        assert!(seen.is_current());
    }

    #[test]
    fn a_file_that_was_written_just_now_is_read_again() {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "a").unwrap();
        let (_, stamp) = read_capped(&file, 10).unwrap();
        for seen in [Seen::before([&file]), Seen::after(&file, stamp)] {
            sleep(Duration::from_millis(120));
            assert!(!seen.is_current());
        }
        let (_, stamp) = read_capped(&file, 10).unwrap();
        assert!(Seen::after(&file, stamp).is_current());
    }

    #[test]
    fn what_no_file_holds_does_not_change() {
        assert!(Seen::default().is_current());
    }
}
