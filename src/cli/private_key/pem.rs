//! Private keys in PEM: PKCS#8, and the older PKCS#1 (RSA) and SEC1 (EC).

use aws_lc_rs::{
    rsa::KeyPair,
    signature::{EcdsaKeyPair, Ed25519KeyPair},
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};

use super::{Curve, KeyError, Pair, rsa};

/// Reads the first private key of a PEM file.
pub(super) fn parse(text: &[u8]) -> Result<Pair, KeyError> {
    let key = PrivateKeyDer::from_pem_slice(text).map_err(|_| {
        let encrypted = text.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED);
        if encrypted { KeyError::Encrypted } else { KeyError::Unrecognized }
    })?;
    match key {
        PrivateKeyDer::Pkcs1(der) => {
            let pair = KeyPair::from_der(der.secret_pkcs1_der());
            rsa::Components::from_pair(&pair.map_err(|_| KeyError::Unsupported)?).map(Pair::Rsa)
        }
        PrivateKeyDer::Pkcs8(der) => pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Sec1(der) => ec(|curve| {
            EcdsaKeyPair::from_private_key_der(curve.signing(), der.secret_sec1_der()).ok()
        })
        .ok_or(KeyError::Unsupported),
        _ => Err(KeyError::Unsupported),
    }
}

/// Tries every type of key, for each parser takes its own type alone.
fn pkcs8(der: &[u8]) -> Result<Pair, KeyError> {
    if let Ok(pair) = KeyPair::from_pkcs8(der) {
        return rsa::Components::from_pair(&pair).map(Pair::Rsa);
    }
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
        return Ok(Pair::Ed25519(pair));
    }
    ec(|curve| EcdsaKeyPair::from_pkcs8(curve.signing(), der).ok()).ok_or(KeyError::Unsupported)
}

fn ec(parse: impl Fn(Curve) -> Option<EcdsaKeyPair>) -> Option<Pair> {
    Curve::ALL.into_iter().find_map(|curve| Some(Pair::Ec(curve, parse(curve)?)))
}

const ENCRYPTED: &[u8] = b"ENCRYPTED";

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;
    use crate::private_key::rsa::Bits;

    fn pem(label: &str, der: &[u8]) -> Vec<u8> {
        let body = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes()
    }

    #[test]
    fn every_form_is_read() {
        let rsa = rsa::Components::generate(Bits::B2048).unwrap();
        assert!(matches!(parse(&pem("RSA PRIVATE KEY", rsa.pkcs1())), Ok(Pair::Rsa(_))));

        let ed25519 = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        assert!(matches!(parse(&pem("PRIVATE KEY", ed25519.as_ref())), Ok(Pair::Ed25519(_))));

        for curve in Curve::ALL {
            let pair = curve.generate().unwrap();
            let pkcs8 = pair.to_pkcs8v1().unwrap();
            let sec1: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
            for text in [pem("PRIVATE KEY", pkcs8.as_ref()), pem("EC PRIVATE KEY", sec1.as_ref())] {
                let Ok(Pair::Ec(found, _)) = parse(&text) else { panic!("{}", curve.name()) };
                assert_eq!(found.name(), curve.name());
            }
        }
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        assert!(matches!(parse(b"garbage"), Err(KeyError::Unrecognized)));
        assert!(matches!(parse(&pem("CERTIFICATE", &[0; 4])), Err(KeyError::Unrecognized)));
        assert!(matches!(parse(&pem("PRIVATE KEY", &[0; 4])), Err(KeyError::Unsupported)));
        let encrypted = pem("ENCRYPTED PRIVATE KEY", &[0; 4]);
        assert!(matches!(parse(&encrypted), Err(KeyError::Encrypted)));
    }
}
