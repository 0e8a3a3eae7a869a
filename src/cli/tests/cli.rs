//! Runs the program as people do: arguments, files and standard input in, status and words out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report; clippy.toml allows it in #[test] functions alone"
)]

#[path = "cli/desk.rs"]
mod desk;
#[path = "cli/generate.rs"]
mod generate;
#[path = "cli/mint.rs"]
mod mint;
