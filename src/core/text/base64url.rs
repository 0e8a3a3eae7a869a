//! base64url without padding, white space or stray bits at its end, by the processor's vectors.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurposeConfig, NO_PAD, PAD};

#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
use base64::engine::Simd as Decoder;
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
use base64::engine::general_purpose::GeneralPurpose as Decoder;

/// Decodes text that has one spelling (RFC 7515, section 2; RFC 4648, section 3.5).
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    static STRICT: LazyLock<Decoder> = LazyLock::new(|| decoder(NO_PAD));
    STRICT.decode(text).ok()
}

/// As [`decode`], for text that has the whole of its padding.
pub(crate) fn decode_padded(text: &[u8]) -> Option<Vec<u8>> {
    static PADDED: LazyLock<Decoder> = LazyLock::new(|| decoder(PAD));
    PADDED.decode(text).ok()
}

fn decoder(config: GeneralPurposeConfig) -> Decoder {
    #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
    return Decoder::new(&base64::alphabet::URL_SAFE, config);
    #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
    Decoder::url_safe(config)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_text_has_one_spelling() {
        // From 64 bytes on, vectors are used.
        for lead in ["", &"abcd".repeat(15), &"-_9Z".repeat(16), &"AAAA".repeat(40)] {
            for (end, is_fine) in [
                ("", true),
                ("QQ", true),
                ("QUI", true),
                ("QUJD", true),
                ("QQ==", false),
                ("QUI=", false),
                ("Q", false),
                ("QR", false),
                ("QUJ", false),
                ("QQ ", false),
                ("QUJD\n", false),
                ("QU+D", false),
                ("QU/D", false),
                ("QU.D", false),
                ("QU\u{e9}", false),
            ] {
                let text = format!("{lead}{end}");
                assert_eq!(decode(text.as_bytes()).is_some(), is_fine, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_vectors_read_as_the_letters_do(
            bytes in prop::collection::vec(any::<u8>(), 0..400), at in any::<prop::sample::Index>(), other: u8,
        ) {
            let mut text = URL_SAFE_NO_PAD.encode(&bytes).into_bytes();
            prop_assert_eq!(decode(&text), Some(bytes.clone()));
            prop_assert_eq!(decode_padded(URL_SAFE.encode(&bytes).as_bytes()), Some(bytes));
            if !text.is_empty() {
                *at.get_mut(&mut text) = other;
                prop_assert_eq!(decode(&text), URL_SAFE_NO_PAD.decode(&text).ok());
                prop_assert_eq!(decode_padded(&text), URL_SAFE.decode(&text).ok());
            }
        }
    }
}
