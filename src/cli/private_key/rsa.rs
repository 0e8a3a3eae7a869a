//! The integers of an RSA private key (RFC 8017 appendix A.1.2).

use core::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeyPairComponents, KeySize, PublicKeyComponents},
};
use x509_parser::asn1_rs::{FromDer, Integer, OctetString, Sequence};

use super::KeyError;

/// How long a new modulus is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bits {
    B2048,
    B3072,
    B4096,
    B8192,
}

impl Bits {
    /// The lengths that can be asked for, in bits.
    pub(crate) const NAMES: [&str; 4] = ["2048", "3072", "4096", "8192"];

    /// Reads one of [`Bits::NAMES`].
    ///
    /// # Errors
    /// Any other length.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "2048" => Ok(Self::B2048),
            "3072" => Ok(Self::B3072),
            "4096" => Ok(Self::B4096),
            "8192" => Ok(Self::B8192),
            _ => Err(format!("expected one of {}", Self::NAMES.join(", "))),
        }
    }
}

/// An RSA key that was found consistent, with its integers at hand.
pub(super) struct Components {
    pkcs1: Vec<u8>,
    integers: [Vec<u8>; NAMES.len()],
}

impl Components {
    pub(super) fn generate(bits: Bits) -> Result<Self, KeyError> {
        let size = match bits {
            Bits::B2048 => KeySize::Rsa2048,
            Bits::B3072 => KeySize::Rsa3072,
            Bits::B4096 => KeySize::Rsa4096,
            Bits::B8192 => KeySize::Rsa8192,
        };
        Self::from_pair(&KeyPair::generate(size).map_err(|_| KeyError::Generation)?)
    }

    /// Takes the integers in the order of [`NAMES`], big-endian.
    pub(super) fn from_integers(integers: [Vec<u8>; NAMES.len()]) -> Result<Self, KeyError> {
        let [n, e, d, p, q, dp, dq, qi] = integers;
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n, e },
            d,
            p,
            q,
            dP: dp,
            dQ: dq,
            qInv: qi,
        };
        Self::from_pair(&KeyPair::from_components(&components).map_err(|_| KeyError::Inconsistent)?)
    }

    pub(super) fn from_pair(pair: &KeyPair) -> Result<Self, KeyError> {
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Encoding)?;
        let pkcs1 = pkcs1_of(pkcs8.as_ref()).ok_or(KeyError::Encoding)?;
        let integers = integers_of(&pkcs1).ok_or(KeyError::Encoding)?;
        Ok(Self { pkcs1, integers })
    }

    /// The `RSAPrivateKey` structure in DER.
    pub(super) fn pkcs1(&self) -> &[u8] {
        &self.pkcs1
    }

    /// The integers with the names they have in a JWK, the two public ones first.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        NAMES.into_iter().zip(self.integers.iter().map(Vec::as_slice))
    }
}

impl fmt::Debug for Components {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Components").finish_non_exhaustive()
    }
}

/// The integers' names in a JWK (RFC 7518 section 6.3), in the order of `RSAPrivateKey`.
pub(super) const NAMES: [&str; 8] = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];

/// How many of [`NAMES`] are public.
pub(super) const PUBLIC: usize = 2;

/// The `privateKey` of a `PrivateKeyInfo` (RFC 5208 section 5).
fn pkcs1_of(pkcs8: &[u8]) -> Option<Vec<u8>> {
    let (_, info) = Sequence::from_der(pkcs8).ok()?;
    let (rest, _version) = Integer::from_der(&info.content).ok()?;
    let (rest, _algorithm) = Sequence::from_der(rest).ok()?;
    let (_, key) = OctetString::from_der(rest).ok()?;
    Some(key.as_ref().to_vec())
}

/// The integers after the version, without the zero that keeps them positive in DER.
fn integers_of(pkcs1: &[u8]) -> Option<[Vec<u8>; NAMES.len()]> {
    let (_, key) = Sequence::from_der(pkcs1).ok()?;
    let (mut rest, _version) = Integer::from_der(&key.content).ok()?;
    let mut integers = <[Vec<u8>; NAMES.len()]>::default();
    for integer in &mut integers {
        let (after, found) = Integer::from_der(rest).ok()?;
        let bytes = found.as_ref();
        *integer = bytes.strip_prefix(&[0]).unwrap_or(bytes).to_vec();
        rest = after;
    }
    Some(integers)
}
