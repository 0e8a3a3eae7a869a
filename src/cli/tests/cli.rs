//! Runs the program as people do: arguments, files and standard input in, status and words out.
#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in #[test] functions alone")]

#[path = "cli/desk.rs"]
mod desk;
#[path = "cli/generate.rs"]
mod generate;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/host.rs"]
mod host;
#[path = "cli/issuer.rs"]
mod issuer;
#[path = "cli/jwks.rs"]
mod jwks;
#[path = "cli/mint.rs"]
mod mint;
#[path = "cli/platform.rs"]
mod platform;
#[path = "cli/policy.rs"]
mod policy;
#[path = "cli/policy_token.rs"]
mod policy_token;
#[path = "cli/prove.rs"]
mod prove;
#[path = "cli/revocation.rs"]
mod revocation;
#[path = "cli/verify.rs"]
mod verify;
