//! The source of a document.

use aws_lc_rs::digest::{Context, SHA256};

use crate::issuer::{Issuer, KeySource};

/// Where a document comes from, as a digest of what names it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Source(pub(super) [u8; 32]);

impl Source {
    /// The source of an issuer's keys.
    pub fn of(issuer: &Issuer) -> Self {
        let file;
        let (kind, place) = match &issuer.keys {
            KeySource::File(path) => {
                file = path.to_string_lossy();
                ("file", &*file)
            }
            KeySource::None => ("none", ""),
            KeySource::Remote(remote) => (remote.entry.kind(), remote.entry.url().as_str()),
        };
        let mut context = Context::new(&SHA256);
        for part in [&*issuer.name, &*issuer.url, kind, place] {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            context.update(part.as_bytes());
        }
        Self(bytes_of(&context))
    }

    /// The digest.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The name of the memory of these sources, in this order: another set of them has another memory,
/// so that one configuration never takes another's documents for its own.
pub fn zone_name(sources: &[Source]) -> String {
    let mut context = Context::new(&SHA256);
    for source in sources {
        context.update(source.digest());
    }
    let [a, b, c, d, e, f, g, h, ..] = bytes_of(&context);
    format!("{ZONE}{:016x}", u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

/// The beginning of the name of every such memory.
pub const ZONE: &str = "mesh_documents_";

/// The digest of what went into a context.
pub(super) fn bytes_of(context: &Context) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(context.clone().finish().as_ref()) {
        *to = *from;
    }
    bytes
}
