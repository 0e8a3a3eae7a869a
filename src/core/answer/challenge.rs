//! How a refused client is told what to do: the `WWW-Authenticate` field.

use core::fmt::Write as _;

use crate::key::algorithm::Algorithm;
use crate::proof::Mode;
use crate::refusal::{NONCE_ERROR, PROOF_ERROR, Reason, Refusal, TOKEN_ERROR};
use crate::request::Scheme;

/// The offer of a location that reads tokens to its clients.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offer<'o> {
    /// Which tokens it takes.
    pub dpop: Mode,
    /// Where its metadata is (RFC 9728 section 5.1).
    pub resource_metadata: Option<&'o str>,
}

/// The `WWW-Authenticate` value (RFC 6750 section 3, RFC 9449 section 7.1) for a client that
/// sent its token by `used`, if it did.
///
/// The scheme that was used reports the error; a 401 names the other one beside it, if both are
/// accepted.
pub fn challenge(refusal: &Refusal, offer: &Offer<'_>, used: Option<Scheme>) -> Option<String> {
    let reason = refusal.reason();
    let (error, status) = (reason.error(), reason.status());
    if error.is_none() && status != 401 {
        return None;
    }
    let offered: &[Scheme] = match offer.dpop {
        Mode::Accept => &[Scheme::Bearer, Scheme::Dpop],
        Mode::Off => &[Scheme::Bearer],
        Mode::Require => &[Scheme::Dpop],
    };
    // A client that used a scheme which is not offered learns which one is.
    let told = used.filter(|used| offered.contains(used)).or(offered.first().copied())?;
    let mut field = String::new();
    for scheme in offered.iter().filter(|scheme| status == 401 || **scheme == told) {
        let separator = if field.is_empty() { "" } else { ", " };
        let told = (*scheme == told).then_some(reason);
        let _ = write!(field, "{separator}{}", one(*scheme, told, offer));
    }
    Some(field)
}

/// One challenge, with the error if there is a reason to tell.
fn one(scheme: Scheme, reason: Option<Reason>, offer: &Offer<'_>) -> String {
    let mut text = match scheme {
        Scheme::Bearer => "Bearer realm=\"mesh\"".to_owned(),
        Scheme::Dpop => "DPoP realm=\"mesh\"".to_owned(),
    };
    if let Some((reason, error)) = reason.and_then(|reason| Some((reason, reason.error()?))) {
        // A client that sent no proof is told that its token is wrong.
        let error = match (scheme, error) {
            (Scheme::Bearer, PROOF_ERROR | NONCE_ERROR) => TOKEN_ERROR,
            (Scheme::Bearer | Scheme::Dpop, error) => error,
        };
        let description = reason.meaning();
        let _ = write!(text, ", error=\"{error}\", error_description=\"{description}\"");
    }
    if scheme == Scheme::Dpop {
        let _ = write!(text, ", algs=\"{}\"", Algorithm::names());
    }
    if let Some(url) = offer.resource_metadata {
        let _ = write!(text, ", resource_metadata=\"{url}\"");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(reason: Reason, dpop: Mode, used: Option<Scheme>) -> String {
        let offer = Offer { dpop, resource_metadata: None };
        super::challenge(&Refusal::from(reason), &offer, used).unwrap()
    }

    fn algs() -> String {
        format!("algs=\"{}\"", Algorithm::names())
    }

    #[test]
    fn a_401_always_has_a_challenge_and_a_429_none() {
        for reason in Reason::ALL {
            for dpop in [Mode::Accept, Mode::Off, Mode::Require] {
                for used in [None, Some(Scheme::Bearer), Some(Scheme::Dpop)] {
                    let offer = Offer { dpop, resource_metadata: None };
                    let challenge = super::challenge(&Refusal::from(*reason), &offer, used);
                    let expected = reason.status() == 401 || reason.error().is_some();
                    assert_eq!(challenge.is_some(), expected, "{reason}");
                    let errors = challenge.unwrap_or_default().matches("error=").count();
                    assert_eq!(errors, usize::from(reason.error().is_some()), "{reason}");
                }
            }
        }
    }

    #[test]
    fn the_scheme_that_was_used_tells_the_error() {
        let expired = "error=\"invalid_token\", error_description=\"the token has expired\"";
        let algs = algs();
        for (dpop, used, expected) in [
            (Mode::Off, Scheme::Bearer, format!("Bearer realm=\"mesh\", {expired}")),
            (Mode::Off, Scheme::Dpop, format!("Bearer realm=\"mesh\", {expired}")),
            (Mode::Require, Scheme::Dpop, format!("DPoP realm=\"mesh\", {expired}, {algs}")),
            (Mode::Require, Scheme::Bearer, format!("DPoP realm=\"mesh\", {expired}, {algs}")),
            (
                Mode::Accept,
                Scheme::Bearer,
                format!("Bearer realm=\"mesh\", {expired}, DPoP realm=\"mesh\", {algs}"),
            ),
            (
                Mode::Accept,
                Scheme::Dpop,
                format!("Bearer realm=\"mesh\", DPoP realm=\"mesh\", {expired}, {algs}"),
            ),
        ] {
            assert_eq!(challenge(Reason::TokenExpired, dpop, Some(used)), expected);
        }
        assert_eq!(
            challenge(Reason::CredentialMissing, Mode::Accept, None),
            format!("Bearer realm=\"mesh\", DPoP realm=\"mesh\", {algs}")
        );
    }

    #[test]
    fn only_a_401_offers_the_other_scheme() {
        let denied = challenge(Reason::ClaimRefused, Mode::Accept, Some(Scheme::Dpop));
        assert!(
            denied.starts_with("DPoP realm=\"mesh\", error=\"insufficient_scope\""),
            "{denied}"
        );
        assert!(!denied.contains("Bearer"));
    }

    #[test]
    fn a_bearer_that_should_have_been_proven_is_an_invalid_token() {
        let bearer = challenge(Reason::DpopMissing, Mode::Accept, Some(Scheme::Bearer));
        assert!(bearer.starts_with("Bearer realm=\"mesh\", error=\"invalid_token\""), "{bearer}");
        let proven = challenge(Reason::DpopMissing, Mode::Accept, Some(Scheme::Dpop));
        assert!(proven.contains("DPoP realm=\"mesh\", error=\"invalid_dpop_proof\""), "{proven}");
        let nonce = challenge(Reason::DpopNonce, Mode::Require, Some(Scheme::Dpop));
        assert!(nonce.contains("error=\"use_dpop_nonce\""), "{nonce}");
    }

    #[test]
    fn each_challenge_leads_to_the_metadata() {
        let url = "https://api.example/.well-known/oauth-protected-resource";
        let offer = Offer { dpop: Mode::Accept, resource_metadata: Some(url) };
        let field = super::challenge(&Refusal::from(Reason::TokenExpired), &offer, None).unwrap();
        assert_eq!(field.matches(&format!("resource_metadata=\"{url}\"")).count(), 2);
    }
}
