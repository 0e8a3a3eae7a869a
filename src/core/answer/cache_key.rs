//! The key of a cached answer, which must tell callers apart.

use crate::identity::{Attribute, Identity};

/// Tells whether the parts of a key hold the caller's principal or service, or one of its credentials.
///
/// It looks for the texts alone, wherever they are: a short name may be there by chance, so `true`
/// proves nothing and `false` is worth a warning.
pub fn tells_apart(key: &[&[u8]], caller: &Identity, credentials: &[&[u8]]) -> bool {
    let names = [Attribute::Principal, Attribute::Service];
    let mut names = names.into_iter().filter_map(|it| caller.attribute(it));
    names.any(|name| holds(key, name.as_bytes()))
        || credentials.iter().any(|credential| holds(key, credential))
}

/// Tells whether a part of a key holds a text; an empty one is never held.
fn holds(key: &[&[u8]], text: &[u8]) -> bool {
    !text.is_empty() && key.iter().any(|part| memchr::memmem::find(part, text).is_some())
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn a_text_is_looked_for_in_each_part() {
        let key = [&b"httphttp://up/a"[..], b"", b"alice"];
        assert!(holds(&key, b"alice"));
        assert!(holds(&key, b"/a"));
        assert!(!holds(&key, b"bob"));
        // Not over the border between two.
        assert!(!holds(&key, b"aalice"));
        assert!(!holds(&key, b""));
    }
}
