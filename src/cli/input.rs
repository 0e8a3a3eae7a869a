//! Files and standard input, read whole and never beyond a limit.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
};

use mesh_core::key::jwks::MAX_BYTES;
use mesh_core::text::json::{self, JsonError};
use serde_json::{Map, Value};

use crate::error::Failure;

/// Bytes of the largest key, claims or certificate file that is read.
pub(crate) const FILE_MAX: usize = 1024 * 1024;

/// Bytes of the largest file of lines of JSON.
const LINES_MAX: usize = 64 * 1024 * 1024;

/// Reads a key set of at most [`MAX_BYTES`] bytes.
///
/// # Errors
/// If the file cannot be read, or is larger.
pub(crate) fn key_set(path: &Path) -> Result<Vec<u8>, Failure> {
    file_of(path, MAX_BYTES)
}

/// Reads a whole file of at most [`FILE_MAX`] bytes.
///
/// # Errors
/// If the file cannot be read, or is larger.
pub(crate) fn file(path: &Path) -> Result<Vec<u8>, Failure> {
    file_of(path, FILE_MAX)
}

/// Reads a whole file of UTF-8 of at most that many bytes.
///
/// # Errors
/// If the file cannot be read, is larger, or holds something else.
pub(crate) fn text_of(path: &Path, limit: usize) -> Result<String, Failure> {
    let bytes = file_of(path, limit)?;
    String::from_utf8(bytes).map_err(|_| Failure::invalid(path.display(), "not UTF-8"))
}

/// Reads a whole file of at most that many bytes.
///
/// # Errors
/// If the file cannot be read, or is larger.
pub(crate) fn file_of(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let source = path.display().to_string();
    match File::open(path) {
        Ok(file) => capped(file, source, limit),
        Err(error) => Err(Failure::Read { source, error }),
    }
}

/// A line of a file, which is a line of JSON.
#[derive(Debug)]
pub(crate) struct Line<'f> {
    file: &'f Path,
    pub(crate) number: usize,
    pub(crate) value: Value,
}

impl Line<'_> {
    /// The line cannot be used, because of `problem`.
    pub(crate) fn invalid(&self, problem: impl fmt::Display) -> Failure {
        Failure::invalid(self, problem)
    }

    /// A member that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.value.get(name).and_then(Value::as_str)
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.number)
    }
}

/// Gives each line of a file of at most [`LINES_MAX`] bytes to `take`, but for empty ones.
///
/// # Errors
/// If the file cannot be read, is larger, or a line is no JSON; and as `take`.
pub(crate) fn lines(
    file: &Path,
    take: &mut dyn FnMut(&Line<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let text = text_of(file, LINES_MAX)?;
    for (number, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let mut line = Line { file, number, value: Value::Null };
        line.value = serde_json::from_str(text).map_err(|error| line.invalid(error))?;
        take(&line)?;
    }
    Ok(())
}

/// Reads the token: the argument, or standard input if it is absent or `-`.
///
/// One trailing newline is no part of it; anything else is, and left to the verification.
///
/// # Errors
/// If standard input cannot be read, or is larger than 64 KiB.
pub(crate) fn token(argument: Option<&str>) -> Result<Vec<u8>, Failure> {
    if let Some(token) = argument.filter(|token| *token != "-") {
        return Ok(token.as_bytes().to_vec());
    }
    let bytes = capped(io::stdin().lock(), STDIN.to_owned(), STDIN_MAX)?;
    let token = bytes.strip_suffix(b"\r\n").or(bytes.strip_suffix(b"\n")).unwrap_or(&bytes);
    Ok(token.to_vec())
}

/// Parses a JSON object that `source` names in errors, as strictly as the module reads JSON.
///
/// # Errors
/// With line and column, if the bytes are not JSON; also if they are no object.
pub(crate) fn object(source: &str, bytes: &[u8]) -> Result<Map<String, Value>, Failure> {
    match json::parse(json::without_mark(bytes)) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Failure::invalid(source, "expected a JSON object")),
        Err(error) => Err(syntax(source, error)),
    }
}

/// Puts the place of a JSON error where editors look for it.
pub(crate) fn syntax(source: &str, error: JsonError) -> Failure {
    let (line, column, problem) = match error {
        JsonError::Duplicate { line, column } => (line, column, "the same member twice"),
        JsonError::Syntax { line, column } => (line, column, "invalid JSON"),
        JsonError::TooDeep { line, column } => (line, column, "nested too deeply"),
        other => return Failure::invalid(source, other),
    };
    // At the end of a file the parser names the column before the first.
    Failure::Syntax { source: source.to_owned(), line, column: column.max(1), problem }
}

fn capped(reader: impl Read, source: String, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    match reader.take(most).read_to_end(&mut bytes) {
        Err(error) => Err(Failure::Read { source, error }),
        Ok(_) if bytes.len() > limit => Err(Failure::TooLarge { source, limit }),
        Ok(_) => Ok(bytes),
    }
}

const STDIN: &str = "standard input";

/// Bytes of standard input: four times the largest token, to refuse a larger one and not cut it.
const STDIN_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_error_names_line_and_column() {
        let failure = object("claims.json", b"{\n  \"a\": 1,\n  oops\n}").unwrap_err();
        assert_eq!(failure.to_string(), "claims.json:3:3: invalid JSON");
    }

    #[test]
    fn member_that_is_there_twice_is_refused() {
        let failure = object("claims.json", b"{\"a\": 1,\n\"a\": 2}").unwrap_err();
        assert!(failure.to_string().starts_with("claims.json:2:"), "{failure}");
        assert!(failure.to_string().ends_with(": the same member twice"), "{failure}");
    }

    #[test]
    fn json_that_is_no_object_is_refused() {
        let failure = object("claims.json", b"[1]").unwrap_err();
        assert_eq!(failure.to_string(), "claims.json: expected a JSON object");
    }

    #[test]
    fn input_beyond_the_limit_is_refused_rather_than_cut() {
        assert_eq!(capped(&b"1234"[..], String::new(), 4).unwrap(), b"1234");
        let failure = capped(&b"12345"[..], "token".to_owned(), 4).unwrap_err();
        assert_eq!(failure.to_string(), "token: larger than 4 bytes");
    }
}
