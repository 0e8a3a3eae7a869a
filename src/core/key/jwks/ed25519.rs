//! Ed25519 public keys for which an attacker can forge signatures.

use super::KeyFault;

/// Checks an encoded point (RFC 8032, section 5.1.2).
pub(super) fn check(point: &[u8]) -> Result<(), KeyFault> {
    let mut y: [u8; 32] = point.try_into().map_err(|_| KeyFault::Malformed("x"))?;
    let [.., last] = &mut y;
    *last &= 0x7F;
    if WEAK.contains(&y) { Err(KeyFault::PointWeak) } else { Ok(()) }
}

/// The `y` of every point whose order divides 8, little-endian, the sign of `x` cleared.
///
/// All zeros, a likely placeholder, is one of them: its order is 4. The two written out have order
/// 8 and are each other's negative modulo `p = 2^255 - 19`.
const WEAK: [[u8; 32]; 7] = [
    near_p(0x00, 0x00, 0x00),
    near_p(0x01, 0x00, 0x00),
    [
        0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98,
        0xF0, 0xD5, 0xDF, 0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53,
        0xFC, 0x05,
    ],
    [
        0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67,
        0x0F, 0x2A, 0x20, 0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC,
        0x03, 0x7A,
    ],
    // p - 1, and the encodings of 0 and 1 that are not reduced: p and p + 1.
    near_p(0xEC, 0xFF, 0x7F),
    near_p(0xED, 0xFF, 0x7F),
    near_p(0xEE, 0xFF, 0x7F),
];

const fn near_p(low: u8, middle: u8, high: u8) -> [u8; 32] {
    let mut y = [middle; 32];
    let [first, .., last] = &mut y;
    *first = low;
    *last = high;
    y
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, ParsedPublicKey};

    use super::*;

    /// The signature of a zero scalar over the neutral point: no private key takes part in it.
    const FORGERY: [u8; 64] = {
        let mut signature = [0; 64];
        signature[0] = 1;
        signature
    };

    #[test]
    fn point_of_small_order_is_refused_with_either_sign() {
        for y in WEAK {
            for sign in [0x00, 0x80] {
                let mut point = y;
                point[31] |= sign;
                assert_eq!(check(&point), Err(KeyFault::PointWeak));
            }
        }
    }

    #[test]
    fn every_reduced_point_of_the_list_can_be_forged_for() {
        // The forgery holds when the hash of the message is a multiple of the order, 8 at most.
        for y in &WEAK[..5] {
            let key = ParsedPublicKey::new(&ED25519, y).unwrap();
            let forged =
                (0..400_u32).filter(|n| key.verify_sig(&n.to_be_bytes(), &FORGERY).is_ok());
            assert!(forged.count() > 0, "{y:?}");
        }
    }

    #[test]
    fn point_of_another_length_is_malformed() {
        for length in [0, 31, 33, 44] {
            assert_eq!(check(&vec![9; length]), Err(KeyFault::Malformed("x")));
        }
    }

    #[test]
    fn base_point_is_sound() {
        let mut base = [0x66; 32];
        base[0] = 0x58;
        assert_eq!(check(&base), Ok(()));
    }
}
