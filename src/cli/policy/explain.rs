//! `meshctl policy explain`: what a policy says of a request, and why.

use core::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;

use clap::Args;
use mesh_core::text::time::UnixTime;
use serde_json::Value;

use super::case::{self, Case, Told};
use super::identity;
use super::token::Token;
use crate::moment::parse_moment;
use crate::platform::matching::Described;
use crate::{Verdict, error::Failure, output, platform};

/// Show what a policy says of a request, by which rule, and what came near
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  meshctl policy explain policy.yaml \\
      --identity '{\"issuer\": \"okta\", \"service\": \"0oa1orders\", \"groups\": [\"data-eng\"]}' \\
      --platform kafka_rest --method POST --target /topics/orders.new
  meshctl policy explain policy.yaml --token - --jwks jwks.json --issuer okta \\
      --platform kafka_rest --method POST --target /topics/orders.new < token

Other users can see the command line: pass a token that is still valid on standard input.
Exit status: 0 it is allowed, 1 it is refused, 2 usage or file error.")]
pub(crate) struct Explain {
    /// The policy
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    /// Who asks: {\"issuer\", \"service\", \"principal\", \"spiffe_id\", \"groups\": [...] or null, \"claims\": {...}}
    #[arg(long, value_name = "JSON", required_unless_present_any = ["cases", "token"])]
    identity: Option<String>,

    #[command(flatten)]
    token: Token,

    /// The platform, or file=TABLE, and its settings
    #[arg(long, value_name = "PLATFORM", num_args = 1.., required_unless_present = "cases")]
    platform: Vec<String>,

    /// The method
    #[arg(long, value_name = "METHOD", required_unless_present = "cases")]
    method: Option<String>,

    /// The path as it is sent, and the query
    #[arg(long, value_name = "TARGET", required_unless_present = "cases")]
    target: Option<String>,

    /// A field, as it is sent
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,

    /// The body
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,

    /// When [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    at: Option<UnixTime>,

    /// The client's address
    #[arg(long, value_name = "ADDRESS")]
    address: Option<IpAddr>,

    /// Answer in JSON
    #[arg(long)]
    json: bool,

    /// A file of cases, one JSON object a line, each answered by a line of JSON
    #[arg(long, value_name = "FILE", conflicts_with_all = ["identity", "token", "platform", "method", "target", "headers", "body"])]
    cases: Option<PathBuf>,
}

impl Explain {
    /// Prints the decision, or each of the file's.
    ///
    /// # Errors
    /// If a file cannot be read, or describes nothing.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let read = super::read(&self.policy)?;
        let now = self.at.unwrap_or_else(mesh_control::now);
        if let Some(file) = &self.cases {
            case::each(file, now, &mut |_, case| {
                output::line(&case.decide(&read.policy)?.json().to_string())
            })?;
            return Ok(Verdict::Accepted);
        }
        let identity = match self.token.verified(&read.policy, now)? {
            Some(Ok(identity)) => identity,
            Some(Err(told)) => return print(&told, self.json),
            None => described(self.identity.as_deref().unwrap_or_default())?,
        };
        let case = Case {
            identity,
            platform: Rc::new(platform::of_words(&self.platform)?),
            request: Described::of_words(
                self.method,
                self.target,
                &self.headers,
                self.body.as_deref(),
            )?,
            at: now,
            address: self.address,
        };
        print(&case.decide(&read.policy)?, self.json)
    }
}

fn described(text: &str) -> Result<identity::Described, Failure> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| Failure::invalid("--identity", error))?;
    identity::Described::of(&value).map_err(|problem| Failure::invalid("--identity", problem))
}

fn print(told: &Told, is_json: bool) -> Result<Verdict, Failure> {
    output::line(&if is_json { told.json().to_string() } else { told.shown() })?;
    Ok(if told.is_allowed { Verdict::Accepted } else { Verdict::Refused })
}
