//! `meshctl platform coverage`: which operations of a list have a row.

use std::path::PathBuf;

use clap::Args;
use mesh_core::platform::{Asked, Fields, Refused};
use mesh_core::request::Field;

use crate::{Verdict, error::Failure, input, output};

/// Count the operations of a list that a platform's table names
///
/// Each line of the list is METHOD, a tab, PATH, and whatever follows behind another tab. A parameter
/// stands in braces, {name+} if it spans segments.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  meshctl platform coverage kafka_rest operations.tsv

Exit status: 0 each operation is named or refused on purpose, 1 some is not, 2 usage or file error.")]
pub(crate) struct Coverage {
    /// The platform, or file=TABLE, and its settings [default: as the list is called], then the list
    #[arg(value_name = "[PLATFORM]... FILE", required = true, num_args = 1..)]
    words: Vec<String>,
}

struct NoFields;

impl Fields for NoFields {
    fn field(&self, _name: &str) -> Field<'_> {
        Field::Absent
    }
}

impl Coverage {
    /// Prints each operation without a row, and the counts.
    ///
    /// # Errors
    /// If the list cannot be read.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let Some((file, words)) = self.words.split_last() else {
            return Err(Failure::Usage("name a list".into()));
        };
        let file = PathBuf::from(file);
        let of_name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let words = if words.is_empty() { of_name.as_slice() } else { words };
        let platform = super::of_words(words)?;
        let text = input::text_of(&file, input::FILE_MAX)?;
        let (mut named, mut some, mut refused, mut unknown) = (0_usize, 0_usize, 0_usize, 0_usize);
        for line in text.lines() {
            let mut columns = line.split('\t');
            let (Some(method), Some(path)) = (columns.next(), columns.next()) else { continue };
            // Comments and a head line.
            if !path.starts_with('/') {
                continue;
            }
            let sample = sample(path);
            let asked = Asked {
                method,
                path: sample.as_bytes(),
                query: None,
                is_decoded: false,
                fields: &NoFields,
            };
            match platform.route(&asked) {
                Ok(_) => named = named.saturating_add(1),
                Err(Refused::OnPurpose(_)) => refused = refused.saturating_add(1),
                Err(_) if platform.knows(method, path) => some = some.saturating_add(1),
                Err(_) => {
                    unknown = unknown.saturating_add(1);
                    output::line(&format!("no row: {method} {path}"))?;
                }
            }
        }
        output::line(&format!(
            "{named} named, {some} named for values that the table lists, {refused} refused on purpose, {unknown} without a row"
        ))?;
        Ok(if unknown == 0 { Verdict::Accepted } else { Verdict::Refused })
    }
}

/// A path with a value in place of each parameter.
fn sample(path: &str) -> String {
    let mut parts = path.split('{');
    let mut sample = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        sample.push_str(if name.ends_with('+') { "7/8" } else { "7" });
        sample.push_str(rest);
    }
    sample
}
