//! What goes upstream of an admission: the exported header fields.

use std::borrow::Cow;

use crate::identity::{Attribute, Identity};

/// The exported header fields, in the order in which they are sent.
pub const FIELDS: &[Field] = &[
    Field { name: "X-Mesh-Service", lowercase: "x-mesh-service", attribute: Attribute::Service },
    Field {
        name: "X-Mesh-Principal",
        lowercase: "x-mesh-principal",
        attribute: Attribute::Principal,
    },
    Field { name: "X-Mesh-Issuer", lowercase: "x-mesh-issuer", attribute: Attribute::Issuer },
    Field {
        name: "X-Mesh-Spiffe-Id",
        lowercase: "x-mesh-spiffe-id",
        attribute: Attribute::SpiffeId,
    },
    Field { name: "X-Mesh-Method", lowercase: "x-mesh-method", attribute: Attribute::Method },
    Field { name: "X-Mesh-Groups", lowercase: "x-mesh-groups", attribute: Attribute::Groups },
];

/// One exported header field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its name in lower case, as Nginx hashes it.
    pub lowercase: &'static str,
    attribute: Attribute,
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
        }
    }
}
