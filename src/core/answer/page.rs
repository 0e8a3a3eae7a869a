//! The page of a refusal, as the clients of a platform read it.
//!
//! Each platform's clients read their errors from one shape of body or from fields, and show nothing of
//! another shape; some repeat a request because of a status, a field or a phrase. A [`Shape`] is a row of
//! what its clients read, [`mod@text`] is what they are told. [`crate::manual::refusals`] says what each
//! client was seen to do.

pub mod shape;
pub mod text;

pub use shape::Shape;

use text::Text;

use crate::refusal::Refusal;

/// What a client is told.
#[derive(Clone, Copy, Debug)]
pub struct Told<'t> {
    /// Why, and when it may come again.
    pub refusal: &'t Refusal,
    /// The status, as [`Refusal::status`] has it.
    pub status: u16,
    /// The service that is refused; `None` if nobody was authenticated.
    pub who: Option<&'t str>,
    /// What it asked for.
    pub what: What<'t>,
    /// What the operator finds in the log.
    pub reference: &'t str,
    /// Whether the reason is told too.
    pub explain: bool,
}

/// What was asked for, in the words of the platform's table, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct What<'t> {
    /// The operation.
    pub operation: Option<&'t str>,
    /// The kind of what is refused.
    pub kind: Option<&'t str>,
    /// What would be done with it.
    pub action: Option<&'t str>,
    /// Its name; `None` for all of its kind.
    pub name: Option<&'t str>,
}

/// An answer to a client that refuses. No other module of Nginx may be told of a refusal by its status: to
/// one that judges by a subrequest, the 200 of gRPC would be a permit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    /// The status of the answer: 200 for gRPC, which has its own.
    pub status: u16,
    /// The status with a phrase of ours (RFC 9112 section 4), if clients of HTTP/1 show it and nothing else.
    pub status_line: Option<String>,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The content; an answer to HEAD has its length alone.
    pub body: String,
    /// Every other field but the challenge's, `Retry-After` included. Values are visible ASCII and spaces.
    pub fields: Vec<(&'static str, String)>,
}

impl Page {
    /// The page of a refusal.
    pub fn new(shape: Shape, told: &Told<'_>) -> Self {
        let row = shape.row();
        let code = row.code(told.status);
        let text = Text::of(told, code);
        let mut fields = (row.fields)(&text);
        for (name, value) in told.refusal.fields() {
            if name != "Retry-After" {
                fields.push((name, value));
            }
        }
        let wait = row.waits.secs(told.status, told.refusal.wait_secs());
        fields.extend(wait.map(|secs| ("Retry-After", secs.to_string())));
        Self {
            status: row.status.unwrap_or(told.status),
            status_line: row.has_phrase.then(|| shape::status_line(&text)),
            content_type: row.content_type,
            body: (row.body)(&text),
            fields,
        }
    }
}

#[cfg(test)]
mod tests;
