//! Which protocols a connection may be changed to (RFC 9110 section 7.8), and what `Connection` may
//! name (section 7.6.1).
//!
//! After a change of protocol the module does not see the requests on the connection: it bypasses
//! every rule that is judged by request. And a server that obeys `Connection` drops the fields that
//! it names, ours among them.

use crate::text::reserved::is_reserved;

/// The values of `Upgrade` that go upstream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Upgrades {
    /// All of them.
    Any,
    /// `websocket`, and lists of it and of these: `NAME` or `NAME/VERSION`.
    Named(Box<[Box<str>]>),
    /// None.
    Off,
}

impl Default for Upgrades {
    fn default() -> Self {
        Self::Named(Box::default())
    }
}

impl Upgrades {
    /// Whether a request with these values of `Upgrade` may go upstream with them.
    pub fn allow<'v>(&self, mut values: impl Iterator<Item = &'v [u8]>) -> bool {
        match (self, values.next(), values.next()) {
            (_, None, _) | (Self::Any, ..) => true,
            (Self::Off, ..) | (_, _, Some(_)) => false,
            (Self::Named(names), Some(value), None) => {
                value.eq_ignore_ascii_case(WEBSOCKET)
                    || (!names.is_empty() && protocols(value).all(|it| is_named(names, it)))
            }
        }
    }

    /// Takes up what another place allows.
    pub fn widen(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Any, _) | (_, Self::Off) => {}
            (_, Self::Any) => *self = Self::Any,
            (Self::Off, Self::Named(_)) => *self = other.clone(),
            (Self::Named(names), Self::Named(others)) => {
                let new = others.iter().filter(|it| !is_named(names, it.as_bytes()));
                *names = names.iter().chain(new).cloned().collect();
            }
        }
    }
}

const WEBSOCKET: &[u8] = b"websocket";

/// The members of a list; an empty one names nothing.
fn protocols(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim)
}

fn is_named(names: &[Box<str>], protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(WEBSOCKET)
        || names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(protocol))
}

/// Whether a word can be a protocol: a token, and a version behind a slash.
pub(crate) fn is_protocol(word: &str) -> bool {
    let is_token = |part: &str| !part.is_empty() && part.bytes().all(is_token);
    let (name, version) = word.split_once('/').unwrap_or((word, "1"));
    word.len() <= 64 && is_token(name) && is_token(version)
}

/// The value of a `Connection` field without the names that only we may set; `None` if it holds none.
pub fn without_reserved(connection: &[u8]) -> Option<Vec<u8>> {
    if !may_hold_reserved(connection) {
        return None;
    }
    let members = || connection.split(|byte| *byte == b',').map(trim);
    if !members().any(holds_reserved) {
        return None;
    }
    let mut rest = Vec::with_capacity(connection.len());
    for member in members().filter(|it| !it.is_empty() && !holds_reserved(it)) {
        if !rest.is_empty() {
            rest.extend_from_slice(b", ");
        }
        rest.extend_from_slice(member);
    }
    Some(rest)
}

/// Whether a value is worth a closer look, which those that are usual are not.
fn may_hold_reserved(value: &[u8]) -> bool {
    // `X-Mesh-` has an X.
    value.len() > 6 && memchr::memchr2(b'x', b'X', value).is_some()
}

/// Whether a reserved name begins anywhere in the member of a list: at a byte that no name has, a lenient
/// reader may begin a new one.
fn holds_reserved(member: &[u8]) -> bool {
    let begins = |at: usize| {
        at.checked_sub(1).and_then(|before| member.get(before)).is_none_or(|byte| !is_token(*byte))
    };
    (0..member.len()).filter(|at| begins(*at)).any(|at| member.get(at..).is_some_and(is_reserved))
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// A byte of a token (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(names: &[&str]) -> Upgrades {
        Upgrades::Named(names.iter().map(|name| (*name).into()).collect())
    }

    fn allow(upgrades: &Upgrades, values: &[&str]) -> bool {
        upgrades.allow(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn one_websocket_goes_and_nothing_else() {
        let usual = Upgrades::default();
        for value in ["websocket", "WebSocket", "WEBSOCKET"] {
            assert!(allow(&usual, &[value]), "{value}");
            assert!(!allow(&Upgrades::Off, &[value]), "{value}");
        }
        for value in [
            "",
            "h2c",
            "websocket, h2c",
            "h2c, websocket",
            "websocket,",
            ",websocket",
            "websocket ",
            "\twebsocket",
            "websocket\t",
            "websocket/13",
            "web-socket",
            "websocket;h2c",
            "websocket, websocket",
            "TLS/1.0",
            "HTTP/2.0",
        ] {
            assert!(!allow(&usual, &[value]), "{value:?}");
        }
        assert!(!allow(&usual, &["websocket", "websocket"]));
        assert!(!allow(&usual, &["websocket", "h2c"]));
        for upgrades in [&usual, &Upgrades::Off, &Upgrades::Any] {
            assert!(allow(upgrades, &[]));
        }
    }

    #[test]
    fn what_is_named_goes_beside_it() {
        let upgrades = named(&["h2c", "TLS/1.0"]);
        for value in ["h2c", "H2C", "websocket", "tls/1.0", "h2c, websocket", "websocket ,\th2c"] {
            assert!(allow(&upgrades, &[value]), "{value}");
        }
        for value in ["tls", "tls/1.1", "h2", "h2c,", "h2c, ws", "h2c/2", ""] {
            assert!(!allow(&upgrades, &[value]), "{value}");
        }
        assert!(!allow(&upgrades, &["h2c", "h2c"]));
        assert!(allow(&Upgrades::Any, &["h2c", "h2c, x"]));
    }

    #[test]
    fn several_places_allow_what_one_of_them_does() {
        let mut all = Upgrades::default();
        all.widen(&Upgrades::Off);
        assert_eq!(all, Upgrades::default());
        all.widen(&named(&["h2c"]));
        all.widen(&named(&["H2C", "TLS/1.0"]));
        assert_eq!(all, named(&["h2c", "TLS/1.0"]));
        all.widen(&Upgrades::Any);
        all.widen(&named(&["x"]));
        assert_eq!(all, Upgrades::Any);
        let mut none = Upgrades::Off;
        none.widen(&Upgrades::default());
        assert_eq!(none, Upgrades::default());
    }

    #[test]
    fn protocols_are_tokens_with_a_version() {
        for word in ["h2c", "TLS/1.0", "HTTP/2.0", "a"] {
            assert!(is_protocol(word), "{word}");
        }
        for word in ["", "/", "h2c/", "/1", "a b", "a,b", "a/1/2", "a;b", &"a".repeat(65)] {
            assert!(!is_protocol(word), "{word}");
        }
    }

    #[test]
    fn connection_names_nothing_of_ours() {
        for (value, rest) in [
            ("close, X-Mesh-Service", "close"),
            ("X-Mesh-Service", ""),
            ("x_mesh_service, keep-alive", "keep-alive"),
            ("upgrade,X.MESH.groups,\tTE", "upgrade, TE"),
            ("close X-Mesh-Service", ""),
            ("close;x-mesh-service, te", "te"),
            ("\"x-mesh-service\"", ""),
            ("x mesh service, te", "te"),
            ("x-mesh-,x-mesh-a,,b", "b"),
        ] {
            let left = without_reserved(value.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(left).unwrap(), rest, "{value}");
        }
        for value in [
            "",
            "close",
            "keep-alive",
            "Upgrade",
            "Upgrade, HTTP2-Settings",
            "x-mesh",
            "x-meshed",
            "my-x-mesh-field",
            "proxy-authorization, max-forwards",
        ] {
            assert_eq!(without_reserved(value.as_bytes()), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_left_of_a_connection_is_left_alone(
            parts in proptest::collection::vec("[ \t]{0,2}(x[-_.]mesh[-_]a|close|te|x-other|X-Mesh-|[ -~]{0,12})[ \t]{0,2}", 0..6),
        ) {
            let value = parts.join(",");
            if let Some(rest) = without_reserved(value.as_bytes()) {
                prop_assert!(rest.len() < value.len());
                prop_assert_eq!(without_reserved(&rest), None);
                prop_assert!(!rest.split(|byte| *byte == b',').any(holds_reserved));
            } else {
                prop_assert!(!value.as_bytes().split(|byte| *byte == b',').any(holds_reserved));
            }
        }

        #[test]
        fn nothing_else_than_websocket_goes_by_default(value in "[ -~\t]{0,20}") {
            let is_websocket = value.eq_ignore_ascii_case("websocket");
            prop_assert_eq!(allow(&Upgrades::default(), &[&value]), is_websocket);
        }
    }
}
