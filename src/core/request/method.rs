//! The ways of proving an identity.

/// A way of proving an identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// A bearer token (RFC 6750).
    Token,
    /// A peer certificate.
    Certificate,
}

impl Method {
    /// The words of `mesh_authenticate`.
    const WORDS: [(&'static str, Self); 2] =
        [("token", Self::Token), ("certificate", Self::Certificate)];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The ways of proving an identity that a location reads: at least one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Methods {
    /// The bits of those that are read.
    read: u8,
    /// `any`: one of them is enough; otherwise all are needed.
    any: bool,
}

impl Methods {
    /// Reads the words of `mesh_authenticate`: `any`, or methods, each of them once.
    pub fn parse(words: &[&str]) -> Option<Self> {
        let all = || Method::WORDS.iter();
        if words == ["any"] {
            return Some(Self { read: all().fold(0, |bits, (_, it)| bits | it.bit()), any: true });
        }
        let mut read = 0;
        for word in words {
            let (_, method) = all().find(|(known, _)| known == word)?;
            if read & method.bit() != 0 {
                return None;
            }
            read |= method.bit();
        }
        (read != 0).then_some(Self { read, any: false })
    }

    /// One method alone.
    pub const fn only(method: Method) -> Self {
        Self { read: method.bit(), any: false }
    }

    /// Whether it is looked at; one that is not is not read.
    pub const fn reads(self, method: Method) -> bool {
        self.read & method.bit() != 0
    }

    /// Whether there is no identity without it.
    pub const fn requires(self, method: Method) -> bool {
        self.reads(method) && !self.any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_reads_all_methods_and_requires_none() {
        let any = Methods::parse(&["any"]).unwrap();
        for (_, method) in Method::WORDS {
            assert!(any.reads(method) && !any.requires(method));
        }
    }

    #[test]
    fn what_is_listed_is_required_and_nothing_else_is_read() {
        assert_eq!(Methods::parse(&["token"]), Some(Methods::only(Method::Token)));
        let certificate = Methods::parse(&["certificate"]).unwrap();
        assert!(certificate.requires(Method::Certificate) && !certificate.reads(Method::Token));
        let both = Methods::parse(&["token", "certificate"]);
        assert_eq!(both, Methods::parse(&["certificate", "token"]));
        assert!(both.is_some_and(|both| both.requires(Method::Token)));
        for words in [&[][..], &["off"], &["token", "token"], &["any", "token"], &["tokens"]] {
            assert_eq!(Methods::parse(words), None, "{words:?}");
        }
    }
}
