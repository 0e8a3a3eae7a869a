//! The manual's chapters: read here, on a Markdown host, and by `meshctl help TOPIC`.
//!
//! The reference is not among them: each row of [`crate::directive`], [`crate::refusal::Reason`],
//! [`crate::identity::VARIABLES`] and [`crate::export::FIELDS`] holds its own documentation, and
//! `meshctl help` prints it.

/// A chapter.
#[derive(Clone, Copy, Debug)]
pub struct Chapter {
    /// The topic of `meshctl help TOPIC`.
    pub name: &'static str,
    /// Its Markdown, from its title on.
    pub text: &'static str,
}

impl Chapter {
    /// Its title, and what follows.
    pub fn parts(&self) -> (&'static str, &'static str) {
        let (title, rest) = self.text.split_once('\n').unwrap_or((self.text, ""));
        (title.trim_start_matches(['#', ' ']), rest)
    }
}

macro_rules! chapters {
    ($($name:ident: $file:literal;)+) => {
        /// Every chapter, in the order of the manual.
        pub const CHAPTERS: &[Chapter] =
            &[$(Chapter { name: stringify!($name), text: include_str!($file) },)+];

        $(#[doc = include_str!($file)] pub mod $name {})+
    };
}

chapters! {
    configuration: "manual/configuration.md";
    variables: "manual/variables.md";
    headers: "manual/headers.md";
    reasons: "manual/reasons.md";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chapter_begins_with_its_title() {
        for chapter in CHAPTERS {
            assert!(chapter.text.starts_with("# "), "{}", chapter.name);
            assert!(!chapter.parts().0.is_empty(), "{}", chapter.name);
        }
    }
}
