//! The ways of proving an identity: the word for each, and the reason to refuse a request without it.
//!
//! One more is a row here, its verification in [`authenticate`](mod@crate::stage::authenticate), and
//! what it tells of a client in [`identity`](crate::identity).

use crate::refusal::Reason;

macro_rules! methods {
    ($($(#[doc = $doc:literal])+ $method:ident => $word:literal, $missing:ident;)+) => {
        /// A way of proving an identity.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Method { $($(#[doc = $doc])+ $method,)+ }

        impl Method {
            const ALL: &[Self] = &[$(Self::$method),+];

            /// Its word in `mesh_authenticate`.
            const fn word(self) -> &'static str {
                match self { $(Self::$method => $word,)+ }
            }

            /// The reason to refuse a request that lacks it.
            const fn missing(self) -> Reason {
                match self { $(Self::$method => Reason::$missing,)+ }
            }
        }
    };
}

methods! {
    /// A bearer token (RFC 6750).
    Token => "token", CredentialMissing;
    /// A peer certificate.
    Certificate => "certificate", CertificateMissing;
}

impl Method {
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
    /// The syntax of `mesh_authenticate`.
    pub(crate) const SYNTAX: &str = "off | any | token | certificate | token certificate";
    /// The same as the words of an error.
    pub(crate) const EXPECTED: &str = "off, any, token, certificate, or token certificate";

    /// Reads the words of `mesh_authenticate`: `any`, or methods, each of them once.
    pub fn parse(words: &[&str]) -> Option<Self> {
        let all = || Method::ALL.iter();
        if words == ["any"] {
            return Some(Self { read: all().fold(0, |bits, it| bits | it.bit()), any: true });
        }
        let mut read = 0;
        for word in words {
            let method = all().find(|method| method.word() == *word)?;
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

    /// The methods that are looked at.
    pub(crate) fn each(self) -> impl Iterator<Item = Method> {
        Method::ALL.iter().copied().filter(move |method| self.reads(*method))
    }

    /// Refuses a request that lacks what there is no identity without.
    pub(crate) const fn demand(self, method: Method, is_there: bool) -> Result<(), Reason> {
        if !is_there && self.requires(method) { Err(method.missing()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_reads_all_methods_and_requires_none() {
        let any = Methods::parse(&["any"]).unwrap();
        for method in Method::ALL {
            assert!(any.reads(*method) && !any.requires(*method));
        }
        assert!(any.each().eq(Method::ALL.iter().copied()));
    }

    #[test]
    fn each_method_has_a_word_in_the_syntax_and_in_the_error() {
        for word in Method::ALL.iter().map(|method| method.word()) {
            assert!(Methods::SYNTAX.split(" | ").any(|it| it == word), "{word}");
            assert!(Methods::EXPECTED.split(", ").any(|it| it == word), "{word}");
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
