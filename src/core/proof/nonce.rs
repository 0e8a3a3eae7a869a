//! Nonces without memory (RFC 9449 section 9): any worker makes the same one in the same stretch of
//! time, and no client can tell the next one.

use core::fmt;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What makes nonces: a secret that all workers share.
pub(super) struct Nonces(Key);

/// The state of a nonce.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Of the present stretch of time.
    Current,
    /// Of the stretch before: it is valid, and a new one is due.
    Previous,
    /// Of another stretch, or none of ours.
    Unknown,
}

impl Nonces {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self(Key::new(HMAC_SHA256, secret))
    }

    /// The nonce at `now`, for stretches of so many seconds.
    pub(super) fn issue(&self, lifetime: i64, now: i64) -> Box<str> {
        self.of(lifetime, stretch(lifetime, now))
    }

    /// The state at `now` of a nonce that came with a proof.
    pub(super) fn standing(&self, nonce: &str, lifetime: i64, now: i64) -> Standing {
        let present = stretch(lifetime, now);
        // No secret is compared here: every client is given the same bytes.
        if *self.of(lifetime, present) == *nonce {
            Standing::Current
        } else if *self.of(lifetime, present.saturating_sub(1)) == *nonce {
            Standing::Previous
        } else {
            Standing::Unknown
        }
    }

    fn of(&self, lifetime: i64, stretch: i64) -> Box<str> {
        let text = format!("mesh dpop nonce {lifetime} {stretch}");
        let tag = sign(&self.0, text.as_bytes());
        // 128 bits: they cannot be guessed, and the field stays short.
        URL_SAFE_NO_PAD.encode(tag.as_ref().get(..16).unwrap_or_default()).into()
    }
}

/// Which stretch of time `now` falls into.
const fn stretch(lifetime: i64, now: i64) -> i64 {
    match now.checked_div_euclid(lifetime) {
        Some(stretch) => stretch,
        None => now,
    }
}

/// The secret is not shown.
impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_nonce_lasts_for_its_stretch_and_the_next() {
        let nonces = Nonces::new(&[7; 32]);
        let nonce = nonces.issue(300, 3_000);
        for (now, standing) in [
            (3_000, Standing::Current),
            (3_299, Standing::Current),
            (3_300, Standing::Previous),
            (3_599, Standing::Previous),
            (3_600, Standing::Unknown),
            (2_999, Standing::Unknown),
        ] {
            assert_eq!(nonces.standing(&nonce, 300, now), standing, "{now}");
        }
        assert_eq!(nonce.len(), 22);
    }

    #[test]
    fn another_secret_or_lifetime_makes_another_nonce() {
        let nonce = Nonces::new(&[7; 32]).issue(300, 3_000);
        assert_ne!(nonce, Nonces::new(&[8; 32]).issue(300, 3_000));
        assert_ne!(nonce, Nonces::new(&[7; 32]).issue(600, 6_000));
        assert_eq!(Nonces::new(&[7; 32]).standing("", 300, 3_000), Standing::Unknown);
    }

    proptest! {
        #[test]
        fn no_time_or_lifetime_panics(lifetime: i64, now: i64) {
            let nonces = Nonces::new(&[7; 32]);
            let nonce = nonces.issue(lifetime, now);
            prop_assert_eq!(nonces.standing(&nonce, lifetime, now), Standing::Current);
        }
    }
}
