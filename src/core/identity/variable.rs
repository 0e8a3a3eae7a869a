//! The table of variables: what each is called, what it shows, and its documentation.
//!
//! A variable of the identity is one row, and nothing else: its comment is the manual's text. One of
//! the request is a row here and its value in the shell, which the compiler asks for.

use std::borrow::Cow;

use super::Identity;
use crate::text::encode::encode;

/// A variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name, without the `$`.
    pub name: &'static str,
    /// What it shows.
    pub shown: Shown,
    /// What it shows, in Markdown.
    pub doc: &'static str,
}

macro_rules! variables {
    (
        identity { $($(#[doc = $doc:literal])+ $attribute:ident => $name:literal, $value:expr;)+ }
        request { $($(#[doc = $told:literal])+ $outcome:ident => $word:literal;)+ }
    ) => {
        /// What can be said of an identity: a variable each, and an exported header for some.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Attribute { $($(#[doc = $doc])+ $attribute,)+ }

        impl Attribute {
            /// The variable that shows it, without the `$`.
            pub const fn variable(self) -> &'static str {
                match self { $(Self::$attribute => $name,)+ }
            }

            /// Its value, safe in a header field or a log line.
            pub(super) fn of(self, identity: &Identity) -> Option<Cow<'_, str>> {
                match self {
                    $(Self::$attribute => {
                        let value: fn(&Identity) -> Option<Cow<'_, str>> = $value;
                        value(identity)
                    })+
                }
            }
        }

        /// What a variable shows.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Shown {
            /// Something of the identity, in any phase.
            Identity(Attribute),
            $($(#[doc = $told])+ $outcome,)+
        }

        /// Every variable, in the order of the manual.
        pub const VARIABLES: &[Variable] = &[
            $(Variable {
                name: $name,
                shown: Shown::Identity(Attribute::$attribute),
                doc: concat!($($doc),+),
            },)+
            $(Variable { name: $word, shown: Shown::$outcome, doc: concat!($($told),+) },)+
        ];
    };
}

variables! {
    identity {
        /// The service: the token's `service_claim`, else the certificate's name.
        Service => "mesh_service", |it| Some(encode(it.service()));
        /// The principal: the token's `sub`, else the certificate's name.
        Principal => "mesh_principal", |it| Some(encode(it.principal()));
        /// The name of the token's issuer in the configuration.
        Issuer => "mesh_issuer", |it| it.issuer().map(encode);
        /// The AWS account of the service, with `service_arn`.
        Account => "mesh_account", |it| it.account().map(Into::into);
        /// The kind of the principal: `token`, or `spiffe`, `dns` or `cn` for a certificate.
        PrincipalKind => "mesh_principal_kind", |it| Some(it.kind().into());
        /// The SPIFFE ID of the certificate, else of a JWT-SVID.
        SpiffeId => "mesh_spiffe_id", |it| it.spiffe_id().map(Into::into);
        /// The trust domain of the SPIFFE ID.
        TrustDomain => "mesh_trust_domain", |it| it.trust_domain().map(Into::into);
        /// The groups as a JSON array in ASCII; empty if they are unknown.
        Groups => "mesh_groups", |it| it.token.as_ref()?.groups().map(Into::into);
        /// What proved the identity: `token`, `certificate` or `token certificate`.
        Method => "mesh_method", |it| Some(it.method().into());
        /// The subject of the certificate (RFC 4514).
        CertificateSubject => "mesh_certificate_subject",
            |it| it.facts()?.subject.as_deref().map(encode);
        /// The e-mail addresses of the certificate as a JSON array in ASCII.
        CertificateEmails => "mesh_certificate_email",
            |it| Some((**it.facts()?.emails.as_ref()?).into());
        /// The IP addresses of the certificate as a JSON array in ASCII.
        CertificateAddresses => "mesh_certificate_ip",
            |it| Some((**it.facts()?.addresses.as_ref()?).into());
        /// The user principal names of the certificate as a JSON array in ASCII.
        CertificateUserNames => "mesh_certificate_upn",
            |it| Some((**it.facts()?.user_names.as_ref()?).into());
    }
    request {
        /// The decision: `allowed`, `refused` or `dry_run`.
        Decision => "mesh_decision";
        /// The rule that decided: the name of a binding or of a denial, `default` if no binding allows it,
        /// `no-policy`, `probe` or `dry-run`.
        Rule => "mesh_rule";
        /// The platform, by its word in policies.
        Platform => "mesh_platform";
        /// The operation, by the platform's own name.
        Operation => "mesh_operation";
        /// The kind of what the request names first, and what would be done: `topic:produce`.
        Action => "mesh_action";
        /// The name of what the request names first; `*` for all.
        Resource => "mesh_resource";
        /// The reason of a refusal, also if a dry run let the request pass.
        Reason => "mesh_reason";
        /// How many requests the tightest limit still admits.
        LimitRemaining => "mesh_limit_remaining";
        /// Microseconds spent in the module.
        Time => "mesh_time";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_variable_has_a_name_of_its_own_and_a_sentence() {
        let mut names = HashSet::new();
        for variable in VARIABLES {
            assert!(names.insert(variable.name), "{} twice", variable.name);
            assert!(variable.name.starts_with("mesh_"), "{}", variable.name);
            assert!(variable.doc.trim().ends_with('.'), "{}", variable.name);
        }
    }
}
