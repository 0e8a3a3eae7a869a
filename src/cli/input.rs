//! Files and standard input, read whole and never beyond a limit.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde_json::{Map, Value};

use crate::error::Failure;

/// Bytes of the largest key, claims or certificate file that is read.
pub(crate) const FILE_MAX: usize = 1024 * 1024;

/// Reads a whole file of at most [`FILE_MAX`] bytes.
///
/// # Errors
/// When the file cannot be read, or is larger.
pub(crate) fn file(path: &Path) -> Result<Vec<u8>, Failure> {
    let source = path.display().to_string();
    match File::open(path) {
        Ok(file) => capped(file, source, FILE_MAX),
        Err(error) => Err(Failure::Read { source, error }),
    }
}

/// Reads the token: the argument, or standard input when it is absent or `-`.
///
/// One trailing newline is no part of it; anything else is, and left to the verification.
///
/// # Errors
/// When standard input cannot be read, is larger than 64 KiB, or is not UTF-8.
pub(crate) fn token(argument: Option<&str>) -> Result<String, Failure> {
    if let Some(token) = argument.filter(|token| *token != "-") {
        return Ok(token.to_owned());
    }
    let bytes = capped(io::stdin().lock(), STDIN.to_owned(), STDIN_MAX)?;
    let token = bytes.strip_suffix(b"\r\n").or(bytes.strip_suffix(b"\n")).unwrap_or(&bytes);
    String::from_utf8(token.to_vec()).map_err(|_| Failure::invalid(STDIN, "not UTF-8"))
}

/// Parses a JSON object that `source` names in errors.
///
/// # Errors
/// With line and column, when the bytes are not JSON; else when they are no object.
pub(crate) fn object(source: &str, bytes: &[u8]) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Failure::invalid(source, "expected a JSON object")),
        Err(error) => Err(Failure::Syntax {
            source: source.to_owned(),
            line: error.line(),
            column: error.column().max(1),
            problem: without_place(&error.to_string()).to_owned(),
        }),
    }
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

/// What `serde_json` says, without the place that it appends.
fn without_place(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(problem, _)| problem)
}

const STDIN: &str = "standard input";

/// Bytes of standard input: four times the largest token, to say so rather than to cut it.
const STDIN_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_error_names_line_and_column() {
        let failure = object("claims.json", b"{\n  \"a\": 1,\n  oops\n}").unwrap_err();
        assert_eq!(failure.to_string(), "claims.json:3:3: key must be a string");
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
