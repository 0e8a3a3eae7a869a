//! The types and curves of keys (RFC 7518, section 6; RFC 8037, section 2; RFC 8812, section 3.1).

use super::algorithm::{Algorithm, AlgorithmSet};

/// The types and curves that are supported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Ed25519,
    P256,
    P384,
    P521,
    Rsa,
    Secp256k1,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Ed25519, Self::P256, Self::P384, Self::P521, Self::Rsa, Self::Secp256k1];

    /// The one that a JWK names by `kty` and, if the type has curves, by `crv`.
    pub(super) fn named(kty: &str, crv: Option<&str>) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.names() == (kty, crv))
    }

    /// `kty`, and `crv` if the type has curves.
    pub(super) const fn names(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Ed25519 => ("OKP", Some("Ed25519")),
            Self::P256 => ("EC", Some("P-256")),
            Self::P384 => ("EC", Some("P-384")),
            Self::P521 => ("EC", Some("P-521")),
            Self::Rsa => ("RSA", None),
            Self::Secp256k1 => ("EC", Some("secp256k1")),
        }
    }

    /// The algorithms that a key of it signs with.
    pub(super) const fn algorithms(self) -> AlgorithmSet {
        use Algorithm::{
            EdDsa, Es256, Es256k, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512,
        };
        match self {
            Self::Ed25519 => AlgorithmSet::of(&[EdDsa]),
            Self::P256 => AlgorithmSet::of(&[Es256]),
            Self::P384 => AlgorithmSet::of(&[Es384]),
            Self::P521 => AlgorithmSet::of(&[Es512]),
            Self::Rsa => AlgorithmSet::of(&[Ps256, Ps384, Ps512, Rs256, Rs384, Rs512]),
            Self::Secp256k1 => AlgorithmSet::of(&[Es256k]),
        }
    }
}

/// The first byte of a point that is written with both coordinates (SEC 1, section 2.3.3).
pub(super) const UNCOMPRESSED: u8 = 0x04;
