//! A document in a file, for the next start.
//!
//! One line says whose it is, when it was confirmed and what its digest is; the document follows. A
//! file that is cut, damaged, or another issuer's is no record.

use core::fmt;

use aws_lc_rs::digest::{SHA256, digest};

use super::{Found, Source};
use crate::text::hex::hex;
use crate::text::time::UnixTime;

/// The bytes of a file that keeps a document of that source.
pub fn record(source: &Source, found: &Found) -> Vec<u8> {
    let digest = digest(&SHA256, &found.bytes);
    let (source, digest) = (hex(source.digest()), hex(digest.as_ref()));
    let secs = found.confirmed.secs();
    let mut bytes = format!("{WORD} {source} {secs} {digest}\n").into_bytes();
    bytes.extend_from_slice(&found.bytes);
    bytes
}

/// Reads the bytes of a file that keeps a document of that source, as its first generation.
///
/// # Errors
///
/// [`RecordError`]
pub fn read_record(bytes: &[u8], source: &Source) -> Result<Found, RecordError> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(RecordError::Malformed)?;
    let (line, document) = bytes.split_at_checked(end).ok_or(RecordError::Malformed)?;
    let document = document.get(1..).ok_or(RecordError::Malformed)?;
    let line = core::str::from_utf8(line).map_err(|_| RecordError::Malformed)?;
    let line = line.strip_prefix(WORD).ok_or(RecordError::Malformed)?;
    let words: Vec<_> = line.split(' ').collect();
    let ["", owner, secs, sum] = words.as_slice() else { return Err(RecordError::Malformed) };
    if *owner != hex(source.digest()) {
        return Err(RecordError::Foreign);
    }
    if *sum != hex(digest(&SHA256, document).as_ref()) {
        return Err(RecordError::Damaged);
    }
    let secs = secs.parse().map_err(|_| RecordError::Malformed)?;
    Ok(Found { generation: 1, confirmed: UnixTime::from_secs(secs), bytes: document.to_vec() })
}

/// The most bytes of a record.
pub const MAX_RECORD: usize = super::CAPACITY.saturating_add(256);

/// Why a file is no record of a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RecordError {
    /// The document is not the one that was written.
    Damaged,
    /// It is the document of another source.
    Foreign,
    /// It does not begin as a record does.
    Malformed,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Damaged => "the keys in it are damaged",
            Self::Foreign => "its keys are from another source",
            Self::Malformed => "it is no file of kept keys",
        })
    }
}

impl core::error::Error for RecordError {}

/// The beginning of a record; the number is the version of its form.
const WORD: &str = "mesh-keys 1";

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOURCE: Source = Source([7; 32]);

    fn found(secs: i64, bytes: &[u8]) -> Found {
        Found { generation: 1, confirmed: UnixTime::from_secs(secs), bytes: bytes.to_vec() }
    }

    proptest! {
        #[test]
        fn what_is_kept_comes_back_and_to_nobody_else(secs: i64, bytes: Vec<u8>, other: [u8; 32]) {
            let found = found(secs, &bytes);
            let record = record(&SOURCE, &found);
            prop_assert!(record.len() <= bytes.len().saturating_add(256));
            prop_assert_eq!(read_record(&record, &SOURCE), Ok(found));
            prop_assert_eq!(read_record(&record, &Source(other)), Err(RecordError::Foreign));
        }

        #[test]
        fn a_record_that_is_cut_or_changed_is_none(at in 0_usize..300, to: u8) {
            let found = found(1_800_000_000, b"a document");
            let record = record(&SOURCE, &found);
            prop_assume!(at < record.len());
            prop_assert!(read_record(&record[..at], &SOURCE).is_err());
            let mut changed = record.clone();
            changed[at] = to;
            // The time alone is not covered: a process that can write the file can write any time.
            let read = read_record(&changed, &SOURCE);
            prop_assert!(read.is_err() || read.unwrap().bytes == found.bytes);
        }

        #[test]
        fn anything_else_is_no_record(bytes: Vec<u8>) {
            prop_assert!(read_record(&bytes, &SOURCE).is_err());
        }
    }
}
