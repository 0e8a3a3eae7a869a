//! RSA public keys that must not be trusted although they would verify.

use core::iter;

use super::KeyFault;

/// Bits that a modulus must have at least (RFC 7518, section 3.3).
const MIN_MODULUS_BITS: usize = 2048;

/// Bits that a modulus may have at most: beyond, verification is a burden and the library refuses.
const MAX_MODULUS_BITS: usize = 8192;

/// Bits that an exponent may have at most: the library verifies with no larger one.
const MAX_EXPONENT_BITS: usize = 33;

/// Checks a modulus and an exponent, both big-endian without leading zeros.
pub(super) fn check(n: &[u8], e: &[u8]) -> Result<(), KeyFault> {
    match bits(n) {
        small @ ..MIN_MODULUS_BITS => return Err(KeyFault::ModulusTooSmall(small)),
        MIN_MODULUS_BITS..=MAX_MODULUS_BITS => {}
        large => return Err(KeyFault::ModulusTooLarge(large)),
    }
    if e == [1] || !is_odd(e) {
        return Err(KeyFault::ExponentWeak);
    }
    if bits(e) > MAX_EXPONENT_BITS {
        return Err(KeyFault::ExponentTooLarge);
    }
    if !is_odd(n) || small_odd_primes().any(|prime| remainder(n, prime) == 0) {
        return Err(KeyFault::ModulusFactored);
    }
    if has_roca_fingerprint(n) {
        return Err(KeyFault::Roca);
    }
    Ok(())
}

/// Whether a modulus was made by the generator of CVE-2017-15361.
///
/// That generator took primes of the form `k * M + (65537^a mod M)`, `M` being a product of the
/// first primes. So modulo each of those primes the modulus is a power of 65537. About one in two
/// hundred million ordinary moduli look the same over the primes up to 167, the ones that divide
/// `M` for every size of key (Nemec and others, "The Return of Coppersmith's Attack", 2017).
fn has_roca_fingerprint(n: &[u8]) -> bool {
    small_odd_primes().all(|prime| is_power_of_65537(remainder(n, prime), prime))
}

#[expect(clippy::arithmetic_side_effects, reason = "the prime is below 168 and not zero")]
fn is_power_of_65537(residue: u32, prime: u32) -> bool {
    // The powers come around to 1 after at most prime - 1 steps.
    let powers = iter::successors(Some(1), |power| Some(power * (65_537 % prime) % prime));
    iter::once(1).chain(powers.skip(1).take_while(|power| *power != 1)).any(|p| p == residue)
}

#[expect(clippy::arithmetic_side_effects, reason = "the prime is below 168 and not zero")]
fn remainder(number: &[u8], prime: u32) -> u32 {
    number.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
}

#[expect(clippy::arithmetic_side_effects, reason = "the divisor is not zero")]
fn small_odd_primes() -> impl Iterator<Item = u32> {
    (3..=167).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0))
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte & 1 == 1)
}

fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    number.len().saturating_mul(8).saturating_sub(unused)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "small numbers, written for reading")]

    use proptest::prelude::*;

    use super::*;

    const E: &[u8] = &[1, 0, 1];

    /// Little-endian 32-bit digits, enough to build a modulus of the ROCA form.
    type Big = Vec<u32>;

    fn multiply(a: &[u32], b: &[u32]) -> Big {
        let mut product = vec![0; a.len() + b.len()];
        for (i, x) in a.iter().enumerate() {
            let mut carry = 0;
            for (j, y) in b.iter().enumerate() {
                let sum = u64::from(*x) * u64::from(*y) + u64::from(product[i + j]) + carry;
                product[i + j] = u32::try_from(sum & 0xFFFF_FFFF).unwrap();
                carry = sum >> 32;
            }
            product[i + b.len()] = u32::try_from(carry).unwrap();
        }
        product
    }

    fn add(a: &[u32], b: &[u32]) -> Big {
        let mut sum = Vec::new();
        let mut carry = 0;
        for i in 0..a.len().max(b.len()) {
            let digit = |n: &[u32]| u64::from(n.get(i).copied().unwrap_or(0));
            let total = digit(a) + digit(b) + carry;
            sum.push(u32::try_from(total & 0xFFFF_FFFF).unwrap());
            carry = total >> 32;
        }
        sum.push(u32::try_from(carry).unwrap());
        sum
    }

    fn bytes(number: &[u32]) -> Vec<u8> {
        let bytes: Vec<u8> = number.iter().rev().flat_map(|digit| digit.to_be_bytes()).collect();
        bytes.into_iter().skip_while(|byte| *byte == 0).collect()
    }

    /// `k * M + 65537^a`, with `a` small enough that the power is below `M`.
    fn roca_prime(k: &[u32], a: u32) -> Big {
        let m = small_odd_primes().fold(vec![2], |m, prime| multiply(&m, &[prime]));
        let power = (0..a).fold(vec![1], |power, _| multiply(&power, &[65_537]));
        add(&multiply(k, &m), &power)
    }

    fn limbs(count: usize) -> impl Strategy<Value = Big> {
        // The top digit is full, so that the size of the modulus is known.
        prop::collection::vec(any::<u32>(), count - 1).prop_map(|mut digits| {
            digits.push(u32::MAX);
            digits
        })
    }

    #[test]
    fn small_odd_primes_are_38_from_3_to_167() {
        let primes: Vec<_> = small_odd_primes().collect();
        assert_eq!(primes.len(), 38);
        assert_eq!(primes[..6], [3, 5, 7, 11, 13, 17]);
        assert_eq!(primes.last(), Some(&167));
    }

    #[test]
    fn powers_of_65537_modulo_11_and_37_are_the_subgroups() {
        // 65537 = -1 mod 11, and 10 mod 37, whose order is 3.
        let members = |prime| (0..prime).filter(move |r| is_power_of_65537(*r, prime));
        assert_eq!(members(11).collect::<Vec<_>>(), [1, 10]);
        assert_eq!(members(37).collect::<Vec<_>>(), [1, 10, 26]);
        assert_eq!(members(3).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn weak_exponents_are_refused() {
        let mut n = vec![0xFF; 256];
        n[255] = 0x61;
        for e in [&[][..], &[1], &[2], &[4], &[1, 0, 0], &[1, 0, 0, 0, 0]] {
            assert_eq!(check(&n, e), Err(KeyFault::ExponentWeak), "{e:?}");
        }
        assert_eq!(check(&n, &[2, 0, 0, 0, 1]), Err(KeyFault::ExponentTooLarge));
        assert_eq!(check(&n, &[1; 300]), Err(KeyFault::ExponentTooLarge));
        for e in [&[3][..], E, &[1, 0, 0, 0, 1]] {
            assert!(!matches!(
                check(&n, e),
                Err(KeyFault::ExponentTooLarge | KeyFault::ExponentWeak)
            ));
        }
    }

    #[test]
    fn modulus_must_have_2048_to_8192_bits() {
        let of = |bytes: usize, first: u8| [&[first][..], &vec![0xFF; bytes - 1]].concat();
        assert_eq!(check(&[], E), Err(KeyFault::ModulusTooSmall(0)));
        assert_eq!(check(&of(128, 0x80), E), Err(KeyFault::ModulusTooSmall(1024)));
        assert_eq!(check(&of(256, 0x7F), E), Err(KeyFault::ModulusTooSmall(2047)));
        assert_eq!(check(&of(1025, 0x01), E), Err(KeyFault::ModulusTooLarge(8193)));
        let size = |n: &[u8]| {
            matches!(check(n, E), Err(KeyFault::ModulusTooLarge(_) | KeyFault::ModulusTooSmall(_)))
        };
        assert!(!size(&of(256, 0x80)));
        assert!(!size(&of(1024, 0xFF)));
    }

    #[test]
    fn modulus_with_a_small_factor_is_refused() {
        let sound = (1..u32::MAX)
            .step_by(2)
            .map(|low| [&[low][..], &[u32::MAX; 63]].concat())
            .find(|n| check(&bytes(n), E).is_ok())
            .unwrap();
        for factor in [2, 3, 5, 7, 163, 167] {
            let n = multiply(&sound, &[factor]);
            assert_eq!(check(&bytes(&n), E), Err(KeyFault::ModulusFactored), "{factor}");
        }
    }

    proptest! {
        #[test]
        fn modulus_of_the_roca_form_is_refused(
            k in limbs(26), l in limbs(26), a in 0_u32..13, b in 0_u32..13,
        ) {
            let n = bytes(&multiply(&roca_prime(&k, a), &roca_prime(&l, b)));
            prop_assert!(n.len() >= 256);
            prop_assert_eq!(check(&n, E), Err(KeyFault::Roca));
        }

        #[test]
        fn modulus_with_one_ordinary_factor_is_not_roca(k in limbs(26), l in limbs(32), a in 0_u32..13) {
            let n = bytes(&multiply(&roca_prime(&k, a), &l));
            prop_assert!(check(&n, E) != Err(KeyFault::Roca));
        }
    }
}
