//! Which of Nginx's variables show a credential, and how they keep it.
//!
//! A token that was verified is taken out of the request's fields. Nginx reads `$http_NAME` and
//! `$cookie_NAME` from these fields when they are asked for the first time, and keeps what it read:
//! they are therefore asked before. Otherwise a key of a cache, a `hash` or a predicate that names one
//! would be the same for every caller.

use mesh_core::request::source::Source;
use nginx_sys::{NGX_HTTP_VAR_NOCACHEABLE, ngx_http_get_indexed_variable, ngx_uint_t};

use crate::nginx::ngx::indexed::Indexed;
use crate::nginx::ngx::live::Live;

/// The variables that show a token, by the token's place; only places that are shown.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    tokens: Box<[(Source, Box<[ngx_uint_t]>)]>,
    /// The variables that show a certificate, which is never taken away.
    certificates: Box<[ngx_uint_t]>,
    /// `$http_upgrade`, if it keeps what it read.
    upgrade: Option<ngx_uint_t>,
}

impl Shown {
    /// Finds the variables among those that the configuration names.
    pub(crate) fn find(sources: &[Source], variables: &Indexed<'_>) -> Self {
        let shown = sources.iter().filter_map(|source| {
            let indices: Box<[_]> = variables
                .iter()
                // One that is read anew each time keeps nothing.
                .filter(|it| it.flags & NGX_HTTP_VAR_NOCACHEABLE as ngx_uint_t == 0)
                .filter(|it| source.is_shown_by(it.name))
                .map(|it| it.index)
                .collect();
            (!indices.is_empty()).then(|| (source.clone(), indices))
        });
        let tokens = shown.collect();
        let certificates = variables.iter().filter(|it| shows_certificate(it.name));
        let certificates = certificates.map(|it| it.index).collect();
        let upgrade = variables.iter().find(|it| it.name == "http_upgrade").map(|it| it.index);
        Self { tokens, certificates, upgrade }
    }

    /// Has `$http_upgrade` read anew: the field was taken away, or put back, and an old value would go
    /// upstream by it.
    pub(crate) fn forget_upgrade(&self, r: Live<'_>) {
        let Some(index) = self.upgrade else { return };
        // SAFETY: the request is live, and has a value for each index that Nginx gave out in this
        // configuration (`ngx_http_create_request`). One that is neither valid nor not found is read
        // when it is asked for (`ngx_http_get_indexed_variable`).
        unsafe {
            let value = &mut *(*r.as_ptr()).variables.add(index);
            value.set_valid(0);
            value.set_not_found(0);
        }
    }

    /// The values by which the configuration shows the certificate of a request.
    pub(crate) fn certificates<'r>(&self, r: Live<'r>) -> Vec<&'r [u8]> {
        let values = self.certificates.iter().filter_map(|index| {
            // SAFETY: as in `keep`; the value lives in the request's pool or that of its connection.
            unsafe {
                let value = ngx_http_get_indexed_variable(r.as_ptr(), *index).as_ref()?;
                (value.not_found() == 0 && value.len() != 0)
                    .then(|| core::slice::from_raw_parts(value.data, value.len() as usize))
            }
        });
        values.collect()
    }

    /// Reads the variables that show a token in this place, before it is taken away.
    ///
    /// A subrequest has the values of its main request.
    ///
    /// `None` if one cannot be read: a key may not be made of what is left.
    pub(crate) fn keep(&self, r: Live<'_>, source: &Source) -> Option<()> {
        let Some((_, indices)) = self.tokens.iter().find(|(known, _)| known == source) else {
            return Some(());
        };
        indices.iter().try_for_each(|index| {
            // SAFETY: the request is live, and Nginx gave the index out in this configuration.
            let value = unsafe { ngx_http_get_indexed_variable(r.as_ptr(), *index) };
            (!value.is_null()).then_some(())
        })
    }
}

/// Tells whether a variable of that name shows who a request comes from, as it was sent.
pub(crate) fn shows_credential(name: &str, sources: &[Source]) -> bool {
    shows_certificate(name) || sources.iter().any(|source| source.is_shown_by(name))
}

/// `ssl_client_verify` is only the verdict.
fn shows_certificate(name: &str) -> bool {
    name.starts_with("ssl_client_") && name != "ssl_client_verify"
}
