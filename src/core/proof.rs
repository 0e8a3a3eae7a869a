//! Tokens that are bound to a client's key, and the proof that comes with each request (RFC 9449).
//!
//! A token that names a key by `cnf.jkt` is valid only beside a `DPoP` field whose JWT that key has
//! signed: for this method, this URI and this token, just now, and never before. The token's
//! signature may be remembered; a proof is verified for every request.

use core::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::refusal::Reason;
use crate::request::{Field, Request, Scheme};
use crate::text::time::{Now, UnixTime};
use crate::token::Confirmation;

mod jwt;
mod memory;
mod nonce;
mod target;

pub use memory::{Memory, MemoryBucket, MemoryHeader, Secrets, ShareBucket};
pub use target::Origin;

use jwt::Proof;
use memory::{Fingerprint, Remembered};
use nonce::Standing;
use target::Uri;

/// Which tokens a location takes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// A token that is bound to a key is believed with its proof, any other without.
    #[default]
    Accept,
    /// No token that is bound to a key.
    Off,
    /// Only tokens that are bound to a key.
    Require,
}

/// How a location judges proofs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Which tokens it takes.
    pub mode: Mode,
    /// Seconds after `iat` that a proof is valid.
    pub max_age: i64,
    /// The origin at which clients see the server, if it is not the server's own.
    pub origin: Option<Origin>,
    /// Seconds of a nonce's lifetime, if proofs need one.
    pub nonce: Option<i64>,
}

impl Settings {
    /// The default of `max_age`.
    pub const MAX_AGE: i64 = 60;
}

impl Default for Settings {
    fn default() -> Self {
        Self { mode: Mode::default(), max_age: Self::MAX_AGE, origin: None, nonce: None }
    }
}

/// What a worker has at hand to judge the proof of one request.
#[derive(Default)]
pub struct Proofs<'w> {
    open: Option<Open<'w>>,
    /// The nonce that the client should use from now on.
    nonce: Option<Box<str>>,
}

/// Opens the memory that all workers share. Only a request with a proof needs it.
pub type Open<'w> = &'w dyn Fn() -> Option<Memory<'w>>;

impl<'w> Proofs<'w> {
    /// With the memory that all workers share; without one, no proof is accepted.
    pub fn new(open: Option<Open<'w>>) -> Self {
        Self { open, nonce: None }
    }

    fn memory(&self) -> Result<Memory<'w>, Reason> {
        self.open.and_then(|open| open()).ok_or(Reason::DpopReplayFull)
    }

    /// Gives the request the nonce that it is to tell, if there is one.
    pub(crate) fn tell(&mut self, known: &mut Known) {
        if let Some(nonce) = self.nonce.take() {
            known.nonce = Some(nonce);
        }
    }
}

impl fmt::Debug for Proofs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proofs").field("is_shared", &self.open.is_some()).finish_non_exhaustive()
    }
}

/// A valid proof, not yet used up.
pub(crate) struct Unused {
    fingerprint: Fingerprint,
    /// The thumbprint of the key that made it.
    key: [u8; 32],
    issued_at: i64,
}

impl Unused {
    /// Uses the proof up, once per request under whichever settings: it is no replay of itself.
    ///
    /// # Errors
    ///
    /// [`Reason::DpopReplayed`], or that there is no room to remember it.
    pub(crate) fn use_up(
        &self,
        proofs: &Proofs<'_>,
        known: &mut Known,
        now: Now,
    ) -> Result<(), Reason> {
        if known.used == Some(self.fingerprint) {
            return Ok(());
        }
        let memory = proofs.memory()?;
        match memory.remember(self.fingerprint, &self.key, self.issued_at, now) {
            Remembered::First => {
                known.used = Some(self.fingerprint);
                Ok(())
            }
            Remembered::Full => Err(Reason::DpopReplayFull),
            Remembered::Known => Err(Reason::DpopReplayed),
            Remembered::TooMany => Err(Reason::DpopShareFull),
        }
    }
}

impl fmt::Debug for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unused").field("issued_at", &self.issued_at).finish_non_exhaustive()
    }
}

/// What is known of the proof of one request, under whichever settings it was judged.
#[derive(Default)]
pub(crate) struct Known {
    used: Option<Fingerprint>,
    nonce: Option<Box<str>>,
}

impl Known {
    /// The nonce to tell the client.
    pub(crate) fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("used", &self.used.is_some()).finish()
    }
}

/// Checks that the sender of a valid token holds the key that it is bound to, if any, and returns
/// the proof, which is still to be used up.
///
/// # Errors
///
/// A [`Reason`] of status 401, or [`Reason::DpopReplayFull`].
pub(crate) fn check(
    confirmation: Confirmation,
    (scheme, token): (Scheme, &[u8]),
    request: &dyn Request,
    settings: &Settings,
    proofs: &mut Proofs<'_>,
    now: UnixTime,
) -> Result<Option<Box<Unused>>, Reason> {
    match (settings.mode, confirmation.key(), scheme) {
        (Mode::Off, Some(_), _) => Err(Reason::BindingUnsupported),
        (_, None, Scheme::Dpop) | (Mode::Require, None, _) => Err(Reason::DpopUnbound),
        (_, None, Scheme::Bearer) => Ok(None),
        // RFC 9449 section 7.2: otherwise a thief of the token could use it.
        (_, Some(_), Scheme::Bearer) => Err(Reason::DpopMissing),
        (_, Some(key), Scheme::Dpop) => {
            let proof = match request.field("dpop") {
                Field::Absent => return Err(Reason::DpopMissing),
                Field::One(value) => Proof::read(value.trim_ascii())?,
                Field::Several => return Err(Reason::DpopMalformed),
            };
            prove(&proof, key, token, request, settings, proofs, now).map(Box::new).map(Some)
        }
    }
}

/// The checks of RFC 9449 section 4.3 that the form of a proof leaves, the cheap ones before the
/// signature. They change nothing.
fn prove(
    proof: &Proof<'_>,
    key: &[u8; 32],
    token: &[u8],
    request: &dyn Request,
    settings: &Settings,
    proofs: &mut Proofs<'_>,
    now: UnixTime,
) -> Result<Unused, Reason> {
    if proof.thumbprint != *key {
        return Err(Reason::BindingMismatch);
    }
    let token_hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, token));
    let uri = Uri::parse(proof.uri.as_bytes()).ok_or(Reason::DpopMismatch)?;
    let is_for_this = proof.method.as_bytes() == request.method()
        && Uri::of(&request.target(), settings.origin.as_ref()).as_ref() == Some(&uri)
        && proof.token_hash.as_deref() == Some(&*token_hash);
    if !is_for_this {
        return Err(Reason::DpopMismatch);
    }
    let now = now.secs();
    let memory = proofs.memory()?;
    if proof.issued_at > now.saturating_add(AHEAD)
        || proof.issued_at < now.saturating_sub(settings.max_age)
        || !memory.would_know(proof.issued_at)
    {
        return Err(Reason::DpopStale);
    }
    proof.verify()?;
    if let Some(lifetime) = settings.nonce {
        let nonces = memory.nonces();
        let standing = proof
            .nonce
            .as_deref()
            .map_or(Standing::Unknown, |nonce| nonces.standing(nonce, lifetime, now));
        if standing != Standing::Current {
            proofs.nonce = Some(nonces.issue(lifetime, now));
        }
        if standing == Standing::Unknown {
            return Err(Reason::DpopNonce);
        }
    }
    let [scheme, host, path] = uri.parts();
    let port = uri.port().to_le_bytes();
    let fingerprint = memory.fingerprint(&[key, proof.id.as_bytes(), scheme, host, &port, path]);
    Ok(Unused { fingerprint, key: *key, issued_at: proof.issued_at })
}

/// Seconds that the clock of a client may be ahead.
const AHEAD: i64 = 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of RFC 9449 section 7.1.
    const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";

    #[test]
    fn the_example_of_the_specification_is_a_proof() {
        let proof = Proof::read(PROOF.as_bytes()).unwrap();
        proof.verify().unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(proof.thumbprint),
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
        );
        assert_eq!((&*proof.method, &*proof.id), ("GET", "e1j3V_bKic8-LAEB"));
        assert_eq!(&*proof.uri, "https://resource.example.org/protectedresource");
        assert_eq!(proof.issued_at, 1_562_262_618);
        let token = b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
        let token_hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, token));
        assert_eq!(proof.token_hash.as_deref(), Some(&*token_hash));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(Proof::read(&text).is_err());
        }

        #[test]
        fn a_proof_that_is_changed_anywhere_is_none(at: prop::sample::Index, byte: u8) {
            let mut text = PROOF.as_bytes().to_vec();
            let at = at.index(text.len());
            prop_assume!(text[at] != byte);
            text[at] = byte;
            let told = Proof::read(&text).and_then(|proof| proof.verify());
            prop_assert!(told.is_err());
        }
    }
}
