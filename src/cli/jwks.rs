//! `meshctl jwks check`: which keys of a set the module would use, and which not.

use std::path::{Path, PathBuf};

use clap::Args;
use mesh_core::{
    key::algorithm::{Algorithm, AlgorithmSet, KeyAlgorithms},
    key::jwks::{JwksError, KeyReport, KeySet},
};

use crate::{Verdict, error::Failure, input, output};

/// Show for each key of a set which algorithms the module would verify with it, or why none.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  # A set as it would be read by a mesh_issuer without `algorithms`
  meshctl jwks check jwks.json

  # For an issuer that signs with these alone
  meshctl jwks check --algorithms PS256,ES256 jwks.json

One line for each key: its place, its kid, and its algorithms or what is wrong with it.
Exit status: 0 all keys are usable, 1 a key or the whole set is not, 2 usage or file error, and
a file that is no JSON key set.")]
pub(crate) struct Check {
    /// The key set
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The issuer's algorithms [default: those that each key names, else EdDSA, ES256, ES384 or
    /// RS256, as in mesh_issuer]
    #[arg(long, value_name = "ALG,...", value_delimiter = ',')]
    algorithms: Vec<Algorithm>,
}

impl Check {
    /// Prints a line for each key.
    ///
    /// # Errors
    /// If the file cannot be read, or is no JSON key set.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let algorithms = if self.algorithms.is_empty() {
            KeyAlgorithms::OWN
        } else {
            self.algorithms.into_iter().collect::<AlgorithmSet>().into()
        };
        let reports = match KeySet::inspect(&input::key_set(&self.file)?, algorithms) {
            Ok(reports) => reports,
            Err(error) => {
                let unusable = unusable(&self.file, error)?;
                output::line(&format!("the set is refused: {unusable}"))?;
                return Ok(Verdict::Refused);
            }
        };
        if reports.is_empty() {
            output::line("the set is refused: it holds no key")?;
            return Ok(Verdict::Refused);
        }
        for report in &reports {
            output::line(&line(report))?;
        }
        if reports.iter().all(|report| report.usable.is_ok()) {
            Ok(Verdict::Accepted)
        } else {
            Ok(Verdict::Refused)
        }
    }
}

/// Sorts the errors of a key set: the rest are about sets that the module reads, and does not use.
///
/// # Errors
/// For a file that is no JSON key set, with the place of the fault.
pub(crate) fn unusable(path: &Path, error: JwksError) -> Result<JwksError, Failure> {
    let source = path.display();
    match error {
        JwksError::Json(error) => Err(input::syntax(&source.to_string(), error)),
        JwksError::Empty | JwksError::NoKeysMember | JwksError::TooLarge => {
            Err(Failure::invalid(source, error))
        }
        other => Ok(other),
    }
}

/// `kid` and `kty` are the publisher's words: they are quoted, so that no terminal obeys them.
fn line(report: &KeyReport) -> String {
    let kid = report.kid.as_ref().map_or_else(|| "no kid".to_owned(), |kid| format!("{kid:?}"));
    match &report.usable {
        Ok(algorithms) => format!("/keys/{} {kid}: usable: {algorithms}", report.position),
        Err(fault) => format!("/keys/{} {kid}: not usable: {fault}", report.position),
    }
}
