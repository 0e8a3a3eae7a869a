//! A hash of texts for tables whose keys are compared as a whole: who aims at one place of such a table
//! makes a search longer, and finds nothing else.

/// A hash of some bytes, sixteen at a time, behind `begun`: its upper half is the better one.
#[inline(always)]
pub(crate) fn hash(begun: u64, bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    // A length is no difference of a byte.
    let length = u64::try_from(bytes.len()).unwrap_or(0).wrapping_mul(ODD);
    let (mut hash, mut rest) = (length ^ begun ^ ODD, bytes);
    while let Some((sixteen, behind)) = rest.split_first_chunk()
        && !behind.is_empty()
    {
        (hash, rest) = (mix(hash, sixteen), behind);
    }
    match bytes.last_chunk() {
        // Some of them may be among those before them.
        Some(last) => mix(hash, last),
        None => {
            let mut last = [0; 16];
            last.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            mix(hash, &last)
        }
    }
}

/// Both halves of a product.
#[inline(always)]
fn mix(hash: u64, sixteen: &[u8; 16]) -> u64 {
    const ODD: u64 = 0xe703_7ed1_a0b4_28db;
    let word = u128::from_le_bytes(*sixteen);
    let (low, high) = (half(word), half(word >> 64));
    let product = u128::from(low ^ hash).wrapping_mul(u128::from(high ^ ODD));
    half(product) ^ half(product >> 64)
}

/// The lower half.
fn half(word: u128) -> u64 {
    u64::try_from(word & u128::from(u64::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_byte_of_a_text_counts() {
        let mut seen = BTreeSet::new();
        for length in 0..70 {
            let text = "x".repeat(length);
            assert!(seen.insert(hash(1, text.as_bytes())), "{length}");
            for at in 0..length {
                let mut other = text.clone().into_bytes();
                other[at] = b'y';
                assert!(seen.insert(hash(1, &other)), "{at} of {length}");
            }
        }
        assert!(seen.insert(hash(2, b"")));
    }
}
