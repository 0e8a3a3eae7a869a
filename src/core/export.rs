//! What goes upstream of an admission: the exported header fields.

use core::num::NonZeroU32;
use std::borrow::Cow;

use crate::identity::{Attribute, Identity};

/// The exported header fields, in the order in which they are sent.
pub const FIELDS: &[Field] = &[
    Field::new("X-Mesh-Service", "x-mesh-service", Attribute::Service),
    Field::new("X-Mesh-Principal", "x-mesh-principal", Attribute::Principal),
    Field::new("X-Mesh-Issuer", "x-mesh-issuer", Attribute::Issuer),
    Field::new("X-Mesh-Spiffe-Id", "x-mesh-spiffe-id", Attribute::SpiffeId),
    Field::new("X-Mesh-Method", "x-mesh-method", Attribute::Method),
    Field::new("X-Mesh-Groups", "x-mesh-groups", Attribute::Groups),
];

/// One exported header field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its name in lower case, as Nginx hashes it.
    pub lowercase: &'static str,
    /// That hash (`ngx_hash_key`).
    pub hash: usize,
    /// What its value is; the attribute's variable has the documentation.
    pub attribute: Attribute,
}

impl Field {
    const fn new(name: &'static str, lowercase: &'static str, attribute: Attribute) -> Self {
        Self { name, lowercase, hash: hash(lowercase.as_bytes()), attribute }
    }
}

/// `ngx_hash_key`: by it and the lower-case name Nginx finds the headers it replaces upstream.
pub const fn hash(lowercase: &[u8]) -> usize {
    let (mut hash, mut rest): (usize, _) = (0, lowercase);
    while let [byte, after @ ..] = rest {
        hash = hash.wrapping_mul(31).wrapping_add(*byte as usize);
        rest = after;
    }
    hash
}

/// The fields of one identity with their values, ready to be copied as a whole: what a token is
/// exported as does not change from one request to the next.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The values, each ended by a NUL as Nginx's own parser does.
    text: Box<[u8]>,
    /// Where the value of each field ends in `text`, at its NUL; `None` for a field that is left out.
    ends: [Option<NonZeroU32>; FIELDS.len()],
}

impl Rendered {
    /// Writes the values of an identity.
    pub(crate) fn of(identity: &Identity) -> Self {
        let (mut text, mut ends) = (Vec::new(), [None; FIELDS.len()]);
        for (field, end) in FIELDS.iter().zip(&mut ends) {
            let value = identity.attribute(field.attribute);
            let Some(value) = value.filter(|value| is_value(value.as_bytes())) else { continue };
            text.extend_from_slice(value.as_bytes());
            // It is not empty, so that it does not end at 0.
            *end = u32::try_from(text.len()).ok().and_then(NonZeroU32::new);
            text.push(0);
        }
        Self { text: text.into(), ends }
    }

    /// All values, one behind the other.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// How many fields there are.
    pub fn count(&self) -> usize {
        self.ends.iter().flatten().count()
    }

    /// The fields, with the place of each value in [`Self::text`].
    pub fn fields(&self) -> impl Iterator<Item = (&'static Field, core::ops::Range<usize>)> {
        let mut start = 0;
        FIELDS.iter().zip(&self.ends).filter_map(move |(field, end)| {
            let end = (*end)?.get() as usize;
            let value = start..end;
            start = end.saturating_add(1);
            Some((field, value))
        })
    }
}

/// Whether a text can be a field's value: it is not empty, and does not end the field. That it does
/// not is the work of [`crate::encode`]; this is the last look at it.
fn is_value(text: &[u8]) -> bool {
    !text.is_empty() && !text.iter().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n'))
}

/// The fields of one admission with their values; one whose value is empty is left out.
#[derive(Debug)]
pub struct Fields<'a> {
    identity: Option<&'a Identity>,
    rest: core::slice::Iter<'static, Field>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(identity: Option<&'a Identity>) -> Self {
        Self { identity, rest: FIELDS.iter() }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'static Field, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let identity = self.identity?;
        self.rest.by_ref().find_map(|field| {
            let value = identity.attribute(field.attribute)?;
            (!value.is_empty()).then_some((field, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reserved::is_reserved;

    #[test]
    fn what_is_exported_is_in_the_reserved_name_space() {
        for field in FIELDS {
            assert_eq!(field.name.to_ascii_lowercase(), field.lowercase);
            assert!(is_reserved(field.name.as_bytes()), "{}", field.name);
            assert!(field.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
        }
    }

    #[test]
    fn names_are_hashed_as_nginx_does() {
        // ngx_hash(ngx_hash(ngx_hash(0, 'a'), 'b'), 'c')
        assert_eq!(hash(b"abc"), (97 * 31 + 98) * 31 + 99);
        assert_eq!(hash(b""), 0);
        assert_eq!(FIELDS[0].hash, hash(b"x-mesh-service"));
    }
}
