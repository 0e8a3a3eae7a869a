//! A directory of its own for one test, and the program run in it.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use tempfile::TempDir;

/// A directory that goes with the test.
pub(crate) struct Desk {
    dir: TempDir,
}

/// The result of one run of the program.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// Runs the program on words that hold no blanks.
    pub(crate) fn run(&self, words: &str) -> Run {
        self.run_with(words, &[], b"")
    }

    /// Runs the program on words, further arguments unchanged, and standard input.
    pub(crate) fn run_with(&self, words: &str, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_meshctl"))
            .args(words.split_whitespace())
            .args(arguments)
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The program need not read it, and may be gone before it is all written.
        drop(child.stdin.take().unwrap().write_all(input));
        let output = child.wait_with_output().unwrap();
        Run {
            status: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed, and returns its standard output without the newline.
    pub(crate) fn done(&self, words: &str, arguments: &[&str]) -> String {
        let run = self.run_with(words, arguments, b"");
        assert_eq!((run.status, run.err.as_str()), (0, ""), "{words} {arguments:?}");
        run.out.trim_end().to_owned()
    }

    /// Makes `NAME.jwk` and adds it to `jwks.json`.
    pub(crate) fn key(&self, name: &str, alg: &str) {
        let run = self.run(&format!(
            "key generate --alg {alg} --kid {name} --out {name}.jwk --jwks jwks.json"
        ));
        assert_eq!(run.status, 0, "{run:?}");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

impl Run {
    /// The first line of standard output.
    pub(crate) fn word(&self) -> &str {
        self.out.lines().next().unwrap_or_default()
    }
}

/// Decodes a part of a token: 0 the header, 1 the claims.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
