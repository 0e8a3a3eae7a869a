//! Private keys as the commands take them: by the name of an algorithm, and from a file.

use std::path::Path;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use mesh_core::key::{
    algorithm::{ED25519, Named},
    private::{KeyError, PrivateKey},
};

use crate::{error::Failure, input};

/// Reads the name of an algorithm that signs; none of them is symmetric.
pub(crate) fn algorithm() -> impl TypedValueParser<Value = Named> {
    PossibleValuesParser::new(ALGORITHMS).try_map(|name| name.parse::<Named>())
}

/// The names in the order of `--help`.
const ALGORITHMS: [&str; 12] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES256K", "ES384", "ES512",
    "EdDSA", ED25519,
];

/// Reads a private key: a JWK if the file begins with a brace, else PEM.
///
/// # Errors
/// If the file cannot be read, or holds no key that signs.
pub(crate) fn read(path: &Path) -> Result<PrivateKey, Failure> {
    PrivateKey::read(&input::file(path)?).map_err(|error| match error {
        KeyError::Json(error) => input::syntax(&path.display().to_string(), error),
        error => Failure::invalid(path.display(), error),
    })
}

#[cfg(test)]
mod tests {
    use mesh_core::key::algorithm::Algorithm;

    use super::*;

    #[test]
    fn every_algorithm_can_be_named_and_nothing_else() {
        let named: Vec<Named> = ALGORITHMS.iter().map(|name| name.parse().unwrap()).collect();
        for algorithm in Algorithm::ALL {
            assert!(named.contains(&algorithm.into()), "{algorithm}");
        }
        for name in ["HS256", "HS384", "HS512", "none", "rs256", ""] {
            assert!(!ALGORITHMS.contains(&name) && name.parse::<Named>().is_err(), "{name}");
        }
    }
}
