//! The claims of a verified token, read once more: for rules that came into force after it was verified.

use super::VerifiedToken;
use super::origin::{Envelope, Origin};
use crate::claims::Claims;
use crate::issuer::trust::Trust;
use crate::key::jws::Headers;
use crate::text::json::{self, Document, Item};

impl VerifiedToken {
    /// Shows its claims to `work`; `None` if they cannot be read any more.
    ///
    /// `bearer` is the very token whose signature was verified, or that its issuer said is active: the
    /// caller has found this by it. So nothing of it is verified again.
    pub fn with_claims<T>(
        &self,
        bearer: &[u8],
        trust: &Trust,
        work: impl FnOnce(Option<&Claims<'_>>) -> T,
    ) -> T {
        match &self.answer {
            Some(answer) => {
                let document = Document::parse(json::without_mark(answer)).ok();
                let root = document.as_ref().map(Document::root);
                let introspection = trust.issuers().get(self.issuer);
                let introspection = introspection.and_then(|it| it.introspection.as_ref());
                let root = match introspection {
                    Some(it) if it.signed => root.and_then(|it| it.get("token_introspection")),
                    _ => root,
                };
                work(root.filter(|root| root.is_object()).map(Claims::of).as_ref())
            }
            None if self.is_introspected => work(None),
            None => {
                let headers = Headers::default();
                let Ok(envelope) = Envelope::open(bearer, trust, &headers) else {
                    return work(None);
                };
                let payload = Document::parse(envelope.jws.unverified_payload()).ok();
                let Ok(header) = envelope.jws.signed_by().map(Document::parse).transpose() else {
                    return work(None);
                };
                let header: Option<Item<'_>> = header.as_ref().map(Document::root);
                let claims = payload.as_ref().and_then(|payload| {
                    let claims = Claims::of(payload.root());
                    Origin::of(&envelope, header, claims, trust).ok().map(|origin| origin.claims)
                });
                work(claims.as_ref())
            }
        }
    }
}
