//! The integers of an RSA private key (RFC 8017, appendix A.1.2).

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, KeySize, PublicKeyComponents};
use x509_parser::asn1_rs::{FromDer as _, Integer, OctetString, Sequence};

use super::KeyError;

/// How long a new modulus is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bits {
    /// 2048 bits.
    B2048,
    /// 3072 bits.
    B3072,
    /// 4096 bits.
    B4096,
    /// 8192 bits.
    B8192,
}

impl Bits {
    /// The lengths that can be asked for, in bits.
    pub const NAMES: [&str; 4] = ["2048", "3072", "4096", "8192"];

    /// Reads one of [`Bits::NAMES`].
    ///
    /// # Errors
    ///
    /// Any other length.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "2048" => Ok(Self::B2048),
            "3072" => Ok(Self::B3072),
            "4096" => Ok(Self::B4096),
            "8192" => Ok(Self::B8192),
            _ => Err(format!("expected one of {}", Self::NAMES.join(", "))),
        }
    }

    pub(super) const fn size(self) -> KeySize {
        match self {
            Self::B2048 => KeySize::Rsa2048,
            Self::B3072 => KeySize::Rsa3072,
            Self::B4096 => KeySize::Rsa4096,
            Self::B8192 => KeySize::Rsa8192,
        }
    }
}

/// The integers in the order of [`NAMES`], big-endian.
pub(super) type Integers = [Vec<u8>; NAMES.len()];

/// The integers' names in a JWK (RFC 7518, section 6.3), in the order of `RSAPrivateKey`.
pub(super) const NAMES: [&str; 8] = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];

/// How many of [`NAMES`] are public: the first ones.
pub(super) const PUBLIC: usize = 2;

/// The key of these integers, if they make one.
pub(super) fn pair([n, e, d, p, q, dp, dq, qi]: Integers) -> Result<KeyPair, KeyRejected> {
    KeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents { n, e },
        d,
        p,
        q,
        dP: dp,
        dQ: dq,
        qInv: qi,
    })
}

/// The integers of a key.
pub(super) fn integers(pair: &KeyPair) -> Result<Integers, KeyError> {
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Encoding)?;
    integers_of(pkcs8.as_ref()).ok_or(KeyError::Encoding)
}

/// The integers after the versions of a `PrivateKeyInfo` (RFC 5208, section 5) and of the
/// `RSAPrivateKey` in it, without the zero that keeps them positive in DER.
fn integers_of(pkcs8: &[u8]) -> Option<Integers> {
    let (_, info) = Sequence::from_der(pkcs8).ok()?;
    let (rest, _version) = Integer::from_der(&info.content).ok()?;
    let (rest, _algorithm) = Sequence::from_der(rest).ok()?;
    let (_, pkcs1) = OctetString::from_der(rest).ok()?;
    let (_, key) = Sequence::from_der(pkcs1.as_ref()).ok()?;
    let (mut rest, _version) = Integer::from_der(&key.content).ok()?;
    let mut integers = Integers::default();
    for integer in &mut integers {
        let (after, found) = Integer::from_der(rest).ok()?;
        let bytes = found.as_ref();
        *integer = bytes.strip_prefix(&[0]).unwrap_or(bytes).to_vec();
        rest = after;
    }
    Some(integers)
}
