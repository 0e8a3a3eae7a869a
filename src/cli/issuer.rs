//! `meshctl issuer check`: fetches an issuer's keys as the module would, now.

use std::path::{Path, PathBuf};

use clap::Args;
use mesh_core::config::directive::{self, ISSUER, MAIN};
use mesh_core::config::{ConfigError, Place, RawMain};
use mesh_core::key::algorithm::Algorithm;
use mesh_core::text::endpoint::Endpoint;
use tokio::runtime::Builder;

use crate::{Verdict, error::Failure, output};

mod config;
mod include;
mod probe;
mod report;

use config::Configuration;
use report::Report;

/// Ask issuers for their keys as the module would, and say what is wrong.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  # An issuer, before there is a configuration: its discovery document and its keys
  meshctl issuer check https://example.okta.com/oauth2/default

  # Every mesh_issuer of a configuration, with its own authorities and algorithms
  meshctl issuer check /etc/nginx/nginx.conf

  # For machines: one JSON object
  meshctl issuer check --json /etc/nginx/conf.d/issuers.conf

The module's own client fetches, with its limits and authorities, and the module's own functions
judge the answers. Only GET requests are sent, and no secret. Relative file names are relative to the
directory of CONFIG. In text, each line begins with ok, note, warning or error.
Exit status: 0 the module would have the keys of every issuer, 1 something is wrong, 2 usage or
file error.")]
pub(crate) struct Check {
    /// An issuer, or a file with mesh_issuer blocks
    #[arg(value_name = "CONFIG|URL")]
    target: String,

    /// The authorities that may issue the server's certificate, in PEM [default: the system's]; for
    /// a URL
    #[arg(long, value_name = "FILE")]
    trusted_certificate: Option<String>,

    /// The issuer's algorithms [default: as in mesh_issuer]; for a URL
    #[arg(long, value_name = "ALG,...", value_delimiter = ',')]
    algorithms: Vec<Algorithm>,

    /// Print one JSON object instead of words
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Asks, and prints the results.
    ///
    /// # Errors
    /// If a file cannot be read, or the options do not fit.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let configuration = if Endpoint::is_meant(&self.target) {
            self.of_url()?
        } else {
            if self.trusted_certificate.is_some() || !self.algorithms.is_empty() {
                let problem = "--trusted-certificate and --algorithms are for a URL: a \
                               configuration has its own";
                return Err(Failure::Usage(problem.to_owned()));
            }
            Configuration::read(Path::new(&self.target))?
        };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| Failure::Usage(format!("cannot start the runtime: {error}")))?;
        let mut report = Report::new(&self.target, configuration.faults.clone());
        if configuration.issuers.is_empty() && configuration.faults.is_empty() {
            report.fault("there is no mesh_issuer in it".to_owned());
        }
        for checked in runtime.block_on(probe::all(&configuration)) {
            report.add(checked);
        }
        output::line(&if self.json { report.json().to_string() } else { report.text() })?;
        Ok(if report.is_good() { Verdict::Accepted } else { Verdict::Refused })
    }

    /// The configuration of an issuer with this URL, and its directives' defaults.
    fn of_url(&self) -> Result<Configuration, Failure> {
        let url = &*self.target;
        if url.contains("/.well-known/") {
            let problem = "give the issuer itself, as its tokens name it, without /.well-known/";
            return Err(Failure::invalid(url, problem));
        }
        let mut main = RawMain::default();
        self.block(&mut main).map_err(|error| Failure::invalid(url, error))?;
        let directory = PathBuf::new();
        Ok(Configuration { issuers: main.issuers, faults: Vec::new(), directory })
    }

    fn block(&self, main: &mut RawMain) -> Result<(), ConfigError> {
        let place = Place::default();
        directive::read(MAIN, main, "mesh_issuer", &["issuer"], &place)?;
        let open = main.open.get_or_insert_default();
        directive::read(ISSUER, open, "issuer", &[&self.target], &place)?;
        // `issuer check` sends no token to the introspection endpoint.
        directive::read(ISSUER, open, "audience", &["-"], &place)?;
        if let Some(file) = &self.trusted_certificate {
            directive::read(ISSUER, open, "trusted_certificate", &[file], &place)?;
        }
        if !self.algorithms.is_empty() {
            let names: Vec<_> = self.algorithms.iter().map(|it| it.as_str()).collect();
            directive::read(ISSUER, open, "algorithms", &names, &place)?;
        }
        main.close_issuer()
    }
}
