//! The signature algorithms a key can have: asymmetric ones only.
//!
//! `none` and the HMAC family are not variants, so no key and no token can ask for them.

use core::fmt;
use core::str::FromStr;

/// A signature algorithm of RFC 7518, section 3.1, RFC 8037, section 3.1, or RFC 8812, section 3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Algorithm {
    /// EdDSA with Ed25519, and no other curve.
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with secp256k1 and SHA-256.
    Es256k,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// ECDSA with P-521 and SHA-512.
    Es512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

impl Algorithm {
    /// Every algorithm, in the order of the variants.
    pub const ALL: [Self; 11] = [
        Self::EdDsa,
        Self::Es256,
        Self::Es256k,
        Self::Es384,
        Self::Es512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
    ];

    /// The registered name, as in the `alg` member of a token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es256k => "ES256K",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }
}

impl Algorithm {
    /// Every registered name, with a space between.
    #[must_use]
    pub fn names() -> String {
        format!("{} {ED25519}", AlgorithmSet::from_iter(Self::ALL))
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads a registered name, exact in case (RFC 7515, section 4.1.1). `Ed25519` (RFC 9864) is
    /// another name of `EdDSA` here.
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        name.parse().map(|Named { algorithm, .. }| algorithm)
    }
}

/// An algorithm, and the name by which keys and tokens call it: EdDSA has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    algorithm: Algorithm,
    name: &'static str,
}

impl Named {
    /// The algorithm.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// The registered name that was asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }
}

/// Under its first name.
impl From<Algorithm> for Named {
    fn from(algorithm: Algorithm) -> Self {
        Self { algorithm, name: algorithm.as_str() }
    }
}

impl FromStr for Named {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        if name == ED25519 {
            return Ok(Self { algorithm: Algorithm::EdDsa, name: ED25519 });
        }
        let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == name);
        known.map(Self::from).ok_or(UnknownAlgorithm)
    }
}

/// The fully specified name of EdDSA with Ed25519 (RFC 9864, section 2.2).
pub const ED25519: &str = "Ed25519";

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no [`Algorithm`], `none` and the HMAC family among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownAlgorithm;

impl fmt::Display for UnknownAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown or symmetric algorithm, expected one of {}", Algorithm::names())
    }
}

impl core::error::Error for UnknownAlgorithm {}

/// A set of algorithms, such as those an issuer may sign with.
///
/// ```
/// use mesh_core::key::algorithm::{Algorithm, AlgorithmSet};
///
/// assert!(AlgorithmSet::DEFAULT.contains(Algorithm::Rs256));
/// assert!(!AlgorithmSet::DEFAULT.contains(Algorithm::Ps256));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlgorithmSet(u16);

impl AlgorithmSet {
    /// The algorithms that an issuer may sign with by default: RS256, ES256, ES384 and EdDSA.
    ///
    /// An RSA key without `alg` would fit six algorithms; by default it verifies RS256 alone.
    pub const DEFAULT: Self =
        Self::of(&[Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256]);

    /// The empty set.
    pub const EMPTY: Self = Self(0);

    pub(crate) const fn of(members: &[Algorithm]) -> Self {
        let mut bits = 0;
        let mut rest = members;
        while let Some((first, others)) = rest.split_first() {
            bits |= Self::bit(*first);
            rest = others;
        }
        Self(bits)
    }

    const fn bit(algorithm: Algorithm) -> u16 {
        1 << algorithm as u8
    }

    /// Whether `algorithm` is a member.
    #[must_use]
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & Self::bit(algorithm) != 0
    }

    /// The members of both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of [`Algorithm::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |algorithm| self.contains(*algorithm))
    }
}

impl Default for AlgorithmSet {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(members: I) -> Self {
        Self(members.into_iter().fold(0, |bits, algorithm| bits | Self::bit(algorithm)))
    }
}

impl fmt::Display for AlgorithmSet {
    /// Writes the names with a space between, as the `algorithms` directive takes them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, algorithm) in self.iter().enumerate() {
            let space = if position == 0 { "" } else { " " };
            write!(f, "{space}{algorithm}")?;
        }
        Ok(())
    }
}

/// The algorithms that the keys of an issuer may verify.
///
/// ```
/// use mesh_core::key::algorithm::{Algorithm, AlgorithmSet, KeyAlgorithms};
///
/// let only = KeyAlgorithms::from(AlgorithmSet::DEFAULT);
/// assert!(!only.allows(Algorithm::Ps256));
/// assert!(KeyAlgorithms::OWN.allows(Algorithm::Ps256));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAlgorithms {
    /// The algorithms of a key without `alg`.
    nameless: AlgorithmSet,
    /// The algorithms that a key may name.
    named: AlgorithmSet,
}

impl KeyAlgorithms {
    /// The algorithm that a key names; [`AlgorithmSet::DEFAULT`] for a key without `alg`.
    pub const OWN: Self =
        Self { nameless: AlgorithmSet::DEFAULT, named: AlgorithmSet::of(&Algorithm::ALL) };

    /// Whether some key may verify `algorithm`.
    #[must_use]
    pub const fn allows(self, algorithm: Algorithm) -> bool {
        self.named.contains(algorithm) || self.nameless.contains(algorithm)
    }

    /// The algorithms that a key may verify if it names `own` and its type has `fitting`.
    pub(crate) fn of_key(self, own: Option<Algorithm>, fitting: AlgorithmSet) -> AlgorithmSet {
        match own {
            Some(own) => AlgorithmSet::of(&[own]).intersection(self.named).intersection(fitting),
            None => fitting.intersection(self.nameless),
        }
    }
}

/// These and no others, whether or not a key names its own.
impl From<AlgorithmSet> for KeyAlgorithms {
    fn from(only: AlgorithmSet) -> Self {
        Self { nameless: only, named: only }
    }
}

impl fmt::Debug for AlgorithmSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            assert_eq!(algorithm.to_string(), algorithm.as_str());
        }
    }

    #[test]
    fn ed25519_is_another_name_of_eddsa() {
        assert_eq!("Ed25519".parse(), Ok(Algorithm::EdDsa));
        assert_eq!("EdDSA".parse(), Ok(Algorithm::EdDsa));
        for name in [ED25519, "EdDSA"] {
            assert_eq!(name.parse::<Named>().map(Named::name), Ok(name));
        }
        assert!(Algorithm::names().ends_with("RS512 Ed25519"));
    }

    #[test]
    fn symmetric_unsigned_and_misspelt_names_do_not_parse() {
        for name in [
            "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "hs256", "rs256",
            "Rs256", " RS256", "RS256 ", "RS256\0", "EDDSA", "EdDsa", "ES521", "ES256k", "RS1",
            "Ed448", "A128KW", "ed25519", "ED25519",
        ] {
            assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm), "{name}");
        }
    }

    #[test]
    fn default_takes_one_algorithm_of_each_kind_of_key() {
        let members: Vec<_> = AlgorithmSet::DEFAULT.iter().map(Algorithm::as_str).collect();
        assert_eq!(members, ["EdDSA", "ES256", "ES384", "RS256"]);
        assert_eq!(AlgorithmSet::default(), AlgorithmSet::DEFAULT);
    }

    #[test]
    fn set_holds_its_members_and_no_others() {
        for member in Algorithm::ALL {
            let set = AlgorithmSet::from_iter([member, member]);
            for algorithm in Algorithm::ALL {
                assert_eq!(set.contains(algorithm), algorithm == member);
            }
            assert_eq!(set.iter().collect::<Vec<_>>(), [member]);
            assert_eq!(set.intersection(AlgorithmSet::EMPTY), AlgorithmSet::EMPTY);
        }
        assert!(AlgorithmSet::EMPTY.is_empty());
        assert!(!AlgorithmSet::DEFAULT.is_empty());
    }

    #[test]
    fn a_key_may_verify_what_it_names_unless_the_issuer_says_less() {
        let rsa = AlgorithmSet::of(&[Algorithm::Ps256, Algorithm::Rs256, Algorithm::Rs512]);
        let of = |algorithms: KeyAlgorithms, own| algorithms.of_key(own, rsa).to_string();
        assert_eq!(of(KeyAlgorithms::OWN, None), "RS256");
        assert_eq!(of(KeyAlgorithms::OWN, Some(Algorithm::Ps256)), "PS256");
        assert_eq!(of(KeyAlgorithms::OWN, Some(Algorithm::Es256)), "");
        let only = KeyAlgorithms::from(AlgorithmSet::of(&[Algorithm::Ps256, Algorithm::Rs512]));
        assert_eq!(of(only, None), "PS256 RS512");
        assert_eq!(of(only, Some(Algorithm::Rs512)), "RS512");
        assert_eq!(of(only, Some(Algorithm::Rs256)), "");
    }

    #[test]
    fn set_is_shown_as_names() {
        let set = AlgorithmSet::from_iter([Algorithm::Rs256, Algorithm::EdDsa]);
        assert_eq!(set.to_string(), "EdDSA RS256");
        assert_eq!(AlgorithmSet::EMPTY.to_string(), "");
    }
}
