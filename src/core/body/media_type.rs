//! The type of a body.

use super::BodyError;
use super::multipart::Boundary;

/// A type that is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Type {
    /// JSON (RFC 8259), by any of its media types.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data` (RFC 7578), with what divides its parts.
    Multipart(Boundary),
    /// None: only an empty body has none.
    Absent,
}

impl Type {
    /// The type that a `Content-Type` says: `application/json`, `text/json`, what ends with `+json`, and
    /// both kinds of forms.
    ///
    /// # Errors
    ///
    /// [`BodyError::WrongType`] for others, for a charset other than UTF-8, and for what is no media type.
    pub fn of(value: &[u8]) -> Result<Self, BodyError> {
        let value = core::str::from_utf8(value).map_err(|_| BodyError::WrongType)?;
        let mut parts = value.split(';');
        let essence =
            parts.next().unwrap_or_default().trim_matches([' ', '\t']).to_ascii_lowercase();
        let mut boundary = None;
        for parameter in parts {
            let (name, value) = parameter.split_once('=').ok_or(BodyError::WrongType)?;
            let name = name.trim_matches([' ', '\t']);
            let value = value.trim_matches([' ', '\t']);
            let value =
                value.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(value);
            if !is_token(name) || value.contains(['"', '\\', ',']) {
                return Err(BodyError::WrongType);
            }
            if name.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
                return Err(BodyError::WrongType);
            }
            if name.eq_ignore_ascii_case("boundary") && boundary.replace(value).is_some() {
                return Err(BodyError::WrongType);
            }
        }
        let (kind, subtype) = essence.split_once('/').ok_or(BodyError::WrongType)?;
        if !is_token(kind) || !is_token(subtype) {
            return Err(BodyError::WrongType);
        }
        match (kind, subtype) {
            ("application" | "text", "json") => Ok(Self::Json),
            ("application", "x-www-form-urlencoded") => Ok(Self::Form),
            ("application", subtype) if subtype.ends_with("+json") => Ok(Self::Json),
            ("multipart", "form-data") => {
                let boundary = boundary.and_then(Boundary::new);
                boundary.map(Self::Multipart).ok_or(BodyError::WrongType)
            }
            _ => Err(BodyError::WrongType),
        }
    }
}

/// Of RFC 9110 section 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_several_types() {
        for value in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "text/json",
            "application/vnd.kafka.json.v2+json;charset=\"utf-8\"",
            "application/scim+json ; q=1",
        ] {
            assert_eq!(Type::of(value.as_bytes()), Ok(Type::Json), "{value}");
        }
        assert_eq!(Type::of(b"application/x-www-form-urlencoded"), Ok(Type::Form));
    }

    #[test]
    fn a_boundary_is_quoted_or_not() {
        let boundary = |text| Ok(Type::Multipart(Boundary::new(text).unwrap()));
        assert_eq!(Type::of(b"multipart/form-data; boundary=--x.Y"), boundary("--x.Y"));
        let quoted = b"Multipart/Form-Data; charset=utf-8; Boundary=\"a:/=?\"";
        assert_eq!(Type::of(quoted), boundary("a:/=?"));
        let of = |length| {
            Type::of(format!("multipart/form-data; boundary={}", "a".repeat(length)).as_bytes())
        };
        assert!(of(70).is_ok());
        assert_eq!(of(71), Err(BodyError::WrongType));
    }

    #[test]
    fn other_types_are_not_read() {
        for value in [
            "",
            "json",
            "application/",
            "text/plain",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"a b\"",
            "multipart/form-data; boundary=\"a;b\"",
            "multipart/form-data; boundary=a; boundary=b",
            "multipart/form-data; boundary=a; Boundary=a",
            "multipart/mixed; boundary=a",
            "application/octet-stream",
            "application/json; charset=utf-16",
            "application/json; charset=latin1",
            "application/json, text/plain",
            "application/json; x",
            "application/json x",
            "application/xml",
            "text/x+json",
        ] {
            assert_eq!(Type::of(value.as_bytes()), Err(BodyError::WrongType), "{value}");
        }
    }
}
