//! meshctl: what the module would do, on the command line.
//!
//! Every verdict is `mesh-core`'s own: this crate reads files, asks the clock and prints.

#![forbid(unsafe_code)]

mod error;
mod help;
mod input;
mod issuer;
mod judge;
mod jwks;
mod key;
mod mint;
mod moment;
mod nginx_conf;
mod output;
mod platform;
mod policy;
mod private_key;
mod prove;
mod revocation;
mod verify;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::error::Failure;

fn main() -> ExitCode {
    match Meshctl::parse().command.run() {
        Ok(verdict) => verdict.into(),
        Err(failure) => {
            // If standard error is closed, the status still says it.
            drop(writeln!(io::stderr(), "meshctl: {failure}"));
            ExitCode::from(2)
        }
    }
}

/// Check, mint and explain the tokens, keys and settings of ngx_http_mesh_module.
///
/// The verdicts come from the module itself: the same functions, limits and reasons as in
/// $mesh_reason and the error log.
#[derive(Debug, Parser)]
#[command(
    name = "meshctl",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "\
Try it in three lines:
  meshctl key generate --alg ES256 --out signer.jwk --jwks jwks.json
  meshctl token mint --key signer.jwk --issuer https://idp.example --audience kafka > token
  meshctl token verify --jwks jwks.json --issuer https://idp.example --audience kafka < token"
)]
struct Meshctl {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Help(help::Help),
    /// Check issuers
    #[command(subcommand)]
    Issuer(IssuerCommand),
    /// Check key sets
    #[command(subcommand)]
    Jwks(JwksCommand),
    /// Make keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Read requests as a platform's operations
    #[command(subcommand)]
    Platform(PlatformCommand),
    /// Check, explain, test and compare policies
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Check lists of revoked tokens
    #[command(subcommand)]
    Revocation(RevocationCommand),
    /// Mint, prove and verify tokens
    #[command(subcommand)]
    Token(Box<TokenCommand>),
}

#[derive(Debug, Subcommand)]
enum IssuerCommand {
    Check(issuer::Check),
}

#[derive(Debug, Subcommand)]
enum JwksCommand {
    Check(jwks::Check),
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    Generate(key::Generate),
}

#[derive(Debug, Subcommand)]
enum PlatformCommand {
    Coverage(platform::Coverage),
    Match(platform::Match),
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    Check(policy::Check),
    Coverage(policy::Coverage),
    Diff(policy::Diff),
    Explain(Box<policy::Explain>),
    Schema(policy::Schema),
    Suggest(policy::Suggest),
    Test(policy::Test),
}

#[derive(Debug, Subcommand)]
enum RevocationCommand {
    Check(revocation::Check),
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    Mint(mint::Mint),
    Prove(prove::Prove),
    Verify(verify::Verify),
}

impl Command {
    fn run(self) -> Result<Verdict, Failure> {
        match self {
            Self::Help(help) => help.run().map(|()| Verdict::Accepted),
            Self::Issuer(IssuerCommand::Check(check)) => check.run(),
            Self::Jwks(JwksCommand::Check(check)) => check.run(),
            Self::Key(KeyCommand::Generate(generate)) => generate.run().map(|()| Verdict::Accepted),
            Self::Platform(PlatformCommand::Coverage(coverage)) => coverage.run(),
            Self::Platform(PlatformCommand::Match(one)) => one.run(),
            Self::Policy(policy) => match policy {
                PolicyCommand::Check(check) => check.run(),
                PolicyCommand::Coverage(coverage) => coverage.run(),
                PolicyCommand::Diff(diff) => diff.run(),
                PolicyCommand::Explain(explain) => explain.run(),
                PolicyCommand::Schema(schema) => schema.run(),
                PolicyCommand::Suggest(suggest) => suggest.run(),
                PolicyCommand::Test(test) => test.run(),
            },
            Self::Revocation(RevocationCommand::Check(check)) => check.run(),
            Self::Token(token) => match *token {
                TokenCommand::Mint(mint) => mint.run().map(|()| Verdict::Accepted),
                TokenCommand::Prove(prove) => prove.run().map(|()| Verdict::Accepted),
                TokenCommand::Verify(verify) => verify.run(),
            },
        }
    }
}

/// The result of a command; the process ends with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// All is well, or done: status 0.
    Accepted,
    /// Something was refused: status 1.
    Refused,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accepted => Self::SUCCESS,
            Verdict::Refused => Self::from(1),
        }
    }
}
