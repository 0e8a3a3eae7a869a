//! Errors that stop a command before it can answer: exit status 2.

use core::{error::Error, fmt};
use std::{io, path::PathBuf};

/// Why a command could not answer at all.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A file that must not exist yet does.
    Exists(PathBuf),
    /// The input was read, and its value cannot be used.
    Invalid { source: String, problem: String },
    /// Standard output did not take the answer.
    Output(io::Error),
    /// A file, or standard input, could not be read.
    Read { source: String, error: io::Error },
    /// The input is not JSON; line and column are numbered from 1.
    Syntax { source: String, line: usize, column: usize, problem: &'static str },
    /// The input is larger than the limit of its kind.
    TooLarge { source: String, limit: usize },
    /// Options that contradict each other or the key.
    Usage(String),
    /// A file could not be written.
    Write { path: PathBuf, error: io::Error },
}

impl Failure {
    /// The value that `source` holds cannot be used, because of `problem`.
    pub(crate) fn invalid(source: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self::Invalid { source: source.to_string(), problem: problem.to_string() }
    }

    /// Whether there was no such file.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Read { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(path) => {
                write!(f, "{}: exists already, and is not overwritten", path.display())
            }
            Self::Invalid { source, problem } => write!(f, "{source}: {problem}"),
            Self::Output(error) => write!(f, "standard output: {error}"),
            Self::Read { source, error } => write!(f, "{source}: {error}"),
            Self::Syntax { source, line, column, problem } => {
                write!(f, "{source}:{line}:{column}: {problem}")
            }
            Self::TooLarge { source, limit } => write!(f, "{source}: larger than {limit} bytes"),
            Self::Usage(problem) => f.write_str(problem),
            Self::Write { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Output(error) | Self::Read { error, .. } | Self::Write { error, .. } => {
                Some(error)
            }
            _ => None,
        }
    }
}
