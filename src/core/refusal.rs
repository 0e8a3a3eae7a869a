//! Why a request is refused, and what the client and the log are told: the one map from a reason
//! to status, challenge and word.

use core::fmt;

use std::sync::Arc;

use crate::body::BodyError;
use crate::limit::{Limited, Quota};

mod detail;

pub use detail::{Denied, Detail};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident => $word:literal, $status:literal, $error:expr, $kind:expr, $meaning:literal;)+) => {
        /// The stable word of a refusal, for logs, `$mesh_reason` and people.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Reason { $($(#[doc = $doc])+ $variant,)+ }

        impl Reason {
            /// Every reason, in the order of the manual.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word: lower case, stable, never with anything of a credential.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The status of the answer (RFC 9110 section 15).
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// The error code of a challenge (RFC 6750 section 3.1, RFC 9449 section 7.1).
            pub const fn error(self) -> Option<&'static str> {
                match self { $(Self::$variant => $error,)+ }
            }

            /// What it says of the client.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => $kind,)+ }
            }

            /// What it means, in a sentence for the manual and for `error_description`.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
        }
    };
}

/// What a reason says about the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A credential was presented and found bad: `mesh_failure_limit` counts it.
    Failure,
    /// Nothing bad was presented.
    Blameless,
    /// A limit is reached: `mesh_limit_status` is its status, and a dry run of limits covers it.
    Limit,
    /// What is asked for is not allowed, or cannot be told: a dry run of the policy covers it.
    Policy,
    /// The module or the issuer is not ready; after so many seconds it may be.
    Unready(Option<u32>),
}

/// The error codes of a token (RFC 6750 section 3.1), of a proof and of its nonce (RFC 9449 sections
/// 7.1 and 9).
pub(crate) const TOKEN_ERROR: &str = "invalid_token";
pub(crate) const PROOF_ERROR: &str = "invalid_dpop_proof";
pub(crate) const NONCE_ERROR: &str = "use_dpop_nonce";

const TOKEN: Option<&str> = Some(TOKEN_ERROR);
const PROOF: Option<&str> = Some(PROOF_ERROR);
const NONE: Option<&str> = None;

reasons! {
    /// More than one credential of a kind.
    CredentialConflict => "credential_conflict", 400, Some("invalid_request"), Kind::Failure,
        "more than one token was sent, or one more than once";
    /// Nothing that the location asks for was presented.
    CredentialMissing => "credential_missing", 401, NONE, Kind::Blameless,
        "no credential that this location accepts was sent";
    /// Not a compact JWS with JSON claims.
    TokenMalformed => "token_malformed", 401, TOKEN, Kind::Failure,
        "the token is not a well-formed signed JWT";
    /// Over 16 KiB.
    TokenTooLarge => "token_too_large", 401, TOKEN, Kind::Failure,
        "the token is larger than 16 KiB";
    /// A member name twice in header or claims.
    TokenDuplicateMember => "token_duplicate_member", 401, TOKEN, Kind::Failure,
        "the token holds a JSON member twice";
    /// `crit` or `b64` in the header.
    TokenCritical => "token_critical", 401, TOKEN, Kind::Failure,
        "the token asks for an extension that is not understood";
    /// `none`, HMAC, or an algorithm that the key is not for.
    AlgorithmRefused => "algorithm_refused", 401, TOKEN, Kind::Failure,
        "the token's algorithm is not one of its key";
    /// `iss` is absent or not accepted here.
    IssuerRefused => "issuer_refused", 401, TOKEN, Kind::Failure,
        "the token's issuer is not accepted here";
    /// The load balancer that signed is not a listed one.
    SignerRefused => "signer_refused", 401, TOKEN, Kind::Failure,
        "the token was signed by a load balancer that is not accepted here";
    /// `sub` is no SPIFFE ID of a workload in the issuer's trust domain.
    SpiffeIdRefused => "spiffe_id_refused", 401, TOKEN, Kind::Failure,
        "the token's sub is not a SPIFFE ID of its issuer's trust domain";
    /// No key of the issuer has the token's `kid`.
    UnknownKey => "unknown_key", 401, TOKEN, Kind::Failure,
        "the token names a key that its issuer does not publish";
    /// The signature is not one of the key.
    SignatureInvalid => "signature_invalid", 401, TOKEN, Kind::Failure,
        "the token's signature is not valid";
    /// A claim of the wrong type.
    ClaimMalformed => "claim_malformed", 401, TOKEN, Kind::Failure,
        "a registered claim has the wrong type";
    /// No `exp`.
    ExpiryMissing => "expiry_missing", 401, TOKEN, Kind::Failure, "the token has no exp claim";
    /// `exp` has passed.
    TokenExpired => "token_expired", 401, TOKEN, Kind::Failure, "the token has expired";
    /// The list of `mesh_revocation` names it, its subject, its session or its key.
    TokenRevoked => "token_revoked", 401, TOKEN, Kind::Failure, "the token has been revoked";
    /// `nbf` is ahead.
    TokenNotYetValid => "token_not_yet_valid", 401, TOKEN, Kind::Failure,
        "the token is not valid yet";
    /// It lives for longer than `max_lifetime`, or does not say since when.
    LifetimeExceeded => "lifetime_exceeded", 401, TOKEN, Kind::Failure,
        "the token's lifetime is longer than allowed";
    /// `aud` holds none of the accepted audiences.
    AudienceRefused => "audience_refused", 401, TOKEN, Kind::Failure,
        "the token is for another audience";
    /// The header's `typ` is not the issuer's `token_type`.
    TypeRefused => "type_refused", 401, TOKEN, Kind::Failure, "the token is of another type";
    /// Its issuer says that it is not active (RFC 7662).
    TokenInactive => "token_inactive", 401, TOKEN, Kind::Failure,
        "the token's issuer says that it is not active";
    /// The service claim is absent or not a non-empty string.
    ServiceMissing => "service_missing", 401, TOKEN, Kind::Failure,
        "the token does not name a service";
    /// `cnf` names a method that is not understood.
    BindingUnsupported => "binding_unsupported", 401, TOKEN, Kind::Failure,
        "the token is bound in a way that cannot be checked";
    /// `cnf` names another certificate than the connection's, or there is none (RFC 8705 section 3);
    /// or another key than the proof's.
    BindingMismatch => "binding_mismatch", 401, TOKEN, Kind::Failure,
        "the token is bound to another certificate or key than the client's";
    /// A token that is bound to a key came without a proof, or as `Bearer`.
    DpopMissing => "dpop_missing", 401, PROOF, Kind::Failure,
        "the token is bound to a key and was not sent as DPoP with a proof";
    /// Not exactly one JWT of the form of RFC 9449 section 4.2.
    DpopMalformed => "dpop_malformed", 401, PROOF, Kind::Failure,
        "the DPoP proof is not one well-formed proof";
    /// A private, weak or unsupported key, or one that does not fit the algorithm.
    DpopKey => "dpop_key", 401, PROOF, Kind::Failure,
        "the key or the algorithm of the DPoP proof is not acceptable";
    /// The signature is not one of the key in its header.
    DpopSignatureInvalid => "dpop_signature_invalid", 401, PROOF, Kind::Failure,
        "the signature of the DPoP proof is not valid";
    /// `htm`, `htu` or `ath`.
    DpopMismatch => "dpop_mismatch", 401, PROOF, Kind::Failure,
        "the DPoP proof is for another method, URI or token";
    /// `iat` is too old, or ahead.
    DpopStale => "dpop_stale", 401, PROOF, Kind::Failure, "the DPoP proof is too old, or its iat is in the future";
    /// The nonce is missing, or is none of ours.
    DpopNonce => "dpop_nonce", 401, Some(NONCE_ERROR), Kind::Blameless,
        "the DPoP proof needs the nonce of this answer";
    /// `jti` was there before.
    DpopReplayed => "dpop_replayed", 401, PROOF, Kind::Failure, "the DPoP proof was used before";
    /// A token that is not bound to a key was sent as `DPoP`, or where one that is bound is needed.
    DpopUnbound => "dpop_unbound", 401, TOKEN, Kind::Failure,
        "the token is not bound to a key, as it must be for DPoP";
    /// No client certificate.
    CertificateMissing => "certificate_missing", 401, NONE, Kind::Blameless,
        "no client certificate was sent";
    /// Nginx did not verify the chain.
    CertificateUnverified => "certificate_unverified", 401, NONE, Kind::Failure,
        "the client certificate's chain is not verified";
    /// It cannot be read.
    CertificateMalformed => "certificate_malformed", 401, NONE, Kind::Failure,
        "the client certificate cannot be read";
    /// Outside of notBefore and notAfter now, whatever it was at the handshake.
    CertificateExpired => "certificate_expired", 401, NONE, Kind::Failure,
        "the client certificate is not valid at this time";
    /// No name of an allowed kind, or more than one.
    CertificateNameless => "certificate_nameless", 401, NONE, Kind::Failure,
        "the client certificate does not hold exactly one usable name";
    /// It was verified by the settings of another server.
    CertificateMisdirected => "certificate_misdirected", 421, NONE, Kind::Failure,
        "the certificate was verified for another server name";
    /// A required claim holds none of the values.
    ClaimRefused => "claim_refused", 403, Some("insufficient_scope"), Kind::Blameless,
        "a claim that this location requires does not hold";
    /// No rule of the policy allows it, or one denies it.
    PolicyDenied => "policy_denied", 403, NONE, Kind::Policy,
        "the policy does not allow this";
    /// No row of the platform's table is the request.
    OperationUnknown => "operation_unknown", 403, NONE, Kind::Policy,
        "the platform has no such operation";
    /// The platform's table, or the settings of `mesh_platform`, refuse it on purpose.
    OperationRefused => "operation_refused", 403, NONE, Kind::Policy,
        "this operation is not passed on";
    /// Servers may read the request in more than one way.
    RequestAmbiguous => "request_ambiguous", 400, NONE, Kind::Policy,
        "the request can be read in more than one way";
    /// The request does not follow the rules of its parts.
    RequestMalformed => "request_malformed", 400, NONE, Kind::Policy,
        "the request is not well-formed";
    /// No resource of its kind can have this name.
    NameMalformed => "name_malformed", 400, NONE, Kind::Policy,
        "no resource of this kind can have this name";
    /// The request does not hold what names its resource.
    BodyMemberMissing => "body_member_missing", 400, NONE, Kind::Policy,
        "the request does not name what it asks for";
    /// The body does not follow the rules of its type, or is not as long as the request says.
    BodyMalformed => "body_malformed", 400, NONE, Kind::Policy,
        "the request's body is not well-formed";
    /// The body did not arrive within `mesh_body_timeout`.
    BodyTimeout => "body_timeout", 408, NONE, Kind::Policy,
        "the request's body did not arrive in time";
    /// More than `mesh_body_inspect`, or more names than a request may hold.
    BodyTooLarge => "body_too_large", 413, NONE, Kind::Policy,
        "the request's body is too large to be inspected";
    /// A type or an encoding that the operation does not have.
    BodyTypeRefused => "body_type_refused", 415, NONE, Kind::Policy,
        "the type or the encoding of the request's body is not one of this operation";
    /// A `mesh_limit` is reached.
    Limited => "limited", 429, NONE, Kind::Limit, "the identity's limit is reached";
    /// A `mesh_limit` has no bucket for the identity, and the one that newcomers share is full.
    LimitOverflow => "limit_overflow", 429, NONE, Kind::Limit,
        "mesh_zone has no room for the identity, and the limit that newcomers share is reached";
    /// A `mesh_failure_limit` is reached.
    FailureLimited => "failure_limited", 429, NONE, Kind::Limit,
        "too many refused credentials came from this address";
    /// One key may not take the memory from all others.
    DpopShareFull => "dpop_share_full", 429, NONE, Kind::Unready(Some(2)),
        "the DPoP proofs of this key take up their share of mesh_dpop_zone";
    /// It is not known which list of `mesh_revocation` is the last good one.
    RevocationsUnavailable => "revocations_unavailable", 503, NONE, Kind::Unready(None),
        "the list of revoked tokens is not available";
    /// It is not known which version of `mesh_policy` is the last good one.
    PolicyUnavailable => "policy_unavailable", 503, NONE, Kind::Policy,
        "the policy is not available";
    /// `mesh_body_memory` is used up, or the body cannot be read here.
    BodyUnavailable => "body_unavailable", 503, NONE, Kind::Policy,
        "the request's body cannot be inspected now";
    /// The issuer's keys were never had, or it is not known which are its last good ones.
    KeysUnavailable => "keys_unavailable", 503, NONE, Kind::Unready(Some(5)),
        "the issuer's keys are not available";
    /// To forget another proof instead would let that one be used again.
    DpopReplayFull => "dpop_replay_full", 503, NONE, Kind::Unready(None),
        "there is no room to remember the DPoP proof: mesh_dpop_zone is too small";
    /// The token's issuer is being asked, and the caller cannot wait.
    IntrospectionPending => "introspection_pending", 503, NONE, Kind::Unready(Some(1)),
        "the token's issuer is still being asked about it";
    /// The token's issuer was asked and gave no usable answer.
    IntrospectionUnavailable => "introspection_unavailable", 503, NONE, Kind::Unready(Some(1)),
        "the token's issuer gives no usable answer about it";
}

impl Reason {
    /// A refusal that says what it is about.
    pub(crate) fn about(self, detail: Detail) -> Refusal {
        Refusal { reason: self, detail: Some(Box::new(detail)) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The end of the line for a request that is not let through.
#[derive(Clone, Debug)]
pub struct Refusal {
    reason: Reason,
    /// Few have one, and every stage of the line passes on what may be a refusal.
    detail: Option<Box<Detail>>,
}

/// The limit that refused, and when it has room again.
#[derive(Clone, Debug)]
pub struct ReachedLimit {
    quota: Arc<Quota>,
    limited: Limited,
}

impl ReachedLimit {
    /// The limit's name.
    pub fn name(&self) -> &str {
        self.quota.name()
    }

    /// The response fields that tell the client: `Retry-After` in seconds (RFC 9110 section
    /// 10.2.3), and `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers).
    pub fn fields(&self) -> [(&'static str, String); 3] {
        let (name, wait) = (self.quota.name(), self.limited.retry_after_secs());
        let (quota, window) = (self.quota.policy_quota(), self.quota.policy_window_secs());
        let left = self.limited.remaining().units();
        [
            ("Retry-After", wait.to_string()),
            ("RateLimit-Policy", format!("\"{name}\";q={quota};w={window}")),
            ("RateLimit", format!("\"{name}\";r={left};t={wait}")),
        ]
    }
}

impl Refusal {
    /// The stable reason.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The status of the answer; `mesh_limit_status` replaces it for a limit.
    pub const fn status(&self, limit_status: u16) -> u16 {
        match self.reason.kind() {
            Kind::Limit => limit_status,
            Kind::Failure | Kind::Blameless | Kind::Policy | Kind::Unready(_) => {
                self.reason.status()
            }
        }
    }

    /// Which limit refused, with what `Retry-After` and the RateLimit fields say.
    pub fn limited(&self) -> Option<&ReachedLimit> {
        match self.detail() {
            Detail::Limit(limited) => Some(limited),
            _ => None,
        }
    }

    /// What it is about, for the log.
    pub fn detail(&self) -> &Detail {
        self.detail.as_deref().unwrap_or(&Detail::Nothing)
    }

    /// After how many seconds the client may come again, if that is known.
    pub fn wait_secs(&self) -> Option<u64> {
        match (self.limited(), self.reason.kind()) {
            (Some(reached), _) => Some(reached.limited.retry_after_secs()),
            (None, Kind::Unready(secs)) => secs.map(u64::from),
            (None, _) => None,
        }
    }

    /// The response fields that tell the client when to come again.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        match (self.limited(), self.reason.kind()) {
            (Some(limited), _) => limited.fields().into(),
            (None, Kind::Unready(Some(secs))) => vec![("Retry-After", secs.to_string())],
            (None, _) => Vec::new(),
        }
    }

    /// Whether it is about the credential rather than about what its owner may do: another access
    /// module may then be asked (`satisfy any`), and the address is charged for it.
    pub const fn is_unauthenticated(&self) -> bool {
        self.reason.status() == 401
    }

    /// Whether a credential was presented and found bad: what `mesh_failure_limit` counts.
    pub const fn is_failure(&self) -> bool {
        matches!(self.reason.kind(), Kind::Failure)
    }
}

impl From<BodyError> for Reason {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Malformed => Self::BodyMalformed,
            BodyError::Ambiguous => Self::RequestAmbiguous,
            BodyError::TooLarge => Self::BodyTooLarge,
            BodyError::WrongType => Self::BodyTypeRefused,
        }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: None }
    }
}

impl Refusal {
    /// A refusal by a limit; the other constructors are `From<Reason>` and [`Reason::about`].
    pub(crate) fn by_limit(reason: Reason, quota: &Arc<Quota>, limited: Limited) -> Self {
        reason.about(Detail::Limit(ReachedLimit { quota: Arc::clone(quota), limited }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own_and_a_refusing_status() {
        let mut words = HashSet::new();
        for reason in Reason::ALL {
            assert!(words.insert(reason.word()), "{reason} twice");
            assert!(reason.word().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(reason.status() >= 400, "{reason}");
            assert!(!reason.meaning().contains(['"', '\\']), "{reason}");
        }
    }

    #[test]
    fn only_who_may_succeed_later_is_told_when() {
        for reason in Reason::ALL {
            let fields = Refusal::from(*reason).fields();
            let expected = match reason {
                Reason::DpopShareFull => vec![("Retry-After", "2".to_owned())],
                Reason::KeysUnavailable => vec![("Retry-After", "5".to_owned())],
                Reason::IntrospectionPending | Reason::IntrospectionUnavailable => {
                    vec![("Retry-After", "1".to_owned())]
                }
                _ => Vec::new(),
            };
            assert_eq!(fields, expected, "{reason}");
        }
    }

    #[test]
    fn an_absent_credential_is_not_a_failure() {
        assert!(!Refusal::from(Reason::CredentialMissing).is_failure());
        assert!(!Refusal::from(Reason::CertificateMissing).is_failure());
        assert!(!Refusal::from(Reason::DpopNonce).is_failure());
        assert!(Refusal::from(Reason::DpopReplayed).is_failure());
        assert!(Refusal::from(Reason::SignatureInvalid).is_failure());
        assert!(Refusal::from(Reason::CredentialConflict).is_failure());
    }
}
