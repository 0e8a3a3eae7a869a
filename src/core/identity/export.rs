//! The header fields that carry an admission's identity upstream.

use core::ops::Range;
use std::borrow::Cow;

use super::{Attribute, Identity};
use crate::text::rendered::Rendered;

/// The exported header fields, in the order in which they are sent.
pub const FIELDS: &[Field; Rendered::VALUES] = &[
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
    /// The attribute that it carries, whose variable has the documentation.
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

/// Writes the values of an identity.
pub(super) fn render(identity: &Identity) -> Rendered {
    Rendered::of(FIELDS.iter().map(|field| identity.attribute(field.attribute)))
}

/// The fields that were written, with the place of each value in [`Rendered::text`].
#[inline]
pub fn fields(rendered: &Rendered) -> impl Iterator<Item = (&'static Field, Range<usize>)> {
    rendered.zip(FIELDS)
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
    use crate::text::reserved::is_reserved;

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
