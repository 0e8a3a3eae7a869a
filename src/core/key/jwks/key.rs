//! One JWK (RFC 7517, section 4), made ready to verify.

use core::fmt;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{KeyFault, ed25519, rsa, thumbprint};
use crate::key::algorithm::{Algorithm, AlgorithmSet, KeyAlgorithms};
use crate::key::kind::{Kind, UNCOMPRESSED};

/// The publisher of a set, which decides what `use` may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    Issuer,
    TrustDomain,
}

/// A public key bound to the one algorithm that it verifies.
pub struct VerifyingKey {
    algorithm: Algorithm,
    public_key: ParsedPublicKey,
}

impl VerifyingKey {
    /// Makes a single JWK ready for `algorithm`, by the same rules as one of a set.
    ///
    /// # Errors
    ///
    /// [`KeyFault`]
    pub fn of_jwk(jwk: &Map<String, Value>, algorithm: Algorithm) -> Result<Self, KeyFault> {
        let only = AlgorithmSet::of(&[algorithm]).into();
        let (_, usable, material) = judge(jwk, only, Source::Issuer)?;
        if !usable.contains(algorithm) {
            return Err(KeyFault::AlgorithmRefused);
        }
        material.ready_for(algorithm)
    }

    /// The algorithm this key verifies.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Verifies a signature in the form of JWS: for ECDSA, `r` and `s` side by side (RFC 7518,
    /// section 3.4).
    ///
    /// # Errors
    ///
    /// [`SignatureInvalid`] when this key did not make `signature` over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        self.public_key.verify_sig(message, signature).map_err(|_| SignatureInvalid)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// A signature that the key did not make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureInvalid;

impl fmt::Display for SignatureInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid signature")
    }
}

impl core::error::Error for SignatureInvalid {}

/// What a JWK verifies, and which key it is.
pub(super) struct Usable {
    /// One for each algorithm: at least one.
    pub(super) verifying: Box<[VerifyingKey]>,
    /// The thumbprint (RFC 7638) of the key as it would be written without leading zeros.
    pub(super) thumbprint: [u8; 32],
}

/// Makes a JWK ready for each of `algorithms` that it may verify.
pub(super) fn read(
    jwk: &Map<String, Value>,
    algorithms: KeyAlgorithms,
    source: Source,
) -> Result<Usable, KeyFault> {
    let (kind, usable, material) = judge(jwk, algorithms, source)?;
    let verifying: Result<_, _> =
        usable.iter().map(|algorithm| material.ready_for(algorithm)).collect();
    Ok(Usable { verifying: verifying?, thumbprint: material.thumbprint(kind)? })
}

/// The identity of a JWK's key, whatever its use.
pub(super) fn identity(jwk: &Map<String, Value>) -> Option<[u8; 32]> {
    let kind = kind_of(jwk).ok()?;
    Material::read(jwk, kind).ok()?.thumbprint(kind).ok()
}

fn judge(
    jwk: &Map<String, Value>,
    algorithms: KeyAlgorithms,
    source: Source,
) -> Result<(Kind, AlgorithmSet, Material), KeyFault> {
    // First of all, since keys for certificates are not checked further.
    if source == Source::TrustDomain && text(jwk, "use")? == Some("x509-svid") {
        return Err(KeyFault::UseOfCertificates);
    }
    let kind = kind_of(jwk)?;
    check_purpose(jwk, source)?;
    let usable = usable_algorithms(jwk, kind, algorithms)?;
    Ok((kind, usable, Material::read(jwk, kind)?))
}

/// The type and curve that a JWK names.
fn kind_of(jwk: &Map<String, Value>) -> Result<Kind, KeyFault> {
    let kty = text(jwk, "kty")?.ok_or(KeyFault::Malformed("kty"))?;
    let crv = match kty {
        "RSA" => None,
        "EC" | "OKP" => Some(text(jwk, "crv")?.ok_or(KeyFault::Malformed("crv"))?),
        "oct" => return Err(KeyFault::Symmetric),
        _ => return Err(KeyFault::UnsupportedType),
    };
    Kind::named(kty, crv).ok_or(KeyFault::UnsupportedCurve)
}

/// The public members, decoded and found sound.
enum Material {
    /// A curve point: uncompressed (SEC 1, section 2.3.3), or the 32 bytes of Ed25519.
    Point(Vec<u8>),
    Rsa(PublicKeyComponents<Vec<u8>>),
}

impl Material {
    fn read(jwk: &Map<String, Value>, kind: Kind) -> Result<Self, KeyFault> {
        match kind {
            Kind::Ed25519 => {
                let point = decode(jwk, "x")?;
                ed25519::check(&point)?;
                Ok(Self::Point(point))
            }
            Kind::P256 | Kind::Secp256k1 => point::<32>(jwk),
            Kind::P384 => point::<48>(jwk),
            Kind::P521 => point::<66>(jwk),
            Kind::Rsa => {
                let n = unpadded(decode(jwk, "n")?);
                let e = unpadded(decode(jwk, "e")?);
                rsa::check(&n, &e)?;
                Ok(Self::Rsa(PublicKeyComponents { n, e }))
            }
        }
    }

    /// The thumbprint (RFC 7638) of the key, however it was written.
    fn thumbprint(&self, kind: Kind) -> Result<[u8; 32], KeyFault> {
        let mut jwk = Map::new();
        let mut say = |name: &str, value: String| jwk.insert(name.to_owned(), value.into());
        let (kty, crv) = kind.names();
        say("kty", kty.to_owned());
        crv.map(|crv| say("crv", crv.to_owned()));
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Point(point) => match point.split_first() {
                Some((&UNCOMPRESSED, coordinates)) if kty == "EC" => {
                    let (x, y) = coordinates.split_at(coordinates.len().div_euclid(2));
                    say("x", number(x));
                    say("y", number(y));
                }
                _ => drop(say("x", number(point))),
            },
            Self::Rsa(PublicKeyComponents { n, e }) => {
                say("n", number(n));
                say("e", number(e));
            }
        }
        thumbprint(&jwk).ok_or(KeyFault::Malformed("kty"))
    }

    fn ready_for(&self, algorithm: Algorithm) -> Result<VerifyingKey, KeyFault> {
        let parameters = Parameters::of(algorithm);
        let public_key = match (self, parameters) {
            (Self::Point(point), Parameters::Curve(curve)) => ParsedPublicKey::new(curve, point),
            (Self::Rsa(components), Parameters::Rsa(rsa)) => components.to_parsed_public_key(rsa),
            _ => return Err(KeyFault::AlgorithmMismatch),
        };
        let public_key = public_key.map_err(|_| match self {
            Self::Point(_) => KeyFault::PointInvalid,
            Self::Rsa(_) => KeyFault::Malformed("n"),
        })?;
        Ok(VerifyingKey { algorithm, public_key })
    }
}

/// How the cryptographic library names an algorithm.
enum Parameters {
    Curve(&'static dyn VerificationAlgorithm),
    Rsa(&'static RsaParameters),
}

impl Parameters {
    fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::EdDsa => Self::Curve(&signature::ED25519),
            Algorithm::Es256 => Self::Curve(&signature::ECDSA_P256_SHA256_FIXED),
            Algorithm::Es256k => Self::Curve(&signature::ECDSA_P256K1_SHA256_FIXED),
            Algorithm::Es384 => Self::Curve(&signature::ECDSA_P384_SHA384_FIXED),
            Algorithm::Es512 => Self::Curve(&signature::ECDSA_P521_SHA512_FIXED),
            Algorithm::Ps256 => Self::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::Ps384 => Self::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::Ps512 => Self::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Algorithm::Rs256 => Self::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Rs384 => Self::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::Rs512 => Self::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
        }
    }
}

/// Refuses a key that is not for verifying signatures, or whose private part is published.
fn check_purpose(jwk: &Map<String, Value>, source: Source) -> Result<(), KeyFault> {
    // RFC 7518, sections 6.2.2 and 6.3.2; RFC 8037, section 2.
    if ["d", "p", "q", "dp", "dq", "qi", "oth"].iter().any(|name| member(jwk, name).is_some()) {
        return Err(KeyFault::PrivateMaterial);
    }
    match text(jwk, "use")? {
        None | Some("sig") => {}
        // JWT-SVID section 6.1.
        Some("jwt-svid") if source == Source::TrustDomain => {}
        Some(_) => return Err(KeyFault::UseWithoutSignature),
    }
    match member(jwk, "key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().all(Value::is_string) => {
            if operations.iter().any(|operation| operation == "verify") {
                Ok(())
            } else {
                Err(KeyFault::OperationsWithoutVerify)
            }
        }
        Some(_) => Err(KeyFault::Malformed("key_ops")),
    }
}

fn usable_algorithms(
    jwk: &Map<String, Value>,
    kind: Kind,
    algorithms: KeyAlgorithms,
) -> Result<AlgorithmSet, KeyFault> {
    let fitting = kind.algorithms();
    let own: Option<Algorithm> = match text(jwk, "alg")? {
        None => None,
        Some(name) => Some(name.parse().map_err(|_| KeyFault::UnsupportedAlgorithm)?),
    };
    if own.is_some_and(|own| !fitting.contains(own)) {
        return Err(KeyFault::AlgorithmMismatch);
    }
    let usable = algorithms.of_key(own, fitting);
    if usable.is_empty() { Err(KeyFault::AlgorithmRefused) } else { Ok(usable) }
}

/// Reads `x` and `y` into an uncompressed point of a curve whose field takes `N` bytes.
fn point<const N: usize>(jwk: &Map<String, Value>) -> Result<Material, KeyFault> {
    let coordinate = |name| fixed::<N>(&decode(jwk, name)?).ok_or(KeyFault::Malformed(name));
    let (x, y) = (coordinate("x")?, coordinate("y")?);
    Ok(Material::Point([&[UNCOMPRESSED][..], &x, &y].concat()))
}

/// A member with a value: serialisers write null, an empty array or an empty string for an absent
/// one.
fn member<'j>(jwk: &'j Map<String, Value>, name: &str) -> Option<&'j Value> {
    jwk.get(name).filter(|value| match value {
        Value::Null => false,
        Value::Array(elements) => !elements.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    })
}

/// A string member; `None` if it is absent, a fault if it has another type.
fn text<'j>(jwk: &'j Map<String, Value>, name: &'static str) -> Result<Option<&'j str>, KeyFault> {
    match member(jwk, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyFault::Malformed(name)),
    }
}

fn decode(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyFault> {
    text(jwk, name)?
        .and_then(|encoded| URL_SAFE_NO_PAD.decode(encoded).ok())
        .ok_or(KeyFault::Malformed(name))
}

/// Drops leading zeros: some publishers keep the sign byte of their big integers.
fn unpadded(mut number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    number
}

/// A big-endian number in exactly `N` bytes, whatever leading zeros it came with or lost.
fn fixed<const N: usize>(number: &[u8]) -> Option<[u8; N]> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..)?;
    let mut fixed = [0; N];
    fixed.get_mut(N.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some(fixed)
}
