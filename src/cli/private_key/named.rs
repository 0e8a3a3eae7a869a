//! An algorithm under the name that it was asked for by: one of them has two.

use mesh_core::key::algorithm::{Algorithm, ED25519};

/// The names of the algorithms that sign; none of them is symmetric.
pub(crate) const ALGORITHMS: [&str; 12] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES256K", "ES384", "ES512",
    "EdDSA", ED25519,
];

/// An algorithm, and how keys and tokens are to name it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Named {
    pub(crate) algorithm: Algorithm,
    pub(crate) name: &'static str,
}

impl From<Algorithm> for Named {
    fn from(algorithm: Algorithm) -> Self {
        Self { algorithm, name: algorithm.as_str() }
    }
}

/// Reads the name of an asymmetric algorithm.
///
/// # Errors
/// Any other name, the symmetric ones and `none` among them.
pub(crate) fn parse_algorithm(name: &str) -> Result<Named, String> {
    let Some(known) = ALGORITHMS.into_iter().find(|known| *known == name) else {
        return Err(format!("expected one of {}", ALGORITHMS.join(", ")));
    };
    let algorithm = known.parse().map_err(|_| "not an algorithm of the module".to_owned())?;
    Ok(Named { algorithm, name: known })
}
