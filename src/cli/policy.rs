//! `meshctl policy`: what a policy allows, and why.

mod case;
mod cases;
mod check;
mod explain;
mod identity;
mod suggest;
mod token;

use std::path::Path;
use std::sync::Arc;

use mesh_core::platform::shipped::{SHIPPED, shipped};
use mesh_core::platform::table::Table;
use mesh_core::policy::document::{MAX_BYTES, Read};

use crate::error::Failure;
use crate::input;

pub(crate) use cases::{Coverage, Diff, Test};
pub(crate) use check::{Check, Schema};
pub(crate) use explain::Explain;
pub(crate) use suggest::Suggest;

/// The tables that a policy may be about.
fn tables() -> Vec<Arc<Table>> {
    SHIPPED.iter().filter_map(|known| shipped(known.word)).collect()
}

/// Reads a policy.
///
/// # Errors
/// If the file cannot be read, or is no policy: each fault as `FILE:LINE:COLUMN: TEXT`.
fn read(path: &Path) -> Result<Read, Failure> {
    let text = input::text_of(path, MAX_BYTES)?;
    mesh_core::policy::read(&text, &tables()).map_err(|faults| {
        let faults = faults.iter().map(|fault| format!("{}:{fault}", path.display()));
        Failure::Usage(faults.collect::<Vec<_>>().join("\n"))
    })
}
