//! `meshctl revocation check`: what a list revokes, or what is wrong with it.

use std::path::PathBuf;

use clap::Args;
use mesh_core::issuer::revocation::{Kind, MAX_BYTES, Revocations};

use crate::{Verdict, error::Failure, input, output};

/// Show the contents of a list for mesh_revocation, or what is wrong with it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  # Before it is put in place, for a configuration with the issuers okta and entra
  meshctl revocation check --issuer okta --issuer entra revoked.json.new &&
      mv revoked.json.new revoked.json

A list looks like this:
  { \"version\": 1, \"revoked\": [
      { \"jti\": \"0b9c2ac4\", \"until\": \"2026-12-01T00:00:00Z\" },
      { \"sub\": \"00u1abcd\", \"issuer\": \"okta\", \"before\": \"2026-11-26T08:00:00Z\" },
      { \"sid\": \"08a5019c\" },
      { \"kid\": \"2025-key\", \"issuer\": \"okta\", \"note\": \"leaked\" }
  ] }

A fault is reported as FILE:LINE:COLUMN, at or just after it.
Exit status: 0 the module would take the list, 1 it would not, 2 usage or file error.")]
pub(crate) struct Check {
    /// The list
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The names of all mesh_issuer blocks, each with an option of its own [default: any name]
    #[arg(long, value_name = "NAME")]
    issuer: Vec<String>,
}

impl Check {
    /// Prints the number of entries of each kind.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let bytes = input::file_of(&self.file, MAX_BYTES)?;
        let mut named: Vec<String> = self.issuer.clone();
        let find = |name: &str| {
            let known = named.iter().position(|known| known == name);
            if known.is_none() && self.issuer.is_empty() {
                named.push(name.to_owned());
                return named.len().checked_sub(1);
            }
            known
        };
        let list = match Revocations::parse(&bytes, find) {
            Ok(list) => list,
            Err(error) => {
                let (line, column, fault) = (error.line, error.column, error.fault);
                output::line(&format!("{}:{line}:{column}: {fault}", self.file.display()))?;
                return Ok(Verdict::Refused);
            }
        };
        output::line(&format!("{} entries", list.count()))?;
        for kind in Kind::ALL {
            output::line(&format!("  {}: {}", kind.member(), list.count_of(kind)))?;
        }
        let over = list.count_over(mesh_control::now());
        if over > 0 {
            output::line(&format!("  {over} of them past their \"until\""))?;
        }
        if self.issuer.is_empty() && !named.is_empty() {
            // Quoted, since no terminal should obey them.
            output::line(&format!("issuers, which were not compared: {named:?}"))?;
        }
        Ok(Verdict::Accepted)
    }
}
