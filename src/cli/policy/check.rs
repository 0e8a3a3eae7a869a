//! `meshctl policy check` and `schema`.

use std::path::PathBuf;

use clap::Args;
use mesh_core::policy::document::MAX_BYTES;

use crate::{Verdict, error::Failure, input, output};

/// Say what is wrong with a policy, and what may be
#[derive(Args, Debug)]
#[command(after_help = "\
Each fault is told as FILE:LINE:COLUMN, at most twenty of them.
Exit status: 0 the policy is good, 1 it is not, 2 usage or file error.")]
pub(crate) struct Check {
    /// The policy, YAML or JSON
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    /// The names of all mesh_issuer blocks, each with an option of its own [default: any name]
    #[arg(long, value_name = "NAME")]
    issuer: Vec<String>,
}

/// Print the JSON Schema of policies, for editors
#[derive(Args, Debug)]
pub(crate) struct Schema {}

impl Check {
    /// Prints faults and warnings, or how much the policy holds.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let file = self.policy.display();
        let text = input::text_of(&self.policy, MAX_BYTES)?;
        let mut read = match mesh_core::policy::read(&text, &super::tables()) {
            Ok(read) => read,
            Err(faults) => {
                for fault in &faults {
                    output::line(&format!("{file}:{fault}"))?;
                }
                return Ok(Verdict::Refused);
            }
        };
        if !self.issuer.is_empty() {
            let names: Vec<&str> = self.issuer.iter().map(String::as_str).collect();
            read.warn_of_issuers(&names);
        }
        for fault in &read.warnings {
            let at = fault.at;
            output::line(&format!("{file}:{}:{}: warning: {}", at.line, at.column, fault.text))?;
        }
        let policy = &read.policy;
        output::line(&format!(
            "{} services, {} groups, {} roles, {} bindings, {} denials",
            policy.services.len(),
            policy.groups.len(),
            policy.roles.len(),
            policy.bindings.len(),
            policy.denials.len()
        ))?;
        Ok(Verdict::Accepted)
    }
}

impl Schema {
    /// Prints the schema.
    ///
    /// # Errors
    /// If standard output does not take it.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let schema = mesh_core::policy::schema(&super::tables());
        output::line(&format!("{schema:#}"))?;
        Ok(Verdict::Accepted)
    }
}
